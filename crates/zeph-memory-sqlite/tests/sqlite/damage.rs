//! Damage to the file: any flipped bit leads to an error or is in unused bytes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sqlx::Connection as _;
use zeph_graph::{RunId, Seq};
use zeph_memory::{RawGraphStore, StoreError, StoredRun, verify};
use zeph_memory_sqlite::SqliteStore;

use crate::fixtures;

const PAGE: usize = 4_096;

/// A closed database of several runs, and its runs.
async fn sample(folder: &Path) -> (PathBuf, BTreeMap<RunId, StoredRun>) {
    let path = folder.join("runs.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let mut runs = BTreeMap::new();
    for name in ["one", "two", "three"] {
        let chain = fixtures::create(&store, fence, name, 60).await;
        runs.insert(chain.run().clone(), store.load(chain.run()).await.unwrap());
    }
    store.close().await.unwrap();
    assert!(
        !folder.join("runs.db-wal").exists(),
        "the file stands alone"
    );
    (path, runs)
}

fn find(bytes: &[u8], text: &str) -> usize {
    bytes
        .windows(text.len())
        .position(|window| window == text.as_bytes())
        .unwrap()
}

#[tokio::test]
async fn a_flipped_bit_in_a_payload_names_the_row_and_spares_other_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let mut bytes = fs::read(&path).unwrap();
    let place = find(&bytes, r#""task":7,"attempt":1,"of":"two""#);
    bytes[place + 7] ^= 1;
    fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let error = store.load(&fixtures::run_id("two")).await.unwrap_err();
    let named = matches!(&error, StoreError::Damaged { run, seq, .. }
        if run.as_str() == "two" && *seq == Some(Seq::new(7)));
    assert!(named, "{error}");
    for name in ["one", "three"] {
        let run = fixtures::run_id(name);
        assert_eq!(store.load(&run).await.unwrap(), runs[&run]);
        verify(&store, &run).await.unwrap();
    }
}

#[tokio::test]
async fn a_flipped_bit_in_a_content_names_the_content_and_the_row() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let mut bytes = fs::read(&path).unwrap();
    // Pages may also hold an older copy of the bytes, from before a page was split.
    let text = b"output 9 of one";
    for place in 0..bytes.len() - text.len() {
        if bytes[place..].starts_with(text) {
            bytes[place] ^= 0x20;
        }
    }
    fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(&path).await.unwrap();
    let run = fixtures::run_id("one");
    assert_eq!(
        store.load(&run).await.unwrap(),
        runs[&run],
        "a load reads no contents"
    );
    let error = store
        .contents(&run, &[fixtures::content_id(9)])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("content 9 "), "{error}");
    let error = verify(&store, &run).await.unwrap_err();
    let named = matches!(&error, StoreError::Damaged { seq, what, .. }
        if *seq == Some(Seq::new(9)) && what.contains("content 9 "));
    assert!(named, "{error}");
    assert_eq!(
        store
            .contents(&run, &[fixtures::content_id(8)])
            .await
            .unwrap()
            .len(),
        1
    );
}

/// Opens a damaged copy: every run is as it was or an error. Returns how many runs were errors.
async fn served(path: &Path, runs: &BTreeMap<RunId, StoredRun>, what: &str) -> usize {
    let Ok(store) = SqliteStore::open(path).await else {
        return runs.len();
    };
    let mut errors = 0;
    for (run, expected) in runs {
        let loaded = store.load(run).await;
        let verified = verify(&store, run).await;
        match (loaded, verified) {
            (Ok(loaded), verified) => {
                assert_eq!(loaded, *expected, "{what} changed {run} unnoticed");
                let head = expected.chain.head();
                errors += usize::from(verified.is_err());
                assert!(
                    verified.is_err() || verified.unwrap().head == head,
                    "{what}"
                );
            }
            (Err(error), verified) => {
                // The page of an index that only a load reads is found by the check of the file.
                let file = store.check().await;
                let is_found = file.is_err() || file.is_ok_and(|file| !file.findings.is_empty());
                assert!(
                    verified.is_err() || is_found,
                    "{what}: {run} cannot be loaded ({error}), yet is verified"
                );
                errors += 1;
            }
        }
    }
    store.close().await.ok();
    errors
}

fn damage(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("damaged.db");
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(folder.join(format!("damaged.db{suffix}"))).ok();
    }
    fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn no_flipped_bit_is_served_as_good_data() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let sound = fs::read(&path).unwrap();
    let mut noticed = 0;
    let mut state = 1_u64;
    for _ in 0..150 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from(state >> 33).unwrap() % sound.len();
        let bit = 1 << (state >> 30 & 7);
        let mut bytes = sound.clone();
        bytes[place] ^= bit;
        let what = format!("bit {bit:#x} of byte {place}");
        noticed += usize::from(served(&damage(folder.path(), &bytes), &runs, &what).await > 0);
    }
    assert!(noticed > 30, "only {noticed} of 150 flips were noticed");
}

