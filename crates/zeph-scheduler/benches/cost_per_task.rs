//! The cost of one task, from a thousand tasks to a million, against a floor in the same process.
//!
//! The floor is Kahn's algorithm over the same graph: counters and a queue, without records and checks.
//! Each figure is the minimum of several rounds, since noise only adds.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_types,
    reason = "a benchmark measures time and prints it"
)]

use std::any::Any;
use std::collections::VecDeque;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::Instant;

use zeph_graph::{Policy, Task, TaskGraph, TaskId, Timestamp};
use zeph_scheduler::{Action, Input, Scheduler};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
type Build = fn(usize) -> TaskGraph;
const SHAPES: [(&str, Build); 3] = [("chain", chain), ("wide", wide), ("layered", layered)];

fn main() {
    println!("ns per task: the machine, the floor, and their ratio (least of several rounds)\n");
    println!(
        "{:<8} {:>9} {:>9} {:>9} {:>7}",
        "shape", "tasks", "machine", "floor", "ratio"
    );
    let mut worst = 0.0_f64;
    for (name, build) in SHAPES {
        let mut costs = Vec::new();
        for tasks in SIZES {
            let rounds = (2_000_000 / tasks).clamp(3, 50);
            let least = |run: &dyn Fn(TaskGraph) -> Box<dyn Any>| {
                let round = |_| {
                    let graph = build(tasks);
                    let start = Instant::now();
                    let what_is_left = run(graph);
                    let elapsed = start.elapsed();
                    drop(what_is_left);
                    elapsed.as_nanos() as f64 / tasks as f64
                };
                (0..rounds).map(round).fold(f64::MAX, f64::min)
            };
            let (machine, floor) = (least(&run_machine), least(&run_floor));
            println!(
                "{name:<8} {tasks:>9} {machine:>9.0} {floor:>9.0} {:>7.1}",
                machine / floor
            );
            costs.push(machine);
        }
        let least = costs.iter().copied().fold(f64::MAX, f64::min);
        let most = costs.iter().copied().fold(0.0, f64::max);
        println!(
            "{name:<8} dearest size / cheapest size: {:.2}\n",
            most / least
        );
        worst = worst.max(most / least);
    }
    println!("worst of all shapes: {worst:.2} (promised: within 1.5)");
}

/// Everything that a driver does, except I/O and work.
fn run_machine(graph: TaskGraph) -> Box<dyn Any> {
    let eight = NonZeroU32::new(8).unwrap_or(NonZeroU32::MIN);
    let policy = Policy {
        max_parallel: eight,
        ..Policy::default()
    };
    let mut scheduler = Scheduler::new(graph, policy);
    scheduler.handle(Timestamp::ZERO, Input::Start);
    let mut micros = 0;
    while let Some(batch) = scheduler.step() {
        for action in scheduler.saved(batch) {
            if let Action::Start { task, attempt } = action {
                micros += 1;
                let done = Input::Completed {
                    task,
                    attempt,
                    output: None,
                    log: None,
                };
                scheduler.handle(Timestamp::from_micros(micros), done);
            }
        }
    }
    assert!(scheduler.end().is_some(), "the run ends");
    Box::new(scheduler)
}

fn run_floor(graph: TaskGraph) -> Box<dyn Any> {
    let links = graph.links();
    let mut waiting: Vec<usize> = graph.ids().map(|id| graph.parents(id).len()).collect();
    let mut ready: VecDeque<TaskId> = graph.ids().filter(|id| waiting[id.index()] == 0).collect();
    let mut done = 0;
    while let Some(id) = ready.pop_front() {
        done += 1;
        for child in links.children(black_box(id)) {
            waiting[child.index()] -= 1;
            if waiting[child.index()] == 0 {
                ready.push_back(*child);
            }
        }
    }
    assert_eq!(done, graph.len());
    Box::new((graph, links, waiting))
}

fn work(i: usize) -> Task {
    Task::new(format!("task-{i}")).action("none")
}

fn chain(tasks: usize) -> TaskGraph {
    let mut graph = TaskGraph::new();
    let mut last = None;
    for i in 0..tasks {
        last = Some(graph.add_task(work(i), last));
    }
    graph
}

fn wide(tasks: usize) -> TaskGraph {
    let mut graph = TaskGraph::new();
    for i in 0..tasks {
        graph.add_task(work(i), []);
    }
    graph
}

/// Layers of a hundred tasks; each task depends on four of the layer before.
fn layered(tasks: usize) -> TaskGraph {
    let mut graph = TaskGraph::new();
    let mut ids: Vec<TaskId> = Vec::with_capacity(tasks);
    for i in 0..tasks {
        let layer = i / 100 * 100;
        let parent = |k: usize| ids[layer - 100 + (i * 7 + k * 13) % 100];
        let parents: Vec<TaskId> = if layer == 0 {
            Vec::new()
        } else {
            (0..4).map(parent).collect()
        };
        ids.push(graph.add_task(work(i), parents));
    }
    graph
}
