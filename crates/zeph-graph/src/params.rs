//! Params: a JSON value as shared text, so that the model needs no JSON library.

use std::fmt;
use std::sync::Arc;

/// A JSON value kept as its text: parameters of an action, a substitute value, a default answer.
///
/// The text is not checked here. The wire module checks graphs from outside, and an executor that cannot
/// read its parameters fails permanently.
///
/// # Examples
/// ```
/// use zeph_graph::Params;
/// let params = Params::from_json_text(r#"{"url":"http://localhost"}"#);
/// assert_eq!(params.json_text(), r#"{"url":"http://localhost"}"#);
/// assert_eq!(Params::none().json_text(), "null");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Params(Option<Arc<str>>);

impl Params {
    /// The JSON value `null`.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// The value of this JSON text.
    #[must_use]
    pub fn from_json_text(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        if &*text == "null" {
            Self(None)
        } else {
            Self(Some(text))
        }
    }

    /// The text.
    #[must_use]
    pub fn json_text(&self) -> &str {
        self.0.as_deref().unwrap_or("null")
    }

    /// Whether the value is `null`.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.0.is_none()
    }
}

impl Default for Params {
    fn default() -> Self {
        Self::none()
    }
}

impl fmt::Debug for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.json_text())
    }
}
