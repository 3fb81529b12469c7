//! The source of a plan: its name, its format and its text.

use std::fmt;
use std::sync::Arc;

use crate::errors::{PlanDiagnostic, PlanErrors};
use crate::node::Node;
use crate::place::{Place, Problem, Problems};

/// The largest plan file: 16 MiB.
pub const MAX_PLAN_BYTES: usize = 16 << 20;

/// How a plan is written. Both formats have the same keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// TOML 1.1.
    Toml,
    /// One JSON object.
    Json,
}

impl Format {
    /// The format that a file's name tells by its ending: `.json` is JSON, anything else TOML.
    ///
    /// # Examples
    /// ```
    /// use zeph_planfile::Format;
    /// assert_eq!(Format::of_name("plan.JSON"), Format::Json);
    /// assert_eq!(Format::of_name("plan.toml"), Format::Toml);
    /// ```
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        match name.rsplit_once('.') {
            Some((_, ending)) if ending.eq_ignore_ascii_case("json") => Self::Json,
            _ => Self::Toml,
        }
    }
}

/// A plan's text with its name and format. Clones share the text.
#[derive(Clone, PartialEq, Eq)]
pub struct SourceText {
    name: Arc<str>,
    text: Arc<str>,
    format: Format,
}

impl SourceText {
    pub(crate) fn new(name: &str, text: &str, format: Format) -> Self {
        Self {
            name: name.into(),
            text: text.into(),
            format,
        }
    }

    /// What the source is called, usually the path of the file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How it is written.
    #[must_use]
    pub const fn format(&self) -> Format {
        self.format
    }

    /// BLAKE3 of the text, as 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        blake3::hash(self.text.as_bytes()).to_hex().to_string()
    }

    /// The line and the column of a byte, both from 1; columns count characters.
    ///
    /// An offset past the end is the end.
    #[must_use]
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// The problems in the words of this source.
    pub(crate) fn errors(&self, root: &Node, problems: Problems) -> PlanErrors {
        let all = problems.sorted().into_iter();
        let all = all.map(|problem| self.diagnostic(root, problem)).collect();
        PlanErrors::new(self.clone(), all)
    }

    fn diagnostic(&self, root: &Node, problem: Problem) -> PlanDiagnostic {
        let Problem {
            code,
            message,
            place,
            help,
        } = problem;
        let (span, pointer) = match (self.format, place) {
            (_, None) => (None, None),
            (Format::Toml, Some(place)) => (Some(self.bounded(place)), None),
            (Format::Json, Some(place)) => (None, Some(root.pointer(place))),
        };
        PlanDiagnostic {
            code,
            message,
            span,
            pointer,
            help,
        }
    }

    /// A single problem at a place in bytes, whatever the format.
    pub(crate) fn error_at(&self, problem: Problem) -> PlanDiagnostic {
        PlanDiagnostic {
            code: problem.code,
            message: problem.message,
            span: problem.place.map(|place| self.bounded(place)),
            pointer: None,
            help: problem.help,
        }
    }

    fn bounded(&self, place: Place) -> std::ops::Range<usize> {
        let start = self.text.floor_char_boundary(place.start);
        let end = self.text.ceil_char_boundary(place.end.min(self.text.len()));
        start..end.max(start)
    }
}

impl fmt::Debug for SourceText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, text, format } = self;
        write!(f, "SourceText({name:?}, {format:?}, {} bytes)", text.len())
    }
}
