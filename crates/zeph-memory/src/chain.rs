//! The hash chain of a run: rows are sealed into appends, the only thing that a store accepts.

use zeph_graph::{RunId, Seq, Timestamp};

use crate::error::StoreError;
use crate::hash::{ChainHash, Framed};
use crate::row::{Content, Row};
use crate::run::{NewRun, RunStatus, title_hash};

/// The end of one run's journal: the position of the next row and the hash that it is linked to.
///
/// [`Chain::seal`] advances it at once. When the commit of an append fails, the chain is ahead of the
/// store: drop it and use the one that [`RawGraphStore::load`] returns.
///
/// [`RawGraphStore::load`]: crate::RawGraphStore::load
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    run: RunId,
    next: Seq,
    head: ChainHash,
    updated_at: Timestamp,
    /// The hash over the title and the creation time, which every status hash includes.
    title_hash: ChainHash,
}

impl Chain {
    /// The chain of a run that has no rows yet.
    #[must_use]
    pub fn genesis(new: &NewRun) -> Self {
        Self {
            run: new.run.clone(),
            next: Seq::FIRST,
            head: new.hash(),
            updated_at: new.created_at,
            title_hash: title_hash(&new.run, &new.title, new.created_at),
        }
    }

    /// The run that it belongs to.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        &self.run
    }

    /// The position of the next row.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        self.next
    }

    /// The position of the last row; 0 when there is none.
    #[must_use]
    pub const fn last_seq(&self) -> Seq {
        Seq::new(self.next.get() - 1)
    }

    /// The hash of the last row, or of the run's beginning when there is none.
    #[must_use]
    pub const fn head(&self) -> ChainHash {
        self.head
    }

    /// The time of the last row, or of the run's creation when there is none.
    #[must_use]
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    pub(crate) const fn title_hash(&self) -> ChainHash {
        self.title_hash
    }

    /// Links rows to the chain and advances it past them. Without rows only the status changes.
    ///
    /// Cost: one pass over all bytes, contents included.
    pub fn seal(&mut self, rows: Vec<Row>, status: RunStatus) -> Append {
        let (first, prev) = (self.next, self.head);
        let rows = rows.into_iter().map(|row| self.seal_row(row)).collect();
        Append {
            status_hash: status.hash(self.title_hash, self.last_seq(), self.head, self.updated_at),
            run: self.run.clone(),
            genesis: None,
            first,
            prev,
            rows,
            head: self.head,
            updated_at: self.updated_at,
            status,
        }
    }

    fn seal_row(&mut self, row: Row) -> SealedRow {
        let seq = self.next;
        let parts = row.contents.iter().zip(0..);
        let part_hashes: Vec<_> = parts
            .map(|(content, part)| content.hash(&self.run, seq, part))
            .collect();
        let content_hash = contents_hash(&part_hashes);
        self.link(row.at, &row.payload, content_hash);
        SealedRow {
            seq,
            at: row.at,
            payload: row.payload,
            content_hash,
            hash: self.head,
            contents: row.contents,
            part_hashes,
        }
    }

    /// Advances past one row and returns its hash.
    pub(crate) fn link(
        &mut self,
        at: Timestamp,
        payload: &str,
        content_hash: ChainHash,
    ) -> ChainHash {
        self.head = Framed::new("zeph-memory v1 row")
            .bytes(self.run.as_str().as_bytes())
            .number(self.next.get())
            .number(at.as_micros())
            .bytes(payload.as_bytes())
            .hash(content_hash)
            .hash(self.head)
            .end();
        self.next = self.next.plus(1);
        self.updated_at = at;
        self.head
    }
}

/// The hash over all parts that one row adds, in order: [`SealedRow::content_hash`] from the
/// [`hashes of the parts`](Content::hash).
#[must_use]
pub fn contents_hash(parts: &[ChainHash]) -> ChainHash {
    let start = Framed::new("zeph-memory v1 contents").number(parts.len() as u64);
    let framed = parts.iter().fold(start, |framed, &part| framed.hash(part));
    framed.end()
}

/// One row as a store writes it, linked to the row before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    seq: Seq,
    at: Timestamp,
    payload: String,
    content_hash: ChainHash,
    hash: ChainHash,
    contents: Vec<Content>,
    part_hashes: Vec<ChainHash>,
}

