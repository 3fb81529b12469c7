//! The schema and its migrations.

use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row};
use zeph_memory::StoreError;

use crate::address::Address;
use crate::postgres_error;

/// The newest schema version that this program knows.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// The SQL from each schema version to the next. The first script creates the tables in an empty schema.
const MIGRATIONS: [&str; 1] = [include_str!("sql/schema_1.sql")];

/// The oldest version of Postgres that is accepted, as the server numbers it.
const OLDEST_SERVER: i32 = 130_000;

/// The first key of the advisory lock under which the schema is changed: `zeph` in ASCII.
const LOCK_CLASS: i32 = 0x7a65_7068;

/// Whether there is a version table, and how many other relations the schema has.
const FOUND: &str = "
SELECT count(*) FILTER (WHERE relname = 'schema_version') > 0, count(*)
FROM pg_catalog.pg_class WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = $1)";

const SERVER: &str = "
SELECT current_setting('server_version_num')::int, current_setting('server_version'),
       current_setting('server_encoding')";

/// Refuses a server that is too old or cannot store every text.
pub(crate) async fn check_server(
    address: &Address,
    connection: &mut PgConnection,
) -> Result<(), StoreError> {
    let row = sqlx::query(SERVER)
        .fetch_one(connection)
        .await
        .map_err(opening)?;
    let number: i32 = row.try_get(0).map_err(opening)?;
    let version: String = row.try_get(1).map_err(opening)?;
    let encoding: String = row.try_get(2).map_err(opening)?;
    if number < OLDEST_SERVER {
        let needed = OLDEST_SERVER / 10_000;
        return Err(not_a_database(
            address,
            format!("the server has version {version}, at least {needed} is needed"),
        ));
    }
    if encoding != "UTF8" {
        let why = format!("the database has the encoding {encoding}, UTF8 is needed");
        return Err(not_a_database(address, why));
    }
    Ok(())
}

/// Brings the schema up to date in one transaction, which processes that start at once make one after the other.
/// Refuses a newer schema, and one of another program.
pub(crate) async fn migrate(
    address: &Address,
    connection: &mut PgConnection,
) -> Result<(), StoreError> {
    // The first look takes no lock, so that opening an up-to-date database does not wait.
    if pending_migrations(address, version(address, connection).await?)?.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin().await.map_err(opening)?;
    sqlx::query("SELECT pg_advisory_xact_lock($1, hashtext($2))")
        .bind(LOCK_CLASS)
        .bind(address.schema())
        .execute(&mut *transaction)
        .await
        .map_err(opening)?;
    // Another process may have migrated while this one waited.
    let found = version(address, &mut transaction).await?;
    let pending = pending_migrations(address, found)?;
    if found == 0 {
        // The name of the schema has plain characters only.
        let create = format!("CREATE SCHEMA IF NOT EXISTS \"{}\"", address.schema());
        let create = sqlx::raw_sql(AssertSqlSafe(create));
        create.execute(&mut *transaction).await.map_err(opening)?;
    }
    for sql in pending.iter().copied() {
        sqlx::raw_sql(sql)
            .execute(&mut *transaction)
            .await
            .map_err(opening)?;
    }
    transaction.commit().await.map_err(opening)
}

/// Refuses a database whose schema is not up to date.
pub(crate) async fn check(
    address: &Address,
    connection: &mut PgConnection,
) -> Result<(), StoreError> {
    let found = version(address, connection).await?;
    if pending_migrations(address, found)?.is_empty() {
        return Ok(());
    }
    let why = match found {
        0 => "it has no tables of this program; the first run creates them".to_owned(),
        _ => format!(
            "it has schema {found}; open it for writing once, as `zeph run` does, to bring it up to date"
        ),
    };
    Err(not_a_database(address, why))
}

/// The migrations that a database of that version needs.
fn pending_migrations(
    address: &Address,
    found: i64,
) -> Result<&'static [&'static str], StoreError> {
    let done = usize::try_from(found).ok();
    done.and_then(|done| MIGRATIONS.get(done..))
        .ok_or_else(|| StoreError::Newer {
            path: address.as_path(),
            found,
            known: SCHEMA_VERSION,
        })
}

/// The schema version of the database; 0 if the schema is empty, or not there.
async fn version(address: &Address, connection: &mut PgConnection) -> Result<i64, StoreError> {
    let query = sqlx::query(FOUND).bind(address.schema());
    let row = query.fetch_one(&mut *connection).await.map_err(opening)?;
    let (has_version, relations): (bool, i64) = (
        row.try_get(0).map_err(opening)?,
        row.try_get(1).map_err(opening)?,
    );
    if !has_version {
        if relations == 0 {
            return Ok(0);
        }
        return Err(not_a_database(
            address,
            format!("the schema has {relations} tables and indexes of another program"),
        ));
    }
    let sql = "SELECT max(version) FROM schema_version";
    let found: Option<i64> = sqlx::query_scalar(sql)
        .fetch_one(connection)
        .await
        .map_err(opening)?;
    found.ok_or_else(|| not_a_database(address, "its table of versions is empty"))
}

fn opening(error: sqlx::Error) -> StoreError {
    postgres_error::io("opening the database", error)
}

fn not_a_database(address: &Address, why: impl Into<String>) -> StoreError {
    StoreError::NotADatabase {
        path: address.as_path(),
        why: why.into(),
    }
}
