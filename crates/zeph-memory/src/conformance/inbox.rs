//! Cases: the requests to a run wait in order until a commit settles them.

use super::fixtures::{Place, at, done, holds, next, refused, run_id, same};
use super::{Checked, Outcome};
use crate::store::Commit;

pub(super) async fn oldest_first_by_run(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let one = claimed.create("one", 1).await?;
    let two = claimed.create("two", 1).await?;
    // Requests are in the order of posting; the clocks of the posting processes do not matter.
    for (chain, micros, body) in [(&one, 30, "a"), (&two, 10, "b"), (&one, 20, "c")] {
        claimed.post(chain.run(), micros, body).await?;
    }
    drop(claimed);
    let claimed = place.open().await?;
    for (run, expected) in [
        (one.run(), vec![(at(30), Some("a")), (at(20), Some("c"))]),
        (two.run(), vec![(at(10), Some("b"))]),
        (&run_id("three")?, vec![]),
    ] {
        let requests = claimed.inbox(run).await?;
        let got: Vec<_> = (requests.iter())
            .map(|r| (r.at, r.body.as_deref()))
            .collect();
        same(&format!("requests to {run}"), got, expected)?;
        let name_run = requests.iter().all(|r| r.run == *run);
        holds("they name their run", name_run)?;
        same("a second call", claimed.inbox(run).await?, requests)?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn settled_with_a_commit(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("asked", 1).await?;
    let first = claimed.post(chain.run(), 1, "first").await?;
    let second = claimed.post(chain.run(), 2, "second").await?;
    let commit = Commit::one(next(&mut chain)).settling(first);
    done("settle", claimed.commit(commit).await)?;
    let left = claimed.inbox(chain.run()).await?;
    let left: Vec<_> = left.iter().map(|r| r.id).collect();
    same("left", left, [second])?;
    // One of them again.
    claimed.settle(vec![first, second]).await?;
    same("left", claimed.inbox(chain.run()).await?, [])?;
    Ok(Outcome::Passed)
}

pub(super) async fn not_settled_by_a_refused_commit(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("refused", 1).await?;
    let request = claimed.post(chain.run(), 1, "{}").await?;
    next(&mut chain);
    let late = Commit::one(next(&mut chain)).settling(request);
    refused("a gap", "out_of_order", claimed.commit(late).await)?;
    same("left", claimed.inbox(chain.run()).await?.len(), 1)?;
    Ok(Outcome::Passed)
}

pub(super) async fn numbers_are_never_used_twice(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let chain = claimed.create("numbers", 1).await?;
    let first = claimed.post(chain.run(), 1, "{}").await?;
    claimed.settle(vec![first]).await?;
    drop(claimed);
    let claimed = place.open().await?;
    let second = claimed.post(chain.run(), 1, "{}").await?;
    holds("numbers rise, also after a restart", second > first)?;
    Ok(Outcome::Passed)
}
