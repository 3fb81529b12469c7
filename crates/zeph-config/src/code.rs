//! Codes of what can be wrong with settings.

pub use zeph_diagnostics::code::{
    BAD_VALUE, DUPLICATE_KEY, MISSING_KEY, NESTED_TOO_DEEPLY, SYNTAX, UNKNOWN_KEY, WRONG_TYPE,
};

zeph_diagnostics::codes! {
    /// A setting contradicts another one, or is given without the one it belongs to.
    CONFLICT = "conflict",
}
