//! Findings: what a check found wrong, and where.

use std::fmt;

/// One thing that is wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    place: String,
    what: String,
}

impl Finding {
    /// A finding about a whole file, crate or document.
    pub(crate) fn of(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            place: place.into(),
            what: what.into(),
        }
    }

    /// A finding at a line, counted from 1, so that a terminal can jump to it.
    pub(crate) fn at(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self::of(format!("{path}:{line}"), what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}
