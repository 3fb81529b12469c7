//! Large graphs on a small stack: nothing recurses, nothing is quadratic.

use std::thread;

use crate::wire::{GraphSpec, Limits, TaskSpec, code};
use crate::{TaskGraph, TaskId, Topology, picture};

const CHAIN: usize = 1_000_000;

/// Runs a test on a small stack, which a deep recursion would overflow.
#[allow(
    clippy::disallowed_methods,
    reason = "a thread with a small stack finds recursion"
)]
fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let small = thread::Builder::new().stack_size(64 * 1024);
    small.spawn(test).unwrap().join().unwrap();
}

fn chain() -> TaskGraph {
    let mut graph = TaskGraph::new();
    let mut last: Option<TaskId> = None;
    for i in 0..CHAIN {
        last = Some(graph.add_task(format!("t{i}"), last));
    }
    graph
}

#[test]
fn a_chain_of_a_million_is_built_measured_drawn_and_dropped() {
    on_a_small_stack(|| {
        let graph = chain();
        let copy = graph.clone();
        let shape = Topology::of(&graph);
        assert_eq!((shape.depth(), shape.width()), (CHAIN, 1));
        assert_eq!(shape.critical_length(), 1_000 * CHAIN as u64);
        assert_eq!(shape.critical_path().len(), CHAIN);
        assert!(picture::tree(&copy, |_| Some("completed")).lines().count() < 50);
        assert_eq!(picture::mermaid(&copy, |_| None).lines().count(), 2 * CHAIN);
        drop((graph, copy));
    });
}

#[test]
fn a_chain_of_a_million_in_reverse_order_is_accepted() {
    on_a_small_stack(|| {
        let tasks = (0..CHAIN).rev().map(|i| TaskSpec {
            name: format!("t{i}"),
            needs: i
                .checked_sub(1)
                .map(|above| format!("t{above}"))
                .into_iter()
                .collect(),
            ..TaskSpec::default()
        });
        let spec = GraphSpec {
            tasks: tasks.collect(),
            ..GraphSpec::default()
        };
        let graph = TaskGraph::try_from(spec).unwrap();
        assert_eq!(graph.find("t0"), Some(TaskId::from_index(0)));
        assert_eq!(graph.edge_count(), CHAIN - 1);
    });
}

#[test]
fn a_cycle_of_a_million_is_one_short_message() {
    on_a_small_stack(|| {
        let tasks = (0..CHAIN).map(|i| TaskSpec {
            name: format!("t{i}"),
            needs: vec![format!("t{}", (i + 1) % CHAIN)],
            ..TaskSpec::default()
        });
        let spec = GraphSpec {
            tasks: tasks.collect(),
            ..GraphSpec::default()
        };
        let problems = TaskGraph::try_from(spec).unwrap_err();
        assert_eq!(problems.as_slice().len(), 1);
        let circle = &problems.as_slice()[0];
        assert_eq!(circle.code, code::CYCLE);
        assert!(circle.message.contains("t0 → t1 → "), "{}", circle.message);
        assert!(
            circle.message.contains("… 999988 more …"),
            "{}",
            circle.message
        );
        assert!(
            circle.message.ends_with("t999999 → t0"),
            "{}",
            circle.message
        );
    });
}

#[test]
fn a_graph_of_63000_tasks_and_240000_dependencies_comes_back_from_json() {
    on_a_small_stack(|| {
        let mut graph = TaskGraph::new();
        let mut ids: Vec<TaskId> = Vec::new();
        for i in 0..63_000usize {
            let parents = [1, 7, 100, 3_000]
                .into_iter()
                .filter_map(|back| i.checked_sub(back));
            let parents: Vec<TaskId> = parents.map(|parent| ids[parent]).collect();
            ids.push(graph.add_task(format!("t{i}"), parents));
        }
        assert!(graph.edge_count() > 240_000);
        let json = GraphSpec::from(&graph).to_json();
        let read = GraphSpec::from_json(&json)
            .unwrap()
            .check(&Limits::default())
            .unwrap();
        assert_eq!(read.edge_count(), graph.edge_count());
        let mut both = graph.ids().zip(read.ids());
        assert!(both.all(|(id, other)| graph.parents(id) == read.parents(other)));
    });
}

#[test]
fn misspelling_everything_costs_little() {
    let tasks = (0..20_000).map(|i| TaskSpec {
        name: format!("t{i}"),
        needs: vec![format!("x{i}"); 5],
        ..TaskSpec::default()
    });
    let spec = GraphSpec {
        tasks: tasks.collect(),
        ..GraphSpec::default()
    };
    let problems = TaskGraph::try_from(spec).unwrap_err();
    assert_eq!(problems.as_slice().len(), 1_000);
    assert!(problems.as_slice()[0].help.is_some());
    assert!(problems.to_string().ends_with("… and 99950 more"));
}
