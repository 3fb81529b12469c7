//! Cases: contents are returned byte for byte.

use super::fixtures::{ClaimedStore, content_id, done, new_run, output, refused, row, same};
use super::{Harness, Outcome};
use crate::chain::Chain;
use crate::row::{Content, ContentKind};
use crate::run::RunStatus;
use crate::store::Commit;
use crate::verify::verify;

pub(super) async fn contents_come_back(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("bytes", 1).await?;
    let samples: [&'static [u8]; 5] = [b"", b"\0", b"a\0b", b"\xff\xfe\xc3\x28", br#"{"ok":true}"#];
    let mut rows = Vec::new();
    let mut written = Vec::new();
    for (n, bytes) in (1..).zip(samples) {
        let part = output(n, bytes)?;
        written.push(part.clone());
        rows.push(row(u64::from(n)).with(part));
    }
    done(
        "commit",
        claimed
            .commit(Commit::one(chain.seal(rows, RunStatus::open("running"))))
            .await,
    )?;
    let ids: Vec<_> = written.iter().map(|part| part.id).collect();
    same(
        "all",
        &done("contents", claimed.store.contents(chain.run(), &ids).await)?,
        &written,
    )?;
    let backwards: Vec<_> = ids.iter().rev().copied().collect();
    written.reverse();
    same(
        "backwards",
        &done(
            "contents",
            claimed.store.contents(chain.run(), &backwards).await,
        )?,
        &written,
    )?;
    same(
        "none",
        &done("contents", claimed.store.contents(chain.run(), &[]).await)?,
        &vec![],
    )?;
    refused(
        "an id that was never written",
        "damaged",
        claimed
            .store
            .contents(chain.run(), &[content_id(99)?])
            .await,
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn parts_keep_their_order(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("parts", 0).await?;
    let (a, b) = (content_id(7)?, content_id(3)?);
    let first = vec![
        Content::new(a, ContentKind::OUTPUT, "result"),
        Content::named(b, ContentKind::LOG, "z", "1"),
        Content::named(a, ContentKind::new("custom \0 kind"), "stderr", "oh"),
        Content::named(b, ContentKind::LOG, "a", "2"),
    ];
    let later = Content::named(b, ContentKind::LOG, "z", "3");
    let mut early = row(1);
    early.contents.clone_from(&first);
    let rows = vec![early, row(2).with(later.clone())];
    done(
        "commit",
        claimed
            .commit(Commit::one(chain.seal(rows, RunStatus::open("running"))))
            .await,
    )?;
    let expected = vec![
        first[1].clone(),
        first[3].clone(),
        later,
        first[0].clone(),
        first[2].clone(),
    ];
    let got = done(
        "contents",
        claimed.store.contents(chain.run(), &[b, a, b]).await,
    )?;
    same("parts", &got, &expected)?;
    same(
        "verified",
        &done("verify", verify(&*claimed.store, chain.run()).await)?.contents,
        &5,
    )?;
    Ok(Outcome::Passed)
}

pub(super) async fn large_contents(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut chain = claimed.create("large", 0).await?;
    let bytes: Vec<u8> = (0..5_000_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    let part = output(1, bytes)?;
    let append = chain.seal(vec![row(1).with(part.clone())], RunStatus::open("running"));
    done("commit", claimed.commit(Commit::one(append)).await)?;
    drop(claimed);
    let claimed = ClaimedStore::open(harness, place).await?;
    let got = done(
        "contents",
        claimed.store.contents(chain.run(), &[part.id]).await,
    )?;
    if got == [part] {
        Ok(Outcome::Passed)
    } else {
        Err("5 MB did not come back as they were written".into())
    }
}

pub(super) async fn a_large_commit(
    harness: &dyn Harness,
    place: &'static str,
) -> Result<Outcome, String> {
    let claimed = ClaimedStore::open(harness, place).await?;
    let mut appends = Vec::new();
    let mut chains = Vec::new();
    for name in ["many-1", "many-2", "many-3"] {
        let new = new_run(name, 1)?;
        let mut chain = Chain::genesis(&new);
        let mut rows = Vec::new();
        for n in 1..=2_000_u32 {
            rows.push(row(u64::from(n)).with(output(n, n.to_string())?));
        }
        appends.push(chain.seal(rows, RunStatus::open("running")).creating(new));
        chains.push(chain);
    }
    done(
        "commit",
        claimed
            .commit(Commit {
                appends,
                settled: vec![],
            })
            .await,
    )?;
    for chain in chains {
        let verified = done("verify", verify(&*claimed.store, chain.run()).await)?;
        same(
            "rows and contents",
            &(verified.rows, verified.contents),
            &(2_000, 2_000),
        )?;
        same("head", &verified.head, &chain.head())?;
    }
    Ok(Outcome::Passed)
}
