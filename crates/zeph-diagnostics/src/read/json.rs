//! Reading JSON: `serde_json` checks the text, and a scan over it finds the span of each value.

use serde::de::IgnoredAny;
use serde_json::Number;

use super::build::Builder;
use crate::{Diagnostic, Diagnostics, Node, Source, Span, Value, code};

/// The tree of a JSON text; `None` after a problem.
///
/// A byte order mark is skipped. Duplicate keys, nesting deeper than 64 and numbers that do not fit 64 bits
/// or are not finite are problems. Linear in the text.
pub fn read_json(source: &Source, problems: &mut Diagnostics) -> Option<Node> {
    let before = problems.len();
    let text = source.text();
    let skipped = if text.starts_with('\u{feff}') { 3 } else { 0 };
    if let Err(error) = serde_json::from_str::<IgnoredAny>(&text[skipped..]) {
        problems.push(syntax(text, skipped, &error));
        return None;
    }
    let mut builder = Builder::default();
    let mut at = skipped;
    while let Some(&byte) = text.as_bytes().get(at) {
        let end = token_end(text, at, byte);
        let span = Span::from(at..end);
        let token = &text[at..end];
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => {}
            b'{' | b'[' => builder.open(at, byte == b'{', problems),
            b'}' | b']' => builder.close(end),
            b'"' => match serde_json::from_str(token) {
                Ok(key) if builder.wants_key() => builder.key(key, span, problems),
                Ok(string) => builder.value(Node {
                    span,
                    value: Value::String(string),
                }),
                Err(error) => problems.push(token_error(span, &error)),
            },
            _ => match scalar(token) {
                Ok(value) => builder.value(Node { span, value }),
                Err(error) => problems.push(token_error(span, &error)),
            },
        }
        if problems.len() > before {
            return None;
        }
        at = end;
    }
    builder.finish()
}

/// The end of the token that begins at a byte of a valid text.
fn token_end(text: &str, at: usize, first: u8) -> usize {
    let rest = &text.as_bytes()[at + 1..];
    let ends_scalar = |byte: &u8| b" \t\n\r,:]}".contains(byte);
    let len = match first {
        b'"' => {
            let mut escaped = false;
            let quote = rest.iter().position(|&byte| {
                let is_end = byte == b'"' && !escaped;
                escaped = byte == b'\\' && !escaped;
                is_end
            });
            quote.map_or(rest.len(), |at| at + 1)
        }
        b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b'{' | b'}' | b'[' | b']' => 0,
        _ => rest.iter().position(ends_scalar).unwrap_or(rest.len()),
    };
    at + 1 + len
}

fn scalar(token: &str) -> Result<Value, serde_json::Error> {
    Ok(match token {
        "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => {
            let number: Number = serde_json::from_str(token)?;
            match (number.as_i128(), number.as_f64()) {
                (Some(integer), _) => Value::Integer(integer),
                (None, float) => Value::Float(float.unwrap_or_default()),
            }
        }
    })
}

fn token_error(span: Span, error: &serde_json::Error) -> Diagnostic {
    Diagnostic::new(code::SYNTAX, message(error)).at(span)
}

fn syntax(text: &str, skipped: usize, error: &serde_json::Error) -> Diagnostic {
    let lines = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1));
    let line_start: usize = lines.map(str::len).sum();
    let skipped = if line_start == 0 { skipped } else { 0 };
    let start = line_start + skipped + error.column().saturating_sub(1);
    Diagnostic::new(code::SYNTAX, message(error)).at(start..start + 1)
}

/// The message of the error, without the position that follows it.
fn message(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let said = text
        .rsplit_once(" at line ")
        .map_or(&*text, |(said, _)| said);
    format!("this is not JSON: {}", zeph_common::escape_terminal(said))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::read_json;
    use crate::{Diagnostics, Node, Source, Value};

    fn read(text: &str) -> Result<Node, String> {
        let source = Source::new("x", text);
        let mut problems = Diagnostics::in_source(&source);
        let root = read_json(&source, &mut problems);
        root.ok_or_else(|| problems.to_string())
    }

    #[test]
    fn values_know_where_they_are_written() {
        let text = "\u{feff}{ \"a\": [1, -2.5, \"x\\\"y\"],\n\"b\" : {\"c\":true} }";
        let root = read(text).unwrap();
        let Value::Table(entries) = &root.value else {
            panic!("{root:?}")
        };
        let at = |span: crate::Span| &text[span.start..span.end];
        assert_eq!(at(root.span), &text[3..]);
        assert_eq!(at(entries[0].key_span), "\"a\"");
        assert_eq!(at(entries[0].node.span), "[1, -2.5, \"x\\\"y\"]");
        let Value::List(items) = &entries[0].node.value else {
            panic!("{root:?}")
        };
        assert_eq!(at(items[1].span), "-2.5");
        assert_eq!(at(items[2].span), "\"x\\\"y\"");
        assert_eq!(root.pointer(items[2].span.start), "/a/2");
        assert_eq!(root.pointer(text.find("true").unwrap()), "/b/c");
        assert_eq!(root.pointer(0), "");
    }

    #[test]
    fn what_is_wrong_is_reported_with_its_place() {
        let table = [
            (
                "",
                "x:1:1: [syntax] this is not JSON: EOF while parsing a value",
            ),
            (
                "{\"a\": }",
                "x:1:7: [syntax] this is not JSON: expected value",
            ),
            (
                "[1]\n2",
                "x:2:1: [syntax] this is not JSON: trailing characters",
            ),
            (
                "[1e999]",
                "x:1:2: [syntax] this is not JSON: number out of range",
            ),
            (
                "{\"a\": 1,\n \"a\": 2}",
                "x:2:2: [duplicate_key] there are two keys \"a\" (remove one of them)",
            ),
        ];
        for (text, wanted) in table {
            assert_eq!(read(text).unwrap_err(), wanted, "{text}");
        }
        let deep = "[".repeat(65) + &"]".repeat(65);
        assert!(read(&deep).unwrap_err().contains("[nested_too_deeply]"));
        let endless = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(read(&endless).unwrap_err().contains("[nested_too_deeply]"));
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<u64>().prop_map(Into::into),
            (-1e300..1e300).prop_map(|number: f64| number.into()),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_tree_is_the_value_that_was_written(value in json(), pretty in any::<bool>()) {
            let text = if pretty { format!("{value:#}") } else { value.to_string() };
            // Not every float is equal after a round trip through text, so the value is parsed from the text.
            let wanted: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read(&text).unwrap().to_json(), wanted);
        }

        #[test]
        fn any_text_is_read_or_refused_with_a_place(text in "[\\[\\]{}\",:0-9a-z\\\\ \n]{0,40}") {
            if let Err(problems) = read(&text) {
                prop_assert!(problems.starts_with("x:"), "{problems}");
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_err()
                    || problems.contains("duplicate_key"));
            }
        }
    }
}
