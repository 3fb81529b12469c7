//! JSON values as text: the fields of an object in a fixed order, texts of several lines as lines.

use serde_json::Value;
use zeph_common::{Boundary, head_tail};

use crate::out;
use crate::read::page::Page;

/// The most bytes of a field that are shown, and the most fields.
const FIELD_BYTES: usize = 4096;
const FIELDS: usize = 40;

/// A value is written on the line of its name up to that length.
const SHORT: usize = 100;

/// Prints a value, indented.
pub(super) fn render(page: &mut Page, indent: usize, value: &Value) {
    let Value::Object(fields) = value else {
        page.block(indent, &text(value));
        return;
    };
    let mut names: Vec<&String> = fields.keys().collect();
    names.sort_unstable();
    for name in names.iter().take(FIELDS) {
        field(page, indent, name, &text(&fields[name.as_str()]));
    }
    if names.len() > FIELDS {
        page.block(indent, &format!("and {} more", names.len() - FIELDS));
    }
}

/// Prints the parameters of a task, indented. What a command runs comes first, and its variables are names
/// only.
pub(super) fn render_parameters(page: &mut Page, indent: usize, params: &Value) {
    let mut rest = params.clone();
    let Some(fields) = rest.as_object_mut() else {
        return render(page, indent, params);
    };
    if let Some(Value::Array(argv)) = fields.remove("argv") {
        let words = argv.iter().filter_map(Value::as_str).map(out::quoted);
        field(page, indent, "runs", &words.collect::<Vec<_>>().join(" "));
    }
    if let Some(script) = fields.remove("shell") {
        field(page, indent, "runs by the shell", &text(&script));
    }
    if let Some(Value::Object(env)) = fields.remove("env") {
        let mut names: Vec<&str> = env.keys().map(String::as_str).collect();
        names.sort_unstable();
        field(page, indent, "variables", &names.join(", "));
    }
    if let Some(Value::String(parent)) = fields.remove("stdin_from") {
        let text = format!("the whole standard output of {parent}");
        field(page, indent, "stdin", &text);
    }
    render(page, indent, &rest);
}

/// A text as it is, anything else as JSON; shortened.
fn text(value: &Value) -> String {
    let text = if let Value::String(text) = value {
        text.clone()
    } else {
        let mut sorted = value.clone();
        sorted.sort_all_objects();
        let short = sorted.to_string();
        match short.len() {
            0..SHORT => short,
            _ => serde_json::to_string_pretty(&sorted).unwrap_or(short),
        }
    };
    head_tail(&text, FIELD_BYTES, Boundary::Char).to_string()
}

fn field(page: &mut Page, indent: usize, name: &str, text: &str) {
    if text.trim_end().contains('\n') {
        page.block(indent, &format!("{name}:"));
        page.block(indent + 2, text);
    } else {
        page.block(indent, &format!("{name}: {text}"));
    }
}
