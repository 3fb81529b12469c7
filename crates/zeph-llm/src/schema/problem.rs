//! What keeps a schema from being asked for: the place, the kind, the limit, what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One reason why a service would not take a schema.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaProblem {
    /// The JSON Pointer of the place in the schema; of the whole for limits that count over all of it.
    pub pointer: String,
    /// What kind of problem.
    pub kind: SchemaProblemKind,
    /// The keyword or name that it is about; may be empty.
    pub what: String,
    /// The limit, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// What was found, where there is a limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<usize>,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SchemaProblemKind {
    /// It is no JSON Schema.
    NotASchema,
    /// The root is not an object of fixed properties.
    RootNotObject,
    /// A schema that contains itself.
    Recursive,
    /// A reference that leads nowhere, or out of the document.
    BadReference,
    /// A keyword that the dialect does not have and that cannot be left out.
    UnsupportedKeyword,
    /// A place where any value is allowed.
    AnyValue,
    /// An object whose property names are not fixed.
    OpenObject,
    /// A list whose elements differ by position.
    Tuple,
    /// Parts that must all hold and cannot be made one.
    Unmergeable,
    /// Too many values in enums.
    EnumTooLong,
    /// Too much text in the values of one enum.
    EnumTextTooLong,
    /// Too many properties.
    TooManyProperties,
    /// Too many properties that may be absent.
    TooManyOptional,
    /// Too many properties of several types.
    TooManyUnions,
    /// Too many objects within one another.
    TooDeep,
    /// Too much text in names and values.
    TooMuchText,
    /// Too large once its references are inlined.
    TooLarge,
}

impl SchemaProblemKind {
    /// What to do about it.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::NotASchema => "correct the schema",
            Self::RootNotObject => "put the answer into a property of an object",
            Self::Recursive => "make it a flat list whose elements refer to one another by name",
            Self::BadReference => "refer to a definition in the same document, by #/$defs/NAME",
            Self::UnsupportedKeyword => "leave it out, and check it after the answer",
            Self::AnyValue => "say its type, or take a string that holds JSON",
            Self::OpenObject => "make it a list of objects with a key and a value",
            Self::Tuple => "make it an object with a property for each position",
            Self::Unmergeable => "write the parts as one schema",
            Self::EnumTooLong => {
                "offer fewer values (filter them before the call), or take a string and check it after the answer"
            }
            Self::EnumTextTooLong => "shorten the values, or offer fewer",
            Self::TooManyProperties => "split the answer into several calls, or use a list",
            Self::TooManyOptional => "make properties required, nullable if need be",
            Self::TooManyUnions => "give properties one type, or make them optional, not nullable",
            Self::TooDeep => "make the schema flatter",
            Self::TooMuchText => "shorten names and values",
            Self::TooLarge => "make the schema smaller",
        }
    }

    /// The name in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotASchema => "not_a_schema",
            Self::RootNotObject => "root_not_object",
            Self::Recursive => "recursive",
            Self::BadReference => "bad_reference",
            Self::UnsupportedKeyword => "unsupported_keyword",
            Self::AnyValue => "any_value",
            Self::OpenObject => "open_object",
            Self::Tuple => "tuple",
            Self::Unmergeable => "unmergeable",
            Self::EnumTooLong => "enum_too_long",
            Self::EnumTextTooLong => "enum_text_too_long",
            Self::TooManyProperties => "too_many_properties",
            Self::TooManyOptional => "too_many_optional",
            Self::TooManyUnions => "too_many_unions",
            Self::TooDeep => "too_deep",
            Self::TooMuchText => "too_much_text",
            Self::TooLarge => "too_large",
        }
    }
}

impl SchemaProblem {
    /// What to do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        self.kind.help()
    }

    pub(crate) fn new(
        kind: SchemaProblemKind,
        pointer: impl Into<String>,
        what: impl Into<String>,
    ) -> Self {
        Self {
            pointer: pointer.into(),
            kind,
            what: what.into(),
            limit: None,
            found: None,
        }
    }

    pub(super) fn over(mut self, limit: usize, found: usize) -> Self {
        self.limit = Some(limit);
        self.found = Some(found);
        self
    }
}

impl fmt::Display for SchemaProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at \"{}\"", self.kind.word(), self.pointer)?;
        if !self.what.is_empty() {
            write!(f, " ({})", self.what)?;
        }
        if let (Some(limit), Some(found)) = (self.limit, self.found) {
            write!(f, ": {found}, at most {limit}")?;
        }
        write!(f, "; {}", self.help())
    }
}

/// All problems of a schema; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaProblems(pub Vec<SchemaProblem>);

impl fmt::Display for SchemaProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SchemaProblems {}
