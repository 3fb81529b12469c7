//! Putting the sources over each other: flag, environment, project file, user file, default.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::config::OrchestrationConfig;
use crate::error::{ConfigError, ConfigErrors, Origin, Place, Problem};
use crate::keys::{self, KEYS, Key};
use crate::value::{Raw, assign};
use crate::{commands, env_name, file};

/// The sources of a configuration, given in any order.
///
/// A flag is stronger than a variable, a variable than the project's file, that than the user's file,
/// and all are stronger than the defaults. Two sources of one kind: the later one is stronger.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    user: Vec<(String, PathBuf)>,
    project: Vec<(String, PathBuf)>,
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

/// A checked configuration that knows where each setting came from.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The configuration.
    pub config: OrchestrationConfig,
    origins: BTreeMap<&'static str, (Origin, Option<Range<usize>>)>,
}

impl From<OrchestrationConfig> for Resolved {
    /// A configuration that a program made itself: the origin of every setting is the default.
    fn from(config: OrchestrationConfig) -> Self {
        Self {
            config,
            origins: BTreeMap::new(),
        }
    }
}

impl Resolved {
    /// Where a setting came from; `None` if there is no such setting.
    #[must_use]
    pub fn origin_of(&self, key: &str) -> Option<&Origin> {
        keys::find(key)?;
        Some(
            self.origins
                .get(key)
                .map_or(&Origin::Default, |(origin, _)| origin),
        )
    }
}

impl Layers {
    /// No sources: the defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag by the setting's name, with its text, such as `("max_parallel", "4")`.
    #[must_use]
    pub fn flag(self, key: impl Into<String>, text: impl Into<String>) -> Self {
        let key = key.into();
        let name = key.replace(['_', '.'], "-");
        self.flag_named(key, name, text)
    }

    /// A flag that is called otherwise than its setting, such as `("llm.model", "model", "ollama::…")`.
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

    /// Environment variables; those that are no setting's are ignored.
    ///
    /// One that starts with `ZEPH_` and is nearly a setting's name is an error, since it is probably a
    /// typing error. Others with that prefix may belong to other programs.
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

    /// The text of the project's file, and its path for messages and for relative paths in it.
    #[must_use]
    pub fn project_file(mut self, text: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        self.project.push((text.into(), path.into()));
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
    /// Everything that is wrong in any source, also in values that a stronger source replaces.
    ///
    /// # Examples
    /// ```
    /// use zeph_config::Layers;
    /// let errors = Layers::new()
    ///     .project_file("max_paralel = 4\nretry.base = 5", "zeph.toml")
    ///     .flag("max_parallel", "0")
    ///     .resolve()
    ///     .unwrap_err();
    /// let lines: Vec<String> = errors.errors().iter().map(ToString::to_string).collect();
    /// assert_eq!(lines, [
    ///     "zeph.toml:1:1: max_paralel: there is no such setting; did you mean \"max_parallel\"?",
    ///     "zeph.toml:2:14: retry.base: 5 is not a duration with a unit, such as \"250ms\", \"90s\" or \"1h 30m\"",
    ///     "flag --max-parallel: max_parallel: 0 is out of range; use 1 to 65536",
    /// ]);
    /// ```
    pub fn resolve(self) -> Result<Resolved, ConfigErrors> {
        let mut merge = Merge::default();
        for (text, path) in &self.user {
            merge.file(text, path, Origin::UserFile);
        }
        for (text, path) in &self.project {
            merge.file(text, path, Origin::ProjectFile);
        }
        for (name, text) in &self.env {
            merge.variable(name, text);
        }
        for Flag { key, name, text } in &self.flags {
            let origin = Origin::Flag { name: name.clone() };
            match keys::find(key) {
                Some(key) => merge.set(key, Raw::Untyped(text), None, origin, None),
                None => merge.unknown(key, origin, None),
            }
        }
        merge.finish()
    }
}

#[derive(Default)]
struct Merge {
    config: OrchestrationConfig,
    origins: BTreeMap<&'static str, (Origin, Option<Range<usize>>)>,
    errors: Vec<ConfigError>,
}

impl Merge {
    fn file(&mut self, text: &str, path: &Path, origin: fn(Place) -> Origin) {
        let at = |span: &Range<usize>| origin(file::place(text, path, span.start));
        let table = match file::parse(text) {
            Ok(table) => table,
            Err(problems) => {
                for (span, problem) in problems {
                    self.error("", at(&span), problem, Some(span));
                }
                return;
            }
        };
        for entry in file::entries(table.get_ref()) {
            let span = entry.value.span();
            if entry.key == "commands" {
                let (commands, problems) = commands::read(entry.value);
                self.config.commands.extend(commands);
                for (key, span, problem) in problems {
                    self.error(&key, at(&span), problem, Some(span));
                }
            } else if let Some(key) = keys::find(&entry.key) {
                let raw = file::raw(entry.value.get_ref());
                self.set(key, raw, path.parent(), at(&span), Some(span));
            } else if let Some(wanted) = file::table_example(&entry.key) {
                let problem = file::raw(entry.value.get_ref()).is_not(wanted);
                self.error(&entry.key, at(&span), problem, Some(span));
            } else {
                self.unknown(&entry.key, at(&entry.key_span), Some(entry.key_span));
            }
        }
    }

    fn variable(&mut self, name: &str, text: &str) {
        let origin = Origin::Env {
            name: name.to_owned(),
        };
        if let Some(key) = KEYS.iter().find(|key| env_name(key.name) == name) {
            self.set(key, Raw::Untyped(text), None, origin, None);
        } else if let Some(near) = keys::closest(name, keys::keys().map(env_name)) {
            let problem = Problem::Unknown {
                suggestion: Some(near),
            };
            self.error(name, origin, problem, None);
        }
    }

    fn set(
        &mut self,
        key: &'static Key,
        raw: Raw<'_>,
        folder: Option<&Path>,
        origin: Origin,
        span: Option<Range<usize>>,
    ) {
        let mut next = self.config.clone();
        let problem = match assign(&key.field, &mut next, raw, folder) {
            Ok(()) => key.field.range_problem(&next),
            Err(problem) => Some(problem),
        };
        match problem {
            Some(problem) => self.error(key.name, origin, problem, span),
            None => {
                self.config = next;
                self.origins.insert(key.name, (origin, span));
            }
        }
    }

    fn unknown(&mut self, name: &str, origin: Origin, span: Option<Range<usize>>) {
        let suggestion = keys::closest(name, keys::keys().map(str::to_owned));
        self.error(name, origin, Problem::Unknown { suggestion }, span);
    }

    fn error(&mut self, key: &str, origin: Origin, problem: Problem, span: Option<Range<usize>>) {
        // Names come from files and variables of any length.
        let key = key.chars().take(80).collect();
        self.errors.push(ConfigError {
            key,
            origin,
            problem,
            span,
        });
    }

    /// The checks across settings, which need every source.
    fn finish(mut self) -> Result<Resolved, ConfigErrors> {
        for (key, problem) in keys::problems(&self.config) {
            let (origin, span) = self
                .origins
                .get(key)
                .cloned()
                .unwrap_or((Origin::Default, None));
            self.error(key, origin, problem, span);
        }
        ConfigErrors::from_all(self.errors)?;
        Ok(Resolved {
            config: self.config,
            origins: self.origins,
        })
    }
}
