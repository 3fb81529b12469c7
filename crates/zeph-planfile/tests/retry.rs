//! Retries: keys of a plan override a given default policy, which overrides the crate's default.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use zeph_graph::Retry;
use zeph_planfile::{Format, Plan};

const PLAN: &str = r#"
[tasks.silent]
run = ["x"]
[tasks.none]
run = ["x"]
retry = 0
[tasks.word]
run = ["x"]
on_failure = "retry"
[tasks.word-and-zero]
run = ["x"]
on_failure = "retry"
retry = 0
[tasks.word-and-number]
run = ["x"]
on_failure = "retry"
retry = 1
[tasks.number]
run = ["x"]
retry = 2
[tasks.table]
run = ["x"]
retry = { max = 4, base = "3s", cap = "4s" }
[tasks.table-of-max]
run = ["x"]
retry = { max = 4 }
[tasks.long-base]
run = ["x"]
retry = { max = 4, base = "5m" }
[tasks.short-cap]
run = ["x"]
retry = { max = 4, cap = "2ms" }
[tasks.question]
ask = "Why?"
"#;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn policy() -> Retry {
    Retry::times(9).backoff(7 * SECOND, 20 * SECOND)
}

fn load(text: &str) -> Plan {
    Plan::load(text, Format::Toml, "plan").unwrap()
}

/// The retries of the tasks as they are in the graph that is run.
fn retries(plan: &Plan) -> BTreeMap<String, Retry> {
    let graph = plan.bind(&BTreeMap::new()).unwrap().graph().unwrap();
    let retries = graph
        .tasks()
        .map(|(_, task)| (task.name().to_owned(), task.rules().retry));
    retries.collect()
}

#[test]
fn a_default_policy_stands_in_for_what_a_plan_does_not_say() {
    let found = retries(&load(PLAN).with_retry_defaults(policy()));
    let times = |max| Retry {
        max_retries: max,
        ..policy()
    };
    let minutes = 300 * SECOND;
    for (task, wanted) in [
        ("silent", Retry::NEVER),
        ("none", times(0)),
        ("word", times(9)),
        ("word-and-zero", times(9)),
        ("word-and-number", times(1)),
        ("number", times(2)),
        ("table", Retry::times(4).backoff(3 * SECOND, 4 * SECOND)),
        ("table-of-max", times(4)),
        ("long-base", Retry::times(4).backoff(minutes, minutes)),
        ("short-cap", Retry::times(4).backoff(2 * MILLI, 2 * MILLI)),
        ("question", Retry::NEVER),
    ] {
        assert_eq!(found[task], wanted, "{task}");
    }
}

#[test]
fn without_a_policy_it_is_three_retries_after_a_second_to_a_minute() {
    let found = retries(&load(PLAN));
    assert_eq!(found["word"], Retry::times(3));
    assert_eq!(found["number"], Retry::times(2));
    let table = Retry::times(4).backoff(3 * SECOND, 4 * SECOND);
    assert_eq!(found["table"], table);
}

#[test]
fn a_second_policy_replaces_the_first_and_shared_plans_keep_theirs() {
    let plan = load(PLAN);
    let first = plan.clone().with_retry_defaults(policy());
    let second = Retry::times(0).backoff(MILLI, MILLI);
    let found = retries(&first.clone().with_retry_defaults(second));
    assert_eq!(found["word"], second);
    assert_eq!(retries(&first)["word"], policy());
    assert_eq!(retries(&plan)["word"], Retry::times(3));
}

#[test]
fn the_defaults_of_a_plan_leave_the_same_things_open() {
    let plan = load(
        "[defaults]\nretry = 2\non_failure = 'retry'\n[tasks.a]\nrun = ['x']\n\
         [tasks.b]\nrun = ['x']\nretry = { max = 1, base = '1s', cap = '1s' }\n\
         [tasks.c]\nrun = ['x']\nretry = 0\non_failure = 'skip'\n",
    );
    let found = retries(&plan.with_retry_defaults(policy()));
    let (base, cap) = (policy().base, policy().cap);
    assert_eq!(found["a"], Retry::times(2).backoff(base, cap));
    assert_eq!(found["b"], Retry::times(1).backoff(SECOND, SECOND));
    assert_eq!(found["c"].max_retries, 0);
}
