//! Kinds of settings: reading a value as people write it, and its range.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeph_common::{MAX_MICRO_USD, format_usd, parse_usd};
use zeph_diagnostics::{Diagnostic, Node, Value as Written, quote};
use zeph_graph::OverBudget;

use crate::code;

/// The kind of a setting, with its range.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// A number without unit.
    Count(u64, u64),
    /// A number of bytes.
    Bytes(u64, u64),
    /// A duration.
    Time(Duration, Duration),
    /// A time-out above zero, or none.
    Timeout,
    /// A file or a folder.
    Path,
    /// A text of one line.
    Text,
    /// Names of environment variables: a list, or a text with commas.
    Names,
    /// Words without white space: a list, or a text with commas.
    Words,
    /// A program with its arguments as a list, or its path alone as a text; an empty list is none.
    Program,
    /// A number without unit, or none.
    Limit(u64, u64),
    /// Dollars, stored as millionths of one, or none.
    Money,
    /// Yes or no.
    Flag,
    /// What happens when a budget is exhausted.
    Over,
}

/// The value of a setting.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    None,
    Number(u64),
    Time(Duration),
    Text(String),
    Names(Vec<String>),
    Path(PathBuf),
    Flag(bool),
    Over(OverBudget),
}

/// A value in its source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input<'a> {
    pub(crate) node: &'a Node,
    /// Whether every value of the source is a text, as in flags and variables; a text is then also
    /// accepted as a number.
    pub(crate) is_text: bool,
    /// The folder that relative paths start from.
    pub(crate) folder: Option<&'a Path>,
}

impl Kind {
    /// Reads a value and checks its range.
    pub(crate) fn read(self, name: &str, input: Input<'_>) -> Result<Value, Box<Diagnostic>> {
        let value = self.parse(input).ok_or_else(|| {
            let found = found(input.node);
            let message = format!("`{name}` must be {}, not {found}", self.wanted());
            Box::new(Diagnostic::new(code::WRONG_TYPE, message))
        })?;
        match self.check(name, &value) {
            Some(problem) => Err(Box::new(problem)),
            None => Ok(value),
        }
    }

    fn parse(self, input: Input<'_>) -> Option<Value> {
        let text = input.text();
        let is_none = text == Some("none");
        match self {
            Self::Limit(..) | Self::Money | Self::Timeout if is_none => Some(Value::None),
            Self::Count(..) | Self::Limit(..) => input.number().map(Value::Number),
            Self::Bytes(..) => match text {
                Some(text) => bytes(text).map(Value::Number),
                None => input.number().map(Value::Number),
            },
            Self::Time(..) | Self::Timeout => {
                humantime::parse_duration(text?).ok().map(Value::Time)
            }
            Self::Path => {
                let text = text?;
                let path = Path::new(text);
                // An empty path stays empty, so that the check reports it. The address of a database is in no folder.
                let is_in_folder = !text.is_empty() && !text.contains("://");
                let folder = input.folder.filter(|_| is_in_folder);
                let path = folder.map_or_else(|| path.to_owned(), |folder| folder.join(path));
                Some(Value::Path(path))
            }
            Self::Text => Some(Value::Text(text?.to_owned())),
            Self::Names | Self::Words => input.names().map(Value::Names),
            Self::Program => match text.filter(|_| input.is_text) {
                Some(path) => Some(Value::Names(
                    Some(path.to_owned())
                        .filter(|path| !path.is_empty())
                        .into_iter()
                        .collect(),
                )),
                None => input.names().map(Value::Names),
            },
            Self::Money => match text.filter(|_| input.is_text) {
                Some(text) => parse_usd(text).map(Value::Number),
                None => input.node.micro_usd().map(Value::Number),
            },
            Self::Flag => input.flag().map(Value::Flag),
            Self::Over => text?.parse().ok().map(Value::Over),
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Count(..) => "a whole number",
            Self::Bytes(..) => "a size such as 65536 or \"64KiB\"",
            Self::Time(..) | Self::Timeout => {
                "a duration with a unit, such as \"250ms\", \"90s\" or \"1h 30m\""
            }
            Self::Path => "a path in quotes",
            Self::Text => "a string",
            Self::Names | Self::Words => "a list of names in quotes",
            Self::Program => "a list of the program and its arguments",
            Self::Limit(..) => "a whole number, or \"none\"",
            Self::Money => "an amount of dollars such as 0.50, or \"none\"",
            Self::Flag => "true or false",
            Self::Over => "\"ask\" or \"partial\"",
        }
    }

