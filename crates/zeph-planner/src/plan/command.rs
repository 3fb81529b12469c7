//! Commands that a plan may run: templates of the host with typed arguments.

mod argument;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use zeph_common::{Argument as Arg, Inserted, run_as_code};

use argument::check_name;
pub use argument::{ArgumentKind, BadTemplate};

/// A program with its arguments, some of which a plan fills in.
///
/// Each element of the command line is fixed or ends with one argument; nothing is split, and no shell
/// is involved. So the text of a model is always one value.
///
/// # Examples
/// ```
/// use zeph_planner::plan::{ArgumentKind, CommandTemplate};
/// let log = CommandTemplate::new("git_log", "lists commits, newest first")
///     .fixed("git").fixed("log").fixed("--oneline")
///     .optional("--since=", "since", "the first day, such as 2026-03-01", ArgumentKind::pattern("[0-9-]{10}")?)
///     .value("", "count", "how many", ArgumentKind::integer(1, 100))
///     .checked()?;
/// assert_eq!(log.name(), "git_log");
/// # Ok::<(), zeph_planner::plan::BadTemplate>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommandTemplate {
    name: String,
    about: String,
    argv: Vec<Element>,
}

/// One element of a command line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Element {
    Fixed(String),
    Argument(Argument),
}

/// An argument of a command.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Argument {
    prefix: String,
    name: String,
    about: String,
    kind: ArgumentKind,
    optional: bool,
    dash: bool,
}

impl Argument {
    /// Its name in plans.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its description, for the model.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The values that it accepts.
    #[must_use]
    pub fn kind(&self) -> &ArgumentKind {
        &self.kind
    }

    /// Whether a plan may omit it, and with it the whole element.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// The element of the command line with that value.
    fn fill(&self, value: &str) -> Result<String, String> {
        if value.starts_with('-') && !self.dash && !self.kind.is_number() {
            return Err("starts with \"-\", and the program may read it as an option".to_owned());
        }
        let value = self.kind.accept(value)?;
        Ok(format!("{}{value}", self.prefix))
    }
}

