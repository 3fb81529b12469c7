//! `Database`: the store of runs that a command opens, a file or a server.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use zeph_common::escape_terminal;
use zeph_graph::RunId;
use zeph_memory::{Lease, ListQuery, RawGraphStore, StoreError};
use zeph_memory_sqlite::SqliteStore;
#[cfg(feature = "postgres")]
use zeph_orchestration::store::postgres::{Address, PostgresStore};
use zeph_orchestration::{OrchestratorBuilder, Owners};

use crate::exit::{CliError, Exit};
use crate::out;

/// A store of runs. As a value it is the port; what only files have is asked of [`file`](Self::file).
#[derive(Clone, Debug)]
pub(crate) enum Database {
    /// A file of SQLite, with a folder of owners beside it.
    File(SqliteStore),
    /// A database of Postgres, which keeps leases.
    #[cfg(feature = "postgres")]
    Server(Box<PostgresStore>),
}

impl Deref for Database {
    type Target = dyn RawGraphStore;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::File(store) => store,
            #[cfg(feature = "postgres")]
            Self::Server(store) => &**store,
        }
    }
}

impl Database {
    /// Opens a database for writing; creates it if there is none.
    pub(crate) async fn open(place: &Path) -> Result<Self, CliError> {
        match url(place) {
            Some(url) => open_server(url, false).await,
            None => Ok(Self::File(SqliteStore::open(place).await?)),
        }
    }

    /// Opens a database that must exist, for reading.
    pub(crate) async fn open_read_only(place: &Path) -> Result<Self, CliError> {
        if let Some(url) = url(place) {
            return open_server(url, true).await;
        }
        let store = SqliteStore::open_read_only(place).await?;
        if let Err(error @ StoreError::LogDamaged { .. }) = store.check_log().await {
            out::warn(escape_terminal(&error.to_string()));
        }
        Ok(Self::File(store))
    }

    /// The owner locks of the runs, which all processes on a file share; `None` for a store that keeps leases.
    pub(crate) fn owners(&self) -> Option<Owners> {
        match self {
            Self::File(store) => Some(Owners::beside(store.path())),
            #[cfg(feature = "postgres")]
            Self::Server(_) => None,
        }
    }

    /// The process that holds an epoch, as text for people.
    pub(crate) async fn holder(&self, epoch: u64) -> Result<Option<String>, CliError> {
        if let Some(owners) = self.owners() {
            return Ok(owners.holder(epoch));
        }
        Ok(match self.lease(epoch).await? {
            Lease::Held { owner, .. } => Some(owner),
            Lease::Lapsed | Lease::Unknown => None,
        })
    }

    /// A builder of orchestrators on this store.
    pub(crate) fn of(&self, builder: OrchestratorBuilder) -> OrchestratorBuilder {
        let builder = builder.store(Arc::new(self.clone()));
        match self.owners() {
            Some(owners) => builder.owners(owners),
            None => builder,
        }
    }

    /// The file, for what only files have; `None` if the runs are on a server.
    pub(crate) fn file(&self) -> Option<&SqliteStore> {
        match self {
            Self::File(store) => Some(store),
            #[cfg(feature = "postgres")]
            Self::Server(_) => None,
        }
    }

    /// All runs, found without an index where that is possible, and the damage of the file as a whole.
    pub(crate) async fn check(&self) -> Result<(Vec<RunId>, Vec<String>), CliError> {
        if let Some(file) = self.file() {
            let check = file.check().await?;
            return Ok((check.runs, check.findings));
        }
        let (mut runs, mut query) = (Vec::new(), ListQuery::default());
        loop {
            let page = self.list(query.clone()).await?;
            let Some(last) = page.last() else {
                return Ok((runs, Vec::new()));
            };
            query.before = Some(last.cursor());
            runs.extend(page.into_iter().map(|row| row.run));
        }
    }

    /// Writes the log of a file back, or releases the leases of a server.
    pub(crate) async fn close(self) -> Result<(), StoreError> {
        match self {
            Self::File(store) => store.close().await,
            #[cfg(feature = "postgres")]
            Self::Server(store) => store.close().await,
        }
    }
}

#[cfg(feature = "postgres")]
async fn open_server(url: &str, is_read_only: bool) -> Result<Database, CliError> {
    let address: Address = url
        .parse()
        .map_err(|error| CliError::new(Exit::Usage, format!("{error}")).code("bad_database"))?;
    let store = match is_read_only {
        true => PostgresStore::open_read_only(&address).await?,
        false => PostgresStore::open(&address).await?,
    };
    Ok(Database::Server(Box::new(store)))
}

#[cfg(not(feature = "postgres"))]
async fn open_server(_url: &str, _is_read_only: bool) -> Result<Database, CliError> {
    let text = "this build of zeph has no client for Postgres";
    let error = CliError::new(Exit::Usage, text).code("bad_database");
    Err(error.help("build it with the feature `postgres`, or give a file with --db FILE"))
}

/// The error of a command that is about a file; `instead` is what to do on a server.
pub(crate) fn needs_file(instead: &'static str) -> CliError {
    let text = "this command works on a database file, and the runs are on a server";
    let error = CliError::new(Exit::Usage, text).code("needs_file");
    error.help(instead)
}

/// The address of a server, if the place of the database is one.
pub(crate) fn url(place: &Path) -> Option<&str> {
    let text = place.to_str()?;
    let is_url = ["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| text.starts_with(scheme));
    is_url.then_some(text)
}

/// The place of the database for people and for commands, without a password.
pub(crate) fn shown(place: &Path) -> String {
    let Some(url) = url(place) else {
        return place.display().to_string();
    };
    let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
    let (user, place) = match rest.rsplit_once('@') {
        Some((credentials, place)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            (format!("{user}@"), place)
        }
        None => (String::new(), rest),
    };
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    // Of the parameters only those are shown that cannot be a misspelt password.
    let is_shown = |pair: &&str| {
        ["sslmode=", "options=", "host=", "port="]
            .iter()
            .any(|key| pair.starts_with(key))
    };
    let query: Vec<&str> = query.split('&').filter(is_shown).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{user}{place}{mark}{}", query.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        for (url, expected) in [
            ("runs.db", "runs.db"),
            ("/a:b@c/runs.db", "/a:b@c/runs.db"),
            ("postgres://db/runs", "postgres://db/runs"),
            ("postgres://ada@db:5432/runs", "postgres://ada@db:5432/runs"),
            (
                "postgres://ada:hu/nt@er?2@db/runs",
                "postgres://ada@db/runs",
            ),
            (
                "postgresql://ada:hunter2@db/runs?password=hunter2",
                "postgresql://ada@db/runs",
            ),
            (
                "postgres://ada:hunter2@db/runs?passwd=hunter2&sslmode=require&options=-csearch_path=team",
                "postgres://ada@db/runs?sslmode=require&options=-csearch_path=team",
            ),
        ] {
            let shown = shown(Path::new(url));
            assert!(!shown.contains("hunter2"), "{shown}");
            assert_eq!(shown, expected);
        }
    }
}
