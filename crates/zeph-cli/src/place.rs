//! Texts of the command line that name the place of their value: a file, standard input, a variable.

use std::env::VarError;
use std::fmt::Display;

use zeph_common::escape_terminal;

use crate::exit::{CliError, Exit};

/// A value, and the variable that it was read from.
pub(crate) struct Value {
    pub(crate) text: String,
    pub(crate) variable: Option<String>,
}

/// The value that a text names: `@FILE` and `@-` are read without their last line break, `@env:NAME` is a
/// variable, `@@TEXT` is `@TEXT`, and any other text is the value itself. `what` is its name in errors.
pub(crate) fn read(what: &str, text: &str) -> Result<Value, CliError> {
    let plain = |text: &str| Value {
        text: text.to_owned(),
        variable: None,
    };
    let Some(place) = text.strip_prefix('@') else {
        return Ok(plain(text));
    };
    if place.starts_with('@') {
        return Ok(plain(place));
    }
    if let Some(name) = place.strip_prefix("env:") {
        let text = std::env::var(name).map_err(|error| {
            // The error of the library shows the value.
            let why = match error {
                VarError::NotPresent => "it is not set",
                VarError::NotUnicode(_) => "it is not UTF-8",
            };
            unreadable(what, name, &why)
        })?;
        let variable = Some(name.to_owned());
        return Ok(Value { text, variable });
    }
    let read = if place == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(place)
    };
    let value = read.map_err(|error| unreadable(what, place, &error))?;
    let line = value.strip_suffix('\n').unwrap_or(&value);
    Ok(plain(line.strip_suffix('\r').unwrap_or(line)))
}

/// The error of a value that cannot be read from its place.
pub(crate) fn unreadable(what: &str, place: &str, error: &dyn Display) -> CliError {
    let (what, place) = (escape_terminal(what), escape_terminal(place));
    let text = format!("{what} cannot be read from {place}: {error}");
    CliError::new(Exit::Usage, text)
        .code("unreadable_value")
        .help("@FILE names a file, @- standard input, @env:NAME a variable; a value that begins with @ has two of them")
}
