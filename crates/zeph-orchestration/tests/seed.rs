//! The seed's program, unchanged, and the properties of every run of it.
#![allow(clippy::unwrap_used)]

use zeph_orchestration::journal::Record;
use zeph_orchestration::{DagScheduler, Outcome, RunEnd, Task, TaskGraph, TaskState, Trigger};

/// The unchanged program. It runs as an example of the crate's documentation.
const PROGRAM: &str = r#"#![allow(unused)]
fn main() {
use zeph_orchestration::{TaskGraph, DagScheduler, Task};
// Define a task DAG
let mut graph = TaskGraph::new();
let task_1 = graph.add_task("fetch_data", vec![]);
let task_2 = graph.add_task("process", vec![task_1]); // depends on task_1
let task_3 = graph.add_task("save", vec![task_2]); // depends on task_2
// Execute
let mut scheduler = DagScheduler::new(graph);
while scheduler.tick() {
// Process executor events
}
}
"#;

#[test]
fn the_documented_program_is_the_seeds_word_for_word() {
    for page in [
        include_str!("../src/lib.rs"),
        include_str!("../../../README.md"),
    ] {
        let lines = page.lines();
        let text = lines.map(|line| line.strip_prefix("//! ").unwrap_or(line));
        let program = text.skip_while(|line| *line != "#![allow(unused)]");
        let program: Vec<&str> = program.take_while(|line| *line != "```").collect();
        assert_eq!(program, PROGRAM.lines().collect::<Vec<_>>());
    }
}

#[test]
fn the_seeds_three_tasks_complete_in_order() {
    let mut graph = TaskGraph::new();
    let task_1 = graph.add_task("fetch_data", vec![]);
    let task_2 = graph.add_task("process", vec![task_1]);
    let task_3 = graph.add_task("save", vec![task_2]);
    let mut scheduler = DagScheduler::new(graph);
    let mut completed = Vec::new();
    let mut last = None;
    while scheduler.tick() {
        for event in scheduler.events() {
            if let Record::Completed { .. } = event.record {
                completed.push(event.task_name.as_deref().unwrap().to_owned());
            }
            last = Some(event.record);
        }
    }
    assert_eq!(completed, ["fetch_data", "process", "save"]);
    for task in [task_1, task_2, task_3] {
        assert!(scheduler.state(task).is_completed());
    }
    let end = RunEnd::Completed;
    assert_eq!(last, Some(Record::Ended { end }));
    assert_eq!(scheduler.outcome(), Outcome::Ended(end));
    assert!(!scheduler.tick(), "an ended run stays ended");
    assert_eq!(scheduler.events().len(), 0);
}

#[test]
fn nothing_moves_before_the_first_tick() {
    let mut graph = TaskGraph::new();
    let task = graph.add_task("one", []);
    let scheduler = DagScheduler::new(graph);
    assert_eq!(scheduler.state(task), TaskState::Pending);
    assert_eq!(scheduler.outcome(), Outcome::NotFinished);
    assert_eq!(scheduler.counts().pending, 1);
    assert!(scheduler.journal().is_empty());
}

#[test]
fn an_empty_graph_is_completed() {
    let mut scheduler = DagScheduler::new(TaskGraph::new());
    while scheduler.tick() {}
    assert!(scheduler.outcome().is_completed());
}

#[test]
fn the_journal_rebuilds_the_run() {
    let mut graph = TaskGraph::new();
    let bad = graph.add_task(
        Task::new("bad").on_failure(zeph_orchestration::OnFailure::Skip),
        [],
    );
    let skipped = graph.add_task("skipped", [bad]);
    graph.add_task(Task::new("clean").trigger(Trigger::AllDone), [bad, skipped]);
    let mut scheduler = DagScheduler::new(graph);
    scheduler.body(bad, || Err::<(), _>("no"));
    while scheduler.tick() {}
    let header = zeph_orchestration::graph::Header {
        graph: scheduler.graph().clone(),
        policy: zeph_orchestration::Policy::default(),
    };
    let journal = scheduler.journal().iter().copied();
    let rebuilt = zeph_orchestration::scheduler::Scheduler::recover(
        header,
        journal,
        &zeph_orchestration::scheduler::Patches::new(),
    )
    .unwrap();
    assert_eq!(
        rebuilt.snapshot(),
        scheduler.scheduler().unwrap().snapshot()
    );
}
