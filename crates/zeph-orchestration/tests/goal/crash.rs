//! Crashes: the process ends between any two commits, and the run continues where it was.

use std::sync::Arc;

use zeph_orchestration::store::{
    FaultyStore, ListQuery, MemoryStore, Op, RawGraphStore, StoreFault,
};
use zeph_orchestration::{Confirm, Decision, OrchestratorError, RunEnd, RunResults};

use crate::script::{ANSWER, GOAL, asked, builder, planning};

type Store = Arc<FaultyStore<MemoryStore>>;

/// Simulates a process: when it returns, only the store is left.
fn process<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(work)
}

/// One process works on the goal until the commit with that number, the next one continues. `None` if the
/// run ended before that commit.
fn crashed_at(nth: u64, fault: StoreFault) -> Option<(u64, RunResults)> {
    let store: Store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let model = planning();
    let orchestrator = || {
        let confirm = Confirm::with(|_| async { Decision::Approve });
        let builder = builder(&model).store(Arc::clone(&store) as Arc<dyn RawGraphStore>);
        builder.confirm(confirm).build().unwrap()
    };
    store.fail(Op::Commit, nth, fault);
    let first = process(async { orchestrator().run(GOAL).await });
    match first {
        Ok(_) => return None,
        // The failed store is reported at the latest when the results are read.
        Err(OrchestratorError::Lost { .. } | OrchestratorError::Runtime(_)) => {}
        Err(other) => panic!("commit {nth}, {fault:?}: {other}"),
    }
    let runs = process(store.list(ListQuery::default())).unwrap();
    let Some(run) = runs.first() else {
        // The run was never created.
        assert_eq!((nth, fault), (1, StoreFault::Before));
        return Some((
            nth,
            process(orchestrator().run(GOAL)).unwrap().into_results(),
        ));
    };
    let report = process(async { orchestrator().resume(&run.run).await });
    let report = report.unwrap_or_else(|error| panic!("commit {nth}, {fault:?}: {error}"));
    let report = report.into_results();
    let replay = process(async { orchestrator().replay(&run.run).await }).unwrap();
    assert!(replay.is_same(), "commit {nth}, {fault:?}: {replay:?}");
    for prompt in ["Tell of the rain.", "Tell of the wind."] {
        // The prompts of the aggregator and of a later plan contain the text as well.
        let (calls, most) = (asked(&model, prompt), 4);
        assert!(calls <= most, "commit {nth}, {fault:?}: {calls} calls");
    }
    Some((nth, report))
}

#[test]
fn a_crash_between_any_two_commits_costs_nothing_that_was_saved() {
    for fault in [StoreFault::Before, StoreFault::After] {
        let mut crashes = 0;
        while let Some((nth, report)) = crashed_at(crashes + 1, fault) {
            crashes += 1;
            let tasks = report.tasks.iter().map(|task| (&task.name, task.attempts));
            let tasks: Vec<(&Arc<str>, u32)> = tasks.collect();
            let shown = format!("commit {nth}, {fault:?}: {tasks:?}");
            assert_eq!(report.end(), Some(RunEnd::Completed), "{shown}");
            let answer = report.answer.as_ref().map(|answer| &*answer.text);
            assert_eq!(answer, Some(ANSWER), "{shown}");
            let attempts: u32 = report.tasks.iter().map(|task| task.attempts).sum();
            // Six tasks with executors, of which at most three were cut: `adopt`, and the two that
            // its proposal let start.
            assert!((6..=9).contains(&attempts), "{shown}");
        }
        // Each of the plan, the answer and three tasks notes, reserves and settles.
        assert!(crashes > 20, "only {crashes} commits");
    }
}
