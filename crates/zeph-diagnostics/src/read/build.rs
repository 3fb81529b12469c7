//! The builder of a tree from a sequence of events: open, key, value, close.

use std::collections::BTreeSet;

use super::MAX_DEPTH;
use crate::{Diagnostic, Diagnostics, Entry, Node, Span, Value, code, quote};

/// Builds a tree without recursion.
#[derive(Default)]
pub(super) struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
}

/// A list or a table that has not ended.
struct Open {
    start: usize,
    items: Vec<Node>,
    /// `None` for a list.
    keys: Option<Keys>,
}

/// The keys of a table: one for each item, and one more when a value must follow.
#[derive(Default)]
struct Keys {
    all: Vec<(String, Span)>,
    seen: BTreeSet<String>,
}

impl Builder {
    /// Begins a list or a table.
    pub(super) fn open(&mut self, start: usize, is_table: bool, problems: &mut Diagnostics) {
        if self.open.len() == MAX_DEPTH {
            let message = format!("lists and tables are nested deeper than {MAX_DEPTH}");
            problems.push(Diagnostic::new(code::NESTED_TOO_DEEPLY, message).at(start..start + 1));
        }
        self.open.push(Open {
            start,
            items: Vec::new(),
            keys: is_table.then(Keys::default),
        });
    }

    /// Whether a key of a table comes next.
    #[cfg(any(feature = "json", feature = "yaml"))]
    pub(super) fn wants_key(&self) -> bool {
        let top = self.open.last();
        top.is_some_and(|top| matches!(&top.keys, Some(keys) if keys.all.len() == top.items.len()))
    }

    /// Adds a key; reports one that is there already.
    pub(super) fn key(&mut self, key: String, span: Span, problems: &mut Diagnostics) {
        let Some(keys) = self.open.last_mut().and_then(|top| top.keys.as_mut()) else {
            return;
        };
        if !keys.seen.insert(key.clone()) {
            let message = format!("there are two keys {}", quote(&key));
            let one = Diagnostic::new(code::DUPLICATE_KEY, message).at(span);
            problems.push(one.help("remove one of them"));
        }
        keys.all.push((key, span));
    }

    /// Adds a value.
    pub(super) fn value(&mut self, node: Node) {
        match self.open.last_mut() {
            Some(top) => top.items.push(node),
            None => drop(self.root.get_or_insert(node)),
        }
    }

    /// Ends the innermost list or table.
    pub(super) fn close(&mut self, end: usize) {
        let Some(Open { start, items, keys }) = self.open.pop() else {
            return;
        };
        let value = match keys {
            None => Value::List(items),
            Some(keys) => {
                let entries = keys.all.into_iter().zip(items);
                let entry = |((key, key_span), node)| Entry {
                    key,
                    key_span,
                    node,
                };
                Value::Table(entries.map(entry).collect())
            }
        };
        let span = (start..end.max(start)).into();
        self.value(Node { span, value });
    }

    /// The first value without a parent.
    pub(super) fn finish(self) -> Option<Node> {
        self.root
    }
}
