//! The collection of diagnostics: what a check found, with a limit, and the error that it returns.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::{Diagnostic, Source, suggest};

/// The most diagnostics that a collection keeps. Further ones are only counted.
pub const MAX_DIAGNOSTICS: usize = 1_000;

/// How many names all suggestions of a collection are compared with. Without this limit, the cost of a
/// document with many misspelt names would grow with the square of its size.
const MAX_COMPARED: usize = 500_000;

/// The diagnostics of a check, in the order in which they were added.
///
/// As an error it is never empty. `Display` shows one a line, the first 50.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    all: Vec<Diagnostic>,
    /// How many were added above the limit.
    omitted: usize,
    compared: usize,
    source: Option<Source>,
}

impl Diagnostics {
    /// An empty collection.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty collection for problems of a text: each that is added gets this source, unless it has
    /// one.
    #[must_use]
    pub fn in_source(source: &Source) -> Self {
        Self {
            source: Some(source.clone()),
            ..Self::default()
        }
    }

    /// Adds a diagnostic. Above [`MAX_DIAGNOSTICS`] it is only counted.
    pub fn push(&mut self, mut one: Diagnostic) {
        if self.is_full() {
            self.omitted += 1;
            return;
        }
        if one.source.is_none() {
            one.source.clone_from(&self.source);
        }
        if let (Some(source), Some(span)) = (&one.source, one.span) {
            one.span = Some(source.bounded(span));
        }
        self.all.push(one);
    }

    /// Adds all of another collection.
    pub fn append(&mut self, other: Self) {
        self.omitted += other.omitted;
        other.all.into_iter().for_each(|one| self.push(one));
    }

    /// Whether no further diagnostic is kept, so that a check may stop early.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.all.len() >= MAX_DIAGNOSTICS
    }

    /// As [`suggest`](crate::suggest()), with one limit on the comparisons for the whole collection.
    pub fn suggest<'a>(
        &mut self,
        wanted: &str,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        if self.is_full() {
            return None;
        }
        let compared = &mut self.compared;
        let names = names.into_iter().take(MAX_COMPARED - *compared);
        suggest(wanted, names.inspect(|_| *compared += 1))
    }

    /// Orders them by their place in the text; those without one come first.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.all.sort_by_key(|one| one.span.map(|span| span.start));
        self
    }

    /// The diagnostics.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.all
    }

    /// `Ok` if there is none.
    ///
    /// # Errors
    /// The collection, unless it is empty.
    pub fn into_result(self) -> Result<(), Self> {
        if self.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl Deref for Diagnostics {
    type Target = [Diagnostic];

    fn deref(&self) -> &[Diagnostic] {
        &self.all
    }
}

impl DerefMut for Diagnostics {
    fn deref_mut(&mut self) -> &mut [Diagnostic] {
        &mut self.all
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(one: Diagnostic) -> Self {
        Self::from_iter([one])
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, all: I) {
        all.into_iter().for_each(|one| self.push(one));
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(all: I) -> Self {
        let mut collection = Self::new();
        collection.extend(all);
        collection
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.all.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 50;
        for (index, one) in self.all.iter().take(SHOWN).enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{one}")?;
        }
        match self.hidden(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n… and {more} more"),
        }
    }
}

impl Diagnostics {
    /// How many are not shown by a display of the first `shown`.
    pub(crate) fn hidden(&self, shown: usize) -> usize {
        self.all.len().saturating_sub(shown) + self.omitted
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.all).finish()
    }
}

impl std::error::Error for Diagnostics {}

#[cfg(test)]
mod tests {
    use super::MAX_COMPARED;
    use crate::{Diagnostic, Diagnostics, MAX_DIAGNOSTICS, Source, code};

    #[test]
    fn a_full_collection_counts_what_it_does_not_keep() {
        let one = |at| Diagnostic::new(code::SYNTAX, format!("problem {at}"));
        let mut all: Diagnostics = (0..MAX_DIAGNOSTICS + 7).map(one).collect();
        assert_eq!(all.len(), MAX_DIAGNOSTICS);
        assert!(all.to_string().ends_with("\n… and 957 more"), "{all}");
        assert_eq!(all.suggest("serch", ["search"]), None);
    }

    #[test]
    fn spans_are_moved_into_the_text() {
        let source = Source::new("x", "aä");
        let mut all = Diagnostics::in_source(&source);
        all.push(Diagnostic::new(code::SYNTAX, "bad").at(2..99));
        all.push(Diagnostic::new(code::SYNTAX, "all of it"));
        assert_eq!(all.as_slice()[0].span, Some((1..3).into()));
        let wanted = "x: [syntax] all of it\nx:1:2: [syntax] bad";
        assert_eq!(all.sorted().to_string(), wanted);
    }

    #[test]
    fn suggestions_share_one_limit() {
        let names: Vec<String> = (0..MAX_COMPARED).map(|at| at.to_string()).collect();
        let mut all = Diagnostics::new();
        assert_eq!(all.suggest("serch", ["search"]), Some("search"));
        assert_eq!(
            all.suggest("a name", names.iter().map(|name| &**name)),
            None
        );
        assert_eq!(all.suggest("serch", ["search"]), None);
    }
}
