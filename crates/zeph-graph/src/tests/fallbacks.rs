//! Fallbacks: what can be one, in graphs that are built and in graphs from outside.

use crate::wire::{Code, GraphSpec, code, diff};
use crate::{AddError, Foreach, OnFailure, Question, Task, TaskGraph, TaskId};

/// Why the graph refuses a task that falls back to `to`.
fn refused(graph: &mut TaskGraph, task: Task, to: TaskId) -> &'static str {
    let task = task.on_failure(OnFailure::Fallback(to));
    match graph.try_add_task(task, []) {
        Err(AddError::BadFallback { why, .. }) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fallback_has_one_user_and_neither_dependencies_nor_dependants() {
    let mut graph = TaskGraph::new();
    let root = graph.add_task("root", []);
    let child = graph.add_task("child", [root]);
    let spare = graph.add_task("spare", []);
    let late = graph.add_task(Task::new("late").finally(), []);
    let question = Task::new("ask").question(Question::text("Which?"));
    let len = graph.len();
    assert_eq!(
        refused(&mut graph, "a".into(), root),
        "other tasks depend on it"
    );
    assert_eq!(
        refused(&mut graph, "a".into(), child),
        "it depends on other tasks"
    );
    assert_eq!(
        refused(&mut graph, "a".into(), late),
        "only one of the two runs at the end"
    );
    let twice = refused(&mut graph, question, spare);
    assert_eq!(twice, "a question has a default answer instead");
    let stranger = TaskGraph::new().add_task("stranger", []);
    assert_eq!(
        refused(&mut graph, "a".into(), stranger),
        "it is not a task of this graph"
    );
    assert_eq!(graph.len(), len);

    let user = graph.add_task(
        Task::new("user").on_failure(OnFailure::Fallback(spare)),
        [child],
    );
    assert_eq!(graph.fallback(user), Some(spare));
    assert_eq!(graph.fallback_of(spare), Some(user));
    assert_eq!(
        refused(&mut graph, "a".into(), spare),
        "it is the fallback of another task already"
    );
    let needs = graph.try_add_task("a", [spare]);
    assert!(
        matches!(needs, Err(AddError::BadFallback { .. })),
        "{needs:?}"
    );
}

#[test]
fn what_a_refused_patch_needed_can_still_be_a_fallback() {
    let mut graph = TaskGraph::new();
    let spare = graph.add_task("spare", []);
    let task = Task::new("fetch").action("x").foreach(Foreach::DEFAULT);
    let fetch = graph.add_task(task, [spare]);
    graph.add_task("fetch[1]", []);
    assert!(graph.expand(fetch, 2).is_err());
    let mut alone = TaskGraph::new();
    let spare = alone.add_task("spare", []);
    alone.add_task("user", [spare]);
    alone.truncate(1);
    let user = alone.add_task(Task::new("user").on_failure(OnFailure::Fallback(spare)), []);
    alone.truncate(1);
    assert_eq!(alone.fallback_of(spare), None);
    let again = alone.add_task(Task::new("user").on_failure(OnFailure::Fallback(spare)), []);
    assert_eq!(again, user);
}

#[test]
fn a_graph_as_written_keeps_its_fallbacks() {
    let mut graph = TaskGraph::new();
    let task = Task::new("fetch").action("x").foreach(Foreach::DEFAULT);
    let fetch = graph.add_task(task, []);
    graph.expand(fetch, 3).unwrap();
    let patch = GraphSpec::from_json(
        r#"{"version":1,"tasks":[
            {"name":"user","needs":["fetch"],"on_failure":{"kind":"fallback","task":"spare"}},
            {"name":"spare"}
        ]}"#,
    )
    .unwrap();
    assert_eq!(graph.extend(&patch).unwrap(), 4..6);
    let plain = graph.as_written();
    let (user, spare) = (plain.find("user").unwrap(), plain.find("spare").unwrap());
    assert_eq!(plain.fallback(user), Some(spare));
    let stored = GraphSpec::from(&plain);
    assert!(diff(&plain, &TaskGraph::try_from(stored).unwrap()).is_empty());
}

#[test]
fn a_row_of_fallbacks_goes_from_front_to_back() {
    let spec = GraphSpec::from_json(
        r#"{"version":1,"tasks":[
            {"name":"first","on_failure":{"kind":"fallback","task":"second"}},
            {"name":"second","on_failure":{"kind":"fallback","task":"third"}},
            {"name":"third"}
        ]}"#,
    );
    let graph = TaskGraph::try_from(spec.unwrap()).unwrap();
    let names: Vec<&str> = graph.tasks().map(|(_, task)| task.name()).collect();
    assert_eq!(names, ["third", "second", "first"]);
}

/// Each circle is reported once, whatever leads to it, and a long row costs one pass.
#[test]
fn circles_of_fallbacks_are_found() {
    let task = |name: &str, to: &str| {
        format!(r#"{{"name":"{name}","on_failure":{{"kind":"fallback","task":"{to}"}}}}"#)
    };
    let mut tasks = vec![task("a", "b"), task("b", "a"), task("x", "x")];
    let row = (0..20_000).map(|i| task(&format!("t{i}"), &format!("t{}", i + 1)));
    tasks.extend(row);
    tasks.push(r#"{"name":"t20000"}"#.to_owned());
    let json = format!(r#"{{"version":1,"tasks":[{}]}}"#, tasks.join(","));
    let limits = crate::wire::Limits::NONE;
    let found = GraphSpec::from_json(&json)
        .unwrap()
        .check(&limits)
        .unwrap_err();
    let codes: Vec<Code> = found.iter().map(|one| one.code).collect();
    assert_eq!(codes, [code::BAD_FALLBACK, code::BAD_FALLBACK], "{found}");
    assert!(found.to_string().contains("round in a circle"), "{found}");
}

#[test]
fn a_patch_brings_its_own_fallbacks() {
    let mut graph = TaskGraph::new();
    let spare = graph.add_task("spare", []);
    graph.add_task(Task::new("user").on_failure(OnFailure::Fallback(spare)), []);
    let codes = |graph: &mut TaskGraph, tasks: &str| -> Vec<String> {
        let json = format!(r#"{{"version":1,"tasks":[{tasks}]}}"#);
        let found = graph
            .extend(&GraphSpec::from_json(&json).unwrap())
            .unwrap_err();
        found
            .iter()
            .map(|one| format!("{}: {}", one.code, one.message))
            .collect()
    };
    let known = codes(
        &mut graph,
        r#"{"name":"a","on_failure":{"kind":"fallback","task":"user"}}"#,
    );
    assert_eq!(
        known,
        ["bad_fallback: \"user\" cannot run in place of task \"a\": it is in the graph already"]
    );
    let needed = codes(&mut graph, r#"{"name":"a","needs":["spare"]}"#);
    assert_eq!(
        needed,
        ["bad_fallback: task \"a\" depends on \"spare\", which runs only if \"user\" fails"]
    );
    assert_eq!(graph.len(), 2);
}
