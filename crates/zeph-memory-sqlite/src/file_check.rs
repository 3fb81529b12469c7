//! The check of a whole file: its structures, its runs by the table itself, and rows that belong to no run.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use zeph_graph::RunId;
use zeph_memory::Request;

use crate::{drafts, inbox};

/// What a check of the file found, apart from the chains of its runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileCheck {
    /// Every run in the file, found without an index, in the order of creation.
    pub runs: Vec<RunId>,
    /// The damage, one line of text each.
    pub findings: Vec<String>,
}

/// Rows of a table that belong to no run, by the run that they name.
const STRAY: [(&str, &str); 4] = [
    (
        "journal rows",
        "SELECT run, count(*) FROM journal WHERE run NOT IN (SELECT run FROM runs NOT INDEXED) GROUP BY run",
    ),
    (
        "contents",
        "SELECT run, count(*) FROM contents WHERE run NOT IN (SELECT run FROM runs NOT INDEXED) GROUP BY run",
    ),
    (
        "requests",
        "SELECT run, count(*) FROM inbox WHERE run NOT IN (SELECT run FROM runs NOT INDEXED) GROUP BY run",
    ),
    (
        "drafts",
        "SELECT run, count(*) FROM drafts WHERE run NOT IN (SELECT run FROM runs NOT INDEXED) GROUP BY run",
    ),
];

/// The rows of a page of [`INBOX`] and [`DRAFTS`], each of which may have a megabyte and more.
const PAGE: i64 = 16;

const INBOX: &str = "
SELECT id, at, body, hash, run, id FROM inbox NOT INDEXED
WHERE id > ?1 ORDER BY id LIMIT ?2";

const DRAFTS: &str = "
SELECT key, at, bytes, hash, run, rowid FROM drafts NOT INDEXED
WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";

/// The column of the row's number in a page.
const NUMBER: usize = 5;

/// Reads every page and every index. An unreadable part is a finding, and the rest is still checked.
pub(crate) async fn check(connection: &mut SqliteConnection) -> FileCheck {
    let mut check = FileCheck::default();
    let sql = "PRAGMA integrity_check(20)";
    for row in check.rows(connection, "the file", sql).await {
        let text: String = row.try_get(0).unwrap_or_default();
        if text != "ok" {
            check.findings.push(format!("the file: {text}"));
        }
    }
    let sql = "SELECT CAST(run AS TEXT) FROM runs NOT INDEXED ORDER BY rowid";
    for row in check.rows(connection, "the table of runs", sql).await {
        let name: String = row.try_get(0).unwrap_or_default();
        match name.parse() {
            Ok(run) => check.runs.push(run),
            Err(_) => (check.findings).push(format!("a run has the impossible name {name:?}")),
        }
    }
    for (what, sql) in STRAY {
        for row in check.rows(connection, what, sql).await {
            let run: String = row.try_get(0).unwrap_or_default();
            let count: i64 = row.try_get(1).unwrap_or_default();
            (check.findings).push(format!(
                "{count} {what} are of run {run:?}, which is missing"
            ));
        }
    }
    check
        .pages(connection, "the inbox", INBOX, request_damage)
        .await;
    check
        .pages(connection, "the drafts", DRAFTS, draft_damage)
        .await;
    let sql =
        "SELECT run, epoch FROM runs NOT INDEXED WHERE epoch NOT IN (SELECT epoch FROM claims)";
    for row in check.rows(connection, "the owners", sql).await {
        let run: String = row.try_get(0).unwrap_or_default();
        let epoch: i64 = row.try_get(1).unwrap_or_default();
        (check.findings).push(format!("run {run:?} names owner {epoch}, which is missing"));
    }
    check
}

/// What is wrong with a row of [`INBOX`].
fn request_damage(row: &SqliteRow) -> Option<String> {
    let run: Option<RunId> = row
        .try_get::<String, _>(4)
        .ok()
        .and_then(|run| run.parse().ok());
    let request: Option<Request> = run.and_then(|run| inbox::request(&run, row).ok());
    let is_damaged = request.is_none_or(|request| request.body.is_none());
    let id: i64 = row.try_get(0).unwrap_or_default();
    is_damaged.then(|| format!("request {id} is not as it was posted"))
}

/// What is wrong with a row of [`DRAFTS`].
fn draft_damage(row: &SqliteRow) -> Option<String> {
    let run: String = row.try_get(4).unwrap_or_default();
    let draft = run.parse().ok().map(|run| drafts::draft(&run, row));
    let is_damaged = draft.as_ref().is_none_or(|draft| draft.bytes.is_none());
    let key = draft.map(|draft| draft.key).unwrap_or_default();
    is_damaged.then(|| format!("draft {key:?} of run {run:?} is not as it was written"))
}

impl FileCheck {
    async fn rows(
        &mut self,
        connection: &mut SqliteConnection,
        what: &str,
        sql: &'static str,
    ) -> Vec<SqliteRow> {
        match sqlx::query(sql).fetch_all(connection).await {
            Ok(rows) => rows,
            Err(error) => {
                self.findings
                    .push(format!("{what} cannot be read: {error}"));
                Vec::new()
            }
        }
    }

    /// Reads a table page by page, in the order of its rows' numbers, and notes the damage of each row.
    async fn pages(
        &mut self,
        connection: &mut SqliteConnection,
        what: &str,
        sql: &'static str,
        damage: impl Fn(&SqliteRow) -> Option<String>,
    ) {
        let mut last = i64::MIN;
        loop {
            let page = sqlx::query(sql).bind(last).bind(PAGE);
            let rows = match page.fetch_all(&mut *connection).await {
                Ok(rows) => rows,
                Err(error) => {
                    (self.findings).push(format!("{what} cannot be read: {error}"));
                    return;
                }
            };
            self.findings.extend(rows.iter().filter_map(&damage));
            let Some(end) = rows.last() else { return };
            let number = end.try_get(NUMBER).unwrap_or(i64::MIN);
            if number <= last {
                // A damaged table could lead in a circle.
                (self.findings).push(format!("{what} cannot be read: its order is damaged"));
                return;
            }
            last = number;
        }
    }
}
