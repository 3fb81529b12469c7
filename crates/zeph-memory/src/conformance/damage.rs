//! Cases: damage is found and named, and does not affect other runs.

use zeph_graph::Seq;

use super::fixtures::{ClaimedStore, content_id, done, holds, output, row, run_id, same};
use super::{Harness, Outcome, Tamper};
use crate::chain::Chain;
use crate::error::StoreError;
use crate::run::{ListQuery, RunStatus};
use crate::store::Commit;
use crate::verify::{verify, verify_against};

/// A run of four rows, the second and third with contents.
async fn sample(claimed: &ClaimedStore, name: &str) -> Result<Chain, String> {
    let mut chain = claimed.create(name, 1).await?;
    let rows = vec![
        row(2).with(output(1, "first")?),
        row(3).with(output(2, "second")?),
        row(4),
    ];
    done(
        "commit",
        claimed
            .commit(Commit::one(chain.seal(rows, RunStatus::open("running"))))
            .await,
    )?;
    Ok(chain)
}

pub(super) async fn verify_a_sound_run(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let chain = sample(&claimed, "sound").await?;
    let verified = done("verify", verify(&*claimed.store, chain.run()).await)?;
    same("rows", &verified.rows, &4)?;
    same("contents", &verified.contents, &2)?;
    same("head", &verified.head, &chain.head())?;
    Ok(Outcome::Passed)
}

pub(super) async fn an_earlier_head(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let noted = claimed.create("noted", 2).await?;
    let mut chain = noted.clone();
    let append = chain.seal(vec![row(3)], RunStatus::open("running"));
    done("commit", claimed.commit(Commit::one(append)).await)?;
    for head in [noted.head(), chain.head()] {
        done(
            "a head that it had",
            verify_against(&*claimed.store, chain.run(), head).await,
        )?;
    }
    let mut other = noted;
    other.seal(vec![row(9)], RunStatus::open("running"));
    let result = verify_against(&*claimed.store, chain.run(), other.head()).await;
    holds(
        "a head that it never had is refused",
        matches!(result, Err(StoreError::Damaged { .. })),
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn damage_is_named(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let other = sample(&claimed, "other").await?;
    for (damage, seq, word, seen_by_load) in damages()? {
        sample(&claimed, damage.run().as_str()).await?;
        match harness.tamper(place, &damage).await {
            None => return Ok(Outcome::Skipped),
            Some(done) => holds(&format!("{damage:?} has something to damage"), done)?,
        }
        let loaded = claimed.store.load(damage.run()).await;
        same(
            &format!("a load sees {damage:?}"),
            &loaded.is_err(),
            &seen_by_load,
        )?;
        let found = verify(&*claimed.store, damage.run()).await;
        match found {
            Err(StoreError::Damaged {
                run,
                seq: named,
                what,
            }) => {
                same("the run that is named", &run, damage.run())?;
                same(
                    &format!("the row that is named for {damage:?}"),
                    &named,
                    &seq,
                )?;
                holds(
                    &format!("{what:?} for {damage:?} says {word:?}"),
                    what.contains(word),
                )?;
            }
            outcome => return Err(format!("{damage:?} was not found: {outcome:?}")),
        }
    }
    done("the other run", verify(&*claimed.store, other.run()).await)?;
    let listed = done("list", claimed.store.list(ListQuery::default()).await)?;
    same("all runs are still listed", &listed.len(), &9)?;
    Ok(Outcome::Passed)
}

/// The damage, the row and the word that the error must name, and whether a load detects it.
type Damage = (Tamper, Option<Seq>, &'static str, bool);

fn damages() -> Result<[Damage; 8], String> {
    let run = |n: usize| run_id(&format!("d{n}"));
    let row = |n| Some(Seq::new(n));
    Ok([
        (
            Tamper::Payload {
                run: run(0)?,
                seq: Seq::new(3),
            },
            row(3),
            "row",
            true,
        ),
        (
            Tamper::DropRow {
                run: run(1)?,
                seq: Seq::new(2),
            },
            row(2),
            "missing",
            true,
        ),
        (
            Tamper::DropRow {
                run: run(2)?,
                seq: Seq::new(4),
            },
            row(4),
            "missing",
            true,
        ),
        (
            Tamper::Content {
                run: run(3)?,
                id: content_id(2)?,
            },
            row(3),
            "content 2",
            false,
        ),
        (
            Tamper::DropContent {
                run: run(4)?,
                id: content_id(1)?,
            },
            row(2),
            "content 1",
            false,
        ),
        (Tamper::Header { run: run(5)? }, None, "header", true),
        (Tamper::Head { run: run(6)? }, None, "ends in", true),
        (Tamper::Status { run: run(7)? }, None, "status", true),
    ])
}
