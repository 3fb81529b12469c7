//! Cases: an owner creates and continues runs with atomic commits.

use super::fixtures::{ClaimedStore, at, both, done, holds, new_run, refused, row, run_id, same};
use super::{Harness, Outcome};
use crate::chain::Chain;
use crate::row::{Row, StoredRow};
use crate::run::{NewRun, RunStatus};
use crate::store::Commit;

pub(super) async fn create_and_load(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let new = new_run("created", 5)?;
    let status = RunStatus {
        summary: r#"{"done":0}"#.into(),
        ..RunStatus::open("running")
    };
    let mut chain = Chain::genesis(&new);
    let append = chain
        .seal(vec![row(1), row(2)], status.clone())
        .creating(new.clone());
    done("commit", claimed.commit(Commit::one(append)).await)?;
    let stored = done("load", claimed.store.load(&new.run).await)?;
    same("what it was created with", &stored.new, &new)?;
    same("status", &stored.status, &status)?;
    same("updated at", &stored.updated_at, &at(2))?;
    same("chain", &stored.chain, &chain)?;
    let expected: Vec<_> = [row(1), row(2)]
        .into_iter()
        .zip([1, 2].map(zeph_graph::Seq::new))
        .map(|(row, seq)| StoredRow {
            seq,
            at: row.at,
            payload: row.payload,
        })
        .collect();
    same("rows", &stored.rows, &expected)?;
    Ok(Outcome::Passed)
}

