//! Large: a chain of a million tasks and a wide graph, built, grown, run, canceled and recovered on a small
//! stack.

use zeph_graph::wire::{GraphSpec, TaskSpec};
use zeph_graph::{ContentId, Entry, Header, Policy, RunEnd, Task, TaskGraph, TaskId, Timestamp};
use zeph_scheduler::{Action, Input, Patches, Proposer, Scheduler, Scope};

/// A stack size that a recursion over a graph overflows.
const STACK: usize = 64 * 1024;

#[allow(
    clippy::disallowed_methods,
    reason = "a thread with a small stack finds recursion"
)]
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK);
    let ended = thread.spawn(work).map(std::thread::JoinHandle::join);
    assert!(matches!(ended, Ok(Ok(()))));
}

fn chain(tasks: u32) -> TaskGraph {
    let mut graph = TaskGraph::new();
    let mut last: Option<TaskId> = None;
    for at in 0..tasks {
        let task = Task::new(format!("t{at}")).action("no-op");
        last = Some(graph.add_task(task, last));
    }
    graph
}

/// Layers of 250 tasks, each with four parents among those of the layer above, more or less.
fn wide(tasks: u32) -> TaskGraph {
    let mut graph = TaskGraph::new();
    let mut ids: Vec<TaskId> = Vec::new();
    let mut draw: u64 = 7;
    for at in 0..tasks {
        let mut parents = Vec::new();
        if at >= 250 {
            while parents.len() < 4 {
                draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let parent = ids[(at - 250 + (draw >> 33) as u32 % 250) as usize];
                if !parents.contains(&parent) {
                    parents.push(parent);
                }
            }
        }
        let task = Task::new(format!("t{at}")).action("no-op");
        ids.push(graph.add_task(task, parents));
    }
    graph
}

/// Runs with no-op work; after `cancel_after` results the run is canceled and the rest reports late.
fn drive(graph: TaskGraph, cancel_after: Option<usize>) -> (Vec<Entry>, Scheduler) {
    let mut machine = Scheduler::new(graph, Policy::default());
    let mut journal = Vec::new();
    let mut results = 0;
    let mut clock = 0;
    machine.handle(Timestamp::ZERO, Input::Start);
    while let Some(batch) = machine.step() {
        journal.extend_from_slice(batch.entries());
        for action in machine.saved(batch) {
            if let Action::Start { task, attempt } = action {
                clock += 1;
                results += 1;
                if cancel_after == Some(results) {
                    machine.handle(Timestamp::from_micros(clock), Input::Cancel(Scope::Run));
                }
                let done = Input::Completed {
                    task,
                    attempt,
                    output: None,
                    log: None,
                };
                machine.handle(Timestamp::from_micros(clock), done);
            }
        }
    }
    (journal, machine)
}

fn recovers(graph: TaskGraph, journal: Vec<Entry>, live: &Scheduler) {
    let header = Header {
        graph,
        policy: Policy::default(),
    };
    let recovered =
        Scheduler::recover(header, journal, &Patches::new()).map(|machine| machine.snapshot());
    assert!(recovered == Ok(live.snapshot()));
}

#[test]
fn a_chain_of_a_million_tasks_runs_and_recovers() {
    on_a_small_stack(|| {
        let graph = chain(1_000_000);
        let (journal, machine) = drive(graph.clone(), None);
        assert_eq!(machine.end(), Some(RunEnd::Completed));
        assert_eq!(machine.counts().completed, 1_000_000);
        recovers(graph, journal, &machine);
    });
}

#[test]
fn a_chain_of_a_million_tasks_is_skipped_at_once() {
    on_a_small_stack(|| {
        let mut graph = TaskGraph::new();
        let task = Task::new("first").approve("go?").action("no-op");
        let mut last = graph.add_task(task, []);
        for at in 1..1_000_000 {
            let task = Task::new(format!("t{at}")).action("no-op");
            last = graph.add_task(task, [last]);
        }
        let mut machine = Scheduler::new(graph, Policy::default());
        machine.handle(Timestamp::ZERO, Input::Start);
        let question = machine.questions().next().unwrap().id;
        let answer = zeph_graph::Answer::No;
        machine.handle(
            Timestamp::ZERO,
            Input::Answered {
                question,
                answer,
                by: None,
            },
        );
        assert_eq!(machine.counts().skipped, 1_000_000);
        assert_eq!(machine.end(), Some(RunEnd::Completed));
        // The path back from the last task to the first has a million steps, too.
        assert!(matches!(
            machine.explain(last),
            zeph_scheduler::Explanation::Ended { because, .. } if because.len() == 1_000_000
        ));
    });
}

