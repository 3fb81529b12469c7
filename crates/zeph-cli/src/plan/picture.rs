//! Problems of a plan for people, with the line of each, and for programs, as JSON.

use serde_json::{Value, json};
use zeph_diagnostics::{Diagnostic, Diagnostics, Style, render};

use crate::exit::{CliError, Exit};

/// The error for a plan with problems.
pub(crate) fn error(problems: &Diagnostics) -> CliError {
    let source = problems.iter().find_map(|one| one.source.as_ref());
    let name = source.map_or("the plan", |source| source.name());
    let name = zeph_common::escape_terminal(name);
    let message = match problems.len() {
        1 => format!("{name} has a problem"),
        many => format!("{name} has {many} problems"),
    };
    let picture = format!("{}\n{message}", render(problems, style()));
    CliError {
        diagnostics: problems.iter().map(to_json).collect(),
        picture: Some(picture),
        ..CliError::new(Exit::Usage, message).code("invalid_plan")
    }
}

fn style() -> Style {
    let stderr = std::io::stderr();
    if anstream::AutoStream::choice(&stderr) == anstream::ColorChoice::Never {
        Style::Plain
    } else {
        Style::Colored
    }
}

fn to_json(one: &Diagnostic) -> Value {
    let mut json = json!({ "code": one.code.text(), "message": one.message });
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
