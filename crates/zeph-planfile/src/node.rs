//! Nodes: what TOML and JSON have in common, with the places where things are written.

use serde_json::Number;

use crate::place::Place;

/// The longest JSON pointer that is told; keys can be as long as a file.
const MAX_POINTER_BYTES: usize = 1 << 10;

/// A value with its place.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

/// A value.
#[derive(Clone, Debug, Default)]
pub(crate) enum Value {
    #[default]
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key of a table with its value. Keys are unique in a table.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_place: Place,
    pub(crate) node: Node,
}

impl Node {
    /// What this is, in words, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(number) if number.is_f64() => "a number with a fraction",
            Value::Number(_) => "a whole number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// The JSON pointer of the node whose number is that place; numbers grow in the order of the text.
    pub(crate) fn pointer(&self, place: Place) -> String {
        let mut pointer = String::new();
        let mut here = self;
        while here.place.start != place.start {
            let next = match &here.value {
                Value::List(items) => {
                    let after = items.partition_point(|item| item.place.start <= place.start);
                    after.checked_sub(1).map(|at| (at.to_string(), &items[at]))
                }
                Value::Table(entries) => {
                    let after =
                        entries.partition_point(|entry| entry.node.place.start <= place.start);
                    after.checked_sub(1).map(|at| {
                        let key = entries[at].key.replace('~', "~0").replace('/', "~1");
                        (key, &entries[at].node)
                    })
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => None,
            };
            let Some((step, child)) = next else { break };
            pointer.push('/');
            pointer.push_str(&zeph_common::escape_terminal(&step));
            here = child;
        }
        if pointer.len() > MAX_POINTER_BYTES {
            pointer.truncate(pointer.floor_char_boundary(MAX_POINTER_BYTES));
            pointer.push('…');
        }
        pointer
    }

    /// The JSON value, for places that take any.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        // Children are turned before their parents; depth is bounded by the readers, but the stack
        // of the calling thread is not ours to spend.
        let mut done: Vec<serde_json::Value> = Vec::new();
        let mut open = vec![(self, false)];
        while let Some((node, visited)) = open.pop() {
            match (&node.value, visited) {
                (Value::Null, _) => done.push(serde_json::Value::Null),
                (Value::Bool(value), _) => done.push((*value).into()),
                (Value::Number(value), _) => done.push(value.clone().into()),
                (Value::Text(value), _) => done.push(value.as_str().into()),
                (Value::List(items), false) => {
                    open.push((node, true));
                    open.extend(items.iter().rev().map(|item| (item, false)));
                }
                (Value::List(items), true) => {
                    let list = done.split_off(done.len() - items.len());
                    done.push(list.into());
                }
                (Value::Table(entries), false) => {
                    open.push((node, true));
                    open.extend(entries.iter().rev().map(|entry| (&entry.node, false)));
                }
                (Value::Table(entries), true) => {
                    let values = done.split_off(done.len() - entries.len());
                    let keys = entries.iter().map(|entry| entry.key.clone());
                    let table: serde_json::Map<_, _> = keys.zip(values).collect();
                    done.push(table.into());
                }
            }
        }
        done.pop().unwrap_or_default()
    }
}
