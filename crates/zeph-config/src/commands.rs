//! Commands that a host lets plans of models run: the tables `[commands.NAME]` of a file.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::Problem;
use crate::file::raw;
use crate::keys::closest;

/// A command that plans may run, with the places that they may fill in.
///
/// # Examples
/// ```
/// use zeph_config::{ArgumentKind, Layers};
/// let file = r#"
/// [commands.git_log]
/// about = "Lists commits, newest first"
/// run = ["git", "log", "--oneline", "--since={since}"]
/// args.since = { about = "the first day, such as 2026-03-01", pattern = "[0-9-]{10}" }
/// "#;
/// let config = Layers::new().project_file(file, "zeph.toml").resolve()?.config;
/// let since = &config.commands["git_log"].args["since"];
/// assert_eq!(since.kind, ArgumentKind::Pattern("[0-9-]{10}".to_owned()));
/// # Ok::<(), zeph_config::ConfigErrors>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandConfig {
    /// What it does, in a line for the model.
    pub about: String,
    /// The program and its arguments. An element that ends in `{NAME}` has the place of an argument
    /// there; nothing is split, and no shell reads any of it.
    pub run: Vec<String>,
    /// The arguments, by name; each has one place in `run`.
    pub args: BTreeMap<String, ArgumentConfig>,
}

/// A place that a plan fills in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentConfig {
    /// What it is for, in a line for the model.
    pub about: String,
    /// Which values it takes.
    pub kind: ArgumentKind,
    /// Whether a plan may leave it out, and its whole element with it. Default false.
    pub optional: bool,
    /// Whether its value may begin with a dash. Default false; only where the program cannot take it
    /// for an option, behind a fixed `--` for example.
    pub dash: bool,
}

/// Which values a place takes.
///
/// Closed: whoever runs commands must know every kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// `text = 200`: a text of one line with at most so many bytes.
    Text(u32),
    /// `pattern = "[0-9-]{10}"`: a text that a regular expression describes from beginning to end.
    Pattern(String),
    /// `choice = ["a", "b"]`: one of these texts.
    Choice(Vec<String>),
    /// `integer = [1, 100]`: a whole number in that range.
    Integer(i64, i64),
    /// `path = "docs"`: a relative path below that folder.
    Path(String),
}

impl CommandConfig {
    /// An element of `run`, as its fixed beginning and the argument at its end, if it has one.
    ///
    /// # Examples
    /// ```
    /// use zeph_config::CommandConfig;
    /// assert_eq!(CommandConfig::place("--since={since}"), ("--since=", Some("since")));
    /// assert_eq!(CommandConfig::place("{}"), ("{}", None));
    /// ```
    #[must_use]
    pub fn place(element: &str) -> (&str, Option<&str>) {
        let inner = element
            .strip_suffix('}')
            .and_then(|rest| rest.rsplit_once('{'));
        match inner {
            Some((prefix, name)) if is_name(name) => (prefix, Some(name)),
            Some(_) | None => (element, None),
        }
    }
}

fn is_name(text: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    text.starts_with(is_first)
        && text
            .chars()
            .all(|c| is_first(c) || "-0123456789".contains(c))
}

/// What is wrong, where, by key.
type Problems = Vec<(String, Range<usize>, Problem)>;

/// Reads the table `commands`: what is right of it, and all that is wrong.
pub(crate) fn read(value: &Spanned<DeValue<'_>>) -> (BTreeMap<String, CommandConfig>, Problems) {
    let mut reader = Reader::default();
    let mut commands = BTreeMap::new();
    if let Some(table) = reader.table("commands", value) {
        for (name, value) in table {
            let name = name.get_ref().as_ref();
            if let Some(command) = reader.command(&format!("commands.{name}"), value) {
                commands.insert(name.to_owned(), command);
            }
        }
    }
    (commands, reader.0)
}

#[derive(Default)]
struct Reader(Problems);

impl Reader {
    fn problem(&mut self, key: &str, span: Range<usize>, problem: Problem) {
        self.0.push((key.to_owned(), span, problem));
    }

    fn is_not(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &'static str) {
        let problem = raw(value.get_ref()).is_not(wanted);
        self.problem(key, value.span(), problem);
    }

