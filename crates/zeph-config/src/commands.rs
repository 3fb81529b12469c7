//! Commands that plans of models may run: the tables `[commands.NAME]` of a file.

use std::collections::{BTreeMap, BTreeSet};
use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Span, Table, Value};

use crate::code;

/// A command that plans may run, with its arguments.
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
/// # Ok::<(), zeph_config::Diagnostics>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandConfig {
    /// A description of one line, for the model.
    pub about: String,
    /// The program and its arguments. An element may end in `{NAME}`, which is replaced by an argument.
    /// Elements are not split, and no shell interprets them.
    pub run: Vec<String>,
    /// The arguments, by name; each occurs once in `run`.
    pub args: BTreeMap<String, ArgumentConfig>,
}

/// An argument that a plan fills in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentConfig {
    /// A description of one line, for the model.
    pub about: String,
    /// The values that it accepts.
    pub kind: ArgumentKind,
    /// Whether a plan may omit it; its whole element is then omitted. Default false.
    pub optional: bool,
    /// Whether its value may begin with a dash. Default false. Set it only where the program cannot parse
    /// the value as an option, for example after a fixed `--`.
    pub dash: bool,
}

/// The values that an argument accepts.
///
/// Closed: code that runs commands must handle every kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// `text = 200`: a text of one line with at most that many bytes.
    Text(u32),
    /// `pattern = "[0-9-]{10}"`: a text that a regular expression matches as a whole.
    Pattern(String),
    /// `choice = ["a", "b"]`: one of these texts.
    Choice(Vec<String>),
    /// `integer = [1, 100]`: a whole number in that range.
    Integer(i64, i64),
    /// `path = "docs"`: a relative path below that folder.
    Path(String),
}

