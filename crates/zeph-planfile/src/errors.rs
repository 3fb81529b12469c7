//! Errors: everything that is wrong with a plan, at once, each with a stable code.

use std::fmt;
use std::ops::Range;

use zeph_graph::wire::Code;

use crate::SourceText;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What kind of problem it is. The texts are stable, so that programs can compare them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum PlanCode {
            $($(#[$doc])* $variant,)*
            /// The graph that the plan describes cannot be; the graph's own code.
            Graph(Code),
        }

        impl PlanCode {
            /// Every code of plan files, in order; those of [`Graph`](Self::Graph) are apart.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable text, such as `unknown_key`.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Graph(code) => code.text(),
                }
            }
        }
    };
}

codes! {
    /// The text is not TOML or JSON.
    Syntax = "syntax",
    /// The bytes are not UTF-8.
    NotUtf8 = "not_utf8",
    /// The text is larger than 16 MiB.
    TooLarge = "too_large",
    /// Lists and tables are nested too deeply.
    NestedTooDeeply = "nested_too_deeply",
    /// A key is there twice.
    DuplicateKey = "duplicate_key",
    /// No key of that name is known there.
    UnknownKey = "unknown_key",
    /// A key that must be there is not.
    MissingKey = "missing_key",
    /// A key has no meaning on this kind of task, or beside another key.
    MisplacedKey = "misplaced_key",
    /// A value is of another type.
    WrongType = "wrong_type",
    /// A value is out of range, or not one of the known words.
    BadValue = "bad_value",
    /// A text is not a duration.
    BadDuration = "bad_duration",
    /// There is no task.
    NoTasks = "no_tasks",
    /// A task has two of `run`, `shell`, `prompt` and `ask`.
    TwoKindsOfWork = "two_kinds_of_work",
    /// An expression is not closed or cannot be read.
    BadExpression = "bad_expression",
    /// An expression could not be evaluated.
    ExpressionFailed = "expression_failed",
    /// An expression uses a name that does not exist.
    UnknownName = "unknown_name",
    /// No parameter has that name.
    UnknownParam = "unknown_param",
    /// An expression uses a task that does not exist.
    UnknownTask = "unknown_task",
    /// An expression uses a task that is not in `needs`.
    NotANeed = "not_a_need",
    /// An expression uses an output that this kind of task does not have.
    NoSuchOutput = "no_such_output",
    /// Expressions, or outputs of tasks in them, have no place here.
    ExpressionNotAllowed = "expression_not_allowed",
    /// A value would become code.
    UnsafeInterpolation = "unsafe_interpolation",
    /// A secret would be stored or shown.
    SecretExposed = "secret_exposed",
    /// A parameter without a default was not given.
    MissingParam = "missing_param",
    /// The value of a parameter is not of its type, or not one of its choices.
    BadParam = "bad_param",
}

impl fmt::Display for PlanCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// One problem of a plan.
///
/// What comes from the plan is quoted and inert in `message` and `help`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanDiagnostic {
    /// What kind of problem it is.
    pub code: PlanCode,
    /// What is wrong.
    pub message: String,
    /// Where it is, in bytes of the source; always inside it and at the bounds of characters.
    pub span: Option<Range<usize>>,
    /// Where it is in a JSON source, as a JSON pointer, when there is no span.
    pub pointer: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl fmt::Display for PlanDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// All problems of a plan, at least one, in the order of the source, with the source itself.
///
/// At most a thousand are kept. `Display` shows one a line, the first 50, with line and column or the
/// JSON pointer; the spans and the text are there for a better picture.
#[derive(Clone, PartialEq, Eq)]
pub struct PlanErrors {
    source: SourceText,
    all: Vec<PlanDiagnostic>,
}

impl PlanErrors {
    pub(crate) fn new(source: SourceText, all: Vec<PlanDiagnostic>) -> Self {
        debug_assert!(!all.is_empty(), "errors without an error");
        Self { source, all }
    }

    /// The problems.
    #[must_use]
    pub fn as_slice(&self) -> &[PlanDiagnostic] {
        &self.all
    }

    /// The problems.
    pub fn iter(&self) -> std::slice::Iter<'_, PlanDiagnostic> {
        self.all.iter()
    }

    /// The text that they are about.
    #[must_use]
    pub fn source_text(&self) -> &SourceText {
        &self.source
    }
}

impl<'a> IntoIterator for &'a PlanErrors {
    type Item = &'a PlanDiagnostic;
    type IntoIter = std::slice::Iter<'a, PlanDiagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for PlanErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 50;
        let name = zeph_common::escape_terminal(self.source.name());
        match self.all.len() {
            1 => write!(f, "{name}: the plan has a problem:")?,
            many => write!(f, "{name}: the plan has {many} problems:")?,
        }
        for one in self.all.iter().take(SHOWN) {
            match (&one.span, &one.pointer) {
                (Some(span), _) => {
                    let (line, column) = self.source.line_column(span.start);
                    write!(f, "\n  {line}:{column}: {one}")?;
                }
                (None, Some(pointer)) => write!(f, "\n  {pointer}: {one}")?,
                (None, None) => write!(f, "\n  {one}")?,
            }
        }
        if self.all.len() > SHOWN {
            write!(f, "\n  … and {} more", self.all.len() - SHOWN)?;
        }
        Ok(())
    }
}

impl fmt::Debug for PlanErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.all).finish()
    }
}

impl std::error::Error for PlanErrors {}