pub(super) async fn create_without_rows(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("empty", 0).await?;
    let stored = done("load", claimed.store.load(chain.run()).await)?;
    same("chain", &stored.chain, &chain)?;
    same("updated at", &stored.updated_at, &at(1))?;
    let append = chain.seal(vec![row(9)], RunStatus::open("running"));
    done("first rows", claimed.commit(Commit::one(append)).await)?;
    same(
        "rows",
        &done("load", claimed.store.load(chain.run()).await)?
            .rows
            .len(),
        &1,
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn append_and_reopen(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("again", 3).await?;
    let append = chain.seal(vec![row(4)], RunStatus::open("paused"));
    done("append", claimed.commit(Commit::one(append)).await)?;
    let before = done("load", claimed.store.load(chain.run()).await)?;
    drop(claimed);
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut after = done(
        "load after reopening",
        claimed.store.load(chain.run()).await,
    )?;
    same("the run after reopening", &after, &before)?;
    let adopted = claimed.store.adopt(chain.run(), claimed.fence).await;
    done("adopt", adopted)?;
    let append = after
        .chain
        .seal(vec![row(5)], RunStatus::ended("completed"));
    done(
        "continue from the loaded chain",
        claimed.commit(Commit::one(append)).await,
    )?;
    same(
        "rows",
        &done("load", claimed.store.load(chain.run()).await)?
            .rows
            .len(),
        &5,
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn several_appends_of_one_run(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let new = new_run("twice", 1)?;
    let mut chain = Chain::genesis(&new);
    let first = chain
        .seal(vec![row(1)], RunStatus::open("running"))
        .creating(new);
    let second = chain.seal(vec![row(2), row(3)], RunStatus::ended("completed"));
    let swapped = Commit {
        appends: vec![second.clone(), first.clone()],
        settled: vec![],
    };
    holds(
        "appends in the wrong order are refused",
        claimed.commit(swapped).await.is_err(),
    )?;
    refused("load", "not_found", claimed.store.load(chain.run()).await)?;
    let commit = Commit {
        appends: vec![first, second],
        settled: vec![],
    };
    done("two appends of one run", claimed.commit(commit).await)?;
    let stored = done("load", claimed.store.load(chain.run()).await)?;
    same("chain", &stored.chain, &chain)?;
    same("state", &stored.status.state, &"completed".to_owned())?;
    Ok(Outcome::Passed)
}

pub(super) async fn status_without_rows(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("status", 2).await?;
    let before = chain.clone();
    let append = chain.seal(vec![], RunStatus::ended("canceled"));
    done("commit", claimed.commit(Commit::one(append)).await)?;
    let stored = done("load", claimed.store.load(chain.run()).await)?;
    same("state", &stored.status.state, &"canceled".to_owned())?;
    same("chain", &stored.chain, &before)?;
    Ok(Outcome::Passed)
}

pub(super) async fn group_commit_is_atomic(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut one = claimed.create("one", 1).await?;
    let mut two = claimed.create("two", 1).await?;
    let before = (one.clone(), two.clone());
    let new = new_run("three", 1)?;
    let third = Chain::genesis(&new)
        .seal(vec![row(1)], RunStatus::open("running"))
        .creating(new.clone());
    let good = one.seal(vec![row(2)], RunStatus::ended("completed"));
    two.seal(vec![row(2)], RunStatus::open("running"));
    let bad = two.seal(vec![row(3)], RunStatus::open("running"));
    let commit = Commit {
        appends: vec![third, good, bad],
        settled: vec![],
    };
    refused(
        "one bad append among three",
        "out_of_order",
        claimed.commit(commit).await,
    )?;
    refused(
        "load of the new run",
        "not_found",
        claimed.store.load(&new.run).await,
    )?;
    let stored = done("load", claimed.store.load(one.run()).await)?;
    same("the good one", &stored.chain, &before.0)?;
    same(
        "the good one's state",
        &stored.status.state,
        &"running".to_owned(),
    )?;
    same(
        "the bad one",
        &done("load", claimed.store.load(two.run()).await)?.chain,
        &before.1,
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn gaps_are_refused(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("gap", 2).await?;
    let before = chain.clone();
    chain.seal(vec![row(3)], RunStatus::open("running"));
    let late = chain.seal(vec![row(4)], RunStatus::open("running"));
    refused(
        "a gap",
        "out_of_order",
        claimed.commit(Commit::one(late)).await,
    )?;
    let empty = chain.seal(vec![], RunStatus::open("running"));
    refused(
        "a status after a gap",
        "out_of_order",
        claimed.commit(Commit::one(empty)).await,
    )?;
    same(
        "chain",
        &done("load", claimed.store.load(before.run()).await)?.chain,
        &before,
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn repetition_is_refused(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("repeat", 1).await?;
    let append = chain.seal(vec![row(2)], RunStatus::open("running"));
    done(
        "first time",
        claimed.commit(Commit::one(append.clone())).await,
    )?;
    refused(
        "second time",
        "out_of_order",
        claimed.commit(Commit::one(append)).await,
    )?;
    same(
        "rows",
        &done("load", claimed.store.load(chain.run()).await)?
            .rows
            .len(),
        &2,
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn forks_are_refused(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("fork", 1).await?;
    let mut other = chain.clone();
    let append = chain.seal(vec![row(2)], RunStatus::open("running"));
    done("commit", claimed.commit(Commit::one(append)).await)?;
    other.seal(vec![row(7)], RunStatus::open("running"));
    let fork = other.seal(vec![row(3)], RunStatus::open("running"));
    refused(
        "another history",
        "forked",
        claimed.commit(Commit::one(fork)).await,
    )?;
    same(
        "chain",
        &done("load", claimed.store.load(chain.run()).await)?.chain,
        &chain,
    )?;
    // An append may create only the run that its chain began with.
    let new = new_run("fork-2", 1)?;
    let altered = NewRun {
        title: "Another title".into(),
        ..new.clone()
    };
    let append = Chain::genesis(&new)
        .seal(vec![row(1)], RunStatus::open("running"))
        .creating(altered);
    refused(
        "another beginning",
        "forked",
        claimed.commit(Commit::one(append)).await,
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn a_run_is_created_once(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let chain = claimed.create("once", 2).await?;
    let new = new_run("once", 99)?;
    let append = Chain::genesis(&new)
        .seal(vec![row(1)], RunStatus::ended("failed"))
        .creating(new.clone());
    refused(
        "create again",
        "exists",
        claimed.commit(Commit::one(append.clone())).await,
    )?;
    let both = Commit {
        appends: vec![append.clone(), append],
        settled: vec![],
    };
    refused("create twice at once", "exists", claimed.commit(both).await)?;
    let stored = done("load", claimed.store.load(&new.run).await)?;
    same("chain", &stored.chain, &chain)?;
    same("created at", &stored.new.created_at, &at(1))?;
    Ok(Outcome::Passed)
}

pub(super) async fn unknown_runs_are_not_found(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let missing = run_id("missing")?;
    let store = &claimed.store;
    refused("load", "not_found", store.load(&missing).await)?;
    refused(
        "contents",
        "not_found",
        store
            .contents(&missing, &[zeph_graph::ContentId::FIRST])
            .await,
    )?;
    refused(
        "no contents",
        "not_found",
        store.contents(&missing, &[]).await,
    )?;
    refused("outline", "not_found", store.outline(&missing).await)?;
    refused("get", "not_found", store.get(&missing).await)?;
    refused(
        "adopt",
        "not_found",
        store.adopt(&missing, claimed.fence).await,
    )?;
    refused("post", "not_found", store.post(&missing, at(1), "{}").await)?;
    refused(
        "delete",
        "not_found",
        store.delete(&missing, claimed.fence).await,
    )?;
    let append =
        Chain::genesis(&new_run("missing", 1)?).seal(vec![row(1)], RunStatus::open("running"));
    refused(
        "append",
        "not_found",
        claimed.commit(Commit::one(append)).await,
    )?;
    same(
        "list",
        &done("list", store.list(crate::run::ListQuery::default()).await)?,
        &vec![],
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn any_text_comes_back(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let odd = "\0 '\"; DROP TABLE runs; -- \u{202e} \u{1f600} \r\n\u{7f} \\u0000";
    let run = run_id("odd")?;
    let new = NewRun::new(run.clone(), odd, at(1), &b"\xff\xfe\0not text"[..]);
    let status = RunStatus {
        state: odd.into(),
        open: true,
        summary: odd.into(),
    };
    let mut chain = Chain::genesis(&new);
    let rows = vec![
        Row::new(at(2), odd),
        Row::new(at(1), ""),
        Row::new(zeph_graph::Timestamp::MAX, "x"),
    ];
    let append = chain.seal(rows, status.clone()).creating(new.clone());
    done("commit", claimed.commit(Commit::one(append)).await)?;
    let stored = done("load", claimed.store.load(&run).await)?;
    same("what it was created with", &stored.new, &new)?;
    same("status", &stored.status, &status)?;
    let payloads: Vec<_> = stored.rows.iter().map(|row| row.payload.as_str()).collect();
    same("payloads", &payloads, &vec![odd, "", "x"])?;
    let line = done(
        "list",
        claimed.store.list(crate::run::ListQuery::default()).await,
    )?;
    same(
        "title",
        &line.first().map(|line| line.title.as_str()),
        &Some(odd),
    )?;
    done("post", claimed.store.post(&run, at(1), odd).await)?;
    let bodies: Vec<_> = done("inbox", claimed.store.inbox(&run).await)?
        .into_iter()
        .map(|r| r.body)
        .collect();
    same("bodies", &bodies, &vec![odd.to_owned()])?;
    Ok(Outcome::Passed)
}

pub(super) async fn concurrent_commits(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut one = claimed.create("one", 0).await?;
    let mut two = claimed.create("two", 0).await?;
    for n in 1..=20 {
        let a = one.seal(vec![row(n)], RunStatus::open("running"));
        let b = two.seal(vec![row(n), row(n)], RunStatus::open("running"));
        let (a, b) = both(
            claimed.commit(Commit::one(a)),
            claimed.commit(Commit::one(b)),
        )
        .await;
        done("one", a)?;
        done("two", b)?;
    }
    same(
        "one",
        &done("load", claimed.store.load(one.run()).await)?.chain,
        &one,
    )?;
    same(
        "two",
        &done("load", claimed.store.load(two.run()).await)?.chain,
        &two,
    )?;
    Ok(Outcome::Passed)
}
