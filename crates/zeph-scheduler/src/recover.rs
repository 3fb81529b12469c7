//! Recover: a machine from its header and journal, by folding `apply`.

use zeph_graph::wire::Diagnostics;
use zeph_graph::{ContentId, Entry, Header, Record, Seq, Timestamp};

use crate::{Patches, Scheduler};

/// A journal that this graph and these records cannot have produced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Corrupt {
    /// A record is missing, or stands twice.
    #[error("record {found} stands where record {expected} belongs")]
    Gap {
        /// The number that would have followed.
        expected: Seq,
        /// The number that did.
        found: Seq,
    },
    /// A record is older than the one before it.
    #[error("record {seq} is dated before the one that precedes it")]
    Backwards {
        /// Its number.
        seq: Seq,
        /// Its date.
        at: Timestamp,
    },
    /// A record tells of something that cannot follow what precedes it, or of a task that is not there.
    #[error("record {seq} cannot follow what precedes it: {record:?}")]
    Impossible {
        /// Its number.
        seq: Seq,
        /// What it says.
        record: Record,
    },
    /// The patch that a record names was not given.
    #[error("record {seq} names content {content} as a patch, and it is not there")]
    NoPatch {
        /// The record's number.
        seq: Seq,
        /// The content.
        content: ContentId,
    },
    /// The patch that a record names does not fit the graph.
    #[error("the patch in content {content}, which record {seq} names, is damaged: {cause}")]
    Patch {
        /// The record's number.
        seq: Seq,
        /// The content.
        content: ContentId,
        /// What is wrong with it.
        #[source]
        cause: Diagnostics,
    },
}

impl Scheduler {
    /// Rebuilds the machine that wrote this journal.
    ///
    /// Nothing is decided anew, and nothing moves until [`Input::Resume`](crate::Input::Resume): what was in flight when
    /// the journal ends has an unknown end, and the effect classes say what becomes of it.
    ///
    /// `patches` holds those contents that the journal's `Amended` records name; a run whose graph never
    /// grew needs none. Cost: that of applying each record and each patch once. No other content is read.
    ///
    /// # Errors
    /// [`Corrupt`] at the first record that cannot be.
    pub fn recover(
        header: Header,
        journal: impl IntoIterator<Item = Entry>,
        patches: &Patches,
    ) -> Result<Self, Corrupt> {
        let mut scheduler = Self::of_header(header);
        let machine = &mut scheduler.machine;
        machine.dormant = true;
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
            if !machine.admits(&record) {
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
        Ok(scheduler)
    }

    /// Whether the machine was recovered and still waits for [`Input::Resume`](crate::Input::Resume).
    #[must_use]
    pub const fn is_dormant(&self) -> bool {
        self.machine.dormant
    }
}
