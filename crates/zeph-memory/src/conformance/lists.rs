//! Cases: runs are listed, paged and deleted.

use super::fixtures::{Place, at, done, output, refused, row, run_id, same};
use super::{Checked, Outcome};
use crate::run::{ListQuery, RunRow, RunStatus, RunSummary};
use crate::store::Commit;

fn names(rows: &[RunRow]) -> Vec<&str> {
    rows.iter().map(|row| row.run.as_str()).collect()
}

pub(super) async fn newest_first(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let status = RunStatus::open("running").with_summary(&RunSummary {
        total: 2,
        completed: 1,
        ..RunSummary::default()
    });
    for (name, created) in [("b", 20), ("a", 20), ("old", 10), ("new", 30)] {
        claimed.create_at(name, created, 2, status.clone()).await?;
    }
    let rows = claimed.list(ListQuery::default()).await?;
    same("order", names(&rows), ["new", "b", "a", "old"])?;
    let line = &rows[3];
    same("created at", line.created_at, at(10))?;
    same("updated at", line.updated_at, at(2))?;
    same("last row", line.last_seq.get(), 2)?;
    same("title", &*line.title, "Run old")?;
    same("status", &line.status, &status)?;
    Ok(Outcome::Passed)
}

pub(super) async fn pages(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    for n in 0..7 {
        // Three runs share each creation time, so that pages end between runs of equal time.
        let (name, status) = (format!("r{n}"), RunStatus::open("running"));
        claimed.create_at(&name, n / 3, 0, status).await?;
    }
    let mut seen = Vec::new();
    let mut query = ListQuery {
        limit: 2,
        ..ListQuery::default()
    };
    loop {
        let page = claimed.list(query.clone()).await?;
        let Some(last) = page.last() else { break };
        query.before = Some(last.cursor());
        seen.extend(page.iter().map(|row| row.run.to_string()));
        if seen.len() > 7 {
            break;
        }
    }
    let expected: Vec<_> = (0..7).rev().map(|n| format!("r{n}")).collect();
    same("all pages", seen, expected)?;
    let none = ListQuery {
        limit: 0,
        ..ListQuery::default()
    };
    same("no lines", claimed.list(none).await?, [])?;
    Ok(Outcome::Passed)
}

pub(super) async fn open_filter(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let (running, completed) = (RunStatus::open("running"), RunStatus::ended("completed"));
    claimed.create_at("going", 1, 1, running.clone()).await?;
    claimed.create_at("gone", 2, 1, completed).await?;
    let mut closing = claimed.create_at("closing", 3, 1, running).await?;
    let append = closing.seal(vec![row(2)], RunStatus::ended("failed"));
    done("end", claimed.append(append).await)?;
    for (open, expected) in [(true, vec!["going"]), (false, vec!["closing", "gone"])] {
        let query = ListQuery {
            open: Some(open),
            ..ListQuery::default()
        };
        same("filtered", names(&claimed.list(query).await?), expected)?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn names_are_found_by_prefix(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
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
        same(&format!("runs that begin with {prefix:?}"), found, expected)?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn delete_ended_runs_only(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("away", 1).await?;
    let kept = claimed.create("kept", 1).await?;
    for run in [chain.run(), kept.run()] {
        claimed.post(run, 1, "{}").await?;
    }
    let (store, run) = (&claimed.store, chain.run().clone());
    let open = store.delete(&run, claimed.fence).await;
    refused("delete of an open run", "open", open)?;
    let last = row(2).with(output(1, "bytes")?);
    let append = chain.seal(vec![last], RunStatus::ended("completed"));
    done("end", claimed.append(append).await)?;
    done("delete", store.delete(&run, claimed.fence).await)?;
    refused("load", "not_found", store.load(&run).await)?;
    let contents = store.contents(&run, &[zeph_graph::ContentId::FIRST]).await;
    refused("contents", "not_found", contents)?;
    let again = store.delete(&run, claimed.fence).await;
    refused("delete again", "not_found", again)?;
    for (run, left) in [(&run, 0), (kept.run(), 1)] {
        let inbox = claimed.inbox(run).await?;
        same(&format!("requests left to {run}"), inbox.len(), left)?;
    }
    claimed.has(&kept).await?;
    // The name is free again, and no data of the old run is visible.
    let again = claimed.create("away", 1).await?;
    claimed.has(&again).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn many_runs_are_deleted_together_or_not_at_all(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut runs = Vec::new();
    for number in 0..150 {
        let (name, status) = (format!("ended-{number}"), RunStatus::ended("completed"));
        let chain = claimed.create_at(&name, 1, 2, status).await?;
        claimed.post(chain.run(), 1, "{}").await?;
        runs.push(chain.run().clone());
    }
    let mut open = claimed.create("open", 2).await?;
    let unknown = run_id("unknown")?;
    let (store, fence) = (&claimed.store, claimed.fence);
    let mut with_open = runs.clone();
    with_open.insert(100, open.run().clone());
    let refusal = store.delete_all(&with_open, fence).await;
    refused("delete of many with an open run", "open", refusal)?;
    let kept = claimed
        .list(ListQuery {
            limit: 200,
            ..ListQuery::default()
        })
        .await?;
    same("the runs after a refusal", kept.len(), 151)?;

    let mut asked = runs.clone();
    asked.insert(3, unknown);
    let deleted = done("delete of many", store.delete_all(&asked, fence).await)?;
    same("the deleted runs", &deleted, &runs)?;
    let again = done("delete again", store.delete_all(&asked, fence).await)?;
    same("the runs that are deleted again", &again[..], &[])?;
    same(
        "delete of none",
        done("delete", store.delete_all(&[], fence).await)?,
        Vec::new(),
    )?;
    for run in [&runs[0], &runs[149]] {
        refused("load", "not_found", store.load(run).await)?;
        same("requests left", claimed.inbox(run).await?.len(), 0)?;
    }
    // The others are as before.
    claimed.has(&open).await?;
    claimed.write(&mut open, vec![row(3)]).await?;
    claimed.verify(open.run()).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn an_empty_store(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    same("list", claimed.list(ListQuery::default()).await?, [])?;
    same("find", done("find", claimed.store.find("", 1).await)?, [])?;
    done("an empty commit", claimed.commit(Commit::default()).await)?;
    Ok(Outcome::Passed)
}
