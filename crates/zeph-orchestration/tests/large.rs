//! Large graphs: long chains and wide nets, on a stack that has no room for recursion.
#![allow(clippy::unwrap_used)]

use std::thread;

use zeph_orchestration::journal::Record;
use zeph_orchestration::{DagScheduler, Task, TaskGraph, TaskId};

fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let small = thread::Builder::new().stack_size(64 * 1024);
    small.spawn(run).unwrap().join().unwrap();
}

#[test]
fn a_million_milestones_in_a_chain_run_on_a_small_stack() {
    const TASKS: u32 = 1_000_000;
    on_a_small_stack(|| {
        let mut graph = TaskGraph::new();
        let mut last = None;
        for number in 0..TASKS {
            last = Some(graph.add_task(format!("t{number}"), last));
        }
        let mut scheduler = DagScheduler::new(graph);
        let mut next = 0;
        while scheduler.tick() {
            for event in scheduler.events() {
                if let Record::Completed { .. } = event.record {
                    assert_eq!(event.task().unwrap().as_u32(), next);
                    next += 1;
                }
            }
        }
        assert_eq!(next, TASKS);
        assert_eq!(scheduler.counts().completed, TASKS);
        assert!(scheduler.outcome().is_completed());
    });
}

#[test]
fn a_net_of_63_000_bodies_runs_on_a_small_stack() {
    const TASKS: u32 = 63_000;
    on_a_small_stack(|| {
        let mut graph = TaskGraph::new();
        let mut ids: Vec<TaskId> = Vec::new();
        for number in 0..TASKS {
            // Four earlier tasks, spread by a fixed rule.
            let parents = (1..=4u32).filter_map(|k| {
                let back = 1 + (number.wrapping_mul(k * 7) % 997);
                ids.get(number.checked_sub(back)? as usize).copied()
            });
            let task = Task::new(format!("t{number}")).action("work");
            let id = graph.add_task(task, parents);
            ids.push(id);
        }
        assert!(graph.edge_count() > 240_000);
        let mut scheduler = DagScheduler::new(graph);
        scheduler.action("work", || ());
        while scheduler.tick() {}
        assert_eq!(scheduler.counts().completed, TASKS);
        assert!(scheduler.outcome().is_completed());
    });
}
