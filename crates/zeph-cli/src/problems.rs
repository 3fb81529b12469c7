//! Problems of files: with source lines for people, as JSON for programs.

use serde_json::{Value, json};
use zeph_diagnostics::{Diagnostic, Diagnostics, Style, render};

use crate::exit::{CliError, Exit};
use crate::out;

/// The error for files with problems. Its message names the file if all problems are in one, else
/// `what`.
pub(crate) fn error(what: &str, code: &'static str, problems: &Diagnostics) -> CliError {
    let mut sources = problems.iter().filter_map(|one| one.source.as_ref());
    let name = match sources.next() {
        Some(first) if sources.all(|other| other.name() == first.name()) => first.name(),
        Some(_) | None => what,
    };
    let name = zeph_common::escape_terminal(name);
    let message = match problems.len() {
        1 => format!("{name} has a problem"),
        many => format!("{name} has {many} problems"),
    };
    let mut picture = picture(problems);
    // A single problem without a place needs no summary.
    if problems.iter().any(|one| one.span.is_some()) || problems.len() > 1 {
        picture.push_str(&format!("\n{message}"));
    }
    CliError {
        diagnostics: to_json(problems),
        picture: Some(picture.into()),
        ..CliError::new(Exit::Usage, message).code(code)
    }
}

/// The problems with their source lines, for people.
pub(crate) fn picture(problems: &Diagnostics) -> String {
    let style = if out::has_colours() {
        Style::Colored
    } else {
        Style::Plain
    };
    render(problems, style)
}

/// The problems for programs.
pub(crate) fn to_json(problems: &Diagnostics) -> Vec<Value> {
    problems.iter().map(one_to_json).collect()
}

fn one_to_json(one: &Diagnostic) -> Value {
    let mut json = json!({ "code": one.code.text(), "message": one.message });
    if let Some(source) = &one.source {
        json["source"] = source.name().into();
    }
    if let Some(help) = &one.help {
        json["help"] = help.as_str().into();
    }
    if let (Some(span), Some((line, column))) = (one.span, one.line_column()) {
        json["line"] = line.into();
        json["column"] = column.into();
        json["bytes"] = json!([span.start, span.end]);
    }
    if let Some(pointer) = &one.path {
        json["pointer"] = pointer.as_str().into();
    }
    json
}
