//! Reading front matter into nodes, with the place of every key and value.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, ScanError, Span, Tag};
use serde_json::Value;

use super::scalar;
use super::told::Told;
use crate::agent::check::MAX_DEPTH;
use crate::agent::defect::show;
use crate::{AgentCode, AgentDefect};

/// A value with its place in bytes of the whole text.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) place: Range<usize>,
    pub(crate) value: Yaml,
}

/// A value; leaves are JSON's.
#[derive(Debug)]
pub(crate) enum Yaml {
    Leaf(Value),
    List(Vec<Node>),
    Table(Vec<Entry>),
    /// Told of already, so that nobody tells of it again.
    Refused,
}

/// A key of a table with its value. Keys are unique in a table.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Range<usize>,
    pub(crate) node: Node,
}

impl Node {
    /// What this is, in words, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match &self.value {
            Yaml::Leaf(Value::Null) | Yaml::Refused => "nothing",
            Yaml::Leaf(Value::Bool(_)) => "true or false",
            Yaml::Leaf(Value::Number(_)) => "a number",
            Yaml::Leaf(_) => "a text",
            Yaml::List(_) => "a list",
            Yaml::Table(_) => "a table",
        }
    }

    /// The JSON value.
    pub(crate) fn into_json(self) -> Value {
        // Children are turned before their parents, without recursion.
        enum Step {
            Visit(Node),
            List(usize),
            Table(Vec<String>),
        }
        let mut done: Vec<Value> = Vec::new();
        let mut open = vec![Step::Visit(self)];
        while let Some(step) = open.pop() {
            match step {
                Step::Visit(node) => match node.value {
                    Yaml::Leaf(value) => done.push(value),
                    Yaml::Refused => done.push(Value::Null),
                    Yaml::List(items) => {
                        open.push(Step::List(items.len()));
                        open.extend(items.into_iter().rev().map(Step::Visit));
                    }
                    Yaml::Table(entries) => {
                        let (keys, nodes): (Vec<_>, Vec<_>) =
                            entries.into_iter().map(|one| (one.key, one.node)).unzip();
                        open.push(Step::Table(keys));
                        open.extend(nodes.into_iter().rev().map(Step::Visit));
                    }
                },
                Step::List(len) => {
                    let items = done.split_off(done.len() - len);
                    done.push(items.into());
                }
                Step::Table(keys) => {
                    let values = done.split_off(done.len() - keys.len());
                    let table: serde_json::Map<_, _> = keys.into_iter().zip(values).collect();
                    done.push(table.into());
                }
            }
        }
        done.pop().unwrap_or_default()
    }
}

/// The tree of a front matter that begins at a byte of the text; `None` after a syntax error.
pub(crate) fn read(yaml: &str, base: usize, told: &mut Told<'_>) -> Option<Node> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    options.disallow_directives = true;
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut builder = Builder {
        base,
        len: yaml.len(),
        open: Vec::new(),
        root: None,
        documents: 0,
    };
    for event in Parser::new_from_str_with_options(yaml, options) {
        match event {
            Ok((event, span)) => builder.take(event, &span, told),
            Err(error) => {
                let at = builder.at(error.marker().byte_offset());
                told.add(at..at, syntax(&error));
                return None;
            }
        }
        if told.is_full() {
            return None;
        }
    }
    let nothing = || Node {
        place: base..base,
        value: Yaml::Table(Vec::new()),
    };
    let root = builder.root.unwrap_or_else(nothing);
    match root.value {
        // A front matter with comments only: a table without keys.
        Yaml::Leaf(Value::Null) => Some(nothing()),
        Yaml::Table(_) => Some(root),
        Yaml::Refused => None,
        Yaml::Leaf(_) | Yaml::List(_) => {
            let message = format!("front matter must be a table, and this is {}", root.kind());
            let defect = AgentDefect::new(AgentCode::WrongType, "", message);
            told.add(
                root.place,
                defect.help("write `name: …` and `description: …`"),
            );
            None
        }
    }
}

fn syntax(error: &ScanError) -> AgentDefect {
    let message = format!(
        "this is not YAML: {}",
        zeph_common::escape_terminal(&error.info())
    );
    let quotes =
        "a text with `: ` or ` #` in it, or with a special character in front, goes in quotes";
    if *error.kind() == ErrorKind::RecursionLimitExceeded {
        let message = format!("lists and tables are nested deeper than {MAX_DEPTH}");
        return AgentDefect::new(AgentCode::NestedTooDeeply, "", message);
    }
    if *error.kind() == ErrorKind::DirectiveDisallowed {
        let message = "directives have no place here";
        return AgentDefect::new(AgentCode::YamlFeature, "", message).help("remove the line");
    }
    AgentDefect::new(AgentCode::Syntax, "", message).help(quotes)
}

/// A list or table that is being built.
enum Open {
    List {
        start: usize,
        items: Vec<Node>,
    },
    Table {
        start: usize,
        entries: Vec<Entry>,
        seen: BTreeSet<String>,
        /// The key whose value comes next; `None` between entries.
        key: Option<Key>,
    },
}

/// A key, and whether its value is kept.
struct Key {
    text: String,
    place: Range<usize>,
    kept: bool,
}