impl CommandConfig {
    /// Splits an element of `run` into its fixed prefix and the argument at its end, if it has one.
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

/// Reads the table `commands`. A command with a problem is omitted.
pub(crate) fn read(node: &Node, problems: &mut Diagnostics) -> BTreeMap<String, CommandConfig> {
    let mut commands = BTreeMap::new();
    if let Some(table) = node.any_table("`commands`", problems) {
        for entry in table.entries() {
            let what = format!("commands.{}", entry.key);
            if let Some(command) = command(&what, &entry.node, problems) {
                commands.insert(entry.key.clone(), command);
            }
        }
    }
    commands
}

fn command(path: &str, node: &Node, problems: &mut Diagnostics) -> Option<CommandConfig> {
    let before = problems.len();
    let table = node.table(&format!("`{path}`"), &["about", "run", "args"], problems)?;
    let about = text(path, &table, "about", "about = \"Lists commits\"", problems);
    let example = "run = [\"git\", \"log\"]";
    let run_node = table.require(&format!("`{path}`"), "run", example, problems);
    let run = run_node.and_then(|node| strings(&format!("`{path}.run`"), node, problems));
    let mut args = BTreeMap::new();
    let mut spans = BTreeMap::new();
    if let Some(node) = table.get("args") {
        for entry in node
            .any_table(&format!("`{path}.args`"), problems)?
            .entries()
        {
            spans.insert(entry.key.as_str(), entry.node.span);
            let path = format!("{path}.args.{}", entry.key);
            if let Some(argument) = argument(&path, &entry.node, problems) {
                args.insert(entry.key.clone(), argument);
            }
        }
    }
    let (about, run, run_node) = (about?, run?, run_node?);
    check_places(path, &run, run_node.span, &spans, problems);
    (problems.len() == before).then_some(CommandConfig { about, run, args })
}

/// Compares the `{NAME}`s of a command line with the descriptions of its arguments.
fn check_places(
    path: &str,
    run: &[String],
    run_span: Span,
    args: &BTreeMap<&str, Span>,
    problems: &mut Diagnostics,
) {
    let (mut once, mut again) = (BTreeSet::new(), BTreeSet::new());
    for name in run.iter().filter_map(|one| CommandConfig::place(one).1) {
        if !args.contains_key(name) {
            let message = format!("`{path}.args` does not describe {{{name}}}");
            let one = Diagnostic::new(code::MISSING_KEY, message).at(run_span);
            problems.push(one.help(format!("add `{name} = {{ about = \"…\", text = 200 }}`")));
        } else if !once.insert(name) {
            again.insert(name);
        }
    }
    for (name, span) in args {
        let found = match (once.contains(name), again.contains(name)) {
            (true, false) => continue,
            (false, _) => "no place",
            (true, true) => "several places",
        };
        let message = format!("`{path}.args.{name}` has {found} in `run`");
        let one = Diagnostic::new(code::BAD_VALUE, message).at(*span);
        problems.push(one.help(format!("let one element of `run` end in {{{name}}}")));
    }
}

fn argument(path: &str, node: &Node, problems: &mut Diagnostics) -> Option<ArgumentConfig> {
    const KINDS: [&str; 5] = ["text", "pattern", "choice", "integer", "path"];
    let what = format!("`{path}`");
    let known = [&["about", "optional", "dash"][..], &KINDS[..]].concat();
    let table = node.table(&what, &known, problems)?;
    let about = text(path, &table, "about", "about = \"the first day\"", problems);
    let mut flag = |key| match table.get(key) {
        Some(node) => node.boolean(&format!("`{path}.{key}`"), problems),
        None => Some(false),
    };
    let (optional, dash) = (flag("optional"), flag("dash"));
    let mut given = KINDS.into_iter().filter_map(|key| table.entry(key));
    let kind = match (given.next(), given.next()) {
        (Some(entry), None) => {
            let what = format!("`{path}.{}`", entry.key);
            kind(&what, &entry.key, &entry.node, problems)
        }
        (Some(first), Some(second)) => {
            let message = format!("{what} has both `{}` and `{}`", first.key, second.key);
            let one = Diagnostic::new(code::CONFLICT, message).at(second.key_span);
            problems.push(one.help("keep one of text, pattern, choice, integer and path"));
            None
        }
        (None, _) => {
            let message = format!("{what} does not say which values it accepts");
            let one = Diagnostic::new(code::MISSING_KEY, message).at(table.span);
            problems.push(
                one.help("add one of text, pattern, choice, integer and path, as in `text = 200`"),
            );
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

fn kind(what: &str, key: &str, node: &Node, problems: &mut Diagnostics) -> Option<ArgumentKind> {
    match key {
        "text" => node
            .integer(what, 1..=4096, problems)
            .map(ArgumentKind::Text),
        "choice" => strings(what, node, problems).map(ArgumentKind::Choice),
        "integer" => {
            let items = node.list(what, problems)?.iter();
            let ends: Vec<i64> = items
                .filter_map(|item| item.integer(what, i64::MIN..=i64::MAX, problems))
                .collect();
            match ends[..] {
                [min, max] if min <= max => Some(ArgumentKind::Integer(min, max)),
                _ => {
                    let wanted = "the least and the greatest number, as in [1, 100]";
                    let message = format!("{what} must be {wanted}");
                    problems.push(Diagnostic::new(code::BAD_VALUE, message).at(node.span));
                    None
                }
            }
        }
        "pattern" => not_empty(what, node, problems).map(ArgumentKind::Pattern),
        _ => not_empty(what, node, problems).map(ArgumentKind::Path),
    }
}

fn text(
    path: &str,
    table: &Table<'_>,
    key: &str,
    example: &str,
    problems: &mut Diagnostics,
) -> Option<String> {
    let node = table.require(&format!("`{path}`"), key, example, problems)?;
    not_empty(&format!("`{path}.{key}`"), node, problems)
}

fn not_empty(what: &str, node: &Node, problems: &mut Diagnostics) -> Option<String> {
    let text = node.string(what, problems)?;
    if text.trim().is_empty() {
        let message = format!("{what} is an empty string");
        problems.push(Diagnostic::new(code::BAD_VALUE, message).at(node.span));
        return None;
    }
    Some(text.to_owned())
}

fn strings(what: &str, node: &Node, problems: &mut Diagnostics) -> Option<Vec<String>> {
    let items = node.strings(what, problems)?;
    if items.is_empty() && node.value == Value::List(Vec::new()) {
        let message = format!("{what} is an empty list");
        problems.push(Diagnostic::new(code::BAD_VALUE, message).at(node.span));
        return None;
    }
    Some(items.into_iter().map(str::to_owned).collect())
}
