//! Cases: contents are returned byte for byte.

use super::fixtures::{
    Place, content_id, done, group, new_run, output, refused, row, running, same,
};
use super::{Checked, Outcome};
use crate::chain::Chain;
use crate::row::{Content, ContentKind};

pub(super) async fn contents_come_back(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("bytes", 1).await?;
    let samples: [&'static [u8]; 5] = [b"", b"\0", b"a\0b", b"\xff\xfe\xc3\x28", br#"{"ok":true}"#];
    let mut rows = Vec::new();
    let mut written = Vec::new();
    for (n, bytes) in (1..).zip(samples) {
        let part = output(n, bytes)?;
        written.push(part.clone());
        rows.push(row(u64::from(n)).with(part));
    }
    claimed.write(&mut chain, rows).await?;
    let mut ids: Vec<_> = written.iter().map(|part| part.id).collect();
    same("all", &claimed.contents(chain.run(), &ids).await?, &written)?;
    ids.reverse();
    written.reverse();
    let backwards = claimed.contents(chain.run(), &ids).await?;
    same("backwards", backwards, written)?;
    same("none", claimed.contents(chain.run(), &[]).await?, [])?;
    let never = [content_id(99)?];
    let never = claimed.store.contents(chain.run(), &never).await;
    refused("an id that was never written", "damaged", never)?;
    Ok(Outcome::Passed)
}

pub(super) async fn parts_keep_their_order(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("parts", 0).await?;
    let (a, b) = (content_id(7)?, content_id(3)?);
    let [first, second, third, fourth, later] = [
        Content::new(a, ContentKind::OUTPUT, "result"),
        Content::named(b, ContentKind::LOG, "z", "1"),
        Content::named(a, ContentKind::new("custom \0 kind"), "stderr", "oh"),
        Content::named(b, ContentKind::LOG, "a", "2"),
        Content::named(b, ContentKind::LOG, "z", "3"),
    ];
    let mut early = row(1);
    early.contents = [&first, &second, &third, &fourth]
        .map(Content::clone)
        .into();
    let rows = vec![early, row(2).with(later.clone())];
    claimed.write(&mut chain, rows).await?;
    let got = claimed.contents(chain.run(), &[b, a, b]).await?;
    same("parts", got, [second, fourth, later, first, third])?;
    let verified = claimed.verify(chain.run()).await?;
    same("verified", verified.contents, 5)?;
    Ok(Outcome::Passed)
}

pub(super) async fn large_contents(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut chain = claimed.create("large", 0).await?;
    let bytes: Vec<u8> = (0..5_000_000_u32)
        .map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    let part = output(1, bytes)?;
    let rows = vec![row(1).with(part.clone())];
    claimed.write(&mut chain, rows).await?;
    drop(claimed);
    let claimed = place.open().await?;
    if claimed.contents(chain.run(), &[part.id]).await? == [part] {
        Ok(Outcome::Passed)
    } else {
        Err("5 MB did not come back as they were written".into())
    }
}

pub(super) async fn a_large_commit(place: Place<'_>) -> Checked {
    let claimed = place.open().await?;
    let mut appends = Vec::new();
    let mut chains = Vec::new();
    for name in ["many-1", "many-2", "many-3"] {
        let new = new_run(name, 1)?;
        let mut chain = Chain::genesis(&new);
        let mut rows = Vec::new();
        for n in 1..=2_000_u32 {
            rows.push(row(u64::from(n)).with(output(n, n.to_string())?));
        }
        appends.push(running(&mut chain, rows).creating(new));
        chains.push(chain);
    }
    done("commit", claimed.commit(group(appends)).await)?;
    for chain in chains {
        let verified = claimed.verify(chain.run()).await?;
        let counts = (verified.rows, verified.contents);
        same("rows and contents", counts, (2_000, 2_000))?;
        same("head", verified.head, chain.head())?;
    }
    Ok(Outcome::Passed)
}
