//! Damages to rows, as somebody with an SQL tool does them.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use super::kind::RowDamage;
use crate::rng::Rng;

/// A table, the columns of its key, its other columns, and how often it is chosen.
struct Table {
    name: &'static str,
    key: &'static [&'static str],
    cells: &'static [&'static str],
    weight: u64,
}

const TABLES: [Table; 4] = [
    Table {
        name: "runs",
        key: &["run"],
        cells: &[
            "title",
            "created_at",
            "updated_at",
            "state",
            "open",
            "summary",
            "last_seq",
            "genesis",
            "head",
            "status_hash",
        ],
        weight: 25,
    },
    Table {
        name: "journal",
        key: &["run", "seq"],
        cells: &["at", "payload", "contents", "content_hash", "hash"],
        weight: 30,
    },
    Table {
        name: "contents",
        key: &["run", "content", "seq", "part"],
        cells: &["hash", "kind", "name", "bytes"],
        weight: 30,
    },
    Table {
        name: "inbox",
        key: &["id"],
        cells: &["run", "at", "body", "hash"],
        weight: 15,
    },
];

/// Damages rows of a database, and describes it; `None` if nothing changed.
pub(super) async fn damage(
    path: &Path,
    kind: RowDamage,
    rng: &mut Rng,
) -> Result<Option<String>, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(path);
    let mut db = SqliteConnection::connect_with(&options).await?;
    let what = change(&mut db, kind, rng).await?;
    db.close().await?;
    Ok(what)
}

async fn change(
    db: &mut SqliteConnection,
    kind: RowDamage,
    rng: &mut Rng,
) -> Result<Option<String>, sqlx::Error> {
    let table = &TABLES[rng.weighted(&TABLES.map(|table| table.weight))];
    let Some(row) = pick(db, table, rng).await? else {
        return Ok(None);
    };
    let name = table.name;
    if kind == RowDamage::Removed && name == "inbox" {
        // A handled request is removed in the same way, so one that is gone cannot be missed.
        return Ok(None);
    }
    let mut changes = db.begin().await?;
    let statements = match kind {
        RowDamage::Removed => vec![format!("DELETE FROM {name} WHERE {row}")],
        RowDamage::Doubled => vec![doubled(table, &row)],
        RowDamage::Renamed => {
            let all = rng.percent(50);
            let tables = TABLES.iter().filter(|one| all || one.name == name);
            let rename = |one: &Table| {
                let run = format!("(SELECT run FROM {name} WHERE {row})");
                format!("UPDATE {} SET run = run || 'x' WHERE run = {run}", one.name)
            };
            // The table that names the run is changed last.
            let (last, first): (Vec<_>, Vec<_>) = tables.partition(|one| one.name == name);
            first.into_iter().chain(last).map(rename).collect()
        }
        RowDamage::Cell => {
            let cell = *rng.pick(table.cells).unwrap_or(&"run");
            let (at, step) = (rng.below(60), rng.within(1, 1_000));
            let text = format!("substr({cell}, 1, {at}) || 'x' || substr({cell}, {at} + 2)");
            let value = format!(
                "CASE typeof({cell}) WHEN 'integer' THEN {cell} + {step} \
                 WHEN 'blob' THEN CAST({text} AS BLOB) WHEN 'null' THEN '[1]' ELSE {text} END"
            );
            let change = format!("UPDATE {name} SET {cell} = {value}");
            vec![format!("{change} WHERE {row} AND {cell} IS NOT ({value})")]
        }
        RowDamage::Exchanged => {
            let Some(other) = pick(&mut changes, table, rng).await? else {
                return Ok(None);
            };
            if other == row {
                return Ok(None);
            }
            let one = rng.pick(table.cells).copied();
            let cells = if rng.percent(50) {
                table.cells
            } else {
                one.as_slice()
            };
            exchanged(table, cells, &row, &other)
        }
    };
    let mut changed = 0;
    for statement in &statements {
        let done = sqlx::query(AssertSqlSafe(statement.as_str()))
            .execute(&mut *changes)
            .await;
        match done {
            Ok(done) => changed += done.rows_affected(),
            // The schema itself refuses it, for example a state that is neither open nor closed.
            Err(sqlx::Error::Database(_)) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    changes.commit().await?;
    Ok((changed > 0).then(|| statements.join("; ")))
}

/// The condition that selects a random row; `None` for an empty table.
async fn pick(
    db: &mut SqliteConnection,
    table: &Table,
    rng: &mut Rng,
) -> Result<Option<String>, sqlx::Error> {
    let parts = table.key.iter();
    let parts: Vec<String> = parts
        .map(|key| format!("'{key} = ' || quote({key})"))
        .collect();
    let select = parts.join(" || ' AND ' || ");
    let query = format!("SELECT {select} FROM {} ORDER BY 1", table.name);
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(db).await?;
    rng.pick(&rows).map(|row| row.try_get(0)).transpose()
}

/// Inserts a copy of a row under the next key.
fn doubled(table: &Table, row: &str) -> String {
    let name = table.name;
    let (last, others) = table.key.split_last().unwrap_or((&"rowid", &[]));
    let mut columns: Vec<&str> = others.to_vec();
    columns.extend(table.cells);
    let mut rest = columns.join(", ");
    if name == "runs" {
        rest.push_str(", epoch");
    }
    let next = if name == "runs" {
        "run || 'x'".to_owned()
    } else {
        format!("(SELECT max({last}) + 1 FROM {name})")
    };
    format!("INSERT INTO {name} ({last}, {rest}) SELECT {next}, {rest} FROM {name} WHERE {row}")
}

/// Exchanges cells of two rows.
fn exchanged(table: &Table, cells: &[&str], row: &str, other: &str) -> Vec<String> {
    let name = table.name;
    let list = cells.join(", ");
    let keep = |to: &str, row: &str| {
        format!("CREATE TEMP TABLE {to} AS SELECT {list} FROM {name} WHERE {row}")
    };
    let take = |from: &str, row: &str| {
        let sets = cells
            .iter()
            .map(|cell| format!("{cell} = (SELECT {cell} FROM {from})"));
        let sets: Vec<String> = sets.collect();
        let differ = cells.iter().map(|cell| {
            format!("(SELECT {cell} FROM one_row) IS NOT (SELECT {cell} FROM other_row)")
        });
        let differ: Vec<String> = differ.collect();
        let (sets, differ) = (sets.join(", "), differ.join(" OR "));
        format!("UPDATE {name} SET {sets} WHERE ({row}) AND ({differ})")
    };
    vec![
        keep("one_row", row),
        keep("other_row", other),
        take("one_row", other),
        take("other_row", row),
    ]
}
