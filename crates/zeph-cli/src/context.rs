//! `AppContext`: the settings and the database of a command.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeph_config::{Layers, OrchestrationConfig, Resolved};
use zeph_graph::{RunId, Timestamp};
use zeph_memory::{RawGraphStore, StoreError};
use zeph_memory_sqlite::SqliteStore;
use zeph_runtime::Owners;

use crate::args::{BudgetArgs, Global, ModelArgs};
use crate::exit::{CliError, Exit};
use crate::out::{self, Tone};
use crate::problems;
use crate::project::{self, Trust};

/// The most run names that the error for an ambiguous prefix lists.
const CANDIDATES: usize = 10;

/// The flags that override settings: key, name of the flag, text.
#[derive(Debug, Default)]
pub(crate) struct FlagOverrides(Vec<(&'static str, &'static str, String)>);

impl FlagOverrides {
    fn text(&mut self, key: &'static str, name: &'static str, text: Option<&String>) {
        self.0.extend(text.map(|text| (key, name, text.clone())));
    }

    pub(crate) fn path(&mut self, name: &'static str, path: Option<&PathBuf>) {
        let text = path.map(|path| path.to_string_lossy().into_owned());
        self.text(name, name, text.as_ref());
    }

    pub(crate) fn parallel(&mut self, text: Option<&String>) {
        self.text("max_parallel", "max-parallel", text);
    }

    pub(crate) fn models(&mut self, args: &ModelArgs) {
        self.text("llm.model", "model", args.model.as_ref());
        self.text("llm.base_url", "base-url", args.base_url.as_ref());
        self.path("agents", args.agents.as_ref());
        self.path("prompts", args.prompts.as_ref());
    }

    pub(crate) fn budget(&mut self, args: &BudgetArgs) {
        self.text(
            "budget.tokens",
            "budget-tokens",
            args.budget_tokens.as_ref(),
        );
        self.text("budget.usd", "budget-usd", args.budget_usd.as_ref());
        self.text("budget.over", "over-budget", args.over_budget.as_ref());
    }
}

/// The flags, the settings and the database of a command.
#[derive(Debug)]
pub(crate) struct AppContext {
    pub(crate) global: Global,
    pub(crate) config: Resolved,
    trust: Trust,
}

impl AppContext {
    /// Reads the settings: flags over environment over project file over user file over defaults.
    ///
    /// With `is_lenient`, problems of the settings are reported and those without a problem count.
    pub(crate) fn new(
        global: Global,
        overrides: FlagOverrides,
        is_lenient: bool,
    ) -> Result<Self, CliError> {
        let mut layers = Layers::new();
        let variables = std::env::vars_os().filter_map(|(name, text)| {
            let name = name.into_string().ok()?;
            // The database's path may be any bytes; `db` reads it itself.
            (name != "ZEPH_DB").then(|| (name, text.to_string_lossy().into_owned()))
        });
        layers = layers.env(variables);
        if let Some(file) = project::user_file()? {
            layers = layers.user_file(file.text, file.path);
        }
        let trust = Trust::load()?;
        let mut has_changed = false;
        if let Some(file) = project::project_file()? {
            has_changed = trust.projects.contains_key(&project::canonical(&file.path));
            layers = if trust.covers(&file) {
                layers.project_file(file.text, file.path)
            } else {
                layers.untrusted_project_file(file.text, file.path)
            };
        }
        for (key, name, text) in overrides.0 {
            layers = layers.flag_named(key, name, text);
        }
        let (config, found) = layers.resolve_leniently();
        if !found.is_empty() {
            let error = problems::error("the configuration", "bad_configuration", &found);
            if !is_lenient {
                return Err(error);
            }
            let warning = Tone::Warning.paint("warning:");
            out::note_line(format!(
                "{warning} {}; the other settings count",
                error.message
            ));
        }
        if let Some(text) = crate::trust::notice(&config.withheld, has_changed) {
            out::note_line(format!("{} {text}", Tone::Warning.paint("warning:")));
        }
        Ok(Self {
            global,
            config,
            trust,
        })
    }

    /// Whether this user chose that address of a model service: by a flag, a variable, a settings file
    /// that counts, or for an earlier run.
    pub(crate) fn is_chosen(&self, url: &str) -> bool {
        self.config().llm.base_url.as_deref() == Some(url) || self.trust.addresses.contains(url)
    }

