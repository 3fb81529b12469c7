//! Commands that a plan may run: templates of the host, with typed places that a model may fill in.

mod argument;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use argument::check_name;
pub use argument::{ArgumentKind, BadTemplate};

/// A program with its arguments, some of which a plan fills in.
///
/// Each element of the command line is fixed or has one place at its end; nothing is split, and no
/// shell reads any of it. What a model writes can be a value and nothing else.
///
/// # Examples
/// ```
/// use zeph_planner::{ArgumentKind, CommandTemplate};
/// let log = CommandTemplate::new("git_log", "lists commits, newest first")
///     .fixed("git").fixed("log").fixed("--oneline")
///     .optional("--since=", "since", "the first day, such as 2026-03-01", ArgumentKind::pattern("[0-9-]{10}")?)
///     .value("", "count", "how many", ArgumentKind::integer(1, 100))
///     .checked()?;
/// assert_eq!(log.name(), "git_log");
/// # Ok::<(), zeph_planner::BadTemplate>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CommandTemplate {
    name: String,
    about: String,
    argv: Vec<Piece>,
}

/// One element of a command line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Piece {
    Fixed(String),
    Place(Argument),
}

/// A place in a command line.
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
    /// What a plan calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// Which values it takes.
    #[must_use]
    pub fn kind(&self) -> &ArgumentKind {
        &self.kind
    }

    /// Whether a plan may leave it out; its whole element is then left out.
    #[must_use]
    pub fn is_optional(&self) -> bool {
        self.optional
    }

    /// The element of the command line with that value in it.
    fn fill(&self, value: &str) -> Result<String, String> {
        if value.starts_with('-') && !self.dash && !self.kind.is_number() {
            return Err("begins with \"-\", so the program may take it for an option".to_owned());
        }
        let value = self.kind.accept(value)?;
        Ok(format!("{}{value}", self.prefix))
    }
}

impl CommandTemplate {
    /// A command without a program yet; the name has the form of an agent's.
    #[must_use]
    pub fn new(name: impl Into<String>, about: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            argv: Vec::new(),
        }
    }

    /// One more element that is always the same. The first one is the program.
    #[must_use]
    pub fn fixed(mut self, text: impl Into<String>) -> Self {
        self.argv.push(Piece::Fixed(text.into()));
        self
    }

    /// One more element: the prefix (`""`, or `"--since="`) and a value of the plan behind it.
    ///
    /// A value that begins with a dash is refused; see [`dash`](Self::dash).
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

    /// As [`value`](Self::value), but the plan may leave it out, and the element is left out then.
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
        self.argv.push(Piece::Place(argument));
        self
    }

    /// Lets the value of the last place begin with a dash. Only where the program cannot take it
    /// for an option, behind a fixed `--` for example.
    #[must_use]
    pub fn dash(mut self) -> Self {
        if let Some(Piece::Place(argument)) = self.argv.last_mut() {
            argument.dash = true;
        }
        self
    }

    /// The template, if it is in order.
    ///
    /// # Errors
    /// If there is no fixed program, a name is bad or there twice, a text is empty or hides
    /// something; or the program is a shell or another one that runs what it is told, with a place
    /// in its arguments; or it is an interpreter with a place that no fixed script stands before.
    ///
    /// The last two know the usual programs by name, and are no promise: `find`, `make`, `git` and many
    /// others run commands as well if their arguments say so. What a value may be is the template's to
    /// say, by its [kind](ArgumentKind).
    pub fn checked(self) -> Result<Self, BadTemplate> {
        check_name(&self.name, &self.name)?;
        let bad = |why: &str| Err(BadTemplate::new(&self.name, why));
        if self.about.trim().is_empty() || *zeph_common::escape_terminal(&self.about) != *self.about
        {
            return bad("its description is empty, has several lines or hidden characters");
        }
        let Some(Piece::Fixed(program)) = self.argv.first() else {
            return bad("its first element is no fixed program");
        };
        if program.is_empty() {
            return bad("its program has no name");
        }
        let mut names = BTreeSet::new();
        for argument in self.arguments() {
            check_name(&self.name, &argument.name)?;
            if !names.insert(argument.name.to_lowercase()) {
                return bad("two of its arguments have one name");
            }
            if argument.about.trim().is_empty() {
                return bad("an argument has no description");
            }
        }
        if !names.is_empty() && argument::runs_text(program) {
            return bad("its program runs what it is given, so nothing of a plan may go there");
        }
        if argument::runs_script(program) && !self.has_script() {
            return bad("its program runs what it is given, so a fixed script must come first");
        }
        Ok(self)
    }

    /// Whether something fixed that is no option stands before all places, or there is none.
    fn has_script(&self) -> bool {
        let mut arguments = self.argv.iter().skip(1);
        let first = arguments.find(|piece| match piece {
            Piece::Fixed(text) => !text.starts_with('-'),
            Piece::Place(_) => true,
        });
        !matches!(first, Some(Piece::Place(_)))
    }

    /// What plans call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does, for the model.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The places, in order.
    pub fn arguments(&self) -> impl Iterator<Item = &Argument> + Clone {
        self.argv.iter().filter_map(|piece| match piece {
            Piece::Fixed(_) => None,
            Piece::Place(argument) => Some(argument),
        })
    }

    /// The command line with these values in its places.
    ///
    /// # Errors
    /// For each place in question, its name and what is wrong; `None` as the reason for one that is
    /// needed and not given. Names of `values` that the template does not have are not looked at.
    pub fn resolve(
        &self,
        values: &BTreeMap<String, String>,
    ) -> Result<Vec<String>, Vec<(String, Option<String>)>> {
        let (mut argv, mut wrong) = (Vec::new(), Vec::new());
        for piece in &self.argv {
            match piece {
                Piece::Fixed(text) => argv.push(text.clone()),
                Piece::Place(argument) => match values.get(&argument.name) {
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
    /// None: plans run nothing.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds a template.
    ///
    /// # Errors
    /// If it is not in order (see [`CommandTemplate::checked`]), or there is one whose name differs
    /// in case at most.
    pub fn add(&mut self, template: CommandTemplate) -> Result<(), BadTemplate> {
        let template = template.checked()?;
        let same = |name: &&String| name.eq_ignore_ascii_case(&template.name);
        if self.0.keys().any(|name| same(&name)) {
            return Err(BadTemplate::new(
                &template.name,
                "there is one of that name",
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

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
