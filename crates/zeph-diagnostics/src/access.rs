//! Typed access to nodes: each function returns the value, or reports a problem.
//!
//! `what` names the value in messages, such as `` `timeout` `` or `the capacity of a lane`.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use crate::{Diagnostic, Diagnostics, Entry, Node, Span, Value, code, list, quote};

/// A table that has been opened.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    /// The span of the table.
    pub span: Span,
    entries: &'a [Entry],
}

impl<'a> Table<'a> {
    /// The entry of a key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&'a Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// Reads the value of a key, if the table has it. `read` receives the node and its name for messages,
    /// which is the key in backticks.
    pub fn read<T>(&self, key: &str, read: impl FnOnce(&'a Node, &str) -> Option<T>) -> Option<T> {
        let node = self.get(key)?;
        read(node, &format!("`{key}`"))
    }

    /// All entries, in the order of the source.
    #[must_use]
    pub fn entries(&self) -> &'a [Entry] {
        self.entries
    }

    /// The value of a key; reports it if it is missing.
    pub fn require(
        &self,
        what: &str,
        key: &str,
        example: &str,
        problems: &mut Diagnostics,
    ) -> Option<&'a Node> {
        let found = self.get(key);
        if found.is_none() {
            let message = format!("{what} has no key `{key}`");
            let one = Diagnostic::new(code::MISSING_KEY, message).at(self.span);
            problems.push(one.help(format!("add `{example}`")));
        }
        found
    }
}

impl Node {
    /// A table that may have these keys; reports each other key, with the closest known one.
    pub fn table(
        &self,
        what: &str,
        known: &[&str],
        problems: &mut Diagnostics,
    ) -> Option<Table<'_>> {
        self.table_with_help(what, known, |_| None, problems)
    }

    /// As [`table`](Self::table), with help of its own for some of the unknown keys.
    pub fn table_with_help(
        &self,
        what: &str,
        known: &[&str],
        help: impl Fn(&str) -> Option<&'static str>,
        problems: &mut Diagnostics,
    ) -> Option<Table<'_>> {
        let table = self.any_table(what, problems)?;
        for entry in table.entries {
            if !known.contains(&entry.key.as_str()) && !problems.is_full() {
                let message = format!("{what} has no key {}", quote(&entry.key));
                let one = Diagnostic::new(code::UNKNOWN_KEY, message).at(entry.key_span);
                problems.push(match help(&entry.key) {
                    Some(help) => one.help(help),
                    None => or_known(one, &entry.key, known),
                });
            }
        }
        Some(table)
    }

    /// A table whose keys are names.
    pub fn any_table(&self, what: &str, problems: &mut Diagnostics) -> Option<Table<'_>> {
        let Value::Table(entries) = &self.value else {
            self.wrong_type(what, "a table", problems);
            return None;
        };
        Some(Table {
            span: self.span,
            entries,
        })
    }

    /// A list.
    pub fn list(&self, what: &str, problems: &mut Diagnostics) -> Option<&[Node]> {
        let Value::List(items) = &self.value else {
            self.wrong_type(what, "a list", problems);
            return None;
        };
        Some(items)
    }

    /// A string. A NUL character is refused, because no program can be given one.
    pub fn string(&self, what: &str, problems: &mut Diagnostics) -> Option<&str> {
        let Value::String(text) = &self.value else {
            self.wrong_type(what, "a string", problems);
            return None;
        };
        if text.contains('\0') {
            let message = format!("{what} has a NUL character");
            problems.push(Diagnostic::new(code::BAD_VALUE, message).at(self.span));
            return None;
        }
        Some(text)
    }

    /// A list of strings; other items are reported and omitted.
    pub fn strings(&self, what: &str, problems: &mut Diagnostics) -> Option<Vec<&str>> {
        let items = self.list(what, problems)?.iter();
        let each = format!("an item of {what}");
        Some(
            items
                .filter_map(|item| item.string(&each, problems))
                .collect(),
        )
    }

    /// A boolean.
    pub fn boolean(&self, what: &str, problems: &mut Diagnostics) -> Option<bool> {
        let Value::Bool(value) = self.value else {
            self.wrong_type(what, "true or false", problems);
            return None;
        };
        Some(value)
    }

    /// An integer in a range.
    pub fn integer<T: TryFrom<i128> + PartialOrd + Display>(
        &self,
        what: &str,
        range: RangeInclusive<T>,
        problems: &mut Diagnostics,
    ) -> Option<T> {
        let Value::Integer(number) = self.value else {
            self.wrong_type(what, "an integer", problems);
            return None;
        };
        let value = T::try_from(number)
            .ok()
            .filter(|value| range.contains(value));
        if value.is_none() {
            let (least, most) = (range.start(), range.end());
            let message = format!("{what} must be from {least} to {most}, not {number}");
            problems.push(Diagnostic::new(code::BAD_VALUE, message).at(self.span));
        }
        value
    }

    /// One of some words.
    pub fn word<T: Copy>(
        &self,
        what: &str,
        words: &[(&str, T)],
        problems: &mut Diagnostics,
    ) -> Option<T> {
        self.word_with_help(what, words, |_| None, problems)
    }

    /// As [`word`](Self::word), with help of its own for some of the unknown words.
    pub fn word_with_help<T: Copy>(
        &self,
        what: &str,
        words: &[(&str, T)],
        help: impl Fn(&str) -> Option<&'static str>,
        problems: &mut Diagnostics,
    ) -> Option<T> {
        let given = self.string(what, problems)?;
        let found = words.iter().find(|(word, _)| *word == given);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.unknown_word(what, given, &known, help(given), problems);
        }
        found.map(|(_, value)| *value)
    }

    /// A value of a type that is one of these words.
    pub fn parse<T: FromStr>(
        &self,
        what: &str,
        words: &[&str],
        problems: &mut Diagnostics,
    ) -> Option<T> {
        let given = self.string(what, problems)?;
        let found = given.parse().ok();
        if found.is_none() {
            self.unknown_word(what, given, words, None, problems);
        }
        found
    }

    fn unknown_word(
        &self,
        what: &str,
        given: &str,
        known: &[&str],
        help: Option<&'static str>,
        problems: &mut Diagnostics,
    ) {
        let message = format!("{what} cannot be {}", quote(given));
        let one = Diagnostic::new(code::BAD_VALUE, message).at(self.span);
        problems.push(match help {
            Some(help) => one.help(help),
            None => or_known(one, given, known),
        });
    }

    /// A duration such as `"1h 30m"`.
    pub fn duration(&self, what: &str, problems: &mut Diagnostics) -> Option<Duration> {
        let message = if let Value::String(given) = &self.value {
            match humantime::parse_duration(given) {
                Ok(duration) => return Some(duration),
                Err(error) => format!("{what} is not a duration: {}: {error}", quote(given)),
            }
        } else {
            format!("{what} must be a duration, not {}", self.kind())
        };
        let one = Diagnostic::new(code::BAD_DURATION, message).at(self.span);
        problems
            .push(one.help("write a number with a unit in quotes, such as \"30s\" or \"1h 30m\""));
        None
    }

    /// A number of dollars with at most six digits after the point, as millionths.
    #[must_use]
    pub fn micro_usd(&self) -> Option<u64> {
        match self.value {
            Value::Integer(number) => u64::try_from(number).ok()?.checked_mul(1_000_000),
            Value::Float(number) => zeph_common::parse_usd(&number.to_string()),
            Value::Null | Value::Bool(_) | Value::String(_) | Value::List(_) | Value::Table(_) => {
                None
            }
        }
    }

    /// Reports that the value is not of the wanted type.
    pub fn wrong_type(&self, what: &str, wanted: &str, problems: &mut Diagnostics) {
        let message = format!("{what} must be {wanted}, not {}", self.kind());
        problems.push(Diagnostic::new(code::WRONG_TYPE, message).at(self.span));
    }
}

