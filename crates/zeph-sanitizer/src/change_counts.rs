//! Counts of changes by kind.

use std::collections::BTreeMap;

use zeph_common::Removed;

use crate::content::{Change, ChangeKind};

/// The counts, by kind.
#[derive(Debug, Default)]
pub(crate) struct ChangeCounts(BTreeMap<ChangeKind, u64>);

impl ChangeCounts {
    pub(crate) fn add(&mut self, kind: ChangeKind, count: u64) {
        if count > 0 {
            *self.0.entry(kind).or_default() += count;
        }
    }

    pub(crate) fn add_removed(&mut self, removed: Removed) {
        self.add(ChangeKind::Escape, removed.escapes);
        self.add(ChangeKind::Control, removed.controls);
        self.add(ChangeKind::Bidi, removed.bidi);
        self.add(ChangeKind::Invisible, removed.invisible);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        for (kind, count) in other.0 {
            self.add(kind, count);
        }
    }

    pub(crate) fn changes(self) -> Vec<Change> {
        let changes = self.0.into_iter();
        changes
            .map(|(kind, count)| Change { kind, count })
            .collect()
    }
}
