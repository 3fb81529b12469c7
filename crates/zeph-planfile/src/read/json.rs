//! Reading JSON, with a number for every value and no key twice.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use crate::errors::PlanCode;
use crate::node::{Entry, Node, Value};
use crate::place::{Place, Problem, show};

/// What an error of ours begins with, to be told from the reader's own.
const TWICE: &str = "there are two keys ";

pub(crate) fn read(text: &str) -> Result<Node, Vec<Problem>> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = serde_json::Deserializer::from_str(body);
    let counter = Cell::new(0);
    let read = Seed(&counter)
        .deserialize(&mut reader)
        .and_then(|node| reader.end().map(|()| node));
    read.map_err(|error| vec![problem(text, text.len() - body.len(), &error)])
}

fn problem(text: &str, skipped: usize, error: &serde_json::Error) -> Problem {
    let line_start = text
        .split_inclusive('\n')
        .take(error.line().saturating_sub(1))
        .map(str::len)
        .sum::<usize>();
    let skipped = if line_start == 0 { skipped } else { 0 };
    let start = (line_start + skipped + error.column().saturating_sub(1)).min(text.len());
    let said = error.to_string();
    // The place follows the message; here it is told apart.
    let said = said
        .rsplit_once(" at line ")
        .map_or(&*said, |(said, _)| said);
    let code = if said.starts_with(TWICE) {
        PlanCode::DuplicateKey
    } else if said.contains("recursion limit") {
        PlanCode::NestedTooDeeply
    } else {
        PlanCode::Syntax
    };
    Problem {
        code,
        message: zeph_common::escape_terminal(said).into_owned(),
        place: Some(Place {
            start,
            end: start + 1,
        }),
        help: None,
    }
}

/// Reads one value, numbered in the order of the text.
///
/// The calls nest as deeply as the text, which the JSON reader bounds at 128.
#[derive(Clone, Copy)]
struct Seed<'a>(&'a Cell<usize>);

impl Seed<'_> {
    fn next(self) -> Place {
        let number = self.0.get();
        self.0.set(number + 1);
        Place {
            start: number,
            end: number,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Node, D::Error> {
        let place = self.next();
        let value = reader.deserialize_any(self)?;
        Ok(Node { place, value })
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        match Number::from_f64(value) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(E::custom("the number is not finite")),
        }
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = items.next_element_seed(self)? {
            list.push(node);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut seen = HashSet::new();
        let mut table = Vec::new();
        while let Some(key) = fields.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!("{TWICE}{}", show(&key))));
            }
            let node = fields.next_value_seed(self)?;
            table.push(Entry {
                key,
                key_place: node.place,
                node,
            });
        }
        Ok(Value::Table(table))
    }
}
