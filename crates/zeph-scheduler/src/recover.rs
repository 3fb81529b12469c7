//! Recovery: rebuilds a scheduler from header and journal, as a fold of `apply`.

use zeph_graph::wire::Diagnostics;
use zeph_graph::{ContentId, Entry, Header, Record, Seq, Timestamp};

use crate::{Patches, Scheduler};

/// A journal that no run of this graph can have written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Corrupt {
    /// A record is missing or duplicated.
    #[error("expected record {expected}, found record {found}")]
    Gap {
        /// The number of the next record.
        expected: Seq,
        /// The number found.
        found: Seq,
    },
    /// A record has an earlier time than the record before it.
    #[error("record {seq} has an earlier time than the record before it")]
    Backwards {
        /// The number of the record.
        seq: Seq,
        /// The time of the record.
        at: Timestamp,
    },
    /// A record is not allowed in the state before it, or names an unknown task.
    #[error("record {seq} is not allowed here: {record:?}")]
    Impossible {
        /// The number of the record.
        seq: Seq,
        /// The record.
        record: Record,
    },
    /// The patch that a record names is missing.
    #[error("record {seq} refers to the patch in content {content}, which is missing")]
    NoPatch {
        /// The number of the record.
        seq: Seq,
        /// The content.
        content: ContentId,
    },
    /// The patch that a record names is not valid for the graph.
    #[error("the patch in content {content}, which record {seq} refers to, is not valid: {cause}")]
    Patch {
        /// The number of the record.
        seq: Seq,
        /// The content.
        content: ContentId,
        /// The defects.
        #[source]
        cause: Diagnostics,
    },
}

impl Scheduler {
    /// Rebuilds the scheduler that wrote this journal.
    ///
    /// No decision is made again, and no attempt starts until [`Input::Resume`](crate::Input::Resume):
    /// attempts that were in flight have an unknown end, and their effect classes decide about a repetition.
    ///
    /// `patches` holds the contents that the `Amended` records of the journal name. Cost: applying each
    /// record and each patch once.
    ///
    /// # Errors
    /// [`Corrupt`] at the first record that is not allowed.
    pub fn recover(
        header: Header,
        journal: impl IntoIterator<Item = Entry>,
        patches: &Patches,
    ) -> Result<Self, Corrupt> {
        let mut scheduler = Self::from_header(header);
        scheduler.machine.awaiting_resume = true;
        scheduler.catch_up(journal, patches)?;
        Ok(scheduler)
    }

    /// Applies the next records of the same journal to a scheduler that was [recovered](Self::recover) and
    /// not resumed: afterwards it is as if it had been recovered from all of them. For readers that follow a
    /// journal.
    ///
    /// Cost: applying each of these records and patches once.
    ///
    /// # Errors
    /// [`Corrupt`] at the first record that is not allowed. The records before it are applied.
    pub fn catch_up(
        &mut self,
        journal: impl IntoIterator<Item = Entry>,
        patches: &Patches,
    ) -> Result<(), Corrupt> {
        debug_assert!(self.awaits_resume(), "only a reader follows a journal");
        let machine = &mut self.machine;
        for entry in journal {
            let Entry { seq, at, record } = entry;
            if seq != machine.run.next_seq {
                return Err(Corrupt::Gap {
                    expected: machine.run.next_seq,
                    found: seq,
                });
            }
            if at < machine.run.last_at {
                return Err(Corrupt::Backwards { seq, at });
            }
            if !machine.allows(&record) {
                return Err(Corrupt::Impossible { seq, record });
            }
            if let Record::Amended { content, .. } = record {
                let patch = patches.get(&content);
                let patch = patch.ok_or(Corrupt::NoPatch { seq, content })?;
                let grown = machine.graph.extend_again(patch);
                grown.map_err(|cause| Corrupt::Patch {
                    seq,
                    content,
                    cause,
                })?;
            }
            machine.apply(&entry);
        }
        machine.now = machine.run.last_at;
        Ok(())
    }

    /// Whether the scheduler was recovered and waits for [`Input::Resume`](crate::Input::Resume).
    #[must_use]
    pub const fn awaits_resume(&self) -> bool {
        self.machine.awaiting_resume
    }
}
