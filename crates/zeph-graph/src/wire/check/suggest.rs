//! Suggestions for misspelt names.

/// How many pairs of names one check compares, so that misspelling everything costs little.
const MOST: usize = 500_000;

/// Finds the name that somebody may have meant.
pub(super) struct Suggester<I> {
    names: I,
    left: usize,
}

impl<'a, I: Iterator<Item = &'a str> + Clone> Suggester<I> {
    pub(super) fn new(names: I) -> Self {
        Self { names, left: MOST }
    }

    /// The nearest name, if one is near: at most a third of its characters differ.
    pub(super) fn near(&mut self, wanted: &str) -> Option<&'a str> {
        if wanted.len() > crate::MAX_NAME_BYTES {
            return None;
        }
        let most = (wanted.chars().count() / 3).max(1);
        let mut left = self.left;
        let names = self.names.clone().take_while(|_| {
            left = left.saturating_sub(1);
            left > 0
        });
        let candidates = names.filter(|name| {
            !name.is_empty() && *name != wanted && name.len().abs_diff(wanted.len()) <= 4 * most
        });
        let nearest = candidates
            .map(|name| (distance(wanted, name), name))
            .filter(|(distance, _)| *distance <= most)
            .min();
        self.left = left;
        nearest.map(|(_, name)| name)
    }
}

/// Edits between two names; a difference of case only counts as one.
fn distance(a: &str, b: &str) -> usize {
    if a.to_lowercase() == b.to_lowercase() {
        return 1;
    }
    strsim::damerau_levenshtein(a, b)
}
