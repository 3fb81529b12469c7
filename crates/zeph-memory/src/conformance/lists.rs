//! Cases: runs are listed, paged and deleted.

use super::fixtures::{ClaimedStore, at, done, output, refused, row, same};
use super::{Harness, Outcome};
use crate::run::{ListQuery, RunRow, RunStatus, RunSummary};
use crate::store::Commit;

fn names(rows: &[RunRow]) -> Vec<String> {
    rows.iter().map(|row| row.run.to_string()).collect()
}

pub(super) async fn newest_first(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let status = RunStatus::open("running").with_summary(&RunSummary {
        total: 2,
        completed: 1,
        ..RunSummary::default()
    });
    for (name, created) in [("b", 20), ("a", 20), ("old", 10), ("new", 30)] {
        claimed.create_at(name, created, 2, status.clone()).await?;
    }
    let rows = done("list", claimed.store.list(ListQuery::default()).await)?;
    same(
        "order",
        &names(&rows),
        &["new", "b", "a", "old"].map(String::from).to_vec(),
    )?;
    let line = &rows[3];
    same("created at", &line.created_at, &at(10))?;
    same("updated at", &line.updated_at, &at(2))?;
    same("last row", &line.last_seq.get(), &2)?;
    same("title", &line.title, &"Run old".to_owned())?;
    same("status", &line.status, &status)?;
    Ok(Outcome::Passed)
}

pub(super) async fn pages(harness: &dyn Harness, place: &'static str) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    for n in 0..7 {
        // Three runs share each creation time, so that pages end between runs of equal time.
        claimed
            .create_at(&format!("r{n}"), n / 3, 0, RunStatus::open("running"))
            .await?;
    }
    let mut seen = Vec::new();
    let mut query = ListQuery {
        limit: 2,
        before: None,
        open: None,
    };
    loop {
        let page = done("list", claimed.store.list(query.clone()).await)?;
        let Some(last) = page.last() else { break };
        query.before = Some(last.cursor());
        seen.extend(names(&page));
        if seen.len() > 7 {
            break;
        }
    }
    let expected: Vec<_> = (0..7).rev().map(|n| format!("r{n}")).collect();
    same("all pages", &seen, &expected)?;
    let none = ListQuery {
        limit: 0,
        before: None,
        open: None,
    };
    same(
        "no lines",
        &done("list", claimed.store.list(none).await)?,
        &vec![],
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn open_filter(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    claimed
        .create_at("going", 1, 1, RunStatus::open("running"))
        .await?;
    claimed
        .create_at("gone", 2, 1, RunStatus::ended("completed"))
        .await?;
    let mut closing = claimed
        .create_at("closing", 3, 1, RunStatus::open("running"))
        .await?;
    let append = closing.seal(vec![row(2)], RunStatus::ended("failed"));
    done("end", claimed.commit(Commit::one(append)).await)?;
    for (open, expected) in [(true, vec!["going"]), (false, vec!["closing", "gone"])] {
        let query = ListQuery {
            open: Some(open),
            ..ListQuery::default()
        };
        let rows = done("list", claimed.store.list(query).await)?;
        let expected: Vec<_> = expected.into_iter().map(String::from).collect();
        same("filtered", &names(&rows), &expected)?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn names_are_found_by_prefix(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    for name in ["ab", "a_c", "a-z", "a", "azz", "b", "9a"] {
        claimed.create(name, 0).await?;
    }
    for (prefix, limit, expected) in [
        ("a", 9, vec!["a", "a-z", "a_c", "ab", "azz"]),
        ("a", 2, vec!["a", "a-z"]),
        ("a", 0, vec![]),
        ("a_", 9, vec!["a_c"]),
        ("az", 9, vec!["azz"]),
        ("azzz", 9, vec![]),
        ("%", 9, vec![]),
        ("", 9, vec!["9a", "a", "a-z", "a_c", "ab", "azz", "b"]),
    ] {
        let found = done("find", claimed.store.find(prefix, limit).await)?;
        let found: Vec<&str> = found.iter().map(zeph_graph::RunId::as_str).collect();
        same(
            &format!("runs that begin with {prefix:?}"),
            &found,
            &expected,
        )?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn delete_ended_runs_only(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("away", 1).await?;
    let kept = claimed.create("kept", 1).await?;
    let store = &claimed.store;
    for run in [chain.run(), kept.run()] {
        done("post", store.post(run, at(1), "{}").await)?;
    }
    refused(
        "delete of an open run",
        "open",
        store.delete(chain.run(), claimed.fence).await,
    )?;
    let last = row(2).with(output(1, "bytes")?);
    done(
        "end",
        claimed
            .commit(Commit::one(
                chain.seal(vec![last], RunStatus::ended("completed")),
            ))
            .await,
    )?;
    done("delete", store.delete(chain.run(), claimed.fence).await)?;
    refused("load", "not_found", store.load(chain.run()).await)?;
    refused(
        "contents",
        "not_found",
        store
            .contents(chain.run(), &[zeph_graph::ContentId::FIRST])
            .await,
    )?;
    refused(
        "delete again",
        "not_found",
        store.delete(chain.run(), claimed.fence).await,
    )?;
    for (run, left) in [(chain.run(), 0), (kept.run(), 1)] {
        let inbox = done("inbox", store.inbox(run).await)?;
        same(&format!("requests left to {run}"), &inbox.len(), &left)?;
    }
    same(
        "the other run",
        &done("load", store.load(kept.run()).await)?.chain,
        &kept,
    )?;
    // The name is free again, and no data of the old run is visible.
    let again = claimed.create("away", 1).await?;
    same(
        "the new run",
        &done("load", store.load(again.run()).await)?.chain,
        &again,
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn an_empty_store(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    same(
        "list",
        &done("list", claimed.store.list(ListQuery::default()).await)?,
        &vec![],
    )?;
    same(
        "find",
        &done("find", claimed.store.find("", 1).await)?,
        &vec![],
    )?;
    done("an empty commit", claimed.commit(Commit::default()).await)?;
    Ok(Outcome::Passed)
}
