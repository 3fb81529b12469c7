//! Reading TOML, with the span of every key and value.

use serde_json::Number;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::errors::PlanCode;
use crate::node::{Entry, Node, Value};
use crate::place::{Place, Problem};

/// A text beyond this is told of its first error only: each costs memory, and noise has millions.
const RECOVERED_BYTES: usize = 256 << 10;
/// The most syntax errors that are told; after some, the rest are echoes.
const MOST: usize = 10;

pub(crate) fn read(text: &str) -> Result<Node, Vec<Problem>> {
    let (table, errors) = if text.len() <= RECOVERED_BYTES {
        DeTable::parse_recoverable(text)
    } else {
        match DeTable::parse(text) {
            Ok(table) => (table, Vec::new()),
            Err(error) => return Err(vec![syntax(&error)]),
        }
    };
    if !errors.is_empty() {
        return Err(errors.iter().take(MOST).map(syntax).collect());
    }
    let mut problems = Vec::new();
    let place = table.span().into();
    let root = build(place, table.into_inner(), &mut problems);
    if problems.is_empty() {
        Ok(root)
    } else {
        problems.truncate(MOST);
        Err(problems)
    }
}

fn syntax(error: &toml::de::Error) -> Problem {
    let message = error.message();
    let code = if message.contains("duplicate key") {
        PlanCode::DuplicateKey
    } else if message.contains("recurs") {
        PlanCode::NestedTooDeeply
    } else {
        PlanCode::Syntax
    };
    Problem {
        code,
        message: zeph_common::escape_terminal(message).into_owned(),
        place: error.span().map(Place::from),
        help: None,
    }
}

type Keyed<'i> = (Spanned<DeString<'i>>, Spanned<DeValue<'i>>);

/// A list or table that is being built.
enum Open<'i> {
    List {
        place: Place,
        rest: std::vec::IntoIter<Spanned<DeValue<'i>>>,
        done: Vec<Node>,
    },
    Table {
        place: Place,
        rest: std::vec::IntoIter<Keyed<'i>>,
        keys: Vec<(String, Place)>,
        done: Vec<Node>,
    },
}

fn build(place: Place, table: DeTable<'_>, problems: &mut Vec<Problem>) -> Node {
    let mut open = vec![open_table(place, table)];
    loop {
        let Some(top) = open.last_mut() else {
            return Node::default();
        };
        let next = match top {
            Open::List { rest, .. } => rest.next(),
            Open::Table { rest, keys, .. } => rest.next().map(|(key, value)| {
                let key_place = key.span().into();
                keys.push((key.into_inner().into_owned(), key_place));
                value
            }),
        };
        let node = match next {
            Some(value) => {
                let place = value.span().into();
                match value.into_inner() {
                    DeValue::Array(items) => {
                        open.push(Open::List {
                            place,
                            rest: items.into_iter().collect::<Vec<_>>().into_iter(),
                            done: Vec::new(),
                        });
                        continue;
                    }
                    DeValue::Table(table) => {
                        open.push(open_table(place, table));
                        continue;
                    }
                    leaf @ (DeValue::String(_)
                    | DeValue::Integer(_)
                    | DeValue::Float(_)
                    | DeValue::Boolean(_)
                    | DeValue::Datetime(_)) => Node {
                        place,
                        value: scalar(place, &leaf, problems),
                    },
                }
            }
            None => match open.pop() {
                Some(finished) => close(finished),
                None => return Node::default(),
            },
        };
        match open.last_mut() {
            Some(Open::List { done, .. } | Open::Table { done, .. }) => done.push(node),
            None => return node,
        }
    }
}

fn open_table<'i>(place: Place, table: DeTable<'i>) -> Open<'i> {
    let mut rest: Vec<Keyed<'i>> = table.into_iter().collect();
    // The reader sorts by key; people expect the order in which they wrote.
    rest.sort_by_key(|(key, _)| key.span().start);
    Open::Table {
        place,
        keys: Vec::with_capacity(rest.len()),
        done: Vec::with_capacity(rest.len()),
        rest: rest.into_iter(),
    }
}

fn close(open: Open<'_>) -> Node {
    match open {
        Open::List { place, done, .. } => Node {
            place,
            value: Value::List(done),
        },
        Open::Table {
            place, keys, done, ..
        } => {
            let entries = keys.into_iter().zip(done);
            let entries = entries.map(|((key, key_place), node)| Entry {
                key,
                key_place,
                node,
            });
            Node {
                place,
                value: Value::Table(entries.collect()),
            }
        }
    }
}

fn scalar(place: Place, value: &DeValue<'_>, problems: &mut Vec<Problem>) -> Value {
    let mut refuse = |message: String, help: &str| {
        problems.push(Problem {
            code: PlanCode::BadValue,
            message,
            place: Some(place),
            help: Some(help.to_owned()),
        });
        Value::Null
    };
    match value {
        DeValue::String(text) => Value::Text(text.clone().into_owned()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number.into()),
            Err(_) => refuse("the number is too large".to_owned(), "use 64 bits at most"),
        },
        DeValue::Float(number) => {
            let finite = number.as_str().parse().ok().and_then(Number::from_f64);
            match finite {
                Some(number) => Value::Number(number),
                None => refuse("the number is not finite".to_owned(), "write it as a text"),
            }
        }
        DeValue::Datetime(_) => refuse(
            "dates and times are not used in plans".to_owned(),
            "put it in quotes",
        ),
        // Lists and tables are opened by the caller; they are no leaves.
        DeValue::Array(_) | DeValue::Table(_) => Value::Null,
    }
}
