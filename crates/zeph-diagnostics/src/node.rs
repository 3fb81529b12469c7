//! Nodes: a document of any format as a tree of values with their spans.

use crate::Span;

/// A value with its span in the source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Node {
    /// The span of the value.
    pub span: Span,
    /// The value.
    pub value: Value,
}

/// The value of a node. The readers report other types of their formats, such as TOML dates, as problems.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Null; TOML has none.
    #[default]
    Null,
    /// A boolean.
    Bool(bool),
    /// A number without a fraction, from `i64::MIN` to `u64::MAX`.
    Integer(i128),
    /// A finite number with a fraction or an exponent.
    Float(f64),
    /// A text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A table, in the order of the source. Keys are unique.
    Table(Vec<Entry>),
}

/// A key of a table with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// The span of the key.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Value::String(text) = &self.value {
            Some(text)
        } else {
            None
        }
    }

    /// The items of a list; none of another value.
    #[must_use]
    pub fn items(&self) -> &[Self] {
        if let Value::List(items) = &self.value {
            items
        } else {
            &[]
        }
    }

    /// The entries of a table; none of another value.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        if let Value::Table(entries) = &self.value {
            entries
        } else {
            &[]
        }
    }

    /// The value of a key, if it is a table that has it.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Self> {
        let entry = self.entries().iter().find(|entry| entry.key == key);
        entry.map(|entry| &entry.node)
    }

    /// The items of a list, or the value itself: for keys that take one or several.
    #[must_use]
    pub fn one_or_more(&self) -> &[Self] {
        if matches!(self.value, Value::List(_)) {
            self.items()
        } else {
            std::slice::from_ref(self)
        }
    }

    /// The type in words, for messages: `a string`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a number with a fraction",
            Value::String(_) => "a string",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The JSON pointer of the innermost node that begins at or before a byte offset, with control
    /// characters escaped, and cut after 1,024 bytes.
    ///
    /// Only for JSON: in TOML the children of a table can be anywhere in the text.
    #[must_use]
    pub fn pointer(&self, offset: usize) -> String {
        const MAX_BYTES: usize = 1 << 10;
        let mut pointer = String::new();
        let mut here = self;
        loop {
            let next = match &here.value {
                Value::List(items) => {
                    let after = items.partition_point(|item| item.span.start <= offset);
                    after.checked_sub(1).map(|at| (at.to_string(), &items[at]))
                }
                Value::Table(entries) => {
                    let after = entries.partition_point(|entry| entry.key_span.start <= offset);
                    after.checked_sub(1).map(|at| {
                        let key = entries[at].key.replace('~', "~0").replace('/', "~1");
                        (key, &entries[at].node)
                    })
                }
                Value::Null
                | Value::Bool(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::String(_) => None,
            };
            let Some((step, child)) = next else { break };
            pointer.push('/');
            pointer.push_str(&zeph_common::escape_terminal(&step));
            here = child;
        }
        if pointer.len() > MAX_BYTES {
            pointer.truncate(pointer.floor_char_boundary(MAX_BYTES));
            pointer.push('…');
        }
        pointer
    }

    /// The value as JSON.
    #[cfg(feature = "json")]
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// Recursive: the readers limit the depth of a tree.
#[cfg(feature = "json")]
impl serde::Serialize for Node {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.value {
            Value::Null => to.serialize_unit(),
            Value::Bool(value) => to.serialize_bool(*value),
            Value::Integer(number) => to.serialize_i128(*number),
            Value::Float(number) => to.serialize_f64(*number),
            Value::String(text) => to.serialize_str(text),
            Value::List(items) => to.collect_seq(items),
            Value::Table(entries) => {
                to.collect_map(entries.iter().map(|entry| (&entry.key, &entry.node)))
            }
        }
    }
}
