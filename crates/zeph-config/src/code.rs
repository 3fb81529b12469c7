//! Codes of the problems of a configuration.

pub use zeph_diagnostics::code::{
    BAD_VALUE, DUPLICATE_KEY, MISSING_KEY, NESTED_TOO_DEEPLY, SYNTAX, UNKNOWN_KEY, WRONG_TYPE,
};

zeph_diagnostics::codes! {
    /// A setting contradicts another one, or is set without the one that it requires.
    CONFLICT = "conflict",
}
