//! Crash: invariants of a recovered scheduler.

use zeph_graph::{Entry, Record, TaskState};
use zeph_scheduler::Snapshot;

use crate::hold;
use crate::model::Model;
use crate::violation::Check;

pub(super) fn inv_04_nothing_committed_is_lost(journal: &[Entry], recovered: &Snapshot) -> Check {
    for entry in journal {
        if let Record::Completed { task, output, .. } | Record::Supplied { task, output, .. } =
            entry.record
        {
            let state = recovered.states[task.index()];
            hold!(
                state == TaskState::Completed { output },
                4,
                "nothing_committed_is_lost",
                "{task} completed with record {}, and is {state:?} after the crash",
                entry.seq
            );
        }
    }
    Ok(())
}

/// Compares the recovered run with the model, which has no journal, as it was at the last saved batch.
/// Together with the comparison after `Resume` this shows that a crash only loses the attempts in flight:
/// a run without a crash that loses the same attempts reaches the same state.
pub(super) fn inv_15_crash_adds_only_attempts(recovered: &Snapshot, model: &Model) -> Check {
    hold!(
        model.run_state() == recovered.run && model.awaits_resume(),
        15,
        "crash_adds_only_attempts",
        "the run is {:?}, and was {:?}",
        recovered.run,
        model.run_state()
    );
    Ok(())
}
