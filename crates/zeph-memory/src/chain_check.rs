//! Recomputes the chain of a stored run, row by row, up to its head or to the first damage.

use zeph_graph::{RunId, Seq, Timestamp};

use crate::chain::Chain;
use crate::error::StoreError;
use crate::hash::ChainHash;
use crate::row::StoredRow;
use crate::run::{NewRun, RunStatus, title_hash};

/// The status and the head of a run, which a store keeps beside the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredStatus {
    /// The status.
    pub status: RunStatus,
    /// The time of the last row, or of the creation.
    pub updated_at: Timestamp,
    /// The position of the last row; 0 when there is none.
    pub last_seq: Seq,
    /// The head of the chain.
    pub head: ChainHash,
    /// The [`Append::status_hash`](crate::Append::status_hash) of the last commit.
    pub status_hash: ChainHash,
}

impl StoredStatus {
    /// Checks the line of a run in a list by itself, without its journal: the title, the creation time, the
    /// status and the end of the journal.
    #[must_use]
    pub fn is_line_as_written(&self, run: &RunId, title: &str, created_at: Timestamp) -> bool {
        self.is_as_written(title_hash(run, title, created_at))
    }

    fn is_as_written(&self, title: ChainHash) -> bool {
        let hash = (self.status).hash(title, self.last_seq, self.head, self.updated_at);
        hash == self.status_hash
    }
}

/// Recomputes the chain of a run from stored rows and stops at the first damage.
///
/// Stores use it in their `load`: [`ChainCheck::begin`], then [`ChainCheck::row`] for each row in order of
/// its position, then [`ChainCheck::finish`]; in `load_after` they begin with [`ChainCheck::after`].
#[derive(Clone, Debug)]
pub struct ChainCheck {
    chain: Chain,
}

impl ChainCheck {
    /// Begins with the stored creation data of the run and the hash that was stored with it.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when title, creation time or header are not as written.
    pub fn begin(new: &NewRun, genesis: ChainHash) -> Result<Self, StoreError> {
        let chain = Chain::genesis(new);
        if chain.head() == genesis {
            Ok(Self { chain })
        } else {
            Err(StoreError::damaged(
                &new.run,
                None,
                "the header, the title or the creation time is not as it was written",
            ))
        }
    }

    /// Begins behind the end of a chain that was checked before.
    #[must_use]
    pub const fn after(chain: Chain) -> Self {
        Self { chain }
    }

    /// Checks one row against its stored hash and its position.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when a row is missing before it, or when it is not as written.
    pub fn row(
        &mut self,
        row: &StoredRow,
        content_hash: ChainHash,
        hash: ChainHash,
    ) -> Result<(), StoreError> {
        let expected = self.chain.next_seq();
        if row.seq != expected {
            return Err(self.damaged(
                expected,
                format!("the row is missing, row {} follows", row.seq),
            ));
        }
        if self.chain.link(row.at, &row.payload, content_hash) == hash {
            Ok(())
        } else {
            Err(self.damaged(expected, "the row is not as it was written"))
        }
    }

    /// The position where the next row belongs.
    #[must_use]
    pub const fn next_seq(&self) -> Seq {
        self.chain.next_seq()
    }

    /// Checks the end of the journal, and returns the chain to continue from.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when rows are missing at the end, when there are more than there should
    /// be, or when the status is not as written.
    pub fn finish(self, end: &StoredStatus) -> Result<Chain, StoreError> {
        let (last, next) = (self.chain.last_seq(), self.chain.next_seq());
        if last < end.last_seq {
            let what = format!(
                "the row is missing, the journal should end with row {}",
                end.last_seq
            );
            return Err(self.damaged(next, what));
        }
        if last > end.last_seq {
            let what = format!("the journal should end with row {}", end.last_seq);
            return Err(self.damaged(end.last_seq.plus(1), what));
        }
        let run = self.chain.run();
        if self.chain.head() != end.head {
            let what = format!(
                "the journal ends in {}, not in {} as noted",
                self.chain.head(),
                end.head
            );
            return Err(StoreError::damaged(run, None, what));
        }
        if !end.is_as_written(self.chain.title_hash()) || self.chain.updated_at() != end.updated_at
        {
            return Err(StoreError::damaged(
                run,
                None,
                "the status of the run is not as it was written",
            ));
        }
        Ok(self.chain)
    }

    fn damaged(&self, seq: Seq, what: impl Into<String>) -> StoreError {
        StoreError::damaged(self.run(), Some(seq), what)
    }

    fn run(&self) -> &RunId {
        self.chain.run()
    }
}
