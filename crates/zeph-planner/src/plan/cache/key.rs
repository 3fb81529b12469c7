//! Cache keys: a hash of everything that a plan depends on.

use std::fmt;

use serde_json::json;

use super::PlanRequest;

/// Increased when answers, checks or repairs change their meaning.
const VERSION: u32 = 1;

/// The key of a cached plan: 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanKey(String);

impl PlanKey {
    /// The key of a request to a planner with that fingerprint.
    #[must_use]
    pub fn new(request: &PlanRequest, fingerprint: &str) -> Self {
        let feedback = request.feedback.iter().map(|text| normalized(text));
        let parts = json!([
            VERSION,
            normalized(&request.goal),
            feedback.collect::<Vec<_>>(),
            request.catalog.catalog_text(),
            &*request.commands,
            request.limits,
            request.rights,
            fingerprint,
        ]);
        let hash = blake3::hash(parts.to_string().as_bytes());
        Self(hash.to_hex().to_string())
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

/// A text with one space for each run of white space, and none at its ends.
fn normalized(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
