//! The schema and its migrations.

use std::path::Path;

use sqlx::{Connection, Row, SqliteConnection};
use zeph_memory::StoreError;

use crate::sqlite_error;

/// The application id in the header of the SQLite file: `zeph` in ASCII.
pub const APPLICATION_ID: u32 = 0x7a65_7068;

/// The newest schema version that this program knows.
pub const SCHEMA_VERSION: i64 = UNRELEASED + MIGRATIONS.len() as i64;

/// The oldest accepted SQLite: earlier ones can corrupt a database when the log is reset.
pub const OLDEST_SQLITE: &str = "3.51.3";

/// The last schema version of unreleased programs. Their files have no migration.
const UNRELEASED: i64 = 2;

/// SQL from one schema version to the next; the first creates the schema, from 0.
const MIGRATIONS: [&str; 1] = [include_str!("sql/schema.sql")];

/// Brings the schema up to date in one transaction. Refuses a newer and an unreleased schema.
pub(crate) async fn migrate(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), StoreError> {
    // First without a lock: opening an up-to-date database must not wait for a writer.
    if missing(version(path, connection).await?)?.is_empty() {
        return Ok(());
    }
    let failed = |error| sqlite_error::opening(path, error);
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(failed)?;
    // Another process may have migrated while this one waited.
    let todo = missing(version(path, &mut transaction).await?)?;
    for &sql in todo {
        sqlx::raw_sql(sql)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

/// The migrations that a database of that version needs.
pub(crate) fn missing(found: i64) -> Result<&'static [&'static str], StoreError> {
    if (1..=UNRELEASED).contains(&found) {
        return Err(StoreError::Unreleased { found });
    }
    let done = if found == 0 { 0 } else { found - UNRELEASED };
    let newer = StoreError::Newer {
        found,
        known: SCHEMA_VERSION,
    };
    usize::try_from(done)
        .ok()
        .and_then(|done| MIGRATIONS.get(done..))
        .ok_or(newer)
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
    use super::{MIGRATIONS, SCHEMA_VERSION, UNRELEASED, missing, numbers};

    #[test]
    fn versions_compare_by_number() {
        assert!(numbers("3.51.3") > numbers("3.51.2"));
        assert!(numbers("3.100.0") > numbers("3.51.3"));
        assert!(numbers("4") > numbers("3.51.3"));
        assert!(numbers("3.51") < numbers("3.51.3"));
    }

    #[test]
    fn a_database_gets_the_migrations_after_its_version() {
        assert_eq!(missing(0).unwrap(), MIGRATIONS);
        assert!(missing(SCHEMA_VERSION).unwrap().is_empty());
        for (found, kind) in [
            (1, "unreleased"),
            (UNRELEASED, "unreleased"),
            (SCHEMA_VERSION + 1, "newer"),
            (i64::MAX, "newer"),
        ] {
            assert_eq!(missing(found).unwrap_err().kind(), kind, "{found}");
        }
    }

    #[test]
    fn every_migration_sets_its_version() {
        for (sql, version) in MIGRATIONS.iter().zip(UNRELEASED + 1..) {
            assert!(
                sql.contains(&format!("PRAGMA user_version = {version};")),
                "migration {version}"
            );
        }
    }
}
