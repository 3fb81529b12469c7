//! Reading TOML with the crate `toml`, which gives the span of every key and value.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::{Diagnostic, Diagnostics, Entry, Node, Source, Span, Value, code};

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
    let mut refused = Vec::new();
    let span = table.span().into();
    let root = build(span, table.into_inner(), &mut refused);
    let is_good = refused.is_empty();
    problems.extend(refused.into_iter().take(MAX_PROBLEMS));
    is_good.then_some(root)
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

type Item<'i> = (Option<Spanned<DeString<'i>>>, Spanned<DeValue<'i>>);

/// A list or table that is being built.
struct Open<'i> {
    span: Span,
    is_table: bool,
    rest: std::vec::IntoIter<Item<'i>>,
    keys: Vec<(String, Span)>,
    done: Vec<Node>,
}

/// Builds the tree without recursion.
fn build(span: Span, table: DeTable<'_>, refused: &mut Vec<Diagnostic>) -> Node {
    let mut open = vec![open_table(span, table)];
    loop {
        let Some(top) = open.last_mut() else {
            return Node::default();
        };
        let node = match top.rest.next() {
            Some((key, value)) => {
                top.keys.extend(key.map(|key| {
                    let span = key.span().into();
                    (key.into_inner().into_owned(), span)
                }));
                let span = value.span().into();
                match value.into_inner() {
                    DeValue::Array(items) => {
                        open.push(open_list(span, items));
                        continue;
                    }
                    DeValue::Table(table) => {
                        open.push(open_table(span, table));
                        continue;
                    }
                    leaf @ (DeValue::String(_)
                    | DeValue::Integer(_)
                    | DeValue::Float(_)
                    | DeValue::Boolean(_)
                    | DeValue::Datetime(_)) => Node {
                        span,
                        value: scalar(span, &leaf, refused),
                    },
                }
            }
            None => match open.pop() {
                Some(finished) => close(finished),
                None => return Node::default(),
            },
        };
        match open.last_mut() {
            Some(parent) => parent.done.push(node),
            None => return node,
        }
    }
}

fn open_list<'i>(span: Span, items: toml::de::DeArray<'i>) -> Open<'i> {
    let items: Vec<Item<'i>> = items.into_iter().map(|item| (None, item)).collect();
    Open {
        span,
        is_table: false,
        keys: Vec::new(),
        done: Vec::with_capacity(items.len()),
        rest: items.into_iter(),
    }
}

fn open_table<'i>(span: Span, table: DeTable<'i>) -> Open<'i> {
    let entries = table.into_iter().map(|(key, value)| (Some(key), value));
    let mut items: Vec<Item<'i>> = entries.collect();
    // The `toml` crate sorts by key; the tree has the order of the source.
    items.sort_by_key(|(key, _)| key.as_ref().map(|key| key.span().start));
    Open {
        span,
        is_table: true,
        keys: Vec::with_capacity(items.len()),
        done: Vec::with_capacity(items.len()),
        rest: items.into_iter(),
    }
}

fn close(open: Open<'_>) -> Node {
    let value = if open.is_table {
        let entries = open.keys.into_iter().zip(open.done);
        let entry = |((key, key_span), node)| Entry {
            key,
            key_span,
            node,
        };
        Value::Table(entries.map(entry).collect())
    } else {
        Value::List(open.done)
    };
    Node {
        span: open.span,
        value,
    }
}

fn scalar(span: Span, value: &DeValue<'_>, refused: &mut Vec<Diagnostic>) -> Value {
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
    refused.push(
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
