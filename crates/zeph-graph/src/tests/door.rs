//! The door: every code, all problems at once, the order of what is let in.

use std::collections::BTreeSet;

use crate::TaskGraph;
use crate::wire::{Code, Diagnostic, GraphSpec, Limits, TaskSpec};

fn spec(tasks: &str) -> GraphSpec {
    let lanes = r#"[{"name":"disk","capacity":2}]"#;
    let json = format!(r#"{{"version":1,"lanes":{lanes},"tasks":[{tasks}]}}"#);
    GraphSpec::from_json(&json).unwrap()
}

fn problems(tasks: &str) -> Vec<Diagnostic> {
    TaskGraph::try_from(spec(tasks)).unwrap_err().into_vec()
}

/// The code and message of the only problem.
fn problem(tasks: &str) -> (Code, String) {
    let all = problems(tasks);
    assert_eq!(all.len(), 1, "{all:?}");
    (all[0].code, all[0].to_string())
}

/// The only problem of each of these tasks.
const CASES: &[(Code, &str, &str)] = &[
    (Code::BadName, r#"{"name":""}"#, "it is empty"),
    (Code::BadName, r#"{"name":"a\u0000"}"#, "control"),
    (Code::BadName, r#"{"name":"../etc"}"#, "path separators"),
    (Code::BadName, r#"{"name":"a\\b"}"#, "path separators"),
    (Code::BadName, r#"{"name":"<b>"}"#, "markup"),
    (Code::BadName, r#"{"name":"a\u202eb"}"#, "\"a\\u{202e}b\""),
    (Code::BadName, r#"{"name":" a"}"#, "space"),
    (
        Code::DuplicateName,
        r#"{"name":"a"},{"name":"a"}"#,
        "two tasks named \"a\"",
    ),
    (
        Code::CaseFoldedDuplicate,
        r#"{"name":"Ä"},{"name":"ä"}"#,
        "differ only in case",
    ),
    (
        Code::SelfDependency,
        r#"{"name":"a","needs":["a"]}"#,
        "\"a\" depends on itself",
    ),
    (
        Code::UnknownDependency,
        r#"{"name":"fetch_data"},{"name":"b","needs":["fetch-data"]}"#,
        "did you mean \"fetch_data\"?",
    ),
    (
        Code::Cycle,
        r#"{"name":"c","needs":["b"]},{"name":"b","needs":["c","d"]},{"name":"d","needs":["b"]},{"name":"e","needs":["d"]}"#,
        "c → b → c",
    ),
    (
        Code::ZeroTimeout,
        r#"{"name":"a","attempt_timeout_us":0}"#,
        "attempt time-out is zero",
    ),
    (
        Code::ZeroTimeout,
        r#"{"name":"a","task_timeout_us":0}"#,
        "leave it out",
    ),
    (
        Code::ZeroTimeout,
        r#"{"name":"a","on_failure":{"kind":"ask","default":{"after_us":0,"answer":"skip"}}}"#,
        "answer to a failure",
    ),
    (
        Code::ZeroTimeout,
        r#"{"name":"a","approve":{"text":"?","default":{"after_us":0,"yes":true}}}"#,
        "approval",
    ),
    (
        Code::ZeroTimeout,
        r#"{"name":"a","work":{"kind":"question","text":"?","default":{"after_us":0,"value":""}}}"#,
        "wait for an answer",
    ),
    (
        Code::RetryCapBelowBase,
        r#"{"name":"a","retry":{"max_retries":1,"base_us":2,"cap_us":1}}"#,
        "(1 µs) is below the shortest (2 µs)",
    ),
    (
        Code::BadDefault,
        r#"{"name":"a","work":{"kind":"question","text":"?","answer":"yes_no","default":{"after_us":1,"value":"yes"}}}"#,
        "is \"yes\", and the question wants true or false",
    ),
    (
        Code::BadDefault,
        r#"{"name":"a","work":{"kind":"question","text":"?","answer":"number","default":{"after_us":1,"value":[]}}}"#,
        "is a list",
    ),
    (
        Code::BadDefault,
        r#"{"name":"a","work":{"kind":"question","text":"?","answer":{"choice":{"choices":["x"]}},"default":{"after_us":1,"value":"y"}}}"#,
        "one of its choices",
    ),
    (
        Code::BadChoices,
        r#"{"name":"a","work":{"kind":"question","text":"?","answer":{"choice":{"choices":[]}}}}"#,
        "no choices",
    ),
    (
        Code::BadChoices,
        r#"{"name":"a","work":{"kind":"question","text":"?","answer":{"choice":{"choices":["x","x "]}}}}"#,
        "twice",
    ),
    (
        Code::UnknownLane,
        r#"{"name":"a","lanes":[{"lane":"dsik"}]}"#,
        "did you mean \"disk\"?",
    ),
    (
        Code::BadWeight,
        r#"{"name":"a","lanes":[{"lane":"disk","weight":0}]}"#,
        "weighs 0",
    ),
    (
        Code::BadWeight,
        r#"{"name":"a","lanes":[{"lane":"disk","weight":3}]}"#,
        "capacity is 2",
    ),
    (
        Code::DuplicateLane,
        r#"{"name":"a","lanes":[{"lane":"disk"},{"lane":"disk"}]}"#,
        "lists lane \"disk\" twice",
    ),
];

#[test]
fn each_problem_has_its_code_and_says_what_it_is() {
    for (code, tasks, words) in CASES {
        let (found, message) = problem(tasks);
        assert_eq!(found, *code, "{tasks}");
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn every_code_is_met_by_a_test() {
    let elsewhere = [
        Code::UnknownVersion,
        Code::TooManyTasks,
        Code::TooManyLanes,
        Code::TooDeep,
        Code::TooManyNeeds,
        Code::ZeroCapacity,
        Code::LaneInPatch,
    ];
    let met = CASES.iter().map(|(code, ..)| *code).chain(elsewhere);
    let met: BTreeSet<Code> = met.collect();
    assert_eq!(met, Code::ALL.iter().copied().collect());
    let texts: BTreeSet<&str> = Code::ALL.iter().map(|code| code.text()).collect();
    assert_eq!(texts.len(), Code::ALL.len());
}

#[test]
fn lanes_are_checked() {
    let json = r#"{"version":1,"lanes":[{"name":"x","capacity":0},{"name":"x","capacity":1}],
        "tasks":[{"name":"a","lanes":[{"lane":"x"}]}]}"#;
    let found = TaskGraph::try_from(GraphSpec::from_json(json).unwrap()).unwrap_err();
    let codes: Vec<Code> = found.iter().map(|one| one.code).collect();
    assert_eq!(codes, [Code::ZeroCapacity, Code::DuplicateLane]);
}

#[test]
fn another_version_is_told() {
    let graph = GraphSpec {
        version: 2,
        ..GraphSpec::default()
    };
    let found = TaskGraph::try_from(graph).unwrap_err();
    assert_eq!(found.as_slice()[0].code, Code::UnknownVersion);
}

#[test]
fn limits_are_kept_to_the_task() {
    let chain = r#"{"name":"a"},{"name":"b","needs":["a"]},{"name":"c","needs":["b","a"]}"#;
    let exact = Limits {
        max_tasks: 3,
        max_depth: 3,
        max_needs: 2,
        max_lanes: 1,
    };
    assert!(spec(chain).check(&exact).is_ok());
    let tight = [
        (
            Code::TooManyTasks,
            Limits {
                max_tasks: 2,
                ..exact
            },
        ),
        (
            Code::TooDeep,
            Limits {
                max_depth: 2,
                ..exact
            },
        ),
        (
            Code::TooManyNeeds,
            Limits {
                max_needs: 1,
                ..exact
            },
        ),
        (
            Code::TooManyLanes,
            Limits {
                max_lanes: 0,
                ..exact
            },
        ),
    ];
    for (code, limits) in tight {
        let found = spec(chain).check(&limits).unwrap_err();
        assert_eq!(found.as_slice().len(), 1, "{found}");
        assert_eq!(found.as_slice()[0].code, code);
    }
}

#[test]
fn all_problems_come_at_once_one_for_each_circle() {
    let all = problems(
        r#"{"name":"a","needs":["b"]},{"name":"b","needs":["a"]},
           {"name":"x","needs":["y","nobody"]},{"name":"y","needs":["x"],"attempt_timeout_us":0},
           {"name":"below","needs":["x"]},{"name":"Below"}"#,
    );
    let codes: Vec<Code> = all.iter().map(|one| one.code).collect();
    use Code::{CaseFoldedDuplicate, Cycle, UnknownDependency, ZeroTimeout};
    assert_eq!(
        codes,
        [
            CaseFoldedDuplicate,
            UnknownDependency,
            ZeroTimeout,
            Cycle,
            Cycle
        ]
    );
    assert!(all[3].message.ends_with("a → b → a") && all[4].message.ends_with("x → y → x"));
}

#[test]
fn problems_know_where_they_are() {
    let task = TaskSpec {
        name: "a".into(),
        needs: vec!["b".into(), "c".into(), "d".into()],
        attempt_timeout_us: Some(0),
        span: Some(10..50),
        needs_spans: vec![20..23, 25..28],
        ..TaskSpec::default()
    };
    let graph = GraphSpec {
        tasks: vec![task],
        ..GraphSpec::default()
    };
    let all = TaskGraph::try_from(graph).unwrap_err().into_vec();
    let spans: Vec<_> = all.into_iter().map(|one| one.span.unwrap()).collect();
    assert_eq!(spans, [20..23, 25..28, 10..50, 10..50]);
}

#[test]
fn huge_names_make_small_messages() {
    let name = "x".repeat(10_000_000);
    let task = TaskSpec {
        needs: vec!["y".repeat(10_000_000); 3],
        name,
        ..TaskSpec::default()
    };
    let graph = GraphSpec {
        tasks: vec![task],
        ..GraphSpec::default()
    };
    let all = TaskGraph::try_from(graph).unwrap_err();
    assert_eq!(all.as_slice().len(), 4);
    assert!(all.to_string().len() < 2_000);
    assert!(
        all.iter()
            .all(|one| one.task.as_ref().unwrap().len() <= 200)
    );
}

#[test]
fn a_circle_of_strange_names_makes_a_small_inert_message() {
    let long = "x".repeat(1_000_000);
    let task = |name: &str, needs: &str| TaskSpec {
        name: name.into(),
        needs: vec![needs.into()],
        ..TaskSpec::default()
    };
    let graph = GraphSpec {
        tasks: vec![task(&long, "\u{1b}[2J"), task("\u{1b}[2J", &long)],
        ..GraphSpec::default()
    };
    let text = TaskGraph::try_from(graph).unwrap_err().to_string();
    assert!(
        text.contains(r#"… → "\u{1b}[2J" → "xxx"#) && text.len() < 1_000,
        "{text}"
    );
}

#[test]
fn a_task_moves_back_only_behind_what_it_needs() {
    let graph = TaskGraph::try_from(spec(
        r#"{"name":"d","needs":["b"]},{"name":"a"},{"name":"c","needs":["a","a"]},{"name":"b"}"#,
    ))
    .unwrap();
    let names: Vec<&str> = graph.tasks().map(|(_, task)| task.name()).collect();
    assert_eq!(names, ["a", "c", "b", "d"]);
    let c = graph.find("c").unwrap();
    assert_eq!(graph.parents(c).len(), 1);
}
