//! Why a ready task is not running: `Scheduler::held`, also for a reader of a stored run.
#![allow(clippy::unwrap_used)]

use zeph_graph::{Entry, Header, Policy, Task, TaskGraph, TaskId, Timestamp};
use zeph_scheduler::{Held, Input, Patches, Scheduler};

/// Two tasks, each of which uses two of the three units of a lane.
fn header() -> (Header, [TaskId; 2]) {
    let mut graph = TaskGraph::new();
    let lane = graph.add_lane("net", 3);
    let work = |name| Task::new(name).action("x").lane_weight(lane, 2);
    let first = graph.add_task(work("first"), []);
    let second = graph.add_task(work("second"), []);
    let policy = Policy::default();
    (Header { graph, policy }, [first, second])
}

fn started() -> (Scheduler, Vec<Entry>, [TaskId; 2]) {
    let (Header { graph, policy }, tasks) = header();
    let mut scheduler = Scheduler::new(graph, policy);
    scheduler.handle(Timestamp::ZERO, Input::Start);
    let batch = scheduler.step().unwrap();
    let journal = batch.entries().to_vec();
    drop(scheduler.saved(batch));
    (scheduler, journal, tasks)
}

#[test]
fn a_lane_without_room_is_named_with_its_units() {
    let (scheduler, _, [first, second]) = started();
    let lane = scheduler.graph().task(second).rules().lanes[0].lane;
    let (used, capacity) = (2, 3);
    let full = Held::Lane {
        lane,
        used,
        capacity,
    };
    assert_eq!(scheduler.held(second), full);
    assert_eq!(scheduler.in_lane(lane).collect::<Vec<_>>(), [first]);
    assert_eq!(scheduler.in_flight().collect::<Vec<_>>(), [first]);
}

#[test]
fn a_reader_of_a_stored_run_sees_what_its_owner_would_answer() {
    let (owner, journal, _) = started();
    let (header, _) = header();
    let second = TaskId::from_index(1);
    let reader = Scheduler::recover(header, journal, &Patches::new()).unwrap();
    assert_eq!(reader.held(second), Held::NoOwner);
    assert_eq!(reader.held_if_active(second), owner.held(second));
}
