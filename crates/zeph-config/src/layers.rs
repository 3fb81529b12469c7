//! Merging the sources of a configuration: flag, environment, project file, user file, default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeph_diagnostics::{
    Diagnostic, Diagnostics, Entry, Node, Source, Span, Value, quote, read_toml,
};

use crate::config::OrchestrationConfig;
use crate::kind::Input;
use crate::settings::{self, SETTINGS, Setting};
use crate::{code, commands, env_name, mcp, named};

/// The sources of a configuration, given in any order.
///
/// Precedence, highest first: flags, environment variables, the project's file, the user's file, the
/// defaults. Of two sources of one kind the later one takes precedence.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    user: Vec<(String, PathBuf)>,
    project: Vec<(String, PathBuf, bool)>,
    env: Vec<(String, String)>,
    flags: Vec<Flag>,
}

/// A flag of a command line.
#[derive(Clone, Debug)]
struct Flag {
    key: String,
    name: String,
    text: String,
}

/// A checked configuration with the origin of each setting.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The configuration.
    pub config: OrchestrationConfig,
    /// The settings of the project's file that are ignored, in the order of its lines.
    pub withheld: Vec<Withheld>,
    /// The variables that begin with `ZEPH_`, belong to no setting, and are not among those that commands of
    /// a run have. They may belong to another program.
    pub unknown_variables: Vec<String>,
    origins: BTreeMap<&'static str, Origin>,
}

/// The kind of source that sets a value, lowest precedence first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// No source: it is the default.
    Default,
    /// The user's file.
    UserFile,
    /// The project's file.
    ProjectFile,
    /// An environment variable.
    Env,
    /// A flag of the command line.
    Flag,
}

/// A setting of a project's file that is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withheld {
    /// The setting, such as `llm.model`, or a table, such as `commands.lint` or `mcp.files`.
    pub key: String,
    /// The value as it is written; for a table, all its keys with their values, one a line.
    pub value: String,
    /// Why it is ignored.
    pub reason: WithheldReason,
}

/// Why a setting of a project's file is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithheldReason {
    /// The project is not trusted, and the setting runs programs, names an address or chooses files.
    NeedsTrust,
    /// The project is not trusted, and the value is above the limit without the file.
    RaisesLimit,
    /// The user's file has a command or a server of that name, and a project's file never replaces it.
    UsersCommand,
}

impl From<OrchestrationConfig> for Resolved {
    /// A configuration that was built in code: the origin of every setting is the default.
    fn from(config: OrchestrationConfig) -> Self {
        Self {
            config,
            withheld: Vec::new(),
            unknown_variables: Vec::new(),
            origins: BTreeMap::new(),
        }
    }
}

impl Resolved {
    /// The kind of source that sets a setting; `None` if there is no such setting.
    #[must_use]
    pub fn layer_of(&self, key: &str) -> Option<Layer> {
        settings::find(key)?;
        let origin = self.origins.get(key);
        Some(origin.map_or(Layer::Default, |origin| origin.layer))
    }

    /// Where a setting came from, as text: `zeph.toml:2:19`, `flag --max-parallel`; `None` if there is no
    /// such setting.
    #[must_use]
    pub fn origin_of(&self, key: &str) -> Option<String> {
        settings::find(key)?;
        let Some(origin) = self.origins.get(key) else {
            return Some("default".to_owned());
        };
        let place = Diagnostic::new(code::CONFLICT, "").in_source(&origin.source);
        match origin.span {
            Some(span) => place.at(span).place(),
            None => place.place(),
        }
    }

    /// The value of a setting as text: `8`, `5s`, `64KiB`, `none`; `None` if there is no such setting.
    ///
    /// # Examples
    /// ```
    /// use zeph_config::{OrchestrationConfig, Resolved};
    /// let resolved = Resolved::from(OrchestrationConfig::default());
    /// assert_eq!(resolved.value_of("cancel_grace").as_deref(), Some("5s"));
    /// assert_eq!(resolved.value_of("log_bytes").as_deref(), Some("256KiB"));
    /// assert_eq!(resolved.value_of("budget.usd").as_deref(), Some("none"));
    /// assert_eq!(resolved.value_of("colour"), None);
    /// ```
    #[must_use]
    pub fn value_of(&self, key: &str) -> Option<String> {
        settings::find(key).map(|setting| setting.text(&self.config))
    }

    /// Whether a flag or an environment variable sets that setting.
    #[must_use]
    pub fn is_explicit(&self, key: &str) -> bool {
        self.layer_of(key) >= Some(Layer::Env)
    }
}

impl Layers {
    /// No sources: the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag with the name of its setting, and its text, such as `("max_parallel", "4")`.
    #[must_use]
    pub fn flag(self, key: impl Into<String>, text: impl Into<String>) -> Self {
        let key = key.into();
        let name = key.replace(['_', '.'], "-");
        self.flag_named(key, name, text)
    }

