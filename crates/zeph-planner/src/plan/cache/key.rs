//! Keys: everything that a plan depends on, as one hash.

use std::fmt;

use serde_json::json;

use super::PlanRequest;

/// Goes up when documents, checks or repairs change their meaning.
const VERSION: u32 = 1;

/// The key of a kept plan: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanKey(String);

impl PlanKey {
    /// The key of what a planner with that fingerprint makes of a request.
    #[must_use]
    pub fn of(request: &PlanRequest, fingerprint: &str) -> Self {
        let parts = json!([
            VERSION,
            even(&request.goal),
            request
                .feedback
                .iter()
                .map(|text| even(text))
                .collect::<Vec<_>>(),
            request.catalog.catalog_text(),
            &*request.commands,
            request.limits,
            request.rights,
            fingerprint,
        ]);
        Self(
            blake3::hash(parts.to_string().as_bytes())
                .to_hex()
                .to_string(),
        )
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PlanKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text with one space for each run of blanks, and none at its ends.
fn even(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
