//! The sanitizer port: text of strangers, made fit for a prompt.

mod clean;
mod content;
mod redact;
mod score;
mod seed;
mod standard;
mod tally;
mod unsanitized;
mod view;
mod wrap;

pub use content::{Change, ChangeKind, Content, ContentSanitizer, Sanitized};
pub use redact::{MIN_SECRET_BYTES, Redactor, SecretError};
pub use score::{Feature, SUSPICIOUS, Score, score};
pub use seed::Seed;
pub use standard::{Cleaned, StandardSanitizer};
pub use unsanitized::Unsanitized;
pub use wrap::preamble;
