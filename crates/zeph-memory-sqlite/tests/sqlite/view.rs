//! The views for `sqlite3`: tasks with names, states and times, and headers as text.

use sqlx::{Row as _, SqliteConnection};
use zeph_memory::{Chain, Commit, Content, ContentKind, NewRun, RawGraphStore, Row, RunStatus};
use zeph_memory_sqlite::SqliteStore;

use crate::fixtures;

const HEADER: &str =
    r#"{"graph":{"tasks":[{"name":"fetch"},{"name":"it's"},{"name":"save"},{"name":"idle"}]}}"#;

async fn commit(store: &SqliteStore, name: &str, header: &'static str, payloads: &[&str]) {
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let new = NewRun::new(fixtures::run_id(name), name, fixtures::at(0), header);
    let mut chain = Chain::genesis(&new);
    let rows = payloads
        .iter()
        .zip(0..)
        .map(|(payload, second)| Row::new(fixtures::at(second * 1_000_000), *payload));
    let append = chain
        .seal(rows.collect(), RunStatus::open("running"))
        .creating(new);
    store.commit(&Commit::one(append), fence).await.unwrap();
}

async fn tasks(connection: &mut SqliteConnection, run: &str) -> Vec<String> {
    let sql = "SELECT task, name, state, attempts, started, ended FROM tasks WHERE run = ?1 ORDER BY task";
    let rows = sqlx::query(sql)
        .bind(run)
        .fetch_all(connection)
        .await
        .unwrap();
    let text = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    rows.iter()
        .map(|row| {
            let (task, attempts): (i64, i64) = (row.get(0), row.get(3));
            let (name, state) = (text(row.get(1)), text(row.get(2)));
            format!(
                "{task} {name} {state} {attempts} | {} | {}",
                text(row.get(4)),
                text(row.get(5))
            )
        })
        .collect()
}