    /// The settings.
    pub(crate) const fn config(&self) -> &OrchestrationConfig {
        &self.config.config
    }

    /// Whether a flag or a variable sets that key.
    pub(crate) fn is_explicit(&self, key: &str) -> bool {
        self.config.is_explicit(key)
    }

    /// Whether stdout is JSON, for programs.
    pub(crate) const fn json(&self) -> bool {
        self.global.json
    }

    /// The path of the run database.
    pub(crate) fn db(&self) -> Result<PathBuf, CliError> {
        if let Some(path) = &self.global.db {
            return Ok(path.clone());
        }
        if let Some(path) = project::variable("ZEPH_DB") {
            return Ok(path);
        }
        if let Some(path) = &self.config().db {
            return Ok(path.clone());
        }
        let state = project::state_folder().ok_or_else(|| {
            CliError::new(
                Exit::Usage,
                "there is no place for the run database: HOME is not set",
            )
            .code("no_home")
            .help("give one with --db FILE, or set ZEPH_DB or HOME")
        })?;
        Ok(state.join("runs.db"))
    }

    /// The flags for suggested commands: the database, if a flag named it.
    pub(crate) fn suffix(&self) -> String {
        let named = self.global.db.as_ref();
        named.map_or_else(String::new, |path| {
            format!(" --db {}", out::quoted(&path.display().to_string()))
        })
    }

    /// Opens the database for writing; creates it if there is none.
    pub(crate) async fn open_store(&self) -> Result<SqliteStore, CliError> {
        Ok(SqliteStore::open(self.db()?).await?)
    }

    /// Opens the database for reading; it must exist.
    pub(crate) async fn open_store_read_only(&self) -> Result<SqliteStore, CliError> {
        let path = self.db()?;
        // Other problems are reported by the store.
        if let Ok(false) = path.try_exists() {
            return Err(no_database(&path));
        }
        Ok(SqliteStore::open_read_only(path).await?)
    }

    /// Opens a database that must exist for writing.
    pub(crate) async fn open_existing_store(&self) -> Result<SqliteStore, CliError> {
        let path = self.db()?;
        if let Ok(false) = path.try_exists() {
            return Err(no_database(&path));
        }
        Ok(SqliteStore::open(path).await?)
    }

    /// The owner locks of the runs in the database, which all processes on it share.
    pub(crate) fn owners(&self, store: &SqliteStore) -> Owners {
        Owners::beside(store.path())
    }

    /// The run with that name, or the only run whose name starts with that text.
    pub(crate) async fn find_run(
        &self,
        store: &dyn RawGraphStore,
        text: &str,
    ) -> Result<RunId, CliError> {
        // Each prefix of a run's name is a valid name.
        let Ok(whole) = text.parse::<RunId>() else {
            return Err(no_such_run(text));
        };
        match store.get(&whole).await {
            Ok(_) => return Ok(whole),
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let found = store.find(text, CANDIDATES as u32 + 1).await?;
        match &found[..] {
            [only] => Ok(only.clone()),
            [] => Err(no_such_run(text)),
            many => Err(ambiguous(text, many)),
        }
    }
}

/// The current time of the system clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::ZERO.after(since.unwrap_or_default())
}

fn no_database(path: &Path) -> CliError {
    CliError::new(
        Exit::Usage,
        format!("there is no run database at {}", path.display()),
    )
    .code("no_database")
    .help("`zeph run PLAN` makes it; --db FILE names another one")
}

fn no_such_run(text: &str) -> CliError {
    CliError::new(
        Exit::Usage,
        format!("there is no run {:?}", zeph_common::escape_terminal(text)),
    )
    .code("no_such_run")
    .help("`zeph list` shows the runs")
}

fn ambiguous(text: &str, found: &[RunId]) -> CliError {
    let names: Vec<&str> = found.iter().take(CANDIDATES).map(RunId::as_str).collect();
    let (count, more) = if found.len() > CANDIDATES {
        (format!("more than {CANDIDATES}"), ", …")
    } else {
        (found.len().to_string(), "")
    };
    CliError::new(
        Exit::Usage,
        format!(
            "{count} runs begin with {:?}: {}{more}",
            zeph_common::escape_terminal(text),
            names.join(", ")
        ),
    )
    .code("ambiguous_run")
    .help("type more of the name")
}