#[tokio::test]
async fn no_zeroed_page_is_served_as_good_data() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let sound = fs::read(&path).unwrap();
    for page in 0..sound.len() / PAGE {
        let mut bytes = sound.clone();
        bytes[page * PAGE..(page + 1) * PAGE].fill(0);
        served(
            &damage(folder.path(), &bytes),
            &runs,
            &format!("zeroed page {}", page + 1),
        )
        .await;
    }
}

#[tokio::test]
async fn a_truncated_file_is_never_served_as_good_data() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let sound = fs::read(&path).unwrap();
    for pages in [1, 2, 5, sound.len() / PAGE - 1] {
        let path = damage(folder.path(), &sound[..pages * PAGE]);
        assert_eq!(
            served(&path, &runs, &format!("cut to {pages} pages")).await,
            runs.len()
        );
    }
}

/// Executes SQL that does not go through the store.
async fn tamper(path: &Path, sql: &'static str) {
    let mut connection = fixtures::raw(path).await;
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_content_serves_no_other_run_and_no_other_row() {
    for (sql, what) in [
        // Two contents of the same number and kind are exchanged between two runs.
        (
            "UPDATE contents SET run = 'x' || run WHERE content = 9;
             UPDATE contents SET run = iif(run = 'xone', 'two', 'one') WHERE run IN ('xone', 'xtwo')",
            "not as it was written",
        ),
        (
            "INSERT INTO contents SELECT run, content, seq, part + 1, hash, kind, name, bytes
             FROM contents WHERE run = 'one' AND content = 9",
            "not as it was written",
        ),
        (
            "INSERT INTO contents SELECT run, content, seq + 1, part, hash, kind, name, bytes
             FROM contents WHERE run = 'one' AND content = 9",
            "not as it was written",
        ),
        (
            "UPDATE journal SET contents = NULL WHERE run = 'one' AND seq = 9",
            "not as they were written",
        ),
        ("DELETE FROM contents WHERE run = 'one' AND content = 9", "missing"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = sample(folder.path()).await;
        tamper(&path, sql).await;
        let store = SqliteStore::open(&path).await.unwrap();
        let run = fixtures::run_id("one");
        let error = store.contents(&run, &[fixtures::content_id(9)]).await.unwrap_err();
        assert!(error.to_string().contains(what), "{sql}: {error}");
        verify(&store, &run).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_damaged_request_is_shown_without_its_text_and_touches_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = sample(folder.path()).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let (one, two) = (fixtures::run_id("one"), fixtures::run_id("two"));
    for (run, body) in [(&one, "first"), (&one, "second"), (&two, "third")] {
        store.post(run, fixtures::at(1), body).await.unwrap();
    }
    store.close().await.unwrap();
    for (sql, seen, findings) in [
        (
            "UPDATE inbox SET body = 'fjrst' WHERE id = 1",
            vec![None, Some("second")],
            1,
        ),
        (
            "UPDATE inbox SET at = at + 1 WHERE id = 2",
            vec![None, None],
            2,
        ),
        (
            "UPDATE inbox SET run = 'one' WHERE id = 3",
            vec![None, None, None],
            3,
        ),
        (
            "UPDATE inbox SET run = 'onf' WHERE id = 1",
            vec![None, None],
            4,
        ),
    ] {
        tamper(&path, sql).await;
        let store = SqliteStore::open(&path).await.unwrap();
        let inbox = store.inbox(&one).await.unwrap();
        let bodies: Vec<Option<&str>> = inbox.iter().map(|r| r.body.as_deref()).collect();
        assert_eq!(bodies, seen, "{sql}");
        let found = store.check().await.unwrap().findings;
        assert_eq!(found.len(), findings, "{sql}: {found:?}");
        store.close().await.unwrap();
    }
}

#[tokio::test]
async fn damage_to_drafts_is_found_on_every_page_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = sample(folder.path()).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let chain = fixtures::create(&store, fence, "four", 1).await;
    let draft = |number: usize| zeph_memory::Draft {
        run: chain.run().clone(),
        key: format!("log/{number}"),
        at: fixtures::at(1),
        bytes: Some(format!("line {number}").into()),
    };
    let commit = zeph_memory::Commit {
        drafts: (1..=40).map(draft).collect(),
        ..Default::default()
    };
    store.commit(&commit, fence).await.unwrap();
    assert_eq!(store.check().await.unwrap().findings, Vec::<String>::new());
    store.close().await.unwrap();

    // The ends of the first two pages, the beginning of the second one, and the last row.
    let damage = "UPDATE drafts SET bytes = x'00' WHERE key IN ('log/1', 'log/16', 'log/17', 'log/32', 'log/40')";
    tamper(&path, damage).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let expected = [1, 16, 17, 32, 40]
        .map(|number| format!("draft \"log/{number}\" of run \"four\" is not as it was written"));
    assert_eq!(store.check().await.unwrap().findings, expected);
}

/// The index of the list loses the run `one`.
const DAMAGE_INDEX: &str = "PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = sql || ' WHERE run <> ''one''' WHERE name = 'runs_newest';
    PRAGMA writable_schema = RESET; REINDEX runs_newest; PRAGMA writable_schema = ON;
    UPDATE sqlite_schema SET sql = replace(sql, ' WHERE run <> ''one''', '') WHERE name = 'runs_newest';
    PRAGMA writable_schema = RESET;";

#[tokio::test]
async fn runs_and_their_leftovers_are_counted_without_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = sample(folder.path()).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let check = store.check().await.unwrap();
    assert_eq!(check.findings, Vec::<String>::new());
    let names: Vec<&str> = check.runs.iter().map(RunId::as_str).collect();
    assert_eq!(names, ["one", "two", "three"]);
    store.close().await.unwrap();

    tamper(&path, DAMAGE_INDEX).await;
    let store = SqliteStore::open(&path).await.unwrap();
    let listed = store.list(zeph_memory::ListQuery::default()).await.unwrap();
    assert_eq!(listed.len(), 2);
    let check = store.check().await.unwrap();
    assert_eq!(check.runs.len(), 3);
    let named = |found: &String| found.contains("runs_newest");
    assert!(check.findings.iter().any(named), "{:?}", check.findings);
    store.close().await.unwrap();

    tamper(&path, "DELETE FROM runs; REINDEX").await;
    let store = SqliteStore::open(&path).await.unwrap();
    let check = store.check().await.unwrap();
    let strays = check
        .findings
        .iter()
        .filter(|f| f.contains("which is missing"));
    assert_eq!(strays.count(), 6, "{:?}", check.findings);

    // What is left of a run keeps only a new run of its name from starting.
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    let new = zeph_memory::NewRun::new(fixtures::run_id("one"), "", fixtures::at(0), "{}");
    let append = zeph_memory::Chain::genesis(&new)
        .seal(
            vec![fixtures::row("one", 1)],
            zeph_memory::RunStatus::open("running"),
        )
        .creating(new);
    let error = store
        .commit(&zeph_memory::Commit::one(append), fence)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::Damaged { run, .. } if run.as_str() == "one"),
        "{error}"
    );
    fixtures::create(&store, fence, "four", 1).await;
}

