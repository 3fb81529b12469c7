//! Patches: added as a whole or not at all, validated like a whole graph.

use proptest::prelude::*;

use super::any;
use crate::wire::{Code, GraphSpec, TaskSpec, code, diff};
use crate::{LaneId, Task, TaskGraph, TaskId, bottom_levels};

fn base() -> TaskGraph {
    let mut graph = TaskGraph::new();
    graph.add_lane("disk", 2);
    let fetch = graph.add_task("fetch", []);
    graph.add_task("parse", [fetch]);
    graph
}

fn patch(tasks: &str) -> GraphSpec {
    GraphSpec::from_json(&format!(r#"{{"version":1,"tasks":[{tasks}]}}"#)).unwrap()
}

/// The problems of a patch; the graph is unchanged.
fn problems(tasks: &str) -> Vec<(Code, String)> {
    let mut graph = base();
    let found = graph.extend(&patch(tasks)).unwrap_err();
    assert!(diff(&base(), &graph).is_empty());
    assert_eq!((graph.edge_count(), graph.find("x")), (1, None));
    (found.iter())
        .map(|one| (one.code, one.to_string()))
        .collect()
}

#[test]
fn a_patch_may_need_existing_tasks_and_its_own() {
    let mut graph = base();
    let fetch = graph.find("fetch").unwrap();
    let new = graph.extend(&patch(
        r#"{"name":"save","needs":["check","fetch"]},{"name":"check","needs":["parse"],"lanes":[{"lane":"disk"}]}"#,
    ));
    assert_eq!(new.unwrap(), 2..4);
    let (check, save) = (graph.find("check").unwrap(), graph.find("save").unwrap());
    assert_eq!((check.index(), save.index()), (2, 3));
    assert_eq!(graph.parents(save), [check, fetch]);
    let used = &graph.task(check).rules().lanes;
    assert_eq!(used[0].lane, LaneId::from_index(0));
}

#[test]
fn all_problems_of_a_patch_are_reported_at_once() {
    let found = problems(
        r#"{"name":"fetch"},
           {"name":"Parse"},
           {"name":"x","needs":["fecth"]},
           {"name":"y","needs":["z","fetch"]},
           {"name":"z","needs":["y"]},
           {"name":"w","lanes":[{"lane":"dsk"}]},
           {"name":"v","lanes":[{"lane":"disk","weight":3}]}"#,
    );
    let codes: Vec<Code> = found.iter().map(|(code, _)| *code).collect();
    assert_eq!(
        codes,
        [
            code::DUPLICATE_NAME,
            code::CASE_FOLDED_DUPLICATE,
            code::UNKNOWN_DEPENDENCY,
            code::UNKNOWN_LANE,
            code::BAD_WEIGHT,
            code::CYCLE
        ]
    );
    let says = |at: usize, words: &str| assert!(found[at].1.contains(words), "{}", found[at].1);
    says(0, "there is a task named \"fetch\" already");
    says(1, "\"parse\" and \"Parse\"");
    says(2, "did you mean \"fetch\"?");
    says(3, "did you mean \"disk\"?");
    says(5, "y → z → y");
}

#[test]
fn a_patch_declares_no_lanes() {
    let mut graph = base();
    let mut spec = patch(r#"{"name":"x","lanes":[{"lane":"net"}]}"#);
    spec.lanes.push(crate::wire::LaneSpec {
        name: "net".into(),
        capacity: 1,
        shared: false,
    });
    let found = graph.extend(&spec).unwrap_err();
    assert_eq!(found.as_slice()[0].code, code::LANE_IN_PATCH);
    // Even of a graph without tasks: it may run already.
    let found = TaskGraph::new().extend(&spec).unwrap_err();
    assert_eq!(found.as_slice()[0].code, code::LANE_IN_PATCH);
    assert_eq!(graph.lanes().len(), 1);
}

#[test]
fn names_of_an_earlier_patch_cannot_be_used_again() {
    let mut graph = base();
    graph.extend(&patch(r#"{"name":"Save"}"#)).unwrap();
    let found = graph.extend(&patch(r#"{"name":"save"}"#)).unwrap_err();
    assert_eq!(found.as_slice()[0].code, code::CASE_FOLDED_DUPLICATE);
    graph.add_task("LOAD", []);
    let found = graph.extend(&patch(r#"{"name":"load"}"#)).unwrap_err();
    assert_eq!(found.as_slice()[0].code, code::CASE_FOLDED_DUPLICATE);
}

#[test]
fn an_accepted_patch_is_accepted_again() {
    let outside = patch(r#"{"name":"a/b"}"#);
    assert!(base().extend(&outside).is_err());
    assert_eq!(base().extend_again(&outside).unwrap(), 2..3);
    let mut graph = base();
    assert!(graph.extend_again(&patch(r#"{"name":"parse"}"#)).is_err());
    assert!(
        graph
            .extend_again(&patch(r#"{"name":"x","needs":["y"]}"#))
            .is_err()
    );
    assert_eq!(graph.len(), 2);
}

#[test]
fn a_patch_leaves_metadata_and_rules_alone() {
    let mut graph = base();
    graph.metadata_mut().insert("goal".into(), "report".into());
    let mut spec = patch("");
    spec.metadata.insert("goal".into(), "another".into());
    assert_eq!(graph.extend(&spec).unwrap(), 2..2);
    assert_eq!(graph.metadata()["goal"], "report");
}

/// The tasks `t{first}`… of a graph, in an order that the keys give.
fn specs(graph: &TaskGraph, first: usize, keys: &[u8]) -> Vec<TaskSpec> {
    let all = GraphSpec::from(graph).tasks.split_off(first);
    let keys = keys.iter().copied().chain(std::iter::repeat(0));
    let mut keyed: Vec<(u8, TaskSpec)> = keys.zip(all).collect();
    keyed.sort_by_key(|(key, _)| *key);
    keyed.into_iter().map(|(_, task)| task).collect()
}

fn same_children(graph: &TaskGraph, links: &crate::Links) {
    let fresh = graph.links();
    for id in graph.ids() {
        assert_eq!(links.children(id), fresh.children(id), "{id}");
    }
}

proptest! {
    /// Validation of the whole graph and of its parts agree, including ids.
    #[test]
    fn a_grown_graph_is_the_graph_of_all_its_tasks(
        needs in any::needs(30),
        cut in any::<prop::sample::Index>(),
        keys in prop::collection::vec(any::<u8>(), 0..30),
        spoil in prop::option::of(0..4usize),
    ) {
        let whole = any::bare(&needs);
        let first = cut.index(needs.len() + 1);
        let mut graph = any::bare(&needs[..first]);
        let mut spec = GraphSpec { tasks: specs(&whole, first, &keys), ..GraphSpec::default() };
        if let (Some(kind), Some(task)) = (spoil, spec.tasks.last_mut()) {
            match kind {
                0 => task.needs.push("missing".into()),
                1 => task.needs.push(task.name.clone()),
                2 => task.name = "t0".into(),
                _ => task.attempt_timeout_us = Some(0),
            }
        }
        let mut all = GraphSpec::from(&graph);
        all.tasks.extend(spec.tasks.iter().cloned());
        let expected = TaskGraph::try_from(all);
        match (graph.extend(&spec), expected) {
            (Ok(new), Ok(expected)) => {
                prop_assert_eq!(new, first as u32..needs.len() as u32);
                prop_assert!(diff(&expected, &graph).is_empty());
                let mut again = any::bare(&needs[..first]);
                again.extend_again(&spec).unwrap();
                prop_assert!(diff(&graph, &again).is_empty());
            }
            (Err(found), Err(expected)) => {
                let codes = |all: &crate::wire::Diagnostics| -> Vec<Code> {
                    all.iter().map(|one| one.code).collect()
                };
                prop_assert_eq!(codes(&found), codes(&expected));
                prop_assert!(diff(&any::bare(&needs[..first]), &graph).is_empty());
            }
            (found, expected) => prop_assert!(false, "{:?} and {:?}", found, expected.is_ok()),
        }
    }

    #[test]
    fn links_that_grow_are_the_links_of_the_grown_graph(
        needs in any::needs(60),
        pieces in prop::collection::vec(1..20usize, 1..10),
    ) {
        let whole = any::bare(&needs);
        let mut graph = TaskGraph::new();
        let mut links = graph.links();
        let mut pieces = pieces.into_iter().cycle();
        while graph.len() < needs.len() {
            let first = graph.len();
            for id in whole.ids().skip(first).take(pieces.next().unwrap_or(1)) {
                let parents: Vec<TaskId> = (whole.parents(id).iter())
                    .map(|parent| TaskId::from_index(parent.as_u32()))
                    .collect();
                graph.add_task(Task::new(whole.task(id).name()), parents);
            }
            links.grow(&graph);
            same_children(&graph, &links);
            let whole = bottom_levels(&graph, &links, 0, |id| id.index() as u64 % 3);
            let part = bottom_levels(&graph, &links, first, |id| id.index() as u64 % 3);
            prop_assert_eq!(&whole[first..], &part[..]);
        }
    }
}