    /// A flag whose name differs from its setting's, such as `("llm.model", "model", "ollama::…")`.
    #[must_use]
    pub fn flag_named(
        mut self,
        key: impl Into<String>,
        name: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        self.flags.push(Flag {
            key: key.into(),
            name: name.into(),
            text: text.into(),
        });
        self
    }

    /// Environment variables; variables of no setting are ignored.
    ///
    /// A variable that starts with `ZEPH_` and is similar to the variable of a setting is an error, because
    /// it is probably misspelt. Other variables with that prefix may belong to other programs;
    /// [`Resolved::unknown_variables`] lists them.
    #[must_use]
    pub fn env<N: Into<String>, T: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, T)>,
    ) -> Self {
        let ours = variables
            .into_iter()
            .map(|(name, text)| (name.into(), text.into()));
        self.env
            .extend(ours.filter(|(name, _)| name.starts_with("ZEPH_")));
        self
    }

    /// The text of the file of a project that the user trusts, and its path for messages and for relative
    /// paths in it.
    ///
    /// All its settings apply, except commands and servers that the user's file has as well.
    #[must_use]
    pub fn project_file(mut self, text: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.project.push((text.into(), path.into(), true));
        self
    }

    /// The text of the file of a project that the user does not trust, and its path for messages.
    ///
    /// It can only lower limits. Its other settings are ignored and listed in [`Resolved::withheld`].
    #[must_use]
    pub fn untrusted_project_file(
        mut self,
        text: impl Into<String>,
        path: impl Into<PathBuf>,
    ) -> Self {
        self.project.push((text.into(), path.into(), false));
        self
    }

    /// The text of the user's file, and its path for messages and for relative paths in it.
    #[must_use]
    pub fn user_file(mut self, text: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.user.push((text.into(), path.into()));
        self
    }

    /// Reads all sources and checks the result.
    ///
    /// # Errors
    /// All problems of all sources, also in values that a source of higher precedence replaces.
    ///
    /// # Examples
    /// ```
    /// use zeph_config::Layers;
    /// let errors = Layers::new()
    ///     .project_file("max_paralel = 4\nretry.base = 5", "zeph.toml")
    ///     .flag("max_parallel", "0")
    ///     .resolve()
    ///     .unwrap_err();
    /// assert_eq!(errors.to_string(), "\
    /// zeph.toml:1:1: [unknown_key] there is no setting \"max_paralel\" (did you mean \"max_parallel\"?)
    /// zeph.toml:2:14: [wrong_type] `retry.base` must be a duration with a unit, such as \"250ms\", \"90s\" or \"1h 30m\", not 5
    /// flag --max-parallel: [bad_value] `max_parallel` must be from 1 to 65536, not 0");
    /// ```
    pub fn resolve(self) -> Result<Resolved, Diagnostics> {
        let (resolved, problems) = self.resolve_leniently();
        problems.into_result()?;
        Ok(resolved)
    }

    /// As [`resolve`](Self::resolve), but returns the problems and a configuration without the settings that
    /// have problems: for commands that must work despite mistakes in the files.
    #[must_use]
    pub fn resolve_leniently(self) -> (Resolved, Diagnostics) {
        let mut merge = Merge::default();
        for (text, path) in &self.user {
            merge.file(text, path, FileKind::User);
        }
        for (text, path, is_trusted) in &self.project {
            let kind = if *is_trusted {
                FileKind::Project
            } else {
                FileKind::Untrusted
            };
            merge.file(text, path, kind);
        }
        for (name, text) in &self.env {
            merge.variable(name, text);
        }
        for Flag { key, name, text } in &self.flags {
            let source = Source::without_text(&format!("flag --{name}"));
            match settings::find(key) {
                Some(setting) => merge.set_text(setting, text, Layer::Flag, source),
                None => merge.unknown(key, settings::keys(), &source),
            }
        }
        merge.finish()
    }
}

/// The variables that each command of a run has: a command may start the tool again.
const OF_COMMANDS: [&str; 5] = [
    "ZEPH_RUN",
    "ZEPH_TASK",
    "ZEPH_ATTEMPT",
    "ZEPH_IDEMPOTENCY_KEY",
    "ZEPH_DB",
];

/// The place that a value comes from.
#[derive(Clone, Debug)]
struct Origin {
    layer: Layer,
    source: Source,
    span: Option<Span>,
}

/// The owner of a file, and whether the user trusts it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    User,
    Project,
    Untrusted,
}

#[derive(Default)]
struct Merge {
    config: OrchestrationConfig,
    withheld: Vec<Withheld>,
    unknown_variables: Vec<String>,
    origins: BTreeMap<&'static str, Origin>,
    problems: Diagnostics,
}