struct Builder {
    base: usize,
    len: usize,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
}

impl Builder {
    fn at(&self, offset: Option<usize>) -> usize {
        self.base + offset.unwrap_or(0).min(self.len)
    }

    fn place(&self, span: &Span) -> Range<usize> {
        self.at(span.start.byte_offset())..self.at(span.end.byte_offset())
    }

    fn take(&mut self, event: Event<'_>, span: &Span, told: &mut Told<'_>) {
        let place = self.place(span);
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                if self.documents == 2 {
                    refuse(told, place, "a second document has no place here");
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                no_features(told, &place, anchor, tag.as_ref());
                let value = leaf(&text, style, &place, told);
                self.finish(Node { place, value }, told);
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                refuse(told, place.clone(), "aliases have no place here");
                let value = Yaml::Refused;
                self.finish(Node { place, value }, told);
            }
            Event::SequenceStart(_, anchor, tag) => {
                no_features(told, &place, anchor, tag.as_ref());
                self.open.push(Open::List {
                    start: place.start,
                    items: Vec::new(),
                });
            }
            Event::MappingStart(_, anchor, tag) => {
                no_features(told, &place, anchor, tag.as_ref());
                self.open.push(Open::Table {
                    start: place.start,
                    entries: Vec::new(),
                    seen: BTreeSet::new(),
                    key: None,
                });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.open.pop() {
                    Some(Open::List { start, items }) => Node {
                        place: start..place.end.max(start),
                        value: Yaml::List(items),
                    },
                    Some(Open::Table { start, entries, .. }) => Node {
                        place: start..place.end.max(start),
                        value: Yaml::Table(entries),
                    },
                    None => return,
                };
                self.finish(node, told);
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd | Event::Anchor(..) => {}
            // Comments are not emitted; what a newer parser may emit is not known here.
            _ => refuse(told, place, "this has no place here"),
        }
    }

    /// Puts a finished node where it belongs: an item, a key, a value, or the root.
    fn finish(&mut self, node: Node, told: &mut Told<'_>) {
        match self.open.last_mut() {
            None => {
                self.root.get_or_insert(node);
            }
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Table {
                entries, seen, key, ..
            }) => match key.take() {
                None => *key = Some(key_of(node, seen, told)),
                Some(key) if key.kept => entries.push(Entry {
                    key: key.text,
                    key_place: key.place,
                    node,
                }),
                Some(_) => {}
            },
        }
    }
}

fn refuse(told: &mut Told<'_>, place: Range<usize>, message: &str) {
    let defect = AgentDefect::new(AgentCode::YamlFeature, "", message);
    told.add(place, defect.help("write the values out"));
}

fn no_features(
    told: &mut Told<'_>,
    place: &Range<usize>,
    anchor: usize,
    tag: Option<&Cow<'_, Tag>>,
) {
    if anchor != 0 {
        refuse(told, place.clone(), "anchors have no place here");
    }
    if tag.is_some() {
        refuse(told, place.clone(), "tags of YAML have no place here");
    }
}

fn leaf(text: &str, style: ScalarStyle, place: &Range<usize>, told: &mut Told<'_>) -> Yaml {
    if style != ScalarStyle::Plain {
        return Yaml::Leaf(text.into());
    }
    if let Some(value) = scalar::plain(text) {
        return Yaml::Leaf(value);
    }
    let message = format!("{} is no number that JSON has", show(text));
    let defect = AgentDefect::new(AgentCode::BadValue, "", message);
    told.add(
        place.clone(),
        defect.help("put it in quotes if it is a text"),
    );
    Yaml::Refused
}

fn key_of(node: Node, seen: &mut BTreeSet<String>, told: &mut Told<'_>) -> Key {
    let kind = node.kind();
    let refused = matches!(node.value, Yaml::Refused);
    let place = node.place;
    let text = match node.value {
        Yaml::Leaf(Value::String(text)) => Some(text),
        Yaml::Leaf(Value::Number(number)) => Some(number.to_string()),
        Yaml::Leaf(Value::Bool(value)) => Some(value.to_string()),
        Yaml::Leaf(_) | Yaml::List(_) | Yaml::Table(_) | Yaml::Refused => None,
    };
    let defect = match &text {
        None if refused => None,
        None => {
            let message = format!("a key must be a text, and this is {kind}");
            Some(AgentDefect::new(AgentCode::WrongType, "", message))
        }
        Some(text) if text == "<<" => {
            let message = "merge keys have no place here";
            let defect = AgentDefect::new(AgentCode::YamlFeature, "", message);
            Some(defect.help("write the values out"))
        }
        Some(text) if !seen.insert(text.clone()) => {
            let message = format!("the key {} is there twice", show(text));
            let key = zeph_common::escape_terminal(text);
            let defect = AgentDefect::new(AgentCode::DuplicateKey, &key, message);
            Some(defect.help("remove one of the two"))
        }
        Some(_) => None,
    };
    let kept = defect.is_none() && !refused;
    if let Some(defect) = defect {
        told.add(place.clone(), defect);
    }
    Key {
        text: text.unwrap_or_default(),
        place,
        kept,
    }
}