#[tokio::test]
async fn a_line_of_the_list_that_is_not_as_written_is_marked() {
    for sql in [
        "UPDATE runs SET created_at = -created_at WHERE run = 'two'",
        "UPDATE runs SET created_at = -9223372036854775808 WHERE run = 'two'",
        "UPDATE runs SET updated_at = updated_at + 1 WHERE run = 'two'",
        "UPDATE runs SET state = 'completed' WHERE run = 'two'",
        "UPDATE runs SET open = 0 WHERE run = 'two'",
        "UPDATE runs SET summary = '{} ' WHERE run = 'two'",
        "UPDATE runs SET last_seq = 59 WHERE run = 'two'",
        "UPDATE runs SET title = 'twp' WHERE run = 'two'",
        "UPDATE runs SET title = replace(hex(zeroblob(25000000)), '00', 'xx') WHERE run = 'two'",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (path, _) = sample(folder.path()).await;
        tamper(&path, sql).await;
        let store = SqliteStore::open(&path).await.unwrap();
        let mut query = zeph_memory::ListQuery {
            limit: 1,
            ..Default::default()
        };
        let mut seen = BTreeMap::new();
        // The cursor of each page advances, whatever the times are.
        while let Some(row) = store.list(query.clone()).await.unwrap().pop() {
            query.before = Some(row.cursor());
            assert!(row.title.len() < 70_000);
            assert!(
                seen.insert(row.run.to_string(), row.is_damaged).is_none(),
                "{sql}"
            );
        }
        let expected = [("one", false), ("two", true), ("three", false)];
        let expected = expected.map(|(run, is_damaged)| (run.to_owned(), is_damaged));
        assert_eq!(seen, BTreeMap::from(expected), "{sql}");
    }
}

#[tokio::test]
async fn foreign_logs_and_stale_shared_memory_cause_no_silent_damage() {
    let folder = tempfile::tempdir().unwrap();
    let (path, runs) = sample(folder.path()).await;
    let sound = fs::read(&path).unwrap();
    // The log of another run database, with changes that were not written back.
    let other = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(other.path().join("runs.db"))
        .await
        .unwrap();
    let fence = store.claim("test", fixtures::at(0)).await.unwrap();
    fixtures::create(&store, fence, "foreign", 20).await;
    let wal = fs::read(other.path().join("runs.db-wal")).unwrap();
    let shm = fs::read(other.path().join("runs.db-shm")).unwrap();

    let path = damage(folder.path(), &sound);
    fs::write(folder.path().join("damaged.db-wal"), &wal).unwrap();
    assert!(served(&path, &runs, "a foreign log").await > 0);

    let path = damage(folder.path(), &sound);
    fs::write(folder.path().join("damaged.db-shm"), &shm).unwrap();
    assert_eq!(served(&path, &runs, "stale shared memory").await, 0);
}
