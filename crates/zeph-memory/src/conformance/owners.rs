//! Cases: each run has one owner, and owners of different runs do not affect each other.

use super::fixtures::{ClaimedStore, at, both, done, holds, new_run, refused, row, run_id, same};
use super::{Harness, Outcome};
use crate::chain::{Append, Chain};
use crate::error::StoreError;
use crate::run::{ListQuery, RunStatus};
use crate::store::Commit;

fn next(chain: &mut Chain) -> Append {
    let number = chain.next_seq().get();
    chain.seal(vec![row(number)], RunStatus::open("running"))
}

/// Checks that the store has exactly the rows of this chain.
async fn stands(claimed: &ClaimedStore, chain: &Chain) -> Result<(), String> {
    let stored = done("load", claimed.store.load(chain.run()).await)?;
    same(&format!("run {}", chain.run()), &stored.chain, chain)
}

pub(super) async fn epochs_are_never_used_twice(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let first = ClaimedStore::open(harness, place).await?;
    let second = ClaimedStore::open(harness, place).await?;
    holds("epochs rise", second.fence > first.fence)?;
    let again = done("claim", first.store.claim("again", at(1)).await)?;
    holds("epochs rise within one store", again > second.fence)?;
    drop((first, second));
    let third = ClaimedStore::open(harness, place).await?;
    holds("epochs rise after a restart", third.fence > again)?;
    Ok(Outcome::Passed)
}

