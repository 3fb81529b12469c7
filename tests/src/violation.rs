//! Violation: an invariant that does not hold, by number and name, with what was observed.

use std::fmt;

/// An invariant that does not hold. Numbers 1 to 18 are those of the scheduler's list of invariants;
/// 19 is `explain`, 20 the agreement with the reference model, 21 the wire format, 22 to 24 are budgets,
/// patches and accounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's number.
    pub number: u8,
    /// The name of the function that checks it.
    pub name: &'static str,
    /// The observation.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!(
            "invariant {} ({}): {}",
            self.number, self.name, self.what
        ))
    }
}

impl std::error::Error for Violation {}

/// The result of a check.
pub type Check<T = ()> = Result<T, Violation>;

/// Builds the text only when the condition fails.
#[macro_export]
#[doc(hidden)]
macro_rules! hold {
    ($condition:expr, $number:literal, $name:literal, $($what:tt)+) => {
        if !$condition {
            return Err($crate::violation::Violation {
                number: $number,
                name: $name,
                what: format!($($what)+),
            });
        }
    };
}
