//! Verification of a whole run: header, every row, every content, and optionally an earlier head.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use zeph_graph::{ContentId, RunId, Seq};

use crate::chain::{Chain, contents_hash};
use crate::error::StoreError;
use crate::hash::ChainHash;
use crate::row::{Content, StoredRow};
use crate::store::{Outline, RawGraphStore, RowOutline, StoredRun};

/// The result of a verification without damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The number of journal rows.
    pub rows: u64,
    /// The number of parts of contents.
    pub contents: u64,
    /// The head of the chain. A copy of it kept elsewhere proves later that the run was not rewritten.
    pub head: ChainHash,
}

/// Verifies all stored data of a run, without relying on the store's own checks.
///
/// Reads the journal once and the contents of 64 rows at a time, which bounds the memory. The run may
/// be active meanwhile.
///
/// # Errors
/// [`StoreError::Damaged`] names the first header, row or content that is altered, missing or
/// surplus; [`StoreError::NotFound`] without such a run.
pub async fn verify(store: &dyn RawGraphStore, run: &RunId) -> Result<Verified, StoreError> {
    check(store, run, None).await
}

/// As [`verify`]; also checks that the chain contains a head that was copied earlier.
///
/// Hashes alone reveal accidental damage, but a program that can write to the store can recompute them.
/// A head that was copied elsewhere reveals that too.
///
/// # Errors
/// As [`verify`]; also [`StoreError::Damaged`] when the chain never had that head.
pub async fn verify_against(
    store: &dyn RawGraphStore,
    run: &RunId,
    expected_head: ChainHash,
) -> Result<Verified, StoreError> {
    check(store, run, Some(expected_head)).await
}

async fn check(
    store: &dyn RawGraphStore,
    run: &RunId,
    expected_head: Option<ChainHash>,
) -> Result<Verified, StoreError> {
    let stored = store.load(run).await?;
    let outline = store.outline(run).await?;
    let heads = check_rows(&stored, &outline)?;
    if let Some(expected) = expected_head
        && !heads.contains(&expected)
    {
        let what = format!("its chain never had the head {expected}: the journal was rewritten");
        return Err(StoreError::damaged(run, None, what));
    }
    let contents = check_contents(store, run, &outline).await?;
    Ok(Verified {
        rows: stored.rows.len() as u64,
        contents,
        head: stored.chain.head(),
    })
}

/// Recomputes the chain; returns every head that it had.
pub(crate) fn check_rows(
    stored: &StoredRun,
    outline: &Outline,
) -> Result<Vec<ChainHash>, StoreError> {
    let mut chain = Chain::genesis(&stored.new);
    let mut heads = vec![chain.head()];
    // The outline is read later, so it may have more rows, which were written in between, but not fewer.
    if outline.rows.len() < stored.rows.len() {
        let seq = Seq::new(outline.rows.len() as u64 + 1);
        return Err(StoreError::damaged(
            chain.run(),
            Some(seq),
            "the row is missing",
        ));
    }
    for (row, known) in stored.rows.iter().zip(&outline.rows) {
        check_row(&mut chain, row, known)?;
        heads.push(chain.head());
    }
    if chain == stored.chain {
        Ok(heads)
    } else {
        Err(StoreError::damaged(
            chain.run(),
            None,
            "the journal does not lead to the head that is stored",
        ))
    }
}

fn check_row(chain: &mut Chain, row: &StoredRow, known: &RowOutline) -> Result<(), StoreError> {
    let seq = chain.next_seq();
    let in_place = row.seq == seq && known.seq == seq;
    if in_place && chain.link(row.at, &row.payload, known.content_hash) == known.hash {
        Ok(())
    } else {
        Err(StoreError::damaged(
            chain.run(),
            Some(seq),
            "the row is not as it was written",
        ))
    }
}

/// The number of rows whose contents are read at once.
pub(crate) const ROWS_AT_ONCE: usize = 64;

/// Reads every part that a row names, and finds parts that no row names.
async fn check_contents(
    store: &dyn RawGraphStore,
    run: &RunId,
    outline: &Outline,
) -> Result<u64, StoreError> {
    let mut counts = PartCounts::default();
    for rows in outline.rows.chunks(ROWS_AT_ONCE) {
        match parts_of(store, run, rows).await {
            Ok(parts) => {
                for row in rows {
                    counts.row(run, row, &parts)?;
                }
            }
            // Reading one row at a time finds the damaged one.
            Err(StoreError::Damaged { .. }) => {
                for row in rows {
                    let parts = parts_of(store, run, slice::from_ref(row)).await;
                    counts.row(run, row, &parts.map_err(|error| error.at_row(row.seq))?)?;
                }
            }
            Err(error) => return Err(error),
        }
    }
    match outline.stored.iter().find(|id| counts.is_stray(**id)) {
        // A part that no row added, unless its row was written after the outline was read.
        Some(id) if store.outline(run).await?.rows.len() == outline.rows.len() => {
            let what = format!("content {id} has a part that no row added");
            Err(StoreError::damaged(run, None, what))
        }
        Some(_) | None => Ok(counts.parts),
    }
}

pub(crate) type Parts = BTreeMap<ContentId, Vec<Content>>;

/// How many parts of each content the rows read so far have added. Several rows may add parts of
/// one content.
#[derive(Default)]
pub(crate) struct PartCounts {
    taken: BTreeMap<ContentId, usize>,
    present: BTreeMap<ContentId, usize>,
    pub(crate) parts: u64,
}

impl PartCounts {
    /// Counts the next parts of each id that the row names, and compares their hash with the row's. Returns
    /// the parts in order.
    pub(crate) fn row<'p>(
        &mut self,
        run: &RunId,
        row: &RowOutline,
        parts: &'p Parts,
    ) -> Result<Vec<&'p Content>, StoreError> {
        let mut hashes = Vec::with_capacity(row.contents.len());
        let mut added = Vec::with_capacity(row.contents.len());
        for (id, place) in row.contents.iter().zip(0..) {
            let of_id = parts.get(id).map_or(&[][..], Vec::as_slice);
            let taken = self.taken.entry(*id).or_default();
            let Some(part) = of_id.get(*taken) else {
                let what = format!("part {} of content {id} is missing", *taken + 1);
                return Err(StoreError::damaged(run, Some(row.seq), what));
            };
            hashes.push(part.hash(run, row.seq, place));
            added.push(part);
            *taken += 1;
            self.present.insert(*id, of_id.len());
            self.parts += 1;
        }
        if contents_hash(&hashes) == row.content_hash {
            return Ok(added);
        }
        let names = names(&row.contents);
        let what = format!("its contents ({names}) are not as they were written");
        Err(StoreError::damaged(run, Some(row.seq), what))
    }

    fn is_stray(&self, id: ContentId) -> bool {
        self.taken
            .get(&id)
            .is_none_or(|taken| self.present.get(&id) != Some(taken))
    }
}

/// The parts of the contents of some rows, by id.
pub(crate) async fn parts_of(
    store: &dyn RawGraphStore,
    run: &RunId,
    rows: &[RowOutline],
) -> Result<Parts, StoreError> {
    let ids: BTreeSet<ContentId> = rows.iter().flat_map(|row| &row.contents).copied().collect();
    let mut by_id = Parts::new();
    if !ids.is_empty() {
        let ids: Vec<ContentId> = ids.into_iter().collect();
        for part in store.contents(run, &ids).await? {
            by_id.entry(part.id).or_default().push(part);
        }
    }
    Ok(by_id)
}

fn names(ids: &[ContentId]) -> String {
    ids.iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}
