//! A diagnostic: one problem, with its code, message, place and help.

use std::fmt;

use crate::{Code, Source, Span, quote};

/// How serious a diagnostic is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The input is refused.
    #[default]
    Error,
    /// The input is accepted, and a person should look at it.
    Warning,
    /// The input is accepted, and something about it was changed.
    Note,
}

/// One problem.
///
/// Text from the input is quoted and safe to print in `message` and `help` (see [`quote`]). `Display`
/// writes one line: `plan.toml:3:1: [unknown_key] the task has no key "runn" (did you mean "run"?)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of the problem.
    pub code: Code,
    /// The severity.
    pub severity: Severity,
    /// The problem: what was expected, and what was found.
    pub message: String,
    /// The text that it is about. [`Diagnostics::push`](crate::Diagnostics::push) fills it in.
    pub source: Option<Source>,
    /// The part of the source that it is about; inside its text, at the bounds of characters.
    pub span: Option<Span>,
    /// Where it is in a document, for a program: a JSON pointer, or a key such as `retry.base`.
    pub path: Option<String>,
    /// The name of the thing that it is about, such as a task; not safe to print.
    pub subject: Option<String>,
    /// The help: what to do about the problem.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error without a place.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            source: None,
            span: None,
            path: None,
            subject: None,
            help: None,
        }
    }

    /// Sets the severity. Default: an error.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Sets the span in the source.
    #[must_use]
    pub fn at(mut self, span: impl Into<Span>) -> Self {
        self.span = Some(span.into());
        self
    }

    /// Sets the source. Default: that of the collection it is added to.
    #[must_use]
    pub fn in_source(mut self, source: &Source) -> Self {
        self.source = Some(source.clone());
        self
    }

    /// Sets the path in the document.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Sets the name of the thing that it is about.
    #[must_use]
    pub fn subject(mut self, name: impl Into<String>) -> Self {
        self.subject = Some(name.into());
        self
    }

    /// Sets the help: what to do about the problem. Replaces an earlier help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Sets the help to `did you mean NAME?`; no change for `None`.
    #[must_use]
    pub fn suggest(self, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.help(format!("did you mean {}?", quote(name))),
            None => self,
        }
    }

    /// The line and the column where it begins, both from 1, if it has a span in a text.
    #[must_use]
    pub fn line_column(&self) -> Option<(usize, usize)> {
        self.source.as_ref()?.line_column(self.span?.start)
    }

    /// Where it is, for people: `plan.toml:3:1`, or the source's name, or the path; safe to print.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        let name = match &self.source {
            Some(source) => source.name(),
            None => self.path.as_deref()?,
        };
        let name = zeph_common::escape_terminal(name);
        Some(match self.line_column() {
            Some((line, column)) => format!("{name}:{line}:{column}"),
            None => name.into_owned(),
        })
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place() {
            write!(f, "{place}: ")?;
        }
        write!(f, "[{}] {}", self.code, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}
