//! Cases: each run has one owner, and owners of different runs do not affect each other.

use super::fixtures::{Place, at, both, done, group, holds, new_run, next, refused, run_id, same};
use super::{Checked, Outcome};
use crate::chain::Chain;
use crate::error::StoreError;
use crate::run::{ListQuery, RunStatus};
use crate::store::{Commit, Lease};

pub(super) async fn epochs_are_never_used_twice(place: Place<'_>) -> Checked {
    let first = place.open().await?;
    let second = place.open().await?;
    holds("epochs rise", second.fence > first.fence)?;
    let again = done("claim", first.store.claim("again", at(1)).await)?;
    holds("epochs rise within one store", again > second.fence)?;
    drop((first, second));
    let third = place.open().await?;
    holds("epochs rise after a restart", third.fence > again)?;
    Ok(Outcome::Passed)
}

pub(super) async fn two_owners_commit_to_two_runs_at_once(place: Place<'_>) -> Checked {
    let first = place.open().await?;
    let mut one = first.create("one", 1).await?;
    let second = place.open().await?;
    let mut two = second.create("two", 1).await?;
    for _ in 0..20 {
        let (a, b) = (next(&mut one), next(&mut two));
        let (a, b) = both(first.append(a), second.append(b)).await;
        done("the first owner", a)?;
        done("the second owner", b)?;
    }
    for (claimed, chain) in [(&first, &two), (&second, &one)] {
        claimed.has(chain).await?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn adopting_fences_the_former_owner(place: Place<'_>) -> Checked {
    let first = place.open().await?;
    let mut taken = first.create("taken", 1).await?;
    let mut kept = first.create("kept", 1).await?;
    let second = place.open().await?;
    for _ in 0..2 {
        second.adopt(taken.run()).await?;
    }
    match first.append(next(&mut taken.clone())).await {
        Err(StoreError::Fenced { run, ours, theirs }) => {
            let expected = (taken.run(), first.fence.epoch, second.fence.epoch);
            same("who lost what to whom", (&run, ours, theirs), expected)?;
        }
        result => refused("the former owner", "fenced", result)?,
    }
    first.has(&taken).await?;
    done("its other run", first.append(next(&mut kept)).await)?;
    done("the new owner", second.append(next(&mut taken)).await)?;
    // The fence error takes precedence over the outdated position.
    let late = taken.clone().seal(vec![], RunStatus::ended("failed"));
    done("one more row", second.append(next(&mut taken)).await)?;
    first
        .refuses("a former owner that fell behind", "fenced", late)
        .await?;
    // An earlier epoch may adopt the run again.
    first.adopt(taken.run()).await?;
    let append = next(&mut taken.clone());
    second
        .refuses("the owner in between", "fenced", append)
        .await?;
    done("the owner again", first.append(next(&mut taken)).await)?;
    second.has(&taken).await?;
    second.has(&kept).await?;
    Ok(Outcome::Passed)
}

pub(super) async fn of_two_that_adopt_a_run_one_becomes_its_owner(place: Place<'_>) -> Checked {
    let former = place.open().await?;
    let mut chain = former.create("run", 1).await?;
    let (first, second) = (place.open().await?, place.open().await?);
    let epoch = former.fence.epoch;
    // Both have seen that the former owner has ended.
    done("release", former.store.release(former.fence).await)?;
    let adopted = first.store.adopt(chain.run(), epoch, first.fence).await;
    done("the first", adopted)?;
    match second.store.adopt(chain.run(), epoch, second.fence).await {
        Err(StoreError::Fenced { run, ours, theirs }) => {
            let expected = (chain.run(), second.fence.epoch, first.fence.epoch);
            same("who lost what to whom", (&run, ours, theirs), expected)?;
        }
        result => refused("the second", "fenced", result)?,
    }
    let adopted = first.store.adopt(chain.run(), epoch, first.fence).await;
    done("the first, again", adopted)?;
    done("the owner", first.append(next(&mut chain)).await)?;
    Ok(Outcome::Passed)
}

pub(super) async fn an_open_run_stays_with_an_owner_that_has_a_lease(place: Place<'_>) -> Checked {
    let owner = place.open().await?;
    let mut chain = owner.create("open", 1).await?;
    let ended = RunStatus::ended("completed");
    let over = owner.create_at("over", 1, 1, ended).await?;
    let other = place.open().await?;
    let epoch = owner.fence.epoch;
    match done("lease", other.store.lease(epoch).await)? {
        Lease::Held { owner: name, .. } => same("the owner", &*name, "conformance")?,
        // The store leaves it to the caller of `adopt` to know who has ended.
        Lease::Unknown => {
            done("release", owner.store.release(owner.fence).await)?;
            let after = done("lease", other.store.lease(epoch).await)?;
            same("the lease after a release", after, Lease::Unknown)?;
            return Ok(Outcome::Passed);
        }
        Lease::Lapsed => return Err("the lease of a new claim has lapsed".into()),
    }
    let adopt = || other.store.adopt(chain.run(), epoch, other.fence);
    refused("adopt from a living owner", "owned", adopt().await)?;
    done(
        "an ended run",
        other.store.adopt(over.run(), epoch, other.fence).await,
    )?;
    for _ in 0..2 {
        done("release", owner.store.release(owner.fence).await)?;
    }
    let lease = done("lease", other.store.lease(epoch).await)?;
    same("the lease after a release", lease, Lease::Lapsed)?;
    done("the owner until then", owner.append(next(&mut chain)).await)?;
    let lease = done("lease", other.store.lease(epoch).await)?;
    same("the lease after a commit", lease, Lease::Lapsed)?;
    let adopted = other.store.adopt(chain.run(), epoch, other.fence).await;
    done("adopt from an owner that has ended", adopted)?;
    let late = next(&mut chain.clone());
    owner.refuses("the former owner", "fenced", late).await?;
    let lease = done("lease", other.store.lease(u64::MAX / 4).await)?;
    same(
        "the lease of an epoch that is not known",
        lease,
        Lease::Lapsed,
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn a_group_with_a_foreign_run_is_refused_whole(place: Place<'_>) -> Checked {
    let first = place.open().await?;
    // The foreign run is neither the first nor the last by name.
    let (own, lost) = (first.create("a", 1).await?, first.create("b", 1).await?);
    let second = place.open().await?;
    second.adopt(lost.run()).await?;
    let request = first.post(own.run(), 1, "{}").await?;
    let new = new_run("c", 1)?;
    let created = next(&mut Chain::genesis(&new)).creating(new.clone());
    let commit = group([created, next(&mut own.clone()), next(&mut lost.clone())]);
    match first.commit(commit.settling(request)).await {
        Err(StoreError::Fenced { run, .. }) => same("the foreign run", &run, lost.run())?,
        result => refused("a group with a foreign run", "fenced", result)?,
    }
    refused("load", "not_found", first.store.load(&new.run).await)?;
    second.has(&own).await?;
    second.has(&lost).await?;
    same("requests left", first.inbox(own.run()).await?.len(), 1)?;
    // Without the foreign run the commit succeeds.
    let commit = Commit::one(next(&mut own.clone())).settling(request);
    done("the own run alone", first.commit(commit).await)?;
    Ok(Outcome::Passed)
}

pub(super) async fn only_the_owner_settles(place: Place<'_>) -> Checked {
    let first = place.open().await?;
    let chain = first.create("asked", 1).await?;
    let request = first.post(chain.run(), 1, "{}").await?;
    let second = place.open().await?;
    for (claimed, left) in [(&second, 1), (&first, 0)] {
        claimed.settle(vec![request]).await?;
        let inbox = claimed.inbox(chain.run()).await?;
        same("requests left", inbox.len(), left)?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn an_ended_run_is_adopted_and_deleted_by_anybody(place: Place<'_>) -> Checked {
    let first = place.open().await?;
    let ended = RunStatus::ended("completed");
    for name in ["adopted", "deleted"] {
        first.create_at(name, 1, 1, ended.clone()).await?;
    }
    let second = place.open().await?;
    let (adopted, deleted) = (run_id("adopted")?, run_id("deleted")?);
    second.adopt(&adopted).await?;
    let result = second.store.delete(&deleted, second.fence).await;
    done("delete by another owner", result)?;
    let result = first.store.delete(&adopted, first.fence).await;
    done("delete by the former owner", result)?;
    for run in [&adopted, &deleted] {
        refused("get", "not_found", first.store.get(run).await)?;
        let result = first.store.adopt(run, 1, first.fence).await;
        refused("adopt a deleted run", "not_found", result)?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn get_and_list_name_the_owner(place: Place<'_>) -> Checked {
    let first = place.open().await?;
    let status = RunStatus {
        summary: "[1]".into(),
        ..RunStatus::open("running")
    };
    let chain = first.create_at("mine", 2, 3, status.clone()).await?;
    first.create("other", 0).await?;
    let line = first.get(chain.run()).await?;
    same("the run", &line.run, chain.run())?;
    same("title", &*line.title, "Run mine")?;
    same("created at", &line.created_at, &at(2))?;
    same("updated at", &line.updated_at, &at(3))?;
    same("last row", &line.last_seq, &chain.last_seq())?;
    same("status", &line.status, &status)?;
    same("its creator owns it", &line.epoch, &first.fence.epoch)?;
    let second = place.open().await?;
    let line = second.get(chain.run()).await?;
    same("a claim takes nothing", &line.epoch, &first.fence.epoch)?;
    second.adopt(chain.run()).await?;
    let line = first.get(chain.run()).await?;
    same("who adopted it owns it", &line.epoch, &second.fence.epoch)?;
    for open in [None, Some(true)] {
        let query = ListQuery {
            open,
            ..ListQuery::default()
        };
        let lines = first.list(query).await?;
        same("the line in the list", &lines.first(), &Some(&line))?;
        let epochs: Vec<_> = lines.iter().map(|line| line.epoch).collect();
        let expected = vec![second.fence.epoch, first.fence.epoch];
        same("owners in the list", &epochs, &expected)?;
    }
    first.has(&chain).await?;
    Ok(Outcome::Passed)
}
