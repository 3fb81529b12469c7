//! Effort: how much a model thinks before it answers.

use serde::{Deserialize, Serialize};

/// How much a model thinks before it answers. Models that do not think ignore it.
///
/// # Examples
/// ```
/// use zeph_common::Effort;
/// assert_eq!(Effort::from_word("high"), Some(Effort::High));
/// assert_eq!(Effort::Low.word(), "low");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// Little: fast and cheap.
    Low,
    /// Between the two.
    Medium,
    /// Much: slow and expensive.
    High,
}

impl Effort {
    /// Every effort.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];

    /// The word in definitions of agents, in plan files and in requests to services.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The effort with that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.word() == word)
    }
}
