//! Reading YAML with the pull parser `granit-parser`: only documents that have the data model of JSON.

use std::borrow::Cow;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Tag};

use super::MAX_DEPTH;
use super::build::Builder;
use super::scalar::plain;
use crate::{Diagnostic, Diagnostics, Node, Source, Span, Value, code, quote};

/// The tree of a part of a source that is YAML; `None` after a problem.
///
/// Anchors, aliases, tags, merge keys, directives and second documents are problems: their meaning is not
/// visible to a reader of the document. So are duplicate keys and numbers that JSON does not have. A part
/// without a value is an empty table. Linear in the part.
pub fn read_yaml(source: &Source, part: Span, problems: &mut Diagnostics) -> Option<Node> {
    let before = problems.len();
    let yaml = &source.text()[part.start..part.end];
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut reader = Reader {
        part,
        builder: Builder::default(),
        documents: 0,
    };
    for event in Parser::new_from_str_with_options(yaml, options) {
        match event {
            Ok((event, span)) => {
                let span = reader.at(span.start.byte_offset())..reader.at(span.end.byte_offset());
                reader.take(event, span.into(), problems);
            }
            Err(error) => {
                let at = reader.at(error.marker().byte_offset());
                problems.push(syntax(&error).at(at..at));
            }
        }
        if problems.is_full() {
            break;
        }
    }
    if problems.len() > before {
        return None;
    }
    let root = reader.builder.finish().unwrap_or_default();
    if root.value != Value::Null {
        return Some(root);
    }
    Some(Node {
        span: (part.start..part.start).into(),
        value: Value::Table(Vec::new()),
    })
}

fn syntax(error: &ScanError) -> Diagnostic {
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        let message = format!("lists and tables are nested deeper than {MAX_DEPTH}");
        return Diagnostic::new(code::NESTED_TOO_DEEPLY, message);
    }
    if *error.kind() == ErrorKind::DirectiveDisallowed {
        let one = Diagnostic::new(code::YAML_FEATURE, "directives are not supported");
        return one.help("remove the line");
    }
    let message = format!(
        "this is not YAML: {}",
        zeph_common::escape_terminal(&error.info())
    );
    Diagnostic::new(code::SYNTAX, message).help(
        "put a string in quotes if it contains `: ` or ` #`, or begins with a special character",
    )
}

struct Reader {
    part: Span,
    builder: Builder,
    documents: usize,
}

impl Reader {
    fn at(&self, offset: Option<usize>) -> usize {
        (self.part.start + offset.unwrap_or(0)).min(self.part.end)
    }

    fn take(&mut self, event: Event<'_>, span: Span, problems: &mut Diagnostics) {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    refuse("a second document is", span, problems);
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                check_properties(anchor, tag.as_ref(), span, problems);
                self.scalar(&text, style, span, problems);
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                refuse("aliases are", span, problems);
                self.scalar("", ScalarStyle::SingleQuoted, span, problems);
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_properties(anchor, tag.as_ref(), span, problems);
                self.open(false, span, problems);
            }
            Event::MappingStart(_, anchor, tag) => {
                check_properties(anchor, tag.as_ref(), span, problems);
                self.open(true, span, problems);
            }
            Event::SequenceEnd | Event::MappingEnd => self.builder.close(span.end),
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Anchor(..) => {}
            // Comments are not emitted. A newer parser may emit events that are not known here.
            _ => refuse("this is", span, problems),
        }
    }

    fn open(&mut self, is_table: bool, span: Span, problems: &mut Diagnostics) {
        if self.builder.wants_key() {
            let kind = if is_table { "a table" } else { "a list" };
            bad_key(kind, span, problems);
        }
        self.builder.open(span.start, is_table, problems);
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span, problems: &mut Diagnostics) {
        let value = if style == ScalarStyle::Plain {
            plain(text)
        } else {
            Some(Value::String(text.to_owned()))
        };
        let Some(value) = value else {
            let message = format!("{} is not a finite number of 64 bits", quote(text));
            let one = Diagnostic::new(code::BAD_VALUE, message).at(span);
            problems.push(one.help("put it in quotes if it is a string"));
            return self.builder.value(Node::default());
        };
        if !self.builder.wants_key() {
            return self.builder.value(Node { span, value });
        }
        let key = match value {
            Value::String(key) => key,
            Value::Integer(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Null | Value::List(_) | Value::Table(_) => {
                bad_key("null", span, problems);
                String::new()
            }
        };
        if key == "<<" {
            refuse("merge keys are", span, problems);
        }
        self.builder.key(key, span, problems);
    }
}

