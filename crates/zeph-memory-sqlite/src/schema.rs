//! The schema and its migrations.

use std::path::Path;

use sqlx::{Connection, Row, SqliteConnection};
use zeph_memory::StoreError;

use crate::sqlite_error;

/// The application id in the header of the SQLite file: `zeph` in ASCII.
pub const APPLICATION_ID: u32 = 0x7a65_7068;

/// The newest schema version that this program knows.
pub const SCHEMA_VERSION: i64 = LAST_UNRELEASED + MIGRATIONS.len() as i64;

/// The oldest accepted version of SQLite. Older ones can corrupt a database when the write-ahead log is
/// reset.
pub const OLDEST_SQLITE: &str = "3.51.3";

/// The last schema version of unreleased programs. Databases of these versions are not migrated.
const LAST_UNRELEASED: i64 = 3;

/// The SQL from each schema version to the next. The first script creates the tables in an empty database.
const MIGRATIONS: [&str; 6] = [
    include_str!("sql/schema.sql"),
    include_str!("sql/schema_5.sql"),
    include_str!("sql/schema_6.sql"),
    include_str!("sql/schema_7.sql"),
    include_str!("sql/schema_8.sql"),
    include_str!("sql/schema_9.sql"),
];

/// The views of the newest version. They hold no data, so each migration creates all of them anew.
const VIEWS: &str = include_str!("sql/views.sql");

/// Brings the schema up to date in one transaction. Refuses a newer and an unreleased schema.
pub(crate) async fn migrate(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    // The first look takes no lock, so that opening an up-to-date database does not wait for a writer.
    if pending_migrations(path, version(path, connection).await?)?.is_empty() {
        return Ok(());
    }
    let failed = |error| sqlite_error::opening(path, error);
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(failed)?;
    // Another process may have migrated while this one waited.
    let pending = pending_migrations(path, version(path, &mut transaction).await?)?;
    let views = (!pending.is_empty()).then_some(VIEWS);
    for sql in pending.iter().copied().chain(views) {
        sqlx::raw_sql(sql)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// The migrations that a database of that version needs.
pub(crate) fn pending_migrations(
    path: &Path,
    found: i64,
) -> Result<&'static [&'static str], StoreError> {
    let path = path.to_owned();
    if (1..=LAST_UNRELEASED).contains(&found) {
        return Err(StoreError::Unreleased { path, found });
    }
    let done = if found == 0 {
        0
    } else {
        found - LAST_UNRELEASED
    };
    let newer = StoreError::Newer {
        path,
        found,
        known: SCHEMA_VERSION,
    };
    usize::try_from(done)
        .ok()
        .and_then(|done| MIGRATIONS.get(done..))
        .ok_or(newer)
}

/// The scripts whose objects a database of the newest version has.
fn scripts() -> impl Iterator<Item = &'static str> {
    MIGRATIONS.into_iter().chain([VIEWS])
}

/// Refuses a database with a trigger, a view, a table or an index that is not of this schema, or without one
/// that is: SQL of others would run with every statement, and decide what is read.
pub(crate) async fn check_objects(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let failed = |error| sqlite_error::opening(path, error);
    let sql = "SELECT type, name, sql FROM sqlite_schema
               WHERE NOT (type IN ('table', 'index') AND substr(name, 1, 7) = 'sqlite_')";
    let mut own = 0;
    for row in sqlx::query(sql)
        .fetch_all(connection)
        .await
        .map_err(failed)?
    {
        let kind: String = row.try_get(0).map_err(failed)?;
        let name: String = row.try_get(1).map_err(failed)?;
        let text: Option<String> = row.try_get(2).map_err(failed)?;
        let is_own = text.is_some_and(|text| scripts().any(|sql| sql.contains(&text)));
        if !is_own {
            let why = format!("it has a {kind} {name:?} that is not part of a run database");
            return Err(sqlite_error::not_a_database(path, why));
        }
        own += 1;
    }
    let expected: usize = scripts().map(|sql| sql.matches("\nCREATE ").count()).sum();
    if own == expected {
        return Ok(());
    }
    let why = format!("it has {own} of the {expected} tables, indexes and views of a run database");
    Err(sqlite_error::not_a_database(path, why))
}

/// The schema version of the database.
pub(crate) async fn version(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<i64, StoreError> {
    let failed = |error| sqlite_error::opening(path, error);
    let row = sqlx::query("PRAGMA user_version")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    row.try_get(0).map_err(failed)
}

/// Refuses a SQLite version with known defects.
pub(crate) async fn check_library(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    let failed = |error| sqlite_error::opening(path, error);
    let row = sqlx::query("SELECT sqlite_version()")
        .fetch_one(connection)
        .await
        .map_err(failed)?;
    let found: String = row.try_get(0).map_err(failed)?;
    if numbers(&found) >= numbers(OLDEST_SQLITE) {
        Ok(())
    } else {
        Err(StoreError::OldLibrary {
            library: "SQLite",
            found,
            needed: OLDEST_SQLITE,
        })
    }
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map(|part| part.parse().unwrap_or(0))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{LAST_UNRELEASED, MIGRATIONS, SCHEMA_VERSION, numbers, pending_migrations};

    #[test]
    fn versions_compare_by_number() {
        assert!(numbers("3.51.3") > numbers("3.51.2"));
        assert!(numbers("3.100.0") > numbers("3.51.3"));
        assert!(numbers("4") > numbers("3.51.3"));
        assert!(numbers("3.51") < numbers("3.51.3"));
    }

    #[test]
    fn a_database_gets_the_migrations_after_its_version() {
        let path = Path::new("runs.db");
        assert_eq!(pending_migrations(path, 0).unwrap(), MIGRATIONS);
        assert_eq!(pending_migrations(path, 4).unwrap(), &MIGRATIONS[1..]);
        assert!(pending_migrations(path, SCHEMA_VERSION).unwrap().is_empty());
        for (found, kind) in [
            (1, "unreleased"),
            (LAST_UNRELEASED, "unreleased"),
            (SCHEMA_VERSION + 1, "newer"),
            (i64::MAX, "newer"),
        ] {
            let error = pending_migrations(path, found).unwrap_err();
            assert_eq!(error.kind(), kind, "{found}");
            assert!(error.to_string().contains("runs.db"), "{error}");
        }
    }

    #[test]
    fn every_migration_sets_its_version() {
        for (sql, version) in MIGRATIONS.iter().zip(LAST_UNRELEASED + 1..) {
            assert!(
                sql.contains(&format!("PRAGMA user_version = {version};")),
                "migration {version}"
            );
        }
    }
}