pub(super) async fn two_owners_commit_to_two_runs_at_once(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let first = ClaimedStore::open(harness, place).await?;
    let mut one = first.create("one", 1).await?;
    let second = ClaimedStore::open(harness, place).await?;
    let mut two = second.create("two", 1).await?;
    for _ in 0..20 {
        let (a, b) = (Commit::one(next(&mut one)), Commit::one(next(&mut two)));
        let (a, b) = both(first.commit(a), second.commit(b)).await;
        done("the first owner", a)?;
        done("the second owner", b)?;
    }
    for (claimed, chain) in [(&first, &two), (&second, &one)] {
        stands(claimed, chain).await?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn adopting_fences_the_former_owner(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let first = ClaimedStore::open(harness, place).await?;
    let (mut taken, mut kept) = (
        first.create("taken", 1).await?,
        first.create("kept", 1).await?,
    );
    let second = ClaimedStore::open(harness, place).await?;
    for _ in 0..2 {
        let adopted = second.store.adopt(taken.run(), second.fence).await;
        done("adopt", adopted)?;
    }
    let append = next(&mut taken.clone());
    match first.commit(Commit::one(append)).await {
        Err(StoreError::Fenced { run, ours, theirs }) => {
            let expected = (taken.run(), first.fence.epoch, second.fence.epoch);
            same("who lost what to whom", &(&run, ours, theirs), &expected)?;
        }
        result => refused("the former owner", "fenced", result)?,
    }
    stands(&first, &taken).await?;
    let other = Commit::one(next(&mut kept));
    done("its other run", first.commit(other).await)?;
    done(
        "the new owner",
        second.commit(Commit::one(next(&mut taken))).await,
    )?;
    // The fence error takes precedence over the outdated position.
    let late = taken.clone().seal(vec![], RunStatus::ended("failed"));
    let ahead = Commit::one(next(&mut taken));
    done("one more row", second.commit(ahead).await)?;
    refused(
        "a former owner that fell behind",
        "fenced",
        first.commit(Commit::one(late)).await,
    )?;
    // An earlier epoch may adopt the run again.
    let adopted = first.store.adopt(taken.run(), first.fence).await;
    done("adopt back", adopted)?;
    let append = next(&mut taken.clone());
    refused(
        "the owner in between",
        "fenced",
        second.commit(Commit::one(append)).await,
    )?;
    let back = Commit::one(next(&mut taken));
    done("the owner again", first.commit(back).await)?;
    stands(&second, &taken).await?;
    stands(&second, &kept).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn a_group_with_a_foreign_run_is_refused_whole(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let first = ClaimedStore::open(harness, place).await?;
    // The foreign run is neither the first nor the last by name.
    let (own, lost) = (first.create("a", 1).await?, first.create("b", 1).await?);
    let second = ClaimedStore::open(harness, place).await?;
    let adopted = second.store.adopt(lost.run(), second.fence).await;
    done("adopt", adopted)?;
    let request = done("post", first.store.post(own.run(), at(1), "{}").await)?;
    let new = new_run("c", 1)?;
    let created = next(&mut Chain::genesis(&new)).creating(new.clone());
    let commit = Commit {
        appends: vec![created, next(&mut own.clone()), next(&mut lost.clone())],
        settled: vec![request],
    };
    match first.commit(commit).await {
        Err(StoreError::Fenced { run, .. }) => same("the foreign run", &run, lost.run())?,
        result => refused("a group with a foreign run", "fenced", result)?,
    }
    refused("load", "not_found", first.store.load(&new.run).await)?;
    stands(&second, &own).await?;
    stands(&second, &lost).await?;
    let left = done("inbox", first.store.inbox(own.run()).await)?.len();
    same("requests left", &left, &1)?;
    // Without the foreign run the commit succeeds.
    let commit = Commit::one(next(&mut own.clone())).settling(request);
    done("the own run alone", first.commit(commit).await)?;
    Ok(Outcome::Passed)
}

pub(super) async fn only_the_owner_settles(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let first = ClaimedStore::open(harness, place).await?;
    let chain = first.create("asked", 1).await?;
    let request = done("post", first.store.post(chain.run(), at(1), "{}").await)?;
    let second = ClaimedStore::open(harness, place).await?;
    let settle = Commit {
        appends: vec![],
        settled: vec![request],
    };
    for (claimed, left) in [(&second, 1), (&first, 0)] {
        done("settle", claimed.commit(settle.clone()).await)?;
        let inbox = done("inbox", claimed.store.inbox(chain.run()).await)?;
        same("requests left", &inbox.len(), &left)?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn an_ended_run_is_adopted_and_deleted_by_anybody(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let first = ClaimedStore::open(harness, place).await?;
    let ended = RunStatus::ended("completed");
    for name in ["adopted", "deleted"] {
        first.create_at(name, 1, 1, ended.clone()).await?;
    }
    let second = ClaimedStore::open(harness, place).await?;
    let (adopted, deleted) = (run_id("adopted")?, run_id("deleted")?);
    let result = second.store.adopt(&adopted, second.fence).await;
    done("adopt an ended run", result)?;
    let result = second.store.delete(&deleted, second.fence).await;
    done("delete by another owner", result)?;
    let result = first.store.delete(&adopted, first.fence).await;
    done("delete by the former owner", result)?;
    for run in [&adopted, &deleted] {
        refused("get", "not_found", first.store.get(run).await)?;
        let result = first.store.adopt(run, first.fence).await;
        refused("adopt a deleted run", "not_found", result)?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn get_and_list_name_the_owner(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let first = ClaimedStore::open(harness, place).await?;
    let status = RunStatus {
        summary: "[1]".into(),
        ..RunStatus::open("running")
    };
    let chain = first.create_at("mine", 2, 3, status.clone()).await?;
    first.create("other", 0).await?;
    let line = done("get", first.store.get(chain.run()).await)?;
    same("the run", &line.run, chain.run())?;
    same("title", &line.title, &"Run mine".to_owned())?;
    same("created at", &line.created_at, &at(2))?;
    same("updated at", &line.updated_at, &at(3))?;
    same("last row", &line.last_seq, &chain.last_seq())?;
    same("status", &line.status, &status)?;
    same("its creator owns it", &line.epoch, &first.fence.epoch)?;
    let second = ClaimedStore::open(harness, place).await?;
    let line = done("get", second.store.get(chain.run()).await)?;
    same("a claim takes nothing", &line.epoch, &first.fence.epoch)?;
    let adopted = second.store.adopt(chain.run(), second.fence).await;
    done("adopt", adopted)?;
    let line = done("get", first.store.get(chain.run()).await)?;
    same("who adopted it owns it", &line.epoch, &second.fence.epoch)?;
    for open in [None, Some(true)] {
        let query = ListQuery {
            open,
            ..ListQuery::default()
        };
        let lines = done("list", first.store.list(query).await)?;
        same("the line in the list", &lines.first(), &Some(&line))?;
        let epochs: Vec<_> = lines.iter().map(|line| line.epoch).collect();
        let expected = vec![second.fence.epoch, first.fence.epoch];
        same("owners in the list", &epochs, &expected)?;
    }
    stands(&first, &chain).await?;
    Ok(Outcome::Passed)
}
