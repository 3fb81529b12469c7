//! Cases: drafts are replaced, removed with an append, and belong to the owner of their run.

use bytes::Bytes;
use zeph_graph::RunId;

use super::fixtures::{ClaimedStore, Place, at, done, next, refused, run_id, same};
use super::{Checked, Outcome};
use crate::draft::Draft;
use crate::run::RunStatus;
use crate::store::Commit;

fn draft(run: &RunId, key: &str, micros: u64, bytes: Option<&'static [u8]>) -> Draft {
    Draft {
        run: run.clone(),
        key: key.to_owned(),
        at: at(micros),
        bytes: bytes.map(Bytes::from_static),
    }
}

async fn write(store: &ClaimedStore, drafts: Vec<Draft>) -> Result<(), String> {
    let commit = Commit {
        drafts,
        ..Commit::default()
    };
    done("write drafts", store.commit(commit).await)
}

async fn drafts(store: &ClaimedStore, run: &RunId, prefix: &str) -> Result<Vec<Draft>, String> {
    done("drafts", store.store.drafts(run, prefix).await)
}

pub(super) async fn drafts_are_replaced_and_removed(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("one", 1).await?;
    let other = claimed.create("two", 1).await?;
    let run = chain.run().clone();
    let first = vec![
        draft(&run, "2/é", 1, Some(b"")),
        draft(&run, "1", 1, Some(b"a\xff\0")),
        draft(&run, "10", 1, Some(b"ten")),
        draft(other.run(), "1", 1, Some(b"of another run")),
    ];
    write(&claimed, first.clone()).await?;
    let sorted = [&first[1], &first[2], &first[0]].map(Clone::clone);
    same("drafts", drafts(&claimed, &run, "").await?, &sorted[..])?;
    same(
        "of a key",
        drafts(&claimed, &run, "2/").await?,
        &sorted[2..],
    )?;
    same(
        "of a prefix",
        drafts(&claimed, &run, "1").await?,
        &sorted[..2],
    )?;
    same(
        "unknown",
        drafts(&claimed, &run_id("three")?, "").await?,
        [],
    )?;
    // With an append: one is replaced, two are removed, one of them is not there.
    let longer = draft(&run, "1", 2, Some(b"longer"));
    let commit = Commit {
        drafts: vec![
            longer.clone(),
            draft(&run, "10", 2, None),
            draft(&run, "none", 2, None),
        ],
        ..Commit::one(next(&mut chain))
    };
    done("commit", claimed.commit(commit).await)?;
    let again = place.open().await?;
    let left = [longer, first[0].clone()];
    same("left", drafts(&again, &run, "").await?, &left[..])?;
    same(
        "of the other run",
        drafts(&again, other.run(), "").await?,
        &first[3..],
    )?;
    // A refused commit changes no draft.
    next(&mut chain);
    let late = Commit {
        drafts: vec![draft(&run, "1", 3, None)],
        ..Commit::one(next(&mut chain))
    };
    refused("a gap", "out_of_order", claimed.commit(late).await)?;
    same("left", drafts(&again, &run, "").await?, &left[..])?;
    Ok(Outcome::Passed)
}

pub(super) async fn drafts_of_another_owner_are_left(place: Place<'_>) -> Checked {
    let first = place.open().await?;
    let chain = first.create("run", 1).await?;
    let run = chain.run();
    let old = draft(run, "a", 1, Some(b"old"));
    write(&first, vec![old.clone()]).await?;
    let second = place.open().await?;
    let late = || {
        let new = draft(run, "b", 2, Some(b"new"));
        vec![draft(run, "a", 2, None), new]
    };
    write(&second, late()).await?;
    same("left", drafts(&second, run, "").await?, [old])?;
    second.adopt(run).await?;
    write(&first, vec![draft(run, "a", 3, Some(b"too late"))]).await?;
    write(&second, late()).await?;
    same("left", drafts(&first, run, "").await?, &late()[1..])?;
    write(&second, vec![draft(&run_id("none")?, "a", 1, Some(b"x"))]).await?;
    same(
        "of no run",
        drafts(&second, &run_id("none")?, "").await?,
        [],
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn drafts_are_deleted_with_their_run(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let ended = RunStatus::ended("completed");
    let chain = claimed.create_at("away", 1, 1, ended.clone()).await?;
    let kept = claimed.create("kept", 1).await?;
    for run in [chain.run(), kept.run()] {
        write(&claimed, vec![draft(run, "a", 1, Some(b"bytes"))]).await?;
    }
    let deleted = claimed.store.delete(chain.run(), claimed.fence).await;
    done("delete", deleted)?;
    claimed.create_at("away", 1, 1, ended).await?;
    for (run, left) in [(chain.run(), 0), (kept.run(), 1)] {
        let drafts = drafts(&claimed, run, "").await?;
        same(&format!("drafts of {run}"), drafts.len(), left)?;
    }
    Ok(Outcome::Passed)
}