    /// The value as a file could have it, without quotes.
    pub(crate) fn show(self, value: &Value) -> String {
        match (self, value) {
            (Self::Bytes(..), Value::Number(bytes)) => show_bytes(*bytes),
            (Self::Money, Value::Number(micro_usd)) => format_usd(*micro_usd),
            (Self::Program, Value::Names(argv)) => format!("{argv:?}"),
            _ => value.to_string(),
        }
    }

    /// The problem of a value that is out of range.
    pub(crate) fn check(self, name: &str, value: &Value) -> Option<Diagnostic> {
        let problem = |message: String| Some(Diagnostic::new(code::BAD_VALUE, message));
        let outside = |least: String, most: String, found: String| {
            problem(format!(
                "`{name}` must be from {least} to {most}, not {found}"
            ))
        };
        match (self, value) {
            (Self::Count(least, most) | Self::Limit(least, most), Value::Number(n))
                if !(least..=most).contains(n) =>
            {
                outside(least.to_string(), most.to_string(), n.to_string())
            }
            (Self::Bytes(least, most), Value::Number(n)) if !(least..=most).contains(n) => {
                outside(show_bytes(least), show_bytes(most), show_bytes(*n))
            }
            (Self::Time(least, most), Value::Time(time)) if !(least..=most).contains(time) => {
                let [least, most] = [least, most].map(|time| Value::Time(time).to_string());
                outside(least, most, value.to_string())
            }
            (Self::Money, Value::Number(n)) if *n > MAX_MICRO_USD => {
                outside("0".to_owned(), format_usd(MAX_MICRO_USD), format_usd(*n))
            }
            (Self::Timeout, Value::Time(time)) if time.is_zero() => {
                problem(format!("`{name}` must be above 0s, or \"none\""))
            }
            (Self::Path, Value::Path(path)) if path.as_os_str().is_empty() => {
                problem(format!("`{name}` must be a path, not an empty string"))
            }
            (Self::Program, Value::Names(argv)) => {
                let is_bad = argv.first().is_some_and(String::is_empty)
                    || argv.iter().any(|part| part.contains('\0'));
                let what = "the program first, and no NUL characters";
                is_bad.then(|| problem(format!("`{name}` must have {what}")))?
            }
            (Self::Names, Value::Names(names)) => {
                let is_bad = |name: &&String| name.is_empty() || name.contains(['=', '$', ' ']);
                let bad = quote(names.iter().find(is_bad)?);
                problem(format!("`{name}` names variables, and {bad} cannot be one"))
            }
            (Self::Words, Value::Names(words)) => {
                let is_bad = |word: &&String| {
                    word.is_empty() || word.contains(|c: char| c.is_whitespace() || c.is_control())
                };
                let bad = quote(words.iter().find(is_bad)?);
                problem(format!(
                    "`{name}` has words without spaces, and {bad} is none"
                ))
            }
            (Self::Text, Value::Text(text)) if text.trim().is_empty() => problem(format!(
                "`{name}` must be one line of text, not an empty string"
            )),
            (Self::Text, Value::Text(text)) if text.chars().any(char::is_control) => problem(
                format!("`{name}` must be one line of text without control characters"),
            ),
            _ => None,
        }
    }
}

impl<'a> Input<'a> {
    fn text(self) -> Option<&'a str> {
        let Written::String(text) = &self.node.value else {
            return None;
        };
        Some(if self.is_text { text.trim() } else { text })
    }

    /// A whole number that is not negative.
    fn number(self) -> Option<u64> {
        match &self.node.value {
            Written::Integer(number) => u64::try_from(*number).ok(),
            Written::String(text) if self.is_text => text.trim().parse().ok(),
            Written::Null
            | Written::Bool(_)
            | Written::Float(_)
            | Written::String(_)
            | Written::List(_)
            | Written::Table(_) => None,
        }
    }

    fn names(self) -> Option<Vec<String>> {
        match &self.node.value {
            Written::List(items) => {
                let names = items.iter().map(|item| match &item.value {
                    Written::String(name) => Some(name.clone()),
                    Written::Null
                    | Written::Integer(_)
                    | Written::Bool(_)
                    | Written::Float(_)
                    | Written::List(_)
                    | Written::Table(_) => None,
                });
                names.collect()
            }
            Written::String(text) if self.is_text => {
                let names = text.split(',').map(str::trim);
                let names = names.filter(|name| !name.is_empty());
                Some(names.map(str::to_owned).collect())
            }
            Written::Null
            | Written::Integer(_)
            | Written::Bool(_)
            | Written::Float(_)
            | Written::String(_)
            | Written::Table(_) => None,
        }
    }

    fn flag(self) -> Option<bool> {
        match &self.node.value {
            Written::Bool(flag) => Some(*flag),
            Written::String(text) if self.is_text => text.trim().parse().ok(),
            Written::Null
            | Written::Integer(_)
            | Written::Float(_)
            | Written::String(_)
            | Written::List(_)
            | Written::Table(_) => None,
        }
    }
}

