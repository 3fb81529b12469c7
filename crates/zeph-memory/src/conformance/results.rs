//! Cases: results are found by their keys, belong to the owner of their run, and go with it.

use zeph_graph::RunId;

use super::fixtures::{ClaimedStore, Place, content_id, done, next, same};
use super::{Checked, Outcome};
use crate::result::{KeyedResult, ResultKey};
use crate::run::RunStatus;
use crate::store::Commit;

fn keyed(key: u8, run: &RunId, content: u32) -> Result<KeyedResult, String> {
    Ok(KeyedResult {
        key: [key; 32],
        run: run.clone(),
        content: content_id(content)?,
    })
}

async fn write(store: &ClaimedStore, results: Vec<KeyedResult>) -> Result<(), String> {
    let commit = Commit {
        results,
        ..Commit::default()
    };
    done("write results", store.commit(commit).await)
}

async fn found(store: &ClaimedStore, key: u8) -> Result<Option<KeyedResult>, String> {
    let key: ResultKey = [key; 32];
    done("result", store.store.result(&key).await)
}

pub(super) async fn results_are_found_by_key(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    same("nothing yet", found(&claimed, 1).await?, None)?;
    let mut chain = claimed.create("one", 1).await?;
    let other = claimed.create("two", 1).await?;
    let (one, two) = (keyed(0, chain.run(), 1)?, keyed(255, other.run(), 7)?);
    let commit = Commit {
        results: vec![one.clone(), two.clone()],
        ..Commit::one(next(&mut chain))
    };
    done("with an append", claimed.commit(commit).await)?;
    same("the first", found(&claimed, 0).await?, Some(one))?;
    same("the second", found(&claimed, 255).await?, Some(two.clone()))?;
    same("another key", found(&claimed, 1).await?, None)?;
    let later = keyed(0, other.run(), 9)?;
    write(&claimed, vec![later.clone()]).await?;
    same("the latest", found(&claimed, 0).await?, Some(later.clone()))?;
    drop(claimed);
    let claimed = place.open().await?;
    same("after reopening", found(&claimed, 0).await?, Some(later))?;
    Ok(Outcome::Passed)
}

pub(super) async fn results_of_another_owner_are_ignored(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let chain = claimed.create("run", 1).await?;
    let one = keyed(1, chain.run(), 1)?;
    write(&claimed, vec![one.clone()]).await?;
    let second = place.open().await?;
    let mut own = second.create("own", 1).await?;
    let commit = Commit {
        results: vec![keyed(1, chain.run(), 2)?, keyed(2, own.run(), 3)?],
        ..Commit::one(next(&mut own))
    };
    done("commit", second.commit(commit).await)?;
    same("of the owner", found(&second, 1).await?, Some(one))?;
    let own = keyed(2, own.run(), 3)?;
    same("of its own run", found(&second, 2).await?, Some(own))?;
    let refused = Commit {
        results: vec![keyed(3, chain.run(), 1)?],
        ..Commit::one(next(&mut chain.clone()))
    };
    if second.commit(refused).await.is_ok() {
        return Err("a commit to a run of another owner was accepted".into());
    }
    same("of a refused commit", found(&second, 3).await?, None)?;
    Ok(Outcome::Passed)
}

pub(super) async fn results_are_deleted_with_their_run(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let kept = claimed.create("kept", 1).await?;
    let ended = RunStatus::ended("completed");
    let gone = claimed.create_at("gone", 1, 1, ended).await?;
    let (one, two) = (keyed(1, kept.run(), 1)?, keyed(2, gone.run(), 1)?);
    write(&claimed, vec![one.clone(), two]).await?;
    done(
        "delete",
        claimed.store.delete(gone.run(), claimed.fence).await,
    )?;
    same("of the deleted run", found(&claimed, 2).await?, None)?;
    same("of the other run", found(&claimed, 1).await?, Some(one))?;
    Ok(Outcome::Passed)
}
