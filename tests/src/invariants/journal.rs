//! Journal: its replay, its summary and its encoding.

use zeph_graph::wire::{decode, encode};
use zeph_graph::{Entry, Record, RunState};
use zeph_scheduler::Snapshot;

use crate::audit::Audit;
use crate::hold;
use crate::violation::Check;

/// The replay of the journal equals the live scheduler.
///
/// # Errors
/// If they differ.
pub fn inv_14_fold(folded: &Snapshot, live: &Snapshot) -> Check {
    hold!(
        folded == live,
        14,
        "fold_equals_live",
        "folded: {folded:?}\nlive: {live:?}"
    );
    Ok(())
}

/// Each task has exactly one terminal record, and the last record has the end that the counts imply.
///
/// # Errors
/// If a task has none or two, or the counts do not add up.
pub fn inv_13_summary(journal: &[Entry], last: &Snapshot) -> Check {
    let count = |want: fn(&Record) -> bool| {
        let found = journal.iter().filter(|entry| want(&entry.record));
        u32::try_from(found.count()).unwrap_or(u32::MAX)
    };
    let recorded = [
        count(|record| matches!(record, Record::Completed { .. } | Record::Supplied { .. })),
        count(|record| matches!(record, Record::Failed { .. })),
        count(|record| matches!(record, Record::Skipped { .. })),
        count(|record| matches!(record, Record::Canceled { .. })),
    ];
    let counts = &last.counts;
    let counted = [
        counts.completed,
        counts.failed,
        counts.skipped,
        counts.canceled,
    ];
    hold!(
        recorded == counted && recorded.iter().sum::<u32>() as usize == last.states.len(),
        13,
        "records_explained",
        "the journal records {recorded:?} completed, failed, skipped, canceled; counted {counted:?}"
    );
    let end = journal.last().map(|entry| entry.record);
    let recorded = match end {
        Some(Record::Ended { end }) => Some(RunState::Ended(end)),
        _ => None,
    };
    hold!(
        recorded == Some(last.run),
        13,
        "records_explained",
        "the journal ends with {end:?}, the run with {:?}",
        last.run
    );
    Ok(())
}

/// The accounts of the run and its tasks equal the sums over the records.
///
/// # Errors
/// If they differ.
pub fn inv_24_accounts(snapshot: &Snapshot, audit: &Audit) -> Check {
    let recorded = audit.accounts();
    hold!(
        recorded.0 == snapshot.account && recorded.1 == snapshot.accounts,
        24,
        "accounts_are_sums",
        "the records add up to {recorded:?}, the machine says {:?} and {:?}",
        snapshot.account,
        snapshot.accounts
    );
    Ok(())
}

/// Every record is equal after encoding and decoding.
///
/// # Errors
/// If a decoded record differs, or cannot be decoded.
pub fn inv_21_wire(journal: &[Entry]) -> Check {
    for entry in journal {
        let text = encode(&entry.record);
        let back = decode(&text);
        hold!(
            back.as_ref().is_ok_and(|back| *back == entry.record),
            21,
            "wire_keeps_records",
            "{:?} is written {text} and read {back:?}",
            entry.record
        );
    }
    Ok(())
}