/// The description of an invalid value, for a message.
fn found(node: &Node) -> String {
    match &node.value {
        Written::String(text) => quote(text),
        Written::Integer(number) => number.to_string(),
        Written::Float(number) => number.to_string(),
        Written::Null | Written::Bool(_) | Written::List(_) | Written::Table(_) => {
            node.kind().to_owned()
        }
    }
}

/// A number of bytes, with or without a unit.
fn bytes(text: &str) -> Option<u64> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (count, unit) = text.split_at(digits);
    let factor = match unit.trim_start() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(factor)
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Time(time) => write!(f, "{}", humantime::format_duration(*time)),
            Self::Text(text) => f.write_str(text),
            Self::Names(names) => f.write_str(&names.join(",")),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Over(over) => f.write_str(over.word()),
        }
    }
}

/// A size in a form that can be parsed.
fn show_bytes(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let whole = units
        .into_iter()
        .find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    whole.map_or_else(
        || bytes.to_string(),
        |(shift, unit)| format!("{}{unit}", bytes >> shift),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;
    use zeph_common::{format_usd, parse_usd};
    use zeph_diagnostics::{Node, Value as Written};

    use super::{Input, Kind, Value, bytes, show_bytes};
    use crate::settings::SETTINGS;

    fn read(kind: Kind, value: Written, is_text: bool) -> Option<Value> {
        let node = Node {
            value,
            ..Node::default()
        };
        let input = Input {
            node: &node,
            is_text,
            folder: None,
        };
        kind.read("x", input).ok()
    }

    #[test]
    fn sizes_have_units() {
        let table = [
            ("64KiB", Some(65_536)),
            ("1 MiB", Some(1 << 20)),
            ("7", Some(7)),
            ("7B", Some(7)),
            ("1.5MiB", None),
            ("-1", None),
            ("KiB", None),
            ("99999999999GiB", None),
        ];
        for (text, wanted) in table {
            assert_eq!(bytes(text), wanted, "{text}");
        }
    }

    #[test]
    fn money_has_six_digits_after_the_point() {
        let string = |text: &str| Written::String(text.to_owned());
        let table = [
            (string("0.5"), true, Some(500_000)),
            (string("3"), true, Some(3_000_000)),
            (Written::Float(0.000_001), false, Some(1)),
            (Written::Integer(2), false, Some(2_000_000)),
            (string("0.0000001"), true, None),
            (string("1e3"), true, None),
            (string("-1"), true, None),
            (string(".5"), true, None),
            (string("5."), true, None),
            (string("0.5"), false, None),
            (string("99999999999999999999"), true, None),
        ];
        for (value, is_text, wanted) in table {
            let wanted = wanted.map(Value::Number);
            assert_eq!(
                read(Kind::Money, value.clone(), is_text),
                wanted,
                "{value:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_shown_can_be_written(text in ".*", number in any::<u64>(), millis in any::<u32>()) {
            for setting in SETTINGS {
                for is_text in [true, false] {
                    read(setting.kind, Written::String(text.clone()), is_text);
                }
            }
            prop_assert_eq!(bytes(&show_bytes(number)), Some(number));
            prop_assert_eq!(parse_usd(&format_usd(number)), Some(number));
            let time = Duration::from_millis(u64::from(millis) + 1);
            let shown = Written::String(Value::Time(time).to_string());
            prop_assert_eq!(read(Kind::Timeout, shown, false), Some(Value::Time(time)));
        }
    }
}