fn bad_key(kind: &str, span: Span, problems: &mut Diagnostics) {
    let message = format!("a key must be a string, not {kind}");
    problems.push(Diagnostic::new(code::WRONG_TYPE, message).at(span));
}

fn refuse(what: &str, span: Span, problems: &mut Diagnostics) {
    let message = format!("{what} not supported");
    let one = Diagnostic::new(code::YAML_FEATURE, message).at(span);
    problems.push(one.help("write the values out"));
}

fn check_properties(
    anchor: usize,
    tag: Option<&Cow<'_, Tag>>,
    span: Span,
    problems: &mut Diagnostics,
) {
    if anchor != 0 {
        refuse("anchors are", span, problems);
    }
    if tag.is_some() {
        refuse("tags are", span, problems);
    }
}

#[cfg(test)]
mod tests {
    use super::read_yaml;
    use crate::{Diagnostics, Node, Source, Value};

    fn read(text: &str) -> Result<Node, String> {
        let source = Source::new("x", text);
        let mut problems = Diagnostics::in_source(&source);
        let root = read_yaml(&source, (0..text.len()).into(), &mut problems);
        root.ok_or_else(|| problems.to_string())
    }

    #[test]
    fn block_and_flow_style_are_read() {
        let text = "# about\nname: 'a b'\nlist:\n  - 1\n  - [x, 0x10, ~]\ntext: >\n  one\n  two\n";
        let root = read(text).unwrap();
        let Value::Table(entries) = &root.value else {
            panic!("{root:?}")
        };
        let values: Vec<(&str, &Value)> = entries
            .iter()
            .map(|entry| (&*entry.key, &entry.node.value))
            .collect();
        assert_eq!(values[0], ("name", &Value::String("a b".into())));
        assert_eq!(values[2], ("text", &Value::String("one two\n".into())));
        let Value::List(items) = values[1].1 else {
            panic!("{root:?}")
        };
        let at = items[0].span;
        assert_eq!(&text[at.start..at.end], "1");
        let Value::List(inner) = &items[1].value else {
            panic!("{root:?}")
        };
        let inner: Vec<&Value> = inner.iter().map(|node| &node.value).collect();
        assert_eq!(
            inner,
            [
                &Value::String("x".into()),
                &Value::Integer(16),
                &Value::Null
            ]
        );
        assert_eq!(read("# nothing\n").unwrap().value, Value::Table(Vec::new()));
        assert_eq!(read("- a").unwrap().kind(), "a list");
    }

    #[test]
    fn what_a_reader_would_not_see_is_refused() {
        let table = [
            ("a: &x 1", "yaml_feature"),
            ("a: *x", "yaml_feature"),
            ("a: !!str x", "yaml_feature"),
            ("<<: {a: 1}", "yaml_feature"),
            ("%YAML 1.2\n---\na: 1", "yaml_feature"),
            ("a: 1\n...\nb: 2", "yaml_feature"),
            ("a: 1\na: 2", "duplicate_key"),
            ("[1]: x", "wrong_type"),
            ("~: x", "wrong_type"),
            ("a: .nan", "bad_value"),
            ("a: b: c", "syntax"),
        ];
        for (text, code) in table {
            let shown = read(text).unwrap_err();
            assert!(shown.contains(&format!("[{code}]")), "{text}: {shown}");
        }
        for deep in [
            "[".repeat(60_000),
            "{a: ".repeat(10_000),
            "- ".repeat(60_000),
        ] {
            assert!(read(&deep).unwrap_err().contains("[nested_too_deeply]"));
        }
    }
}