impl Merge {
    fn file(&mut self, text: &str, path: &Path, kind: FileKind) {
        let source = Source::new(&path.to_string_lossy(), text);
        let mut problems = Diagnostics::in_source(&source);
        if let Some(root) = read_toml(&source, &mut problems) {
            for (name, entry) in entries(&root) {
                let node = &entry.node;
                let Some(setting) = settings::find(&name) else {
                    if name == "commands" {
                        let found = commands::read(node, &mut problems);
                        let known = &mut self.config.commands;
                        let table = (&*name, node, text);
                        self.withheld.extend(named::add(table, known, found, kind));
                    } else if name == "mcp" {
                        let found = mcp::read(node, &mut problems);
                        let known = &mut self.config.mcp;
                        let table = (&*name, node, text);
                        self.withheld.extend(named::add(table, known, found, kind));
                    } else if settings::is_table(&name) {
                        node.wrong_type(&format!("`{name}`"), "a table", &mut problems);
                    } else {
                        let one = unknown(&name, settings::keys()).at(entry.key_span);
                        problems.push(one);
                    }
                    continue;
                };
                let origin = Origin {
                    layer: match kind {
                        FileKind::User => Layer::UserFile,
                        FileKind::Project | FileKind::Untrusted => Layer::ProjectFile,
                    },
                    source: source.clone(),
                    span: Some(node.span),
                };
                let is_trusted = kind != FileKind::Untrusted;
                self.set(
                    setting,
                    node,
                    path.parent(),
                    origin,
                    is_trusted,
                    &mut problems,
                );
            }
        }
        self.problems.append(problems);
    }

    fn variable(&mut self, name: &str, text: &str) {
        let source = Source::without_text(&format!("environment variable {name}"));
        let names: Vec<String> = settings::keys().map(env_name).collect();
        let position = names.iter().position(|known| known == name);
        if let Some(position) = position {
            self.set_text(&SETTINGS[position], text, Layer::Env, source);
        } else if zeph_diagnostics::suggest(name, names.iter().map(String::as_str)).is_some() {
            self.unknown(name, names.iter().map(String::as_str), &source);
        } else if !OF_COMMANDS.contains(&name) {
            self.unknown_variables.push(name.to_owned());
        }
    }

    /// Sets a value from a flag or a variable.
    fn set_text(&mut self, setting: &'static Setting, text: &str, layer: Layer, source: Source) {
        let node = Node {
            span: Span::default(),
            value: Value::String(text.to_owned()),
        };
        let mut problems = Diagnostics::in_source(&source);
        let span = None;
        let origin = Origin {
            layer,
            source,
            span,
        };
        self.set(setting, &node, None, origin, true, &mut problems);
        self.problems.append(problems);
    }

    fn set(
        &mut self,
        setting: &'static Setting,
        node: &Node,
        folder: Option<&Path>,
        origin: Origin,
        is_trusted: bool,
        problems: &mut Diagnostics,
    ) {
        let input = Input {
            node,
            is_text: origin.span.is_none(),
            folder,
        };
        match setting.kind.read(setting.name, input) {
            Ok(value) if !is_trusted && !setting.allows(&self.config, &value) => {
                let written = origin.span.and_then(|span| {
                    let text = origin.source.text();
                    text.get(span.start..span.end).map(str::to_owned)
                });
                self.withheld.push(Withheld {
                    key: setting.name.to_owned(),
                    value: written.unwrap_or_else(|| value.to_string()),
                    reason: if setting.needs_trust() {
                        WithheldReason::NeedsTrust
                    } else {
                        WithheldReason::RaisesLimit
                    },
                });
            }
            Ok(value) => {
                setting.set(&mut self.config, value);
                self.origins.insert(setting.name, origin);
            }
            Err(mut problem) => {
                problem.span = origin.span;
                problems.push(problem.path(setting.name));
            }
        }
    }

    fn unknown<'a>(&mut self, name: &str, known: impl Iterator<Item = &'a str>, source: &Source) {
        self.problems.push(unknown(name, known).in_source(source));
    }

    /// Ends the merge with the checks that concern several settings.
    fn finish(mut self) -> (Resolved, Diagnostics) {
        for mut problem in settings::problems(&self.config) {
            let origin = problem
                .path
                .as_deref()
                .and_then(|path| self.origins.get(path));
            if let Some(origin) = origin {
                problem.span = origin.span;
                problem.source = Some(origin.source.clone());
            }
            self.problems.push(problem);
        }
        let resolved = Resolved {
            config: self.config,
            withheld: self.withheld,
            unknown_variables: self.unknown_variables,
            origins: self.origins,
        };
        (resolved, self.problems)
    }
}

/// The settings of a file with their full names, in the order of their lines.
fn entries(root: &Node) -> Vec<(String, &Entry)> {
    let Value::Table(entries) = &root.value else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries {
        if let Value::Table(inner) = &entry.node.value
            && settings::is_table(&entry.key)
        {
            let name = |inner: &Entry| format!("{}.{}", entry.key, inner.key);
            found.extend(inner.iter().map(|inner| (name(inner), inner)));
        } else {
            found.push((entry.key.clone(), entry));
        }
    }
    found.sort_by_key(|(_, entry)| entry.key_span.start);
    found
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Diagnostic {
    let message = format!("there is no setting {}", quote(name));
    let one = Diagnostic::new(code::UNKNOWN_KEY, message);
    one.suggest(zeph_diagnostics::suggest(name, known))
}