/// Adds the closest known name as the help, or else all known names.
fn or_known(one: Diagnostic, wanted: &str, known: &[&str]) -> Diagnostic {
    match crate::suggest(wanted, known.iter().copied()) {
        Some(near) => one.suggest(Some(near)),
        None => one.help(format!("known are {}", list(known.iter().copied()))),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Diagnostics, Entry, Node, Value};

    fn node(value: Value) -> Node {
        Node {
            span: (0..1).into(),
            value,
        }
    }

    #[test]
    fn what_does_not_fit_is_reported_with_what_was_expected() {
        let mut problems = Diagnostics::new();
        let text = node(Value::String("skpi".into()));
        assert_eq!(text.integer::<u8>("`n`", 0..=9, &mut problems), None);
        assert_eq!(
            text.word("`w`", &[("skip", 1), ("abort", 2)], &mut problems),
            None
        );
        assert_eq!(text.word("`w`", &[("retry", 1)], &mut problems), None);
        assert_eq!(text.duration("`d`", &mut problems), None);
        let number = node(Value::Integer(300));
        assert_eq!(number.integer::<u8>("`n`", 0..=9, &mut problems), None);
        assert_eq!(number.integer("`n`", 0..=300, &mut problems), Some(300_u32));
        assert!(number.table("it", &[], &mut problems).is_none());
        let nul = node(Value::String("a\0".into()));
        assert_eq!(nul.string("`s`", &mut problems), None);
        let entry = Entry {
            key: "kee".into(),
            key_span: (0..1).into(),
            node: node(Value::Null),
        };
        let table = node(Value::Table(vec![entry]));
        let table = table.table("it", &["key"], &mut problems).unwrap();
        assert!(
            table
                .require("it", "key", "key = 1", &mut problems)
                .is_none()
        );
        assert_eq!(
            problems.to_string(),
            "[wrong_type] `n` must be an integer, not a string\n\
             [bad_value] `w` cannot be \"skpi\" (did you mean \"skip\"?)\n\
             [bad_value] `w` cannot be \"skpi\" (known are `retry`)\n\
             [bad_duration] `d` is not a duration: \"skpi\": expected number at 0 \
             (write a number with a unit in quotes, such as \"30s\" or \"1h 30m\")\n\
             [bad_value] `n` must be from 0 to 9, not 300\n\
             [wrong_type] it must be a table, not an integer\n\
             [bad_value] `s` has a NUL character\n\
             [unknown_key] it has no key \"kee\" (did you mean \"key\"?)\n\
             [missing_key] it has no key `key` (add `key = 1`)"
        );
    }
}
