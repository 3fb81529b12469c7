//! Differences between two graphs.

use std::time::Duration;

use crate::wire::{decode_header, diff, encode_header};
use crate::{Approval, Effect, Header, OnFailure, Policy, Retry, Task, TaskGraph, Trigger};

fn pair(build: impl Fn(Task) -> Task) -> (TaskGraph, TaskGraph) {
    let (mut before, mut after) = (TaskGraph::new(), TaskGraph::new());
    for graph in [&mut before, &mut after] {
        graph.add_lane("disk", 2);
    }
    before.add_task("a", []);
    after.add_task(build(Task::new("a")), []);
    (before, after)
}

#[test]
fn a_clone_and_a_stored_copy_do_not_differ() {
    let wait = Duration::from_nanos(1_500);
    let approval = Approval {
        text: "Sure?".into(),
        fallback: Some((wait, true)),
        tools: std::collections::BTreeSet::new(),
    };
    let retry = Retry::times(1).backoff(wait, 2 * wait);
    let (_, graph) = pair(|task| task.retry(retry).approve(approval.clone()).timeout(wait));
    assert!(diff(&graph, &graph.clone()).is_empty());
    let header = Header {
        graph,
        policy: Policy::default(),
    };
    let stored = decode_header(&encode_header(&header)).unwrap().graph;
    assert!(diff(&stored, &header.graph).is_empty());
}

#[test]
fn each_rule_is_named() {
    type Change = fn(Task) -> Task;
    let changes: [(Change, &str); 12] = [
        (|task| task.action("x"), "its work"),
        (|task| task.trigger(Trigger::AllDone), "its trigger"),
        (|task| task.retries(1), "its retries"),
        (
            |task| task.on_failure(OnFailure::Skip),
            "what happens when it fails",
        ),
        (
            |task| task.timeout(Duration::from_secs(1)),
            "its attempt time-out",
        ),
        (
            |task| task.total_timeout(Duration::from_secs(1)),
            "its task time-out",
        ),
        (|task| task.effect(Effect::Pure), "its effect class"),
        (|task| task.lane(crate::LaneId::from_index(0)), "its lanes"),
        (|task| task.priority(1), "its priority"),
        (|task| task.approve("Sure?"), "its approval"),
        (
            |task| task.hint(Duration::from_secs(1)),
            "its duration hint",
        ),
        (
            |task| task.budget(crate::Budget::of_tokens(1)),
            "its budget",
        ),
    ];
    for (change, words) in changes {
        let (before, after) = pair(change);
        assert_eq!(
            diff(&before, &after),
            [format!("task \"a\" differs: {words}")]
        );
    }
    let (before, after) = pair(|task| task.meta("note", "text"));
    assert!(diff(&before, &after).is_empty());
}

#[test]
fn tasks_lanes_needs_and_order_are_compared() {
    let mut before = TaskGraph::new();
    before.add_lane("disk", 1);
    before.add_lane("gone", 1);
    let a = before.add_task("a", []);
    let b = before.add_task("b", []);
    before.add_task("c", [a, b]);
    before.add_task("d\u{202e}", [a]);
    let mut after = TaskGraph::new();
    after.add_lane("disk", 2);
    after.add_lane("new", 1);
    let b = after.add_task("b", []);
    let a = after.add_task("a", [b]);
    after.add_task("c", [b, a]);
    after.add_task("e", [a]);
    assert_eq!(
        diff(&before, &after),
        [
            r#"lane "disk" has capacity 2 instead of 1"#,
            r#"lane "gone" is gone"#,
            r#"lane "new" is new"#,
            r#"task "a" differs: it needs "b" as well"#,
            r#"task "c" differs: the order of what it needs"#,
            r#"task "d\u{202e}" is gone"#,
            r#"task "e" is new"#,
            r#"the tasks are in another order: "b" now comes before "a""#,
        ]
    );
}
