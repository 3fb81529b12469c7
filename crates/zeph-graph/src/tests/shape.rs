//! The shape of graphs, against petgraph.

use std::collections::BTreeSet;
use std::time::Duration;

use petgraph::algo::bellman_ford;
use petgraph::graph::NodeIndex;
use proptest::prelude::*;

use super::any;
use crate::{Task, TaskGraph, TaskId, Topology, bottom_levels, expected_ms};

#[test]
fn an_empty_graph_has_no_shape() {
    let shape = Topology::of(&TaskGraph::new());
    assert_eq!(
        (shape.depth(), shape.width(), shape.critical_length()),
        (0, 0, 0)
    );
    assert!(shape.roots().is_empty() && shape.critical_path().is_empty());
}

#[test]
fn hints_decide_what_is_critical() {
    let mut graph = TaskGraph::new();
    let start = graph.add_task("start", []);
    let quick = graph.add_task(Task::new("quick").hint(Duration::from_millis(10)), [start]);
    let slow = graph.add_task(Task::new("slow").hint(Duration::from_secs(3)), [start]);
    let end = graph.add_task("end", [quick, slow]);
    let shape = Topology::of(&graph);
    assert_eq!(shape.critical_path(), [start, slow, end]);
    assert_eq!(shape.critical_length(), 5_000);
    assert_eq!(
        (shape.bottom_level(quick), shape.widths()),
        (1_010, &[1, 2, 1][..])
    );
    assert_eq!(shape.roots(), [start]);
}

#[test]
fn sums_of_weights_stop_at_u64_max() {
    let mut graph = TaskGraph::new();
    let a = graph.add_task(Task::new("a").hint(Duration::MAX), []);
    let b = graph.add_task(Task::new("b").hint(Duration::from_nanos(1)), [a]);
    assert_eq!(
        (expected_ms(&graph, a), expected_ms(&graph, b)),
        (u64::MAX, 1)
    );
    assert_eq!(
        bottom_levels(&graph, &graph.links(), 0, |_| u64::MAX),
        [u64::MAX; 2]
    );
}

/// The longest paths by petgraph: the shortest ones with negative weights.
fn longest_paths(needs: &[Vec<usize>], weights: &[u64]) -> (Vec<usize>, Vec<u64>) {
    let mut graph = petgraph::Graph::<(), f64>::new();
    let nodes: Vec<NodeIndex> = needs.iter().map(|_| graph.add_node(())).collect();
    let (top, bottom) = (graph.add_node(()), graph.add_node(()));
    for (i, needs) in needs.iter().enumerate() {
        graph.add_edge(top, nodes[i], -1.0);
        graph.add_edge(nodes[i], bottom, -(weights[i] as f64));
        for &need in needs {
            graph.add_edge(nodes[need], nodes[i], -(weights[need] as f64));
        }
    }
    let below = |node: NodeIndex| -bellman_ford(&graph, node).unwrap().distances[bottom.index()];
    let bottoms = nodes.iter().map(|&node| below(node) as u64).collect();
    let mut hops = graph.map(|_, ()| (), |_, _| -1.0);
    hops.remove_node(bottom);
    let ways = bellman_ford(&hops, top).unwrap().distances;
    let levels = nodes
        .iter()
        .map(|node| -ways[node.index()] as usize - 1)
        .collect();
    (levels, bottoms)
}

proptest! {
    #[test]
    fn levels_and_paths_agree_with_petgraph(
        needs in any::needs(20),
        weights in prop::collection::vec(0..100u64, 20),
    ) {
        let graph = any::bare(&needs);
        let shape = Topology::weighted(&graph, |id| weights[id.index()]);
        let (levels, bottoms) = longest_paths(&needs, &weights);
        for id in graph.ids() {
            prop_assert_eq!(shape.level(id), levels[id.index()]);
            prop_assert_eq!(shape.bottom_level(id), bottoms[id.index()]);
        }
        let depth = levels.iter().max().map_or(0, |deepest| deepest + 1);
        prop_assert_eq!(shape.depth(), depth);
        prop_assert_eq!(shape.widths().iter().sum::<usize>(), needs.len());
        prop_assert_eq!(shape.critical_length(), bottoms.iter().copied().max().unwrap_or(0));
        let path = shape.critical_path();
        prop_assert_eq!(path.iter().map(|id| weights[id.index()]).sum::<u64>(), shape.critical_length());
        prop_assert!(path.windows(2).all(|pair| graph.parents(pair[1]).contains(&pair[0])));
    }

    #[test]
    fn links_are_the_reversed_dependencies(needs in any::needs(20)) {
        let graph = any::bare(&needs);
        let links = graph.links();
        let mut down = BTreeSet::new();
        for id in graph.ids() {
            let children = links.children(id);
            prop_assert!(children.is_sorted());
            down.extend(children.iter().map(|&child| (id, child)));
        }
        let up: BTreeSet<(TaskId, TaskId)> = (graph.ids())
            .flat_map(|id| graph.parents(id).iter().map(move |&parent| (parent, id)))
            .collect();
        prop_assert_eq!(down.len(), graph.edge_count());
        prop_assert_eq!(up, down);
    }
}
