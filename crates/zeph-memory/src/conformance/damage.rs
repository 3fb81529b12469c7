//! Cases: damage is found and named, and does not affect other runs.

use zeph_graph::Seq;

use super::fixtures::{
    ClaimedStore, Place, content_id, done, holds, next, output, refused, row, run_id, running, same,
};
use super::{Checked, Outcome, Tamper};
use crate::chain::Chain;
use crate::error::StoreError;
use crate::run::ListQuery;
use crate::verify::{verify, verify_against};

/// A run of four rows, the second and third with contents.
async fn sample(claimed: &ClaimedStore, name: &str) -> Result<Chain, String> {
    let mut chain = claimed.create(name, 1).await?;
    let second = row(2).with(output(1, "first")?);
    let third = row(3).with(output(2, "second")?);
    claimed
        .write(&mut chain, vec![second, third, row(4)])
        .await?;
    Ok(chain)
}

pub(super) async fn verify_a_sound_run(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let chain = sample(&claimed, "sound").await?;
    let verified = claimed.verify(chain.run()).await?;
    same("rows", verified.rows, 4)?;
    same("contents", verified.contents, 2)?;
    same("head", verified.head, chain.head())?;
    Ok(Outcome::Passed)
}

pub(super) async fn an_earlier_head(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let noted = claimed.create("noted", 2).await?;
    let mut chain = noted.clone();
    done("commit", claimed.append(next(&mut chain)).await)?;
    for head in [noted.head(), chain.head()] {
        let found = verify_against(&*claimed.store, chain.run(), head).await;
        done("a head that it had", found)?;
    }
    let mut other = noted;
    running(&mut other, vec![row(9)]);
    let result = verify_against(&*claimed.store, chain.run(), other.head()).await;
    refused("a head that it never had", "damaged", result)?;
    Ok(Outcome::Passed)
}

pub(super) async fn damage_is_named(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let other = sample(&claimed, "other").await?;
    for (damage, seq, word, seen_by_load) in damages()? {
        sample(&claimed, damage.run().as_str()).await?;
        match place.tamper(&damage).await {
            None => return Ok(Outcome::Skipped),
            Some(done) => holds(&format!("{damage:?} has something to damage"), done)?,
        }
        let loaded = claimed.store.load(damage.run()).await;
        same(
            &format!("a load sees {damage:?}"),
            loaded.is_err(),
            seen_by_load,
        )?;
        match verify(&*claimed.store, damage.run()).await {
            Err(StoreError::Damaged {
                run,
                seq: named,
                what,
            }) => {
                let place = (&run, named);
                same(
                    &format!("the place of {damage:?}"),
                    place,
                    (damage.run(), seq),
                )?;
                let names_it = what.contains(word);
                holds(&format!("{what:?} for {damage:?} says {word:?}"), names_it)?;
            }
            outcome => return Err(format!("{damage:?} was not found: {outcome:?}")),
        }
    }
    claimed.verify(other.run()).await?;
    let listed = claimed.list(ListQuery::default()).await?.len();
    same("all runs are still listed", listed, 9)?;
    Ok(Outcome::Passed)
}

pub(super) async fn damage_after_a_chain_is_found(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    for (damage, seq, word, is_seen) in damages()? {
        let name = damage.run().as_str();
        let read = claimed.create(name, 1).await?;
        let mut chain = read.clone();
        let second = row(2).with(output(1, "first")?);
        let third = row(3).with(output(2, "second")?);
        let rows = vec![second, third, row(4)];
        claimed.write(&mut chain, rows).await?;
        match place.tamper(&damage).await {
            None => return Ok(Outcome::Skipped),
            Some(done) => holds(&format!("{damage:?} has something to damage"), done)?,
        }
        // The header comes before every chain, and contents are no rows.
        let is_seen = is_seen && !matches!(damage, Tamper::Header { .. });
        match claimed.store.load_after(&read).await {
            Ok(_) => holds(&format!("{damage:?} is seen after a chain"), !is_seen)?,
            Err(StoreError::Damaged {
                seq: named, what, ..
            }) => {
                holds(&format!("{damage:?} is not seen: {what}"), is_seen)?;
                same(&format!("the place of {damage:?}"), named, seq)?;
                let names_it = what.contains(word);
                holds(&format!("{what:?} for {damage:?} says {word:?}"), names_it)?;
            }
            Err(error) => return Err(format!("{damage:?}: {error}")),
        }
    }
    Ok(Outcome::Passed)
}

/// The damage, the row and the word that the error must name, and whether a load detects it.
type Damage = (Tamper, Option<Seq>, &'static str, bool);

fn damages() -> Result<[Damage; 8], String> {
    let run = |n: usize| run_id(&format!("d{n}"));
    let [second, third, fourth] = [2, 3, 4].map(Seq::new);
    let payload = |run| Tamper::Payload { run, seq: third };
    let drop_row = |run, seq| Tamper::DropRow { run, seq };
    let (first_content, second_content) = (content_id(1)?, content_id(2)?);
    let content = |run| Tamper::Content {
        run,
        id: second_content,
    };
    let drop_content = |run| Tamper::DropContent {
        run,
        id: first_content,
    };
    Ok([
        (payload(run(0)?), Some(third), "row", true),
        (drop_row(run(1)?, second), Some(second), "missing", true),
        (drop_row(run(2)?, fourth), Some(fourth), "missing", true),
        (content(run(3)?), Some(third), "content 2", false),
        (drop_content(run(4)?), Some(second), "content 1", false),
        (Tamper::Header { run: run(5)? }, None, "header", true),
        (Tamper::Head { run: run(6)? }, None, "ends in", true),
        (Tamper::Status { run: run(7)? }, None, "status", true),
    ])
}
