//! How much a text looks like an injection: features with weights, and nothing else.

use serde::{Deserialize, Serialize};

/// How much a text looks like an attempt to give a model instructions. Advice, never a verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// From 0.0 (nothing matched) to 1.0, in steps of 0.01.
    pub value: f64,
    /// The features that matched, in the order of their definition.
    pub features: Vec<Feature>,
}

/// A feature that matched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// Its name, such as `ignore_instructions`.
    pub name: String,
    /// What it added to the score before the sum was limited to 1.0.
    pub weight: f64,
}

impl Score {
    /// Nothing matched, or nothing was looked at.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            value: 0.0,
            features: Vec::new(),
        }
    }
}

/// Scores a text.
///
/// Linear in the text; deterministic.
#[must_use]
pub fn score(_text: &str) -> Score {
    Score::none()
}