#[tokio::test]
async fn tasks_are_derived_from_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("runs.db"))
        .await
        .unwrap();
    let payloads = [
        r#"{"type":"opened"}"#,
        r#"{"type":"readied","task":0}"#,
        r#"{"type":"started","task":0,"attempt":1}"#,
        r#"{"type":"attempt_failed","task":0,"attempt":1}"#,
        r#"{"type":"backed_off","task":0}"#,
        r#"{"type":"started","task":0,"attempt":2}"#,
        r#"{"type":"completed","task":0}"#,
        r#"{"type":"readied","task":1}"#,
        r#"{"type":"started","task":1,"attempt":1}"#,
        r#"{"type":"cancel_requested","task":1,"attempt":1}"#,
        r#"{"type":"skipped","task":2}"#,
    ];
    commit(&store, "run", HEADER, &payloads).await;
    commit(&store, "other", HEADER, &[r#"{"type":"readied","task":3}"#]).await;
    commit(
        &store,
        "odd",
        "not JSON",
        &["not JSON either", r#"{"type":"asked","task":5}"#, "[]", "7"],
    )
    .await;
    let mut connection = fixtures::raw(store.path()).await;
    let expected = [
        "0 fetch completed 2 | 2023-11-14 22:13:22.000 | 2023-11-14 22:13:26.000",
        "1 it's canceling 1 | 2023-11-14 22:13:28.000 | -",
        "2 save skipped 0 | - | 2023-11-14 22:13:30.000",
        "3 idle pending 0 | - | -",
    ];
    assert_eq!(tasks(&mut connection, "run").await, expected);
    assert_eq!(
        tasks(&mut connection, "odd").await,
        ["5 - asking 0 | - | -"]
    );
    assert_eq!(
        tasks(&mut connection, "other").await[3],
        "3 idle ready 0 | - | -"
    );
    let row = sqlx::query("SELECT header FROM headers WHERE run = 'run'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>(0), HEADER);
}

/// A graph with two patches, two lists of items, of which one belongs to a task of a patch, and a note.
#[tokio::test]
async fn tasks_that_were_added_have_names_and_notes_change_no_state() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("runs.db"))
        .await
        .unwrap();
    let patch = |names: &[&str]| {
        let tasks: Vec<String> = names
            .iter()
            .map(|n| format!(r#"{{"name":"{n}"}}"#))
            .collect();
        format!(r#"{{"version":1,"tasks":[{}]}}"#, tasks.join(","))
    };
    let content = |number, kind: &'static str, name: &'static str, text: String| {
        Content::named(
            fixtures::content_id(number),
            ContentKind::new(kind),
            name,
            text,
        )
    };
    let row = |payload: &'static str| Row::new(fixtures::at(0), payload);
    let rows = vec![
        row(r#"{"type":"started","task":0,"attempt":1}"#),
        row(r#"{"type":"noted","task":0,"attempt":1,"content":1}"#).with(content(
            1,
            "note",
            "prompt",
            "what?".into(),
        )),
        row(r#"{"type":"reserved","task":0,"reservation":1}"#),
        row(r#"{"type":"amended","task":0,"content":2}"#).with(content(
            2,
            "patch",
            "",
            patch(&["x", "y"]),
        )),
        row(r#"{"type":"expanded","task":1,"attempt":1,"list":4,"count":2}"#),
        row(r#"{"type":"expanded","task":5,"attempt":1,"list":5,"count":1}"#),
        row(r#"{"type":"overridden","task":7,"end":"skip"}"#),
        row(r#"{"type":"started","task":4,"attempt":1}"#),
        row(r#"{"type":"amended","task":4,"content":3}"#).with(content(
            3,
            "patch",
            "",
            patch(&["z"]),
        )),
        row(r#"{"type":"readied","task":9}"#),
        row(r#"{"type":"fell_back","task":3,"to":1,"why":"error"}"#),
        row(r#"{"type":"expanded","task":2,"attempt":1,"list":6,"count":0}"#),
    ];
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let new = NewRun::new(fixtures::run_id("grown"), "grown", fixtures::at(0), HEADER);
    let mut chain = Chain::genesis(&new);
    let append = chain.seal(rows, RunStatus::open("running")).creating(new);
    store.commit(&Commit::one(append), fence).await.unwrap();

    let mut connection = fixtures::raw(store.path()).await;
    let lines = tasks(&mut connection, "grown").await;
    let short: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split(" |").next())
        .collect();
    let expected = [
        "0 fetch running 1",
        "1 it's mapping 0",
        "2 save mapping 0",
        "3 idle falling_back 0",
        "4 x running 1",
        "5 y mapping 0",
        "6 it's[0] pending 0",
        "7 it's[1] pending 0",
        "8 y[0] pending 0",
        "9 z ready 0",
    ];
    assert_eq!(short, expected);
    let row = sqlx::query("SELECT task, attempt, kind, text FROM notes WHERE run = 'grown'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let note: (i64, i64, String, String) = (row.get(0), row.get(1), row.get(2), row.get(3));
    assert_eq!(note, (0, 1, "prompt".into(), "what?".into()));
}

#[tokio::test]
async fn a_query_for_one_run_reads_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("runs.db"))
        .await
        .unwrap();
    let mut connection = fixtures::raw(store.path()).await;
    let sql = "EXPLAIN QUERY PLAN SELECT * FROM tasks WHERE run = 'x'";
    let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
    let plan: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
    assert!(
        plan.iter()
            .any(|step| step.contains("SEARCH journal") && step.contains("run=?")),
        "{plan:#?}"
    );
    assert!(
        plan.iter()
            .any(|step| step.contains("SEARCH contents") && step.contains("run=?")),
        "{plan:#?}"
    );
}

#[tokio::test]
async fn pages_of_the_list_are_sought_not_scanned() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("runs.db"))
        .await
        .unwrap();
    let mut connection = fixtures::raw(store.path()).await;
    for (filter, index) in [("", "runs_newest"), ("open = 1 AND", "runs_open")] {
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT title FROM runs WHERE {filter} (created_at, run) < (5, 'x')
             ORDER BY created_at DESC, run DESC LIMIT 3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut connection)
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.get(3)).collect();
        assert!(
            plan.len() == 1 && plan[0].starts_with("SEARCH") && plan[0].contains(index),
            "{plan:#?}"
        );
    }
}

/// The queries of the book's database page run, and it names every column.
#[tokio::test]
async fn the_database_page_matches_the_schema() {
    let page = include_str!("../../../../docs/src/database.md");
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("runs.db"))
        .await
        .unwrap();
    commit(
        &store,
        "k7m2xq9d",
        HEADER,
        &[r#"{"type":"readied","task":0}"#],
    )
    .await;
    let mut connection = fixtures::raw(store.path()).await;
    let block = page
        .split_once("```sql\n")
        .unwrap()
        .1
        .split_once("```")
        .unwrap()
        .0;
    let queries: Vec<&str> = block
        .split(';')
        .filter(|query| !query.trim().is_empty())
        .collect();
    assert!(queries.len() > 5);
    for query in queries {
        sqlx::query(query)
            .fetch_all(&mut connection)
            .await
            .unwrap_or_else(|error| panic!("{query}: {error}"));
    }
    let sql = "SELECT m.name, c.name FROM sqlite_schema AS m, pragma_table_info(m.name) AS c
               WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite_%'";
    for row in sqlx::query(sql).fetch_all(&mut connection).await.unwrap() {
        let (table, column): (String, String) = (row.get(0), row.get(1));
        assert!(
            page.contains(&format!("`{table}`")),
            "{table} is not described"
        );
        assert!(
            page.contains(&format!("`{column}`")),
            "{table}.{column} is not described"
        );
    }
}
