//! Reading TOML with the crate `toml`, which gives the span of every key and value.

use std::cmp::Reverse;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::build::Builder;
use crate::{Diagnostic, Diagnostics, Node, Source, Span, Value, code};

/// Of a larger text only the first error is reported: each error costs memory, and random bytes have
/// millions.
const RECOVERED_BYTES: usize = 256 << 10;
/// The most problems that are reported of one text; later syntax errors mostly follow from the first ones.
const MAX_PROBLEMS: usize = 10;

/// The tree of a TOML text, tables in the order in which they are written; `None` after a problem.
///
/// Dates, numbers that are not finite and integers of more than 64 bits are problems. Linear in the text.
pub fn read_toml(source: &Source, problems: &mut Diagnostics) -> Option<Node> {
    let text = source.text();
    let (table, errors) = if text.len() <= RECOVERED_BYTES {
        DeTable::parse_recoverable(text)
    } else {
        match DeTable::parse(text) {
            Ok(table) => (table, Vec::new()),
            Err(error) => {
                problems.push(syntax(&error));
                return None;
            }
        }
    };
    if !errors.is_empty() {
        problems.extend(errors.iter().take(MAX_PROBLEMS).map(syntax));
        return None;
    }
    let mut found = Diagnostics::new();
    let root = build(table, &mut found);
    let is_good = found.is_empty();
    problems.extend(found.into_iter().take(MAX_PROBLEMS));
    root.filter(|_| is_good)
}

fn syntax(error: &toml::de::Error) -> Diagnostic {
    let message = error.message();
    let code = if message.contains("duplicate key") {
        code::DUPLICATE_KEY
    } else if message.contains("recurs") {
        code::NESTED_TOO_DEEPLY
    } else {
        code::SYNTAX
    };
    let message = format!(
        "this is not TOML: {}",
        zeph_common::escape_terminal(message)
    );
    let one = Diagnostic::new(code, message);
    match error.span() {
        Some(span) => one.at(span),
        None => one,
    }
}

/// A step of the walk over a document.
enum Step<'i> {
    Key(Spanned<DeString<'i>>),
    Value(Spanned<DeValue<'i>>),
    /// The end of a list or a table.
    Close(usize),
}

/// Builds the tree without recursion.
fn build(root: Spanned<DeTable<'_>>, problems: &mut Diagnostics) -> Option<Node> {
    let mut builder = Builder::default();
    let span = root.span();
    let root = Spanned::new(span, DeValue::Table(root.into_inner()));
    let mut steps = vec![Step::Value(root)];
    while let Some(step) = steps.pop() {
        match step {
            Step::Close(end) => builder.close(end),
            Step::Key(key) => {
                let span = key.span().into();
                builder.key(key.into_inner().into_owned(), span, problems);
            }
            Step::Value(value) => {
                let span = Span::from(value.span());
                match value.into_inner() {
                    DeValue::Array(items) => {
                        builder.open(span.start, false, problems);
                        steps.push(Step::Close(span.end));
                        steps.extend(items.into_iter().rev().map(Step::Value));
                    }
                    DeValue::Table(table) => {
                        builder.open(span.start, true, problems);
                        steps.push(Step::Close(span.end));
                        let mut entries: Vec<_> = table.into_iter().collect();
                        // The `toml` crate sorts by key; the tree has the order of the source.
                        entries.sort_by_key(|(key, _)| Reverse(key.span().start));
                        for (key, value) in entries {
                            steps.extend([Step::Value(value), Step::Key(key)]);
                        }
                    }
                    leaf @ (DeValue::String(_)
                    | DeValue::Integer(_)
                    | DeValue::Float(_)
                    | DeValue::Boolean(_)
                    | DeValue::Datetime(_)) => builder.value(Node {
                        span,
                        value: scalar(span, &leaf, problems),
                    }),
                }
            }
        }
    }
    builder.finish()
}

fn scalar(span: Span, value: &DeValue<'_>, problems: &mut Diagnostics) -> Value {
    let (message, help) = match value {
        DeValue::String(text) => return Value::String(text.clone().into_owned()),
        DeValue::Boolean(value) => return Value::Bool(*value),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => return Value::Integer(number.into()),
            Err(_) => ("the number is too large", "use at most 64 bits"),
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) if f64::is_finite(number) => return Value::Float(number),
            _ => ("the number is not finite", "write it as a string"),
        },
        DeValue::Datetime(_) => ("a date or time cannot be used here", "put it in quotes"),
        // The caller opens lists and tables; they do not come here.
        DeValue::Array(_) | DeValue::Table(_) => return Value::Null,
    };
    problems.push(
        Diagnostic::new(code::BAD_VALUE, message)
            .at(span)
            .help(help),
    );
    Value::Null
}

#[cfg(test)]
mod tests {
    use super::read_toml;
    use crate::{Diagnostics, Source, Value};

    #[test]
    fn tables_keep_the_order_of_the_text() {
        let text = "b = 1\n[z]\na = 0x1F\n[a]\nlist = [1.5, true, 'x']\n";
        let source = Source::new("x", text);
        let mut problems = Diagnostics::in_source(&source);
        let root = read_toml(&source, &mut problems).unwrap();
        let Value::Table(entries) = &root.value else {
            panic!("{root:?}")
        };
        let keys: Vec<&str> = entries.iter().map(|entry| &*entry.key).collect();
        assert_eq!(keys, ["b", "z", "a"]);
        let list = entries[2].node.any_table("a", &mut problems).unwrap();
        let list = list.get("list").unwrap();
        assert_eq!(&text[list.span.start..list.span.end], "[1.5, true, 'x']");
    }

    #[test]
    fn what_is_wrong_is_reported_with_its_place() {
        let table = [
            ("a = ", "x:1:5: [syntax] this is not TOML: "),
            (
                "a = 1\na = 2",
                "x:2:1: [duplicate_key] this is not TOML: duplicate key",
            ),
            (
                "a = 2020-01-01",
                "x:1:5: [bad_value] a date or time cannot be used here",
            ),
            ("a = [nan]", "x:1:6: [bad_value] the number is not finite"),
            (
                "a = 99999999999999999999",
                "x:1:5: [bad_value] the number is too large",
            ),
        ];
        for (text, wanted) in table {
            let source = Source::new("x", text);
            let mut problems = Diagnostics::in_source(&source);
            assert_eq!(read_toml(&source, &mut problems), None, "{text}");
            let shown = problems.to_string();
            assert!(shown.starts_with(wanted), "{shown}");
        }
    }
}
