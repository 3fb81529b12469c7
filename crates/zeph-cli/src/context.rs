//! `AppContext`: the settings and the database of a command.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zeph_config::{Layers, OrchestrationConfig, Origin, Resolved};
use zeph_graph::{RunId, Timestamp};
use zeph_memory::{RawGraphStore, StoreError};
use zeph_memory_sqlite::SqliteStore;
use zeph_runtime::Owners;

use crate::args::{BudgetArgs, Global, ModelArgs};
use crate::exit::{CliError, Exit};
use crate::out;
use crate::problems;

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
}

impl AppContext {
    /// Reads the settings: flags over environment over project file over user file over defaults.
    pub(crate) fn new(global: Global, overrides: FlagOverrides) -> Result<Self, CliError> {
        let mut layers = Layers::new();
        let variables = std::env::vars_os().filter_map(|(name, text)| {
            let name = name.into_string().ok()?;
            // The database's path may be any bytes; `db` reads it itself.
            (name != "ZEPH_DB").then(|| (name, text.to_string_lossy().into_owned()))
        });
        layers = layers.env(variables);
        if let Some((path, text)) = user_file()? {
            layers = layers.user_file(text, path);
        }
        if let Some((path, text)) = project_file()? {
            layers = layers.project_file(text, path);
        }
        for (key, name, text) in overrides.0 {
            layers = layers.flag_named(key, name, text);
        }
        let wrong = |found| problems::error("the configuration", "bad_configuration", &found);
        let config = layers.resolve().map_err(wrong)?;
        Ok(Self { global, config })
    }

    /// The settings.
    pub(crate) const fn config(&self) -> &OrchestrationConfig {
        &self.config.config
    }

    /// Whether a flag or a variable sets that key.
    pub(crate) fn is_explicit(&self, key: &str) -> bool {
        let origin = self.config.origin_of(key);
        matches!(origin, Some(Origin::Flag { .. } | Origin::Env { .. }))
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
        if let Some(path) = variable("ZEPH_DB") {
            return Ok(path);
        }
        if let Some(path) = &self.config().db {
            return Ok(path.clone());
        }
        let state = match (variable("XDG_STATE_HOME"), variable("HOME")) {
            // The XDG specification requires that a relative path is ignored.
            (Some(state), _) if state.is_absolute() => state,
            (_, Some(home)) => home.join(".local/state"),
            (_, None) => {
                return Err(CliError::new(
                    Exit::Usage,
                    "there is no place for the run database: HOME is not set",
                )
                .code("no_home")
                .help("give one with --db FILE, or set ZEPH_DB or HOME"));
            }
        };
        Ok(state.join("zeph").join("runs.db"))
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

/// A variable that names a path; an empty one counts as unset.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name)
        .filter(|text| !text.is_empty())
        .map(PathBuf::from)
}

fn user_file() -> Result<Option<(PathBuf, String)>, CliError> {
    let folder = match (variable("XDG_CONFIG_HOME"), variable("HOME")) {
        (Some(folder), _) if folder.is_absolute() => folder,
        (_, Some(home)) => home.join(".config"),
        (_, None) => return Ok(None),
    };
    read_if_there(&folder.join("zeph").join("config.toml"))
}

/// `zeph.toml` in the current folder or one above it, up to the root of the repository.
fn project_file() -> Result<Option<(PathBuf, String)>, CliError> {
    // A deleted current folder has no project.
    let Ok(here) = std::env::current_dir() else {
        return Ok(None);
    };
    for folder in here.ancestors() {
        let found = read_if_there(&folder.join("zeph.toml"))?;
        if found.is_some() || folder.join(".git").exists() {
            return Ok(found);
        }
    }
    Ok(None)
}

fn read_if_there(path: &Path) -> Result<Option<(PathBuf, String)>, CliError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.to_owned(), text))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(CliError::new(
            Exit::Usage,
            format!("the settings in {} cannot be read: {error}", path.display()),
        )
        .code("bad_configuration")),
    }
}
