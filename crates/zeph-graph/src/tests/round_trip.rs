//! Round trips of graphs, headers and parameters.

use std::time::Duration;

use proptest::prelude::*;

use super::any;
use crate::wire::{GraphSpec, decode_header, diff, encode_header};
use crate::{Approval, Header, Params, Retry, Task, TaskGraph};

/// Compares all parts of two graphs.
fn assert_same(a: &TaskGraph, b: &TaskGraph) {
    assert_eq!(a.len(), b.len());
    for (id, other) in a.ids().zip(b.ids()) {
        assert_eq!(a.task(id), b.task(other));
        assert_eq!(a.parents(id), b.parents(other));
    }
    assert_eq!(a.lanes(), b.lanes());
    assert_eq!(a.metadata(), b.metadata());
}

/// A run and its recovery use the same times.
#[test]
fn a_spec_has_the_times_that_its_text_has() {
    let short = Duration::from_nanos(1);
    let approve = Approval {
        text: "Go on?".to_owned(),
        fallback: Some((short, true)),
        tools: ["write".to_owned()].into(),
    };
    let retry = Retry {
        max_retries: 1,
        base: short,
        cap: short,
    };
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new("a").retry(retry).approve(approve), []);
    let spec = GraphSpec::from(&graph);
    assert_eq!(GraphSpec::from_json(&spec.to_json()).unwrap(), spec);
}

proptest! {
    #[test]
    fn a_graph_keeps_its_ids_and_all_else(graph in any::graph()) {
        let spec = GraphSpec::from(&graph);
        let read = GraphSpec::from_json(&spec.to_json()).unwrap();
        prop_assert_eq!(&read, &spec);
        let back = TaskGraph::try_from(read).unwrap();
        assert_same(&graph, &back);
        prop_assert!(diff(&graph, &back).is_empty());
    }

    #[test]
    fn a_header_comes_back_byte_for_byte(graph in any::graph(), policy in any::policy()) {
        let text = encode_header(&Header { graph: graph.clone(), policy });
        let read = decode_header(&text).unwrap();
        assert_same(&graph, &read.graph);
        prop_assert_eq!(read.policy, policy);
        prop_assert_eq!(encode_header(&read), text);
    }

    #[test]
    fn the_order_in_a_spec_does_not_change_the_graph(
        graph in any::graph(),
        shuffle in prop::collection::vec(any::<u32>(), 24),
    ) {
        let mut spec = GraphSpec::from(&graph);
        let mut keyed: Vec<_> = shuffle.into_iter().zip(spec.tasks).collect();
        keyed.sort_by_key(|(key, _)| *key);
        spec.tasks = keyed.into_iter().map(|(_, task)| task).collect();
        let read = TaskGraph::try_from(spec.clone()).unwrap();
        prop_assert_eq!(read.len(), graph.len());
        for (id, task) in read.tasks() {
            let old = graph.find(task.name()).unwrap();
            // A fallback may have another number.
            let name_of = |graph: &TaskGraph, id| {
                graph.fallback(id).map(|to| graph.task(to).name().to_owned())
            };
            prop_assert_eq!(name_of(&read, id), name_of(&graph, old));
            let mut expected = graph.task(old).clone();
            if graph.fallback(old).is_some() {
                expected = expected.on_failure(task.rules().on_failure.clone());
            }
            prop_assert_eq!(task, &expected);
            let names = |graph: &TaskGraph, id| -> Vec<String> {
                graph.parents(id).iter().map(|&parent| graph.task(parent).name().into()).collect()
            };
            prop_assert_eq!(names(&read, id), names(&graph, old));
        }
        // Among the tasks that are ready, the first one of the spec comes first.
        let place = |name: &str| spec.tasks.iter().position(|task| task.name == name).unwrap();
        for pair in read.ids().collect::<Vec<_>>().windows(2) {
            let earlier = place(read.task(pair[0]).name()) < place(read.task(pair[1]).name());
            let is_fallback = read.fallback(pair[1]) == Some(pair[0]);
            prop_assert!(earlier || is_fallback || read.parents(pair[1]).contains(&pair[0]));
        }
    }

    #[test]
    fn parameters_keep_their_value(value in any::value()) {
        let params = Params::from(value.clone());
        prop_assert_eq!(params.to_value().unwrap(), value.clone());
        prop_assert_eq!(Params::from(params.to_value().unwrap()), params);
    }

    #[test]
    fn a_spec_is_accepted_unless_it_has_unknown_needs_or_cycles(
        needs in prop::collection::vec(prop::collection::vec(0..8usize, 0..4), 0..8),
    ) {
        // Needs may be unknown and may form cycles.
        let tasks = needs.iter().enumerate().map(|(i, needs)| crate::wire::TaskSpec {
            name: format!("t{i}"),
            needs: needs.iter().map(|need| format!("t{need}")).collect(),
            ..Default::default()
        });
        let spec = GraphSpec { tasks: tasks.collect(), ..GraphSpec::default() };
        let oracle = petgraph::Graph::<(), ()>::from_edges(
            needs.iter().enumerate().flat_map(|(i, needs)| {
                needs.iter().map(move |&need| (need as u32, i as u32))
            }),
        );
        let unknown = needs.iter().flatten().any(|&need| need >= needs.len());
        let cyclic = petgraph::algo::is_cyclic_directed(&oracle);
        match TaskGraph::try_from(spec) {
            Ok(graph) => {
                prop_assert!(!unknown && !cyclic);
                prop_assert_eq!(graph.len(), needs.len());
            }
            Err(problems) => {
                prop_assert!(unknown || cyclic, "{}", problems);
                let cycles = problems.iter().filter(|one| one.code == crate::wire::code::CYCLE);
                let components = petgraph::algo::tarjan_scc(&oracle);
                let groups = components.iter().filter(|group| group.len() > 1);
                prop_assert_eq!(cycles.count(), groups.count());
            }
        }
    }
}
