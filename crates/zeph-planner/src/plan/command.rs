//! Commands that a plan may run: their templates from the settings, and the values of their arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

use regex::Regex;
use serde_json::{Value, json};
use zeph_common::{Argument, Inserted, escape_terminal, run_as_code};
use zeph_config::{ArgumentConfig, ArgumentKind, CommandConfig};
use zeph_diagnostics::{Code, Diagnostic, Diagnostics, quote};

use super::name::is_name;

/// The most bytes of a value of any kind.
const MAX_VALUE_BYTES: usize = 4 << 10;

/// The commands that a host lets plans run, by name.
///
/// Each element of a command line is fixed or ends with one argument. Elements are not split, and no shell
/// interprets them, so the text of a model is always part of exactly one element.
///
/// # Examples
/// ```
/// use zeph_planner::plan::Commands;
/// let file = r#"
/// [commands.git_log]
/// about = "Lists commits"
/// run = ["git", "log", "--since={since}"]
/// args.since = { about = "the first day, such as 2026-03-01", pattern = "[0-9-]{10}" }
/// "#;
/// let config = zeph_config::Layers::new().project_file(file, "zeph.toml").resolve()?.config;
/// let commands = Commands::new(config.commands)?;
/// assert!(commands.names().eq(["git_log"]));
/// # Ok::<(), zeph_diagnostics::Diagnostics>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands(BTreeMap<String, CommandConfig>);

impl Commands {
    /// The code of a template that cannot be used.
    pub const BAD_COMMAND: Code = Code::new("bad_command");

    /// Checks the templates.
    ///
    /// # Errors
    /// The first problem of each template: a name that is invalid, or differs from another one only in
    /// case; a description that is empty or has invisible characters; an argument that is not at the end
    /// of exactly one element; a first element that is not a fixed program; an argument that would be
    /// [run as code](run_as_code), or decide which program or script runs.
    ///
    /// The last check knows common programs by name and is no guarantee: `make`, `git` and many others run
    /// commands with certain arguments. Restrict values by their [kind](ArgumentKind).
    pub fn new(commands: BTreeMap<String, CommandConfig>) -> Result<Self, Diagnostics> {
        let mut problems = Diagnostics::new();
        let mut names = BTreeSet::new();
        for (name, command) in &commands {
            let is_new = names.insert(name.to_ascii_lowercase());
            let checked = ensure(is_new, "another command has the same name");
            if let Err(why) = checked.and_then(|()| check(name, command)) {
                let problem = Diagnostic::new(Self::BAD_COMMAND, escape_terminal(&why));
                problems.push(problem.path(format!("commands.{name}")));
            }
        }
        problems.into_result()?;
        Ok(Self(commands))
    }

    /// The template of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&CommandConfig> {
        self.0.get(name)
    }

    /// The templates, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &CommandConfig)> {
        self.0.iter().map(|(name, command)| (&**name, command))
    }

    /// The names, in alphabetical order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }

    /// Whether there are no templates.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The command line of a command with these values. Unknown names in `values` are ignored.
    ///
    /// # Errors
    /// What is wrong with the name or the values, for a model.
    pub fn fill(
        &self,
        name: &str,
        values: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, String> {
        let command = self.get(name).ok_or_else(|| {
            let known = zeph_diagnostics::list(self.names());
            format!("there is no command {}; known are {known}", quote(name))
        })?;
        command_line(command, values).map_err(|wrong| {
            let problems = wrong.into_iter().map(|(name, why)| match why {
                Some(why) => format!("{} {why}", quote(&name)),
                None => format!("{} is missing", quote(&name)),
            });
            problems.collect::<Vec<_>>().join("; ")
        })
    }

    /// One line for each command: its purpose, and the forms of its arguments.
    pub fn descriptions(&self) -> impl Iterator<Item = String> {
        self.iter().map(|(name, command)| {
            let arguments = command.args.iter().map(|(name, one)| {
                let optional = if one.optional { ", optional" } else { "" };
                format!("{name} ({}: {}{optional})", one.about, form(&one.kind))
            });
            let arguments: Vec<String> = arguments.collect();
            format!(
                "{name}: {}. Arguments: {}",
                command.about,
                arguments.join("; ")
            )
        })
    }

    /// The descriptions of the commands for a model.
    pub(super) fn to_json(&self) -> Value {
        let argument = |(name, one): (&String, &ArgumentConfig)| json!({ "name": name, "form": form(&one.kind), "about": one.about, "optional": one.optional });
        let command = |(name, one): (&str, &CommandConfig)| {
            let arguments: Vec<Value> = one.args.iter().map(argument).collect();
            json!({ "name": name, "about": one.about, "arguments": arguments })
        };
        self.iter().map(command).collect()
    }
}

/// The argument at the end of an element of a command line: the fixed text before it, its name and its
/// settings.
fn argument_of<'a>(
    command: &'a CommandConfig,
    element: &'a str,
) -> Option<(&'a str, &'a str, &'a ArgumentConfig)> {
    let (prefix, name) = CommandConfig::place(element);
    let name = name?;
    Some((prefix, name, command.args.get(name)?))
}

