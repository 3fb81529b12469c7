//! Walking a TOML file: its settings with their places, and all that is wrong with its shape.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::{Place, Problem};
use crate::value::Raw;

/// One setting of a file.
pub(crate) struct Entry<'t> {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: &'t Spanned<DeValue<'t>>,
}

/// The settings of a parsed file, in the order of their lines.
///
/// The tables of settings are those of [`table_example`]; any other table is an entry by itself.
pub(crate) fn entries<'t>(table: &'t DeTable<'t>) -> Vec<Entry<'t>> {
    let mut found = Vec::new();
    for (name, value) in table {
        let (key, key_span) = (name.get_ref().to_string(), name.span());
        match value
            .get_ref()
            .as_table()
            .filter(|_| table_example(&key).is_some())
        {
            None => found.push(Entry {
                key,
                key_span,
                value,
            }),
            Some(inner) => found.extend(inner.iter().map(|(name, value)| Entry {
                key: format!("{key}.{}", name.get_ref()),
                key_span: name.span(),
                value,
            })),
        }
    }
    found.sort_by_key(|entry| entry.key_span.start);
    found
}

/// How a table of settings is written; `None` if it is none.
pub(crate) fn table_example(name: &str) -> Option<&'static str> {
    match name {
        "retry" => Some("a table, such as [retry]"),
        "llm" => Some("a table, such as [llm]"),
        "budget" => Some("a table, such as [budget]"),
        "plan" => Some("a table, such as [plan]"),
        _ => None,
    }
}

/// A TOML value as a setting reads it.
pub(crate) fn raw<'t>(value: &'t DeValue<'_>) -> Raw<'t> {
    if let Some(text) = value.as_str() {
        return Raw::Text(text);
    }
    match value.as_integer() {
        Some(number) => {
            let text = number.as_str();
            Raw::Number(i64::from_str_radix(text, number.radix()).ok(), text)
        }
        None => match value.as_float() {
            Some(number) => Raw::Decimal(number.as_str()),
            None => Raw::Other(value.type_str()),
        },
    }
}

/// Parses a file, or tells all that is not TOML in it, with its bytes.
pub(crate) fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, Vec<(Range<usize>, Problem)>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table);
    }
    let problem = |error: toml::de::Error| {
        let message = error.message().to_owned();
        (error.span().unwrap_or(0..0), Problem::Syntax { message })
    };
    Err(errors.into_iter().map(problem).collect())
}

/// Where a byte of a text is for a reader.
pub(crate) fn place(text: &str, path: &Path, at: usize) -> Place {
    let before = &text[..text.floor_char_boundary(at)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Place {
        path: path.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}