#[test]
fn a_million_tasks_are_cancelled_in_one_step() {
    on_a_small_stack(|| {
        let graph = chain(1_000_000);
        let (journal, machine) = drive(graph.clone(), Some(1_000));
        assert_eq!(machine.end(), Some(RunEnd::Canceled));
        let counts = machine.counts();
        assert_eq!((counts.completed, counts.canceled), (999, 999_001));
        recovers(graph, journal, &machine);
    });
}

#[test]
fn a_wide_graph_runs_is_cancelled_and_recovers() {
    on_a_small_stack(|| {
        let graph = wide(63_000);
        assert!(graph.edge_count() >= 240_000);
        for cancel_after in [None, Some(30_000)] {
            let (journal, machine) = drive(graph.clone(), cancel_after);
            let end = match cancel_after {
                None => RunEnd::Completed,
                Some(_) => RunEnd::Canceled,
            };
            assert_eq!(machine.end(), Some(end));
            recovers(graph.clone(), journal, &machine);
        }
    });
}

#[test]
fn a_wide_graph_is_cancelled_downstream_of_one_task() {
    on_a_small_stack(|| {
        let graph = wide(63_000);
        let mut machine = Scheduler::new(graph.clone(), Policy::default());
        machine.handle(Timestamp::ZERO, Input::Start);
        machine.handle(
            Timestamp::ZERO,
            Input::Cancel(Scope::Downstream(TaskId::from_index(249))),
        );
        let counts = machine.counts();
        assert!(counts.canceled > 50_000, "{counts:?}");
        let batch = machine.step().unwrap();
        let journal = batch.entries().to_vec();
        drop(machine.saved(batch));
        recovers(graph, journal, &machine);
    });
}

/// The next tasks of a chain, after its current last task.
fn next_piece(known: usize, tasks: usize) -> GraphSpec {
    let one = r#"{"version":1,"tasks":[{"name":"t","work":{"kind":"action","name":"no-op"}}]}"#;
    let one = GraphSpec::from_json(one).map(|spec| spec.tasks);
    let one = one.unwrap_or_default().remove(0);
    let task = |at: usize| TaskSpec {
        name: format!("t{at}"),
        needs: vec![format!("t{}", at - 1)],
        ..one.clone()
    };
    GraphSpec {
        tasks: (known..known + tasks).map(task).collect(),
        ..GraphSpec::default()
    }
}

#[test]
fn a_chain_grows_to_a_million_tasks_while_it_runs_and_recovers() {
    const PIECE: usize = 1_000;
    on_a_small_stack(|| {
        let graph = chain(1);
        let mut machine = Scheduler::new(graph.clone(), Policy::default());
        let mut journal = Vec::new();
        let mut patches = Patches::new();
        let mut content = ContentId::FIRST;
        let now = Timestamp::ZERO;
        machine.handle(now, Input::Start);
        while let Some(batch) = machine.step() {
            journal.extend_from_slice(batch.entries());
            for action in machine.saved(batch) {
                let Action::Start { task, attempt } = action else {
                    continue;
                };
                // The current last task proposes the next ones.
                let known = machine.graph().len();
                if task.index() + 1 == known && known < 1_000_000 {
                    let patch = next_piece(known, PIECE);
                    let grown = machine.amend(
                        now,
                        Proposer {
                            task,
                            attempt,
                            after: 0,
                        },
                        content,
                        &patch,
                    );
                    assert!(grown.is_ok());
                    patches.insert(content, patch);
                    content = content.next();
                }
                let done = Input::Completed {
                    task,
                    attempt,
                    output: None,
                    log: None,
                };
                machine.handle(now, done);
            }
        }
        assert_eq!(machine.end(), Some(RunEnd::Completed));
        assert_eq!(machine.counts().completed, 1_000_001);
        let policy = Policy::default();
        let recovered = Scheduler::recover(Header { graph, policy }, journal, &patches);
        assert!(recovered.map(|machine| machine.snapshot()) == Ok(machine.snapshot()));
    });
}
