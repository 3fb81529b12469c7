//! Cases: the requests to a run wait in order until a commit settles them.

use super::fixtures::{ClaimedStore, at, done, holds, refused, row, run_id, same};
use super::{Harness, Outcome};
use crate::run::RunStatus;
use crate::store::Commit;

pub(super) async fn oldest_first_by_run(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let (one, two) = (
        claimed.create("one", 1).await?,
        claimed.create("two", 1).await?,
    );
    // Requests are in the order of posting; the clocks of the posting processes do not matter.
    for (run, moment, body) in [
        (one.run(), 30, "a"),
        (two.run(), 10, "b"),
        (one.run(), 20, "c"),
    ] {
        done("post", claimed.store.post(run, at(moment), body).await)?;
    }
    drop(claimed);
    let claimed = ClaimedStore::open(harness, place).await?;
    for (run, expected) in [
        (one.run(), vec![(at(30), "a"), (at(20), "c")]),
        (two.run(), vec![(at(10), "b")]),
        (&run_id("three")?, vec![]),
    ] {
        let requests = done("inbox", claimed.store.inbox(run).await)?;
        let got: Vec<_> = (requests.iter()).map(|r| (r.at, r.body.as_str())).collect();
        same(&format!("requests to {run}"), &got, &expected)?;
        holds(
            "they name their run",
            requests.iter().all(|r| r.run == *run),
        )?;
        let again = done("inbox", claimed.store.inbox(run).await)?;
        same("a second call", &again, &requests)?;
    }
    Ok(Outcome::Passed)
}

pub(super) async fn settled_with_a_commit(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("asked", 1).await?;
    let first = done(
        "post",
        claimed.store.post(chain.run(), at(1), "first").await,
    )?;
    let second = done(
        "post",
        claimed.store.post(chain.run(), at(2), "second").await,
    )?;
    let append = chain.seal(vec![row(2)], RunStatus::open("running"));
    done(
        "settle",
        claimed.commit(Commit::one(append).settling(first)).await,
    )?;
    let left: Vec<_> = done("inbox", claimed.store.inbox(chain.run()).await)?
        .into_iter()
        .map(|r| r.id)
        .collect();
    same("left", &left, &vec![second])?;
    let again = Commit {
        appends: vec![],
        settled: vec![first, second],
    };
    done("settle one again", claimed.commit(again).await)?;
    same(
        "left",
        &done("inbox", claimed.store.inbox(chain.run()).await)?,
        &vec![],
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn not_settled_by_a_refused_commit(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("refused", 1).await?;
    let request = done("post", claimed.store.post(chain.run(), at(1), "{}").await)?;
    chain.seal(vec![row(2)], RunStatus::open("running"));
    let late = chain.seal(vec![row(3)], RunStatus::open("running"));
    refused(
        "a gap",
        "out_of_order",
        claimed.commit(Commit::one(late).settling(request)).await,
    )?;
    same(
        "left",
        &done("inbox", claimed.store.inbox(chain.run()).await)?.len(),
        &1,
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn numbers_are_never_used_twice(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let chain = claimed.create("numbers", 1).await?;
    let first = done("post", claimed.store.post(chain.run(), at(1), "{}").await)?;
    done(
        "settle",
        claimed
            .commit(Commit {
                appends: vec![],
                settled: vec![first],
            })
            .await,
    )?;
    drop(claimed);
    let claimed = ClaimedStore::open(harness, place).await?;
    let second = done("post", claimed.store.post(chain.run(), at(1), "{}").await)?;
    holds("numbers rise, also after a restart", second > first)?;
    Ok(Outcome::Passed)
}