    fn table<'t>(&mut self, key: &str, value: &'t Spanned<DeValue<'t>>) -> Option<&'t DeTable<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.is_not(key, value, "a table, such as [commands.git_log]");
        }
        table
    }

    fn command(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<CommandConfig> {
        let table = self.table(key, value)?;
        self.unknown(key, table, &["about", "run", "args"]);
        let about = self.about(key, value, table);
        let run = match table.get("run") {
            Some(run) => self.texts(&format!("{key}.run"), run),
            None => {
                let example = "run = [\"git\", \"log\"]";
                self.missing(key, value, "`run`", example);
                None
            }
        };
        let mut args = BTreeMap::new();
        let mut spans = BTreeMap::new();
        let mut is_whole = true;
        if let Some(value) = table.get("args") {
            for (name, value) in self.table(&format!("{key}.args"), value)? {
                let name = name.get_ref().as_ref();
                spans.insert(name.to_owned(), value.span());
                match self.argument(&format!("{key}.args.{name}"), value) {
                    Some(argument) => drop(args.insert(name.to_owned(), argument)),
                    None => is_whole = false,
                }
            }
        }
        let (about, run) = (about?, run?);
        let run_span = table.get("run").map_or(value.span(), Spanned::span);
        is_whole &= self.places(key, &run, run_span, &spans);
        is_whole.then_some(CommandConfig { about, run, args })
    }

    /// Holds places and descriptions against each other.
    fn places(
        &mut self,
        key: &str,
        run: &[String],
        run_span: Range<usize>,
        args: &BTreeMap<String, Range<usize>>,
    ) -> bool {
        let before = self.0.len();
        let (mut once, mut again) = (BTreeSet::new(), BTreeSet::new());
        for name in run.iter().filter_map(|one| CommandConfig::place(one).1) {
            if !args.contains_key(name) {
                let name = name.to_owned();
                let problem = Problem::Undescribed { name };
                self.problem(&format!("{key}.run"), run_span.clone(), problem);
            } else if !once.insert(name) {
                again.insert(name);
            }
        }
        for (name, span) in args {
            let found = match (once.contains(&**name), again.contains(&**name)) {
                (true, false) => continue,
                (false, _) => "no place",
                (true, true) => "several places",
            };
            let name = name.clone();
            let of = format!("{key}.args.{name}");
            self.problem(&of, span.clone(), Problem::Places { name, found });
        }
        self.0.len() == before
    }

    fn argument(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<ArgumentConfig> {
        const KINDS: [&str; 5] = ["text", "pattern", "choice", "integer", "path"];
        let table = self.table(key, value)?;
        let known = ["about", "optional", "dash"];
        self.unknown(key, table, &[&known[..], &KINDS[..]].concat());
        let about = self.about(key, value, table);
        let optional = self.flag(key, table, "optional");
        let dash = self.flag(key, table, "dash");
        let mut given = KINDS
            .into_iter()
            .filter_map(|kind| Some((kind, table.get(kind)?)));
        let kind = match (given.next(), given.next()) {
            (Some((kind, value)), None) => self.kind(&format!("{key}.{kind}"), kind, value),
            (Some(_), Some((second, value))) => {
                let found = format!("a second kind, `{second}`,");
                let wanted = "allowed; keep one of text, pattern, choice, integer and path";
                self.problem(key, value.span(), Problem::Kind { found, wanted });
                None
            }
            (None, _) => {
                let what = "its kind (text, pattern, choice, integer or path)";
                self.missing(key, value, what, "{ about = \"…\", text = 200 }");
                None
            }
        };
        Some(ArgumentConfig {
            about: about?,
            kind: kind?,
            optional: optional?,
            dash: dash?,
        })
    }

    fn kind(
        &mut self,
        key: &str,
        kind: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<ArgumentKind> {
        let number = |value: &DeValue<'_>| {
            let number = value.as_integer()?;
            i64::from_str_radix(number.as_str(), number.radix()).ok()
        };
        match kind {
            "text" => {
                let bytes = number(value.get_ref()).and_then(|n| u32::try_from(n).ok());
                let Some(bytes) = bytes.filter(|bytes| (1..=4096).contains(bytes)) else {
                    self.is_not(key, value, "a number of bytes from 1 to 4096");
                    return None;
                };
                Some(ArgumentKind::Text(bytes))
            }
            "choice" => self.texts(key, value).map(ArgumentKind::Choice),
            "integer" => {
                let ends: Option<Vec<i64>> = value
                    .get_ref()
                    .as_array()
                    .and_then(|ends| ends.iter().map(|end| number(end.get_ref())).collect());
                match ends.as_deref() {
                    Some(&[min, max]) if min <= max => Some(ArgumentKind::Integer(min, max)),
                    Some(_) | None => {
                        self.is_not(
                            key,
                            value,
                            "the least and the greatest number, as in [1, 100]",
                        );
                        None
                    }
                }
            }
            "pattern" => Some(ArgumentKind::Pattern(self.text(key, value)?)),
            _ => Some(ArgumentKind::Path(self.text(key, value)?)),
        }
    }

    fn about(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        table: &DeTable<'_>,
    ) -> Option<String> {
        match table.get("about") {
            Some(about) => self.text(&format!("{key}.about"), about),
            None => {
                let example = "about = \"Lists commits\"";
                self.missing(key, value, "`about`, which tells the model,", example);
                None
            }
        }
    }

    fn missing(
        &mut self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        what: &'static str,
        example: &'static str,
    ) {
        self.problem(key, value.span(), Problem::Missing { what, example });
    }

    fn text(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let text = value
            .get_ref()
            .as_str()
            .filter(|text| !text.trim().is_empty());
        if text.is_none() {
            self.is_not(key, value, "a text in quotes that is not empty");
        }
        text.map(str::to_owned)
    }

    fn texts(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
        let texts: Option<Vec<String>> = value.get_ref().as_array().and_then(|list| {
            let texts = list
                .iter()
                .map(|one| one.get_ref().as_str().map(str::to_owned));
            texts.collect()
        });
        let texts = texts.filter(|texts| !texts.is_empty());
        if texts.is_none() {
            self.is_not(key, value, "a list of texts that is not empty");
        }
        texts
    }

    fn flag(&mut self, key: &str, table: &DeTable<'_>, name: &str) -> Option<bool> {
        let Some(value) = table.get(name) else {
            return Some(false);
        };
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            self.is_not(&format!("{key}.{name}"), value, "true or false");
        }
        flag
    }

    fn unknown(&mut self, key: &str, table: &DeTable<'_>, known: &[&str]) {
        for name in table.keys() {
            if known.contains(&name.get_ref().as_ref()) {
                continue;
            }
            let candidates = known.iter().map(|&known| known.to_owned());
            let suggestion = closest(name.get_ref(), candidates);
            let of = format!("{key}.{}", name.get_ref());
            self.problem(&of, name.span(), Problem::Unknown { suggestion });
        }
    }
}
