//! Verdicts: whether the result of an attempt is accepted.

use serde::{Deserialize, Serialize};

/// The code of the error of an attempt whose result was not accepted. Its detail has the texts `why` and `result`.
pub const REJECTED: &str = "check_failed";

/// Whether the result of an attempt is accepted, and why not.
///
/// # Examples
/// ```
/// use zeph_executor::Verdict;
/// let verdict = Verdict::rejected("judge", "it names no source");
/// assert_eq!(serde_json::to_value(&verdict)?["accepted"], false);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Whether it is accepted.
    pub accepted: bool,
    /// The part of the check that decided: `schema`, `that` or `judge`.
    pub by: String,
    /// The reason, for a person and for the next attempt; may be empty if it is accepted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Verdict {
    /// The result is accepted.
    #[must_use]
    pub fn accepted(by: impl Into<String>) -> Self {
        Self {
            accepted: true,
            by: by.into(),
            why: String::new(),
        }
    }

    /// The result is not accepted, for this reason.
    #[must_use]
    pub fn rejected(by: impl Into<String>, why: impl Into<String>) -> Self {
        Self {
            accepted: false,
            by: by.into(),
            why: why.into(),
        }
    }
}
