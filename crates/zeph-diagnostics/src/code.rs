//! Codes: what kind of problem a diagnostic reports, as a stable text.

use std::fmt;

/// The kind of a problem: a stable text such as `unknown_key`, for programs to compare.
///
/// Each crate declares its codes with [`codes!`](crate::codes), so that a misspelt one does not compile.
/// Those of documents of any format are in [`code`](crate::code).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(&'static str);

impl Code {
    /// A code by its text; see [`codes!`](crate::codes).
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self(text)
    }

    /// The stable text.
    #[must_use]
    pub const fn text(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Declares the codes of a crate as constants of the module it is written in, and `ALL`, which lists
/// them.
///
/// # Examples
/// ```
/// mod code {
///     zeph_diagnostics::codes! {
///         /// Tasks depend on each other in a circle.
///         CYCLE = "cycle",
///     }
/// }
/// assert_eq!(code::CYCLE.text(), "cycle");
/// assert_eq!(code::ALL, [code::CYCLE]);
/// ```
#[macro_export]
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        $($(#[$doc])* pub const $name: $crate::Code = $crate::Code::new($text);)*
        /// The codes declared here, in order.
        pub const ALL: &[$crate::Code] = &[$($name,)*];
    };
}

codes! {
    /// The text is not of its format.
    SYNTAX = "syntax",
    /// The bytes are not UTF-8.
    NOT_UTF8 = "not_utf8",
    /// The text, or a part of it, is larger than allowed.
    TOO_LARGE = "too_large",
    /// Lists and tables are nested too deeply.
    NESTED_TOO_DEEPLY = "nested_too_deeply",
    /// A key is there twice.
    DUPLICATE_KEY = "duplicate_key",
    /// The table has no key of that name.
    UNKNOWN_KEY = "unknown_key",
    /// A required key is missing.
    MISSING_KEY = "missing_key",
    /// A value is of another type.
    WRONG_TYPE = "wrong_type",
    /// A value is out of range, or not one of the known words.
    BAD_VALUE = "bad_value",
    /// A text is not a duration.
    BAD_DURATION = "bad_duration",
    /// A feature of YAML that definitions may not use: anchors, aliases, tags, merge keys, directives.
    YAML_FEATURE = "yaml_feature",
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_unique() {
        let texts: std::collections::BTreeSet<&str> =
            super::ALL.iter().map(|code| code.text()).collect();
        assert_eq!(texts.len(), super::ALL.len());
    }
}
