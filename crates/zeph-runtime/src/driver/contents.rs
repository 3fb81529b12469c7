//! Contents: values and texts of a run that the journal refers to by number.

use zeph_graph::ContentId;

/// Numbered contents, in the order of their numbers.
///
/// A driver that stores contents elsewhere [clears](Self::clear) them after each save; one that keeps
/// them in memory never does. All operations take constant time.
///
/// # Examples
/// ```
/// use zeph_graph::ContentId;
/// use zeph_runtime::driver::Contents;
/// let mut contents = Contents::starting_at(ContentId::FIRST);
/// let first = contents.intern("a");
/// let second = contents.intern("b");
/// contents.forget(second);
/// assert_eq!(contents.intern("c"), second, "the number of a forgotten last content is used again");
/// assert_eq!(contents.get(first), Some(&"a"));
/// contents.clear();
/// assert_eq!(contents.get(first), None);
/// assert_eq!(contents.intern("d").get(), 3, "numbers go on");
/// ```
#[derive(Debug)]
pub struct Contents<T> {
    first: ContentId,
    items: Vec<Option<T>>,
}

impl<T> Contents<T> {
    /// No contents yet; the first one gets this number.
    #[must_use]
    pub const fn starting_at(first: ContentId) -> Self {
        Self {
            first,
            items: Vec::new(),
        }
    }

    /// Adds a content and returns its number.
    pub fn intern(&mut self, content: T) -> ContentId {
        let id = self.next();
        self.items.push(Some(content));
        id
    }

    /// A content that is still held.
    #[must_use]
    pub fn get(&self, id: ContentId) -> Option<&T> {
        self.items.get(self.index(id)?)?.as_ref()
    }

    /// Removes and returns a content. Its number is not used again.
    pub fn take(&mut self, id: ContentId) -> Option<T> {
        let index = self.index(id)?;
        self.items.get_mut(index)?.take()
    }

    /// Replaces a content that is still held.
    pub fn replace(&mut self, id: ContentId, content: T) {
        let index = self.index(id);
        if let Some(slot) = index.and_then(|index| self.items.get_mut(index)) {
            *slot = Some(content);
        }
    }

    /// Removes a content that no record refers to. If it is the last one, its number is used again.
    pub fn forget(&mut self, id: ContentId) {
        if self.index(id).is_some_and(|at| at + 1 == self.items.len()) {
            self.items.pop();
        } else {
            drop(self.take(id));
        }
    }

    /// Removes all contents. Their numbers are not used again.
    pub fn clear(&mut self) {
        self.first = self.next();
        self.items.clear();
    }

    fn next(&self) -> ContentId {
        // A run cannot have that many records.
        let count = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        let next = self.first.get().saturating_add(count);
        ContentId::new(next).unwrap_or(self.first)
    }

    fn index(&self, id: ContentId) -> Option<usize> {
        id.get().checked_sub(self.first.get()).map(|at| at as usize)
    }
}