impl SealedRow {
    /// Its position in the journal.
    #[must_use]
    pub const fn seq(&self) -> Seq {
        self.seq
    }

    /// When it was decided.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// JSON text. The store does not interpret it.
    #[must_use]
    pub fn payload(&self) -> &str {
        &self.payload
    }

    /// The hash over the parts that it adds.
    #[must_use]
    pub const fn content_hash(&self) -> ChainHash {
        self.content_hash
    }

    /// Its own hash, which the next row is linked to.
    #[must_use]
    pub const fn hash(&self) -> ChainHash {
        self.hash
    }

    /// The parts that it adds, in order.
    #[must_use]
    pub fn contents(&self) -> &[Content] {
        &self.contents
    }

    /// The parts that it adds, each with its own hash.
    #[must_use]
    pub fn parts(&self) -> impl ExactSizeIterator<Item = (&Content, ChainHash)> {
        self.contents.iter().zip(self.part_hashes.iter().copied())
    }
}

/// Sealed rows of one run and its status after them: the only thing that a store accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Append {
    run: RunId,
    genesis: Option<NewRun>,
    first: Seq,
    prev: ChainHash,
    rows: Vec<SealedRow>,
    head: ChainHash,
    updated_at: Timestamp,
    status: RunStatus,
    status_hash: ChainHash,
}

impl Append {
    /// The same append, which also creates the run: both happen or neither does.
    ///
    /// It must be the first append of the chain made by [`Chain::genesis`] from the same value; a
    /// store refuses it otherwise.
    #[must_use]
    pub fn creating(mut self, new: NewRun) -> Self {
        self.genesis = Some(new);
        self
    }

    /// The run that it belongs to.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        &self.run
    }

    /// The new run, when this append creates it.
    #[must_use]
    pub const fn genesis(&self) -> Option<&NewRun> {
        self.genesis.as_ref()
    }

    /// The position of its first row, and of the next row when it has none.
    #[must_use]
    pub const fn first(&self) -> Seq {
        self.first
    }

    /// The position of the last row of the journal after it; 0 when there is none.
    #[must_use]
    pub fn last(&self) -> Seq {
        Seq::new(self.first.get() - 1 + self.rows.len() as u64)
    }

    /// Where it begins.
    #[must_use]
    pub fn start(&self) -> AppendStart {
        AppendStart {
            run: self.run.clone(),
            creates: self.genesis.is_some(),
            first: self.first,
            prev: self.prev,
        }
    }

    /// Its rows, in order.
    #[must_use]
    pub fn rows(&self) -> &[SealedRow] {
        &self.rows
    }

    /// The head of the chain before it.
    #[must_use]
    pub const fn prev(&self) -> ChainHash {
        self.prev
    }

    /// The head of the chain after it.
    #[must_use]
    pub const fn head(&self) -> ChainHash {
        self.head
    }

    /// The time of the last row after it, or of the run's creation when there is none.
    #[must_use]
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// The status of the run after it.
    #[must_use]
    pub const fn status(&self) -> &RunStatus {
        &self.status
    }

    /// The hash over the status and its position in the chain.
    #[must_use]
    pub const fn status_hash(&self) -> ChainHash {
        self.status_hash
    }
}

/// The position in a journal where an append begins, for stores that check it apart from the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendStart {
    /// The run.
    pub run: RunId,
    /// Whether the append creates the run.
    pub creates: bool,
    /// The position of its first row.
    pub first: Seq,
    /// The head of the chain before it.
    pub prev: ChainHash,
}

impl AppendStart {
    /// Checks that the append continues a stored journal with this last row and this head.
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] or [`StoreError::Forked`] when it does not.
    pub fn check_continues(&self, last: Seq, head: ChainHash) -> Result<(), StoreError> {
        let run = self.run.clone();
        if self.first != last.plus(1) {
            return Err(StoreError::OutOfOrder {
                run,
                expected: last.plus(1),
                got: self.first,
            });
        }
        if self.prev != head {
            return Err(StoreError::Forked {
                run,
                seq: self.first,
                stored: head,
                got: self.prev,
            });
        }
        Ok(())
    }
}
