//! `AppContext`: the settings and the database of a command.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use zeph_common::escape_terminal;
use zeph_config::{Layers, OrchestrationConfig, Resolved};
use zeph_graph::{RunId, Timestamp};
use zeph_memory::{ListQuery, RawGraphStore, StoreError};
use zeph_runtime::RunView;

use crate::args::{FlagOverride, Global};
use crate::exit::{CliError, Exit};
use crate::out;
use crate::problems;
use crate::project::{self, Trust};
use crate::store::{self, Database};

/// How long the end of a command waits until the log is written back.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The most run names that the error for an ambiguous prefix lists.
const CANDIDATES: usize = 10;

/// The flags, the settings and the database of a command.
#[derive(Debug)]
pub(crate) struct AppContext {
    pub(crate) global: Global,
    pub(crate) config: Resolved,
    trust: Trust,
    /// The database that was opened for writing.
    written: tokio::sync::Mutex<Option<Database>>,
}

impl AppContext {
    /// Reads the settings: flags over environment over project file over user file over defaults.
    ///
    /// With `is_lenient`, problems of the settings are reported and those without a problem count.
    pub(crate) fn new(
        global: Global,
        overrides: Vec<FlagOverride>,
        is_lenient: bool,
    ) -> Result<Self, CliError> {
        let variables = std::env::vars_os().filter_map(|(name, text)| {
            let name = name.into_string().ok()?;
            // The database's path may be any bytes; `db` reads it itself.
            (name != "ZEPH_DB").then(|| (name, text.to_string_lossy().into_owned()))
        });
        project::check_home()?;
        let mut layers = Layers::new().env(variables);
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
        for (key, name, text) in overrides {
            if let Some(text) = text {
                layers = layers.flag_named(key, name, text);
            }
        }
        let (config, found) = layers.resolve_leniently();
        if !found.is_empty() {
            let error = problems::error("the configuration", "bad_configuration", &found);
            if !is_lenient {
                return Err(error);
            }
            out::warn(format!("{}; the other settings count", error.message));
        }
        for name in &config.unknown_variables {
            out::warn(format!(
                "the variable {} is ignored: no setting has it",
                escape_terminal(name)
            ));
        }
        if let Some(text) = crate::trust::notice(&config.withheld, has_changed) {
            out::warn(text);
        }
        if let Some(path) = global.db.clone().or_else(|| project::variable("ZEPH_DB")) {
            // A process has one context.
            let shown = store::url(&path).map(|_| store::shown(&path).into());
            let _ = NAMED_DB.set(shown.unwrap_or_else(|| path.into_os_string()));
        }
        Ok(Self {
            global,
            config,
            trust,
            written: tokio::sync::Mutex::default(),
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

    /// What names the run database: a flag, a variable, a settings file, or nothing.
    pub(crate) fn db_origin(&self) -> String {
        if self.global.db.is_some() {
            return "flag --db".to_owned();
        }
        if project::variable("ZEPH_DB").is_some() {
            return "ZEPH_DB".to_owned();
        }
        self.config.origin_of("db").unwrap_or_default()
    }

    /// Whether the project's file counts as a whole; `None` if there is none.
    pub(crate) fn trusts_project(&self) -> Result<Option<(PathBuf, bool)>, CliError> {
        let file = project::project_file()?;
        Ok(file.map(|file| (file.path.clone(), self.trust.covers(&file))))
    }

    /// The path of the run database.
    pub(crate) fn db(&self) -> Result<PathBuf, CliError> {
        let named = self
            .global
            .db
            .clone()
            .or_else(|| project::variable("ZEPH_DB"));
        if let Some(path) = named.or_else(|| self.config().db.clone()) {
            return Ok(path);
        }
        let state = project::state_folder().ok_or_else(|| {
            let text = "there is no place for the run database: HOME is not set";
            CliError::new(Exit::Usage, text)
                .code("no_home")
                .help("give one with --db FILE, or set ZEPH_DB or HOME")
        })?;
        Ok(state.join("runs.db"))
    }

    /// The place of the run database as text, without a password.
    pub(crate) fn shown_db(&self) -> Result<String, CliError> {
        Ok(store::shown(&self.db()?))
    }

    /// Whether a flag, a variable or the settings name the database.
    pub(crate) fn names_db(&self) -> bool {
        self.global.db.is_some()
            || project::variable("ZEPH_DB").is_some()
            || self.config().db.is_some()
    }

    /// Opens the database for writing; creates it if there is none.
    pub(crate) async fn open_store(&self) -> Result<Database, CliError> {
        let store = Database::open(&self.db()?).await?;
        *self.written.lock().await = Some(store.clone());
        Ok(store)
    }

    /// Writes the log of the database back, so that its file is complete by itself.
    pub(crate) async fn close_store(&self) {
        let Some(store) = self.written.lock().await.take() else {
            return;
        };
        let closed = tokio::time::timeout(CLOSE_WITHIN, store.close()).await;
        // What was saved is in the log, which the next process writes back.
        if let Ok(Err(error)) = closed {
            let error = error.to_string();
            let error = escape_terminal(&error);
            out::warn(format!(
                "the log of the database is not written back: {error}"
            ));
        }
    }

    /// Opens a database that must exist, for writing.
    pub(crate) async fn open_existing_store(&self) -> Result<Database, CliError> {
        self.existing_db()?;
        self.open_store().await
    }

    /// Opens a database that must exist, for reading.
    pub(crate) async fn open_store_read_only(&self) -> Result<Database, CliError> {
        Database::open_read_only(&self.existing_db()?).await
    }

    fn existing_db(&self) -> Result<PathBuf, CliError> {
        let path = self.db()?;
        // Problems other than a missing file are reported by the store.
        if store::url(&path).is_none()
            && let Ok(false) = path.try_exists()
        {
            let text = format!("there is no run database at {}", path.display());
            return Err(CliError::new(Exit::Usage, text)
                .code("no_database")
                .help("`zeph run PLAN` makes it; --db FILE names another one"));
        }
        Ok(path)
    }

    /// Opens the database for reading, and loads the run of that name; without a name, the newest.
    pub(crate) async fn load_run(
        &self,
        name: Option<&str>,
    ) -> Result<(Database, RunView), CliError> {
        let store = self.open_store_read_only().await?;
        let run = find_run(&store, name, None).await?;
        let view = RunView::load(&store, &run).await?;
        Ok((store, view))
    }

    /// The process that works on a run, by the text in its lock; `None` if the run is suspended or has
    /// ended, or its process ended.
    pub(crate) async fn owner_of(
        &self,
        store: &Database,
        run: &RunId,
    ) -> Result<Option<String>, CliError> {
        let row = store.get(run).await?;
        if !row.status.open {
            return Ok(None);
        }
        store.holder(row.epoch).await
    }
}

/// The database that a flag or a variable of this process names, for suggested commands.
static NAMED_DB: OnceLock<OsString> = OnceLock::new();

/// A command of this tool as a shell takes it: quoted, and with the database if it is not the default one.
///
/// The settings files name their database themselves, so it is left out.
pub(crate) fn command(words: &[&str]) -> String {
    command_with(words, &[])
}

/// As [`command`], with operands at the end that may look like flags, such as names of tasks.
pub(crate) fn command_with(words: &[&str], operands: &[&str]) -> String {
    command_on(NAMED_DB.get(), words, operands)
}

fn command_on(db: Option<&OsString>, words: &[&str], operands: &[&str]) -> String {
    let quoted = |words: &[&str]| words.iter().map(out::quoted).collect::<Vec<_>>();
    let is_flag = |word: &&str| word.starts_with('-');
    let db = db.map(|path| {
        let is_flag = path.as_encoded_bytes().starts_with(b"-");
        format!(
            "--db{}{}",
            if is_flag { "=" } else { " " },
            out::quoted(path)
        )
    });
    let mut parts = vec!["zeph".to_owned()];
    parts.extend(quoted(words));
    if operands.iter().any(is_flag) {
        parts.extend(db);
        parts.push("--".to_owned());
        parts.extend(quoted(operands));
    } else {
        parts.extend(quoted(operands));
        parts.extend(db);
    }
    parts.join(" ")
}

/// The command that answers a question with that text. A leading `@` would name a file, so it is doubled.
pub(crate) fn answer_command(run: &str, question: u32, text: &str) -> String {
    let at = if text.starts_with('@') { "@" } else { "" };
    let (question, text) = (question.to_string(), format!("{at}{text}"));
    command_with(&["answer", run, &question], &[&text])
}

/// The command that asks a question at the terminal.
pub(crate) fn answer_at_terminal(run: &str, question: u32) -> String {
    command(&["answer", run, &question.to_string()])
}

/// The run with that name, or the only run whose name starts with that text. Without a text the newest
/// run, with `open` only among those that are open (`true`) or have ended (`false`).
pub(crate) async fn find_run(
    store: &dyn RawGraphStore,
    text: Option<&str>,
    open: Option<bool>,
) -> Result<RunId, CliError> {
    let Some(text) = text else {
        let query = ListQuery {
            limit: 1,
            open,
            ..ListQuery::default()
        };
        let newest = store.list(query).await?.pop();
        let message = match open {
            Some(true) => "no run is open",
            Some(false) | None => "there are no runs yet",
        };
        let list = command(&["list"]);
        let hint = format!("`zeph run PLAN` starts one, `{list}` shows the runs");
        let error = || no_such_run(message).help(&*hint);
        return newest.map(|row| row.run).ok_or_else(error);
    };
    let name = escape_terminal(text);
    let none = || no_such_run(format!("there is no run {name:?}"));
    // Each prefix of a run's name is a valid name.
    let whole = text.parse::<RunId>().map_err(|_| none())?;
    match store.get(&whole).await {
        Ok(_) => return Ok(whole),
        Err(StoreError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut found = store.find(text, CANDIDATES as u32 + 1).await?;
    if found.len() <= 1 {
        return found.pop().ok_or_else(none);
    }
    let (count, more) = if found.len() > CANDIDATES {
        (format!("more than {CANDIDATES}"), ", …")
    } else {
        (found.len().to_string(), "")
    };
    let names: Vec<&str> = found.iter().take(CANDIDATES).map(RunId::as_str).collect();
    let names = names.join(", ");
    let text = format!("{count} runs begin with {name:?}: {names}{more}");
    Err(CliError::new(Exit::Usage, text)
        .code("ambiguous_run")
        .help("type more of the name"))
}

pub(crate) fn no_such_run(message: impl Into<String>) -> CliError {
    CliError::new(Exit::Usage, message)
        .code("no_such_run")
        .help(format!("`{}` shows the runs", command(&["list"])))
}

/// The current time of the system clock.
pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Timestamp::ZERO.after(since.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{answer_command, command_on};
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt as _;

    #[test]
    fn a_command_is_quoted_and_names_its_database_before_what_looks_like_a_flag() {
        let on = |db: &[u8], operands: &[&str]| {
            let db = OsString::from_vec(db.to_vec());
            command_on(Some(&db), &["answer", "r", "1"], operands)
        };
        let plain = command_on(None, &["answer", "r", "1"], &["it's on"]);
        assert_eq!(plain, r"zeph answer r 1 'it'\''s on'");
        assert_eq!(on(b"r.db", &["yes"]), "zeph answer r 1 yes --db r.db");
        assert_eq!(
            on(b"my runs.db", &["-5"]),
            "zeph answer r 1 --db 'my runs.db' -- -5"
        );
        assert_eq!(on(b"-r.db", &[]), "zeph answer r 1 --db=-r.db");
        assert_eq!(
            on(b"r\xff.db", &[]),
            r#"zeph answer r 1 --db "$(printf 'r\377.db')""#
        );
    }

    #[test]
    fn an_answer_that_begins_with_at_is_no_file() {
        assert_eq!(answer_command("r", 2, "@home"), "zeph answer r 2 @@home");
        assert_eq!(
            answer_command("r", 2, "at @home"),
            "zeph answer r 2 'at @home'"
        );
    }
}