impl CommandTemplate {
    /// A command without elements; the name has the form of an agent's name.
    #[must_use]
    pub fn new(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            argv: Vec::new(),
        }
    }

    /// Adds a fixed element. The first one is the program.
    #[must_use]
    pub fn fixed(mut self, text: impl Into<String>) -> Self {
        self.argv.push(Element::Fixed(text.into()));
        self
    }

    /// Adds an element: a prefix (`""`, or `"--since="`) and a value from the plan.
    ///
    /// A value that starts with a dash is rejected; see [`dash`](Self::dash).
    #[must_use]
    pub fn value(
        self,
        prefix: impl Into<String>,
        name: impl Into<String>,
        about: impl Into<String>,
        kind: ArgumentKind,
    ) -> Self {
        self.place(prefix.into(), name.into(), about.into(), kind, false)
    }

    /// As [`value`](Self::value), but the plan may omit it, and with it the element.
    #[must_use]
    pub fn optional(
        self,
        prefix: impl Into<String>,
        name: impl Into<String>,
        about: impl Into<String>,
        kind: ArgumentKind,
    ) -> Self {
        self.place(prefix.into(), name.into(), about.into(), kind, true)
    }

    fn place(
        mut self,
        prefix: String,
        name: String,
        about: String,
        kind: ArgumentKind,
        optional: bool,
    ) -> Self {
        let argument = Argument {
            prefix,
            name,
            about,
            kind,
            optional,
            dash: false,
        };
        self.argv.push(Element::Argument(argument));
        self
    }

    /// Allows the value of the last argument to start with a dash. Only for places where the program
    /// cannot read it as an option, for example after a fixed `--`.
    #[must_use]
    pub fn dash(mut self) -> Self {
        if let Some(Element::Argument(argument)) = self.argv.last_mut() {
            argument.dash = true;
        }
        self
    }

    /// The template, if it is valid.
    ///
    /// # Errors
    /// If the first element is no fixed program, a name is invalid or used twice, or a text is empty or
    /// has invisible characters; or if a value would be [run as code](run_as_code), or decide which program
    /// or script runs.
    ///
    /// The last check knows common programs by name and is no guarantee: `make`, `git` and many others run
    /// commands with certain arguments. Restrict values by their [kind](ArgumentKind).
    pub fn checked(self) -> Result<Self, BadTemplate> {
        check_name(&self.name, &self.name)?;
        let bad = |why: &str| Err(BadTemplate::new(&self.name, why));
        if self.about.trim().is_empty() || *zeph_common::escape_terminal(&self.about) != *self.about
        {
            return bad("its description is empty, has several lines or hidden characters");
        }
        let Some(Element::Fixed(program)) = self.argv.first() else {
            return bad("its first element is not a fixed program");
        };
        if program.is_empty() {
            return bad("its program has no name");
        }
        let mut names = BTreeSet::new();
        for argument in self.arguments() {
            check_name(&self.name, &argument.name)?;
            if !names.insert(argument.name.to_lowercase()) {
                return bad("two of its arguments have the same name");
            }
            if argument.about.trim().is_empty() {
                return bad("an argument has no description");
            }
        }
        let argv = self.argv.iter().map(|element| match element {
            Element::Fixed(text) => (&**text, Inserted::Nothing),
            Element::Argument(argument) => (&*argument.prefix, Inserted::Foreign),
        });
        let argv = argv.map(|(known, inserted)| Arg { known, inserted });
        if !run_as_code(&argv.collect::<Vec<_>>()).arguments.is_empty() {
            return bad(
                "its program runs its arguments, or they name a script: put a fixed script before them",
            );
        }
        Ok(self)
    }

    /// Its name in plans.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its description, for the model.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The arguments, in order.
    pub fn arguments(&self) -> impl Iterator<Item = &Argument> + Clone {
        self.argv.iter().filter_map(|piece| match piece {
            Element::Fixed(_) => None,
            Element::Argument(argument) => Some(argument),
        })
    }

    /// The command line with these values.
    ///
    /// # Errors
    /// For each argument with a problem, its name and the problem; `None` if a required argument is
    /// missing. Unknown names in `values` are ignored.
    pub fn resolve(
        &self,
        values: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, Vec<(String, Option<String>)>> {
        let (mut argv, mut wrong) = (Vec::new(), Vec::new());
        for piece in &self.argv {
            match piece {
                Element::Fixed(text) => argv.push(text.clone()),
                Element::Argument(argument) => match values.get(&argument.name) {
                    Some(value) => match argument.fill(value) {
                        Ok(element) => argv.push(element),
                        Err(why) => wrong.push((argument.name.clone(), Some(why))),
                    },
                    None if argument.optional => {}
                    None => wrong.push((argument.name.clone(), None)),
                },
            }
        }
        if wrong.is_empty() {
            Ok(argv)
        } else {
            Err(wrong)
        }
    }
}

/// The commands that a host lets plans run, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Commands(BTreeMap<String, CommandTemplate>);

impl Commands {
    /// No commands.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a template.
    ///
    /// # Errors
    /// If it is invalid (see [`CommandTemplate::checked`]), or there is a template with the same name
    /// without regard to case.
    pub fn add(&mut self, template: CommandTemplate) -> Result<(), BadTemplate> {
        let template = template.checked()?;
        let same = |name: &&String| name.eq_ignore_ascii_case(&template.name);
        if self.0.keys().any(|name| same(&name)) {
            return Err(BadTemplate::new(
                &template.name,
                "there is already a command of that name",
            ));
        }
        self.0.insert(template.name.clone(), template);
        Ok(())
    }

    /// The template of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&CommandTemplate> {
        self.0.get(name)
    }

    /// The templates, by name.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &CommandTemplate> + Clone {
        self.0.values()
    }

    /// The names, in order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        self.0.keys().map(String::as_str)
    }

    /// Whether there are no templates.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