/// Checks a template. The error is the reason why it cannot be used.
fn check(name: &str, command: &CommandConfig) -> Result<(), String> {
    ensure(
        is_name(name),
        "a name has 1 to 64 of a-z, A-Z, 0-9, '_' and '-', and starts with a letter or '_'",
    )?;
    ensure(
        !command.about.trim().is_empty() && *escape_terminal(&command.about) == *command.about,
        "its description is empty, or has several lines or hidden characters",
    )?;
    let is_argument = |element: &&String| argument_of(command, element).is_some();
    let first = command.run.first().filter(|first| !is_argument(first));
    let program = first.ok_or("its first element is not a fixed program")?;
    ensure(!program.is_empty(), "its program has no name")?;
    let mut names = BTreeSet::new();
    for (name, one) in &command.args {
        let places = command
            .run
            .iter()
            .filter_map(|one| argument_of(command, one));
        let places = places.filter(|(_, place, _)| place == name).count();
        check_argument(name, one, places)
            .map_err(|why| format!("argument {}: {why}", quote(name)))?;
        ensure(
            names.insert(name.to_lowercase()),
            "two of its arguments have the same name",
        )?;
    }
    let argv = command
        .run
        .iter()
        .map(|element| match argument_of(command, element) {
            None => (&**element, Inserted::Nothing),
            Some((prefix, ..)) => (prefix, Inserted::Foreign),
        });
    let argv = argv.map(|(known, inserted)| Argument { known, inserted });
    ensure(
        run_as_code(&argv.collect::<Vec<_>>()).arguments.is_empty(),
        "its program runs its arguments, or they name a script: put a fixed script before them",
    )
}

fn ensure(holds: bool, why: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(why.to_owned()) }
}

/// The command line with these values. Unknown names in `values` are ignored.
///
/// # Errors
/// For each argument with a problem, its name and the problem; `None` if a required argument is missing.
pub(super) fn command_line(
    command: &CommandConfig,
    values: &BTreeMap<String, String>,
) -> Result<Vec<String>, Vec<(String, Option<String>)>> {
    let (mut argv, mut wrong) = (Vec::new(), Vec::new());
    for element in &command.run {
        let Some((prefix, name, argument)) = argument_of(command, element) else {
            argv.push(element.clone());
            continue;
        };
        match values.get(name).map(|value| accept(argument, value)) {
            Some(Ok(value)) => argv.push(format!("{prefix}{value}")),
            Some(Err(why)) => wrong.push((name.to_owned(), Some(why))),
            None if argument.optional => {}
            None => wrong.push((name.to_owned(), None)),
        }
    }
    if wrong.is_empty() {
        Ok(argv)
    } else {
        Err(wrong)
    }
}

/// The value as it appears in the command line, or why it is rejected.
///
/// No value may have control, invisible or reordering characters.
fn accept(argument: &ArgumentConfig, value: &str) -> Result<String, String> {
    let kind = &argument.kind;
    let number = value.parse::<i64>();
    let is_accepted = match kind {
        ArgumentKind::Text(max_bytes) => !value.is_empty() && value.len() <= *max_bytes as usize,
        ArgumentKind::Pattern(pattern) => whole_match(pattern).is_ok_and(|one| one.is_match(value)),
        ArgumentKind::Choice(choices) => choices.iter().any(|choice| choice == value),
        ArgumentKind::Integer(min, max) => {
            number.as_ref().is_ok_and(|it| (min..=max).contains(&it))
        }
        ArgumentKind::Path(_) => is_plain_relative(value),
    };
    let is_number = matches!(kind, ArgumentKind::Integer(..));
    if value.starts_with('-') && !argument.dash && !is_number {
        Err("starts with \"-\", and the program may read it as an option".to_owned())
    } else if value.len() > MAX_VALUE_BYTES {
        Err(format!("has more than {MAX_VALUE_BYTES} bytes"))
    } else if *escape_terminal(value) != *value {
        Err("has control, invisible or reordering characters".to_owned())
    } else if !is_accepted {
        Err(format!("is not a {}", form(kind)))
    } else {
        Ok(match (kind, number) {
            (ArgumentKind::Integer(..), Ok(number)) => number.to_string(),
            // Without a folder the path stays relative; it never becomes absolute.
            (ArgumentKind::Path(below), _) if !below.is_empty() => {
                format!("{}/{value}", below.trim_end_matches('/'))
            }
            _ => value.to_owned(),
        })
    }
}

/// Checks an argument that has `places` places on the command line.
fn check_argument(name: &str, argument: &ArgumentConfig, places: usize) -> Result<(), String> {
    ensure(is_name(name), "its name is invalid")?;
    ensure(!argument.about.trim().is_empty(), "it has no description")?;
    ensure(
        places == 1,
        "it is not at the end of one element of the command line",
    )?;
    if let ArgumentKind::Pattern(pattern) = &argument.kind {
        whole_match(pattern).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// A pattern that matches a text as a whole.
fn whole_match(pattern: &str) -> Result<Regex, regex::Error> {
    // Brackets that only match inside of the wrapping would make it match a part.
    Regex::new(pattern)?;
    Regex::new(&format!("^(?:{pattern})$"))
}

/// Whether a path is relative and all its components are names, so without `..`. It does not look at the
/// file system: the program itself must handle links that lead out of the folder.
fn is_plain_relative(path: &str) -> bool {
    let mut parts = Path::new(path).components().peekable();
    parts.peek().is_some()
        && !path.contains('\\')
        && parts.all(|part| matches!(part, Component::Normal(_)))
}

/// The description of the values of a kind, for a model.
pub(super) fn form(kind: &ArgumentKind) -> String {
    match kind {
        ArgumentKind::Text(max_bytes) => format!("text of 1 to {max_bytes} bytes"),
        ArgumentKind::Pattern(pattern) => format!("text of the form {pattern}"),
        ArgumentKind::Choice(choices) => format!("text, one of {}", choices.join(", ")),
        ArgumentKind::Integer(min, max) => format!("whole number from {min} to {max}"),
        ArgumentKind::Path(below) if below.is_empty() => "relative path, without \"..\"".to_owned(),
        ArgumentKind::Path(below) => format!("relative path below {below}, without \"..\""),
    }
}
