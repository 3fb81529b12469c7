//! Removals: a patch takes tasks out and lists others under their names.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::any;
use crate::wire::{GraphSpec, TaskSpec, code, diff, revision};
use crate::{MAX_NAME_BYTES, Task, TaskGraph, TaskId};

fn base() -> TaskGraph {
    let mut graph = TaskGraph::new();
    let fetch = graph.add_task("fetch", []);
    let parse = graph.add_task("parse", [fetch]);
    graph.add_task("save", [parse]);
    graph
}

fn patch(removes: &[&str], tasks: &str) -> GraphSpec {
    let spec = format!(r#"{{"version":1,"tasks":[{tasks}]}}"#);
    GraphSpec {
        removes: removes.iter().map(|&name| name.to_owned()).collect(),
        ..GraphSpec::from_json(&spec).unwrap()
    }
}

fn names(graph: &TaskGraph) -> Vec<&str> {
    graph.tasks().map(|(_, task)| task.name()).collect()
}

#[test]
fn removed_tasks_keep_their_ids_and_free_their_names() {
    let mut graph = base();
    let new = r#"{"name":"save","needs":["fetch"]}"#;
    assert_eq!(graph.extend(&patch(&["parse", "save"], new)).unwrap(), 3..4);
    let expected = ["fetch", "parse (removed)", "save (removed)", "save"];
    assert_eq!(names(&graph), expected);
    let removed: Vec<bool> = graph.ids().map(|id| graph.is_removed(id)).collect();
    assert_eq!(removed, [false, true, true, false]);
    assert_eq!(graph.find("save").map(TaskId::index), Some(3));
    assert_eq!(graph.find("parse"), None);
    assert_eq!(names(&graph.as_written()), ["fetch", "save"]);
    graph.extend(&patch(&["save"], new)).unwrap();
    assert_eq!(names(&graph)[3..], ["save (removed 2)", "save"]);
    // The journal's copy of a patch does the same.
    let mut again = base();
    again.extend_again(&patch(&["parse", "save"], new)).unwrap();
    again.extend_again(&patch(&["save"], new)).unwrap();
    assert!(diff(&graph, &again).is_empty());
}

#[test]
fn a_long_name_has_room_for_its_mark() {
    let name = "ä".repeat(MAX_NAME_BYTES / 2);
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new(name.as_str()), []);
    graph.extend(&patch(&[&name], "")).unwrap();
    let marked = graph.task(TaskId::from_index(0)).name();
    assert!(marked.ends_with("ä (removed)") && marked.len() <= MAX_NAME_BYTES);
}

#[test]
fn bad_removals_are_reported_at_once_and_change_nothing() {
    let mut graph = base();
    graph.extend(&patch(&["save"], "")).unwrap();
    let before = graph.clone();
    let removes = ["fetsh", "parse", "parse", "save (removed)"];
    let tasks = r#"{"name":"x","needs":["parse"]},{"name":"y","needs":["save (removed)"]}"#;
    let found = graph.extend(&patch(&removes, tasks)).unwrap_err();
    let text: Vec<String> = found.iter().map(ToString::to_string).collect();
    let expected = [
        "task \"fetsh\" is removed, but does not exist",
        "task \"parse\" is removed twice",
        "task \"save (removed)\" was removed before",
        "task \"x\" depends on \"parse\", which is removed",
        "task \"y\" depends on \"save (removed)\", which is removed",
    ];
    for (text, expected) in text.iter().zip(expected) {
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(text.len(), expected.len());
    assert!(diff(&before, &graph).is_empty());
    // A whole graph removes nothing.
    let found = TaskGraph::try_from(patch(&["fetch"], "")).unwrap_err();
    assert_eq!(found.as_slice()[0].code, code::BAD_REMOVAL);
    // A patch that fails late leaves the names as they were.
    let late = patch(&["parse"], r#"{"name":"parse (removed)"}"#);
    assert!(base().extend(&late).is_err());
    assert_eq!(names(&base()), ["fetch", "parse", "save"]);
}

fn by_name(graph: &TaskGraph) -> BTreeMap<String, TaskSpec> {
    let tasks = GraphSpec::from(graph).tasks.into_iter();
    tasks.map(|task| (task.name.clone(), task)).collect()
}

proptest! {
    /// The patch makes the run's graph that of the plan, and nothing moves that is the same and stands on the same.
    #[test]
    fn a_revision_leads_to_the_plan(
        old in any::needs(25),
        new in any::needs(25),
        started in any::<prop::sample::Index>(),
    ) {
        let started = started.index(old.len() + 1);
        let rest = new.into_iter().skip(started);
        let needs: Vec<Vec<usize>> = old[..started].iter().cloned().chain(rest).collect();
        let (mut run, plan) = (any::bare(&old), any::bare(&needs));
        let before = run.clone();
        let revision = revision(&run, &plan, |id| id.index() >= started);
        run.extend(&revision.patch).unwrap();
        prop_assert_eq!(by_name(&run.as_written()), by_name(&plan));
        for id in before.ids() {
            let name = before.task(id).name();
            let is_touched = revision.patch.removes.iter().any(|removed| removed == name);
            prop_assert_eq!(run.find(name) == Some(id), !is_touched);
            let needs_touched = (before.parents(id).iter())
                .any(|parent| run.is_removed(*parent));
            let is_same = by_name(&before).get(name) == by_name(&plan).get(name);
            prop_assert_eq!(is_touched, needs_touched || !is_same);
        }
    }
}

#[test]
fn what_depended_on_a_replaced_task_depends_on_its_successor_in_the_plan() {
    let mut graph = base();
    let parse = r#"{"name":"parse","work":{"kind":"action","name":"fast"},"needs":["fetch"]}"#;
    // `save` has ended, so it stays as it is.
    graph.extend(&patch(&["parse"], parse)).unwrap();
    graph.extend(&patch(&["parse"], parse)).unwrap();
    let save = graph.find("save").unwrap();
    assert_eq!(graph.written_name(graph.parents(save)[0]), "parse");
    let written = graph.as_written();
    assert_eq!(names(&written), ["fetch", "parse", "save"]);
    let (parse, save) = (written.find("parse"), written.find("save").unwrap());
    assert_eq!(written.parents(save).first(), parse.as_ref());
    // Before the patches it was as it was written then.
    assert!(diff(&base(), &graph.as_written_after(0)).is_empty());
    assert_eq!(by_name(&graph.as_written_after(1)), by_name(&written));
    let found = |patches| graph.find_after("parse", patches).map(TaskId::index);
    assert_eq!([found(0), found(1), found(2)], [Some(1), Some(3), Some(4)]);
    // A successor that depends on it makes no cycle.
    let cycle = r#"{"name":"parse","needs":["save"]}"#;
    graph.extend(&patch(&["parse"], cycle)).unwrap();
    assert_eq!(names(&graph.as_written()).len(), 3);
    // A task without a successor is not depended on.
    graph.extend(&patch(&["parse"], "")).unwrap();
    assert_eq!(names(&graph.as_written()), ["fetch", "save"]);
}
