//! Validation: every code, all problems at once, the order of accepted tasks.

use std::collections::BTreeSet;

use crate::wire::{Code, Diagnostic, GraphSpec, Limits, TaskSpec, code};
use crate::{AddError, Task, TaskGraph};

fn spec(tasks: &str) -> GraphSpec {
    let lanes = r#"[{"name":"disk","capacity":2}]"#;
    let json = format!(r#"{{"version":1,"lanes":{lanes},"tasks":[{tasks}]}}"#);
    GraphSpec::from_json(&json).unwrap()
}

fn problems(tasks: &str) -> Vec<Diagnostic> {
    TaskGraph::try_from(spec(tasks))
        .unwrap_err()
        .into_iter()
        .collect()
}

/// The code and message of the only problem.
fn problem(tasks: &str) -> (Code, String) {
    let all = problems(tasks);
    assert_eq!(all.len(), 1, "{all:?}");
    (all[0].code, all[0].to_string())
}

/// The only problem of each of these tasks.
const CASES: &[(Code, &str, &str)] = &[
    (code::BAD_NAME, r#"{"name":""}"#, "it is empty"),
    (code::BAD_NAME, r#"{"name":"a\u0000"}"#, "control"),
    (code::BAD_NAME, r#"{"name":"../etc"}"#, "path separators"),
    (code::BAD_NAME, r#"{"name":"a\\b"}"#, "path separators"),
    (code::BAD_NAME, r#"{"name":".."}"#, "name of a folder"),
    (code::BAD_NAME, r#"{"name":"<b>"}"#, "markup"),
    (code::BAD_NAME, r#"{"name":"a\u202eb"}"#, "\"a\\u{202e}b\""),
    (code::BAD_NAME, r#"{"name":" a"}"#, "space"),
    (
        code::DUPLICATE_NAME,
        r#"{"name":"a"},{"name":"a"}"#,
        "two tasks named \"a\"",
    ),
    (
        code::CASE_FOLDED_DUPLICATE,
        r#"{"name":"Ä"},{"name":"ä"}"#,
        "differ only in case",
    ),
    (
        code::NEEDS_FINALIZER,
        r#"{"name":"clean","finally":true},{"name":"work","needs":["clean"]}"#,
        "\"work\" depends on \"clean\", which runs at the end",
    ),
    (
        code::BAD_FOREACH,
        r#"{"name":"fetch","foreach":{}}"#,
        "\"fetch\" cannot run for each item of a list: it has no work that can be repeated",
    ),
    (
        code::BAD_FOREACH,
        r#"{"name":"fetch","work":{"kind":"action","name":"x"},"foreach":{"max":0}}"#,
        "the most items are 0",
    ),
    (
        code::BAD_FOREACH,
        r#"{"name":"fetch","work":{"kind":"action","name":"x"},"foreach":{},"on_failure":{"kind":"ask"}}"#,
        "could not be answered by one more attempt",
    ),
    (
        code::BAD_FALLBACK,
        r#"{"name":"mirror"},{"name":"a","on_failure":{"kind":"fallback","task":"miror"}}"#,
        "did you mean \"mirror\"?",
    ),
    (
        code::BAD_FALLBACK,
        r#"{"name":"a","on_failure":{"kind":"fallback","task":"a"}}"#,
        "\"a\" cannot run in place of task \"a\": it is the task itself",
    ),
    (
        code::BAD_FALLBACK,
        r#"{"name":"x"},{"name":"m","needs":["x"]},{"name":"a","on_failure":{"kind":"fallback","task":"m"}}"#,
        "it depends on other tasks",
    ),
    (
        code::BAD_FALLBACK,
        r#"{"name":"m"},{"name":"a","on_failure":{"kind":"fallback","task":"m"}},{"name":"b","on_failure":{"kind":"fallback","task":"m"}}"#,
        "give each task a fallback of its own",
    ),
    (
        code::BAD_FALLBACK,
        r#"{"name":"m","finally":true},{"name":"a","on_failure":{"kind":"fallback","task":"m"}}"#,
        "only one of the two runs at the end",
    ),
    (
        code::BAD_FALLBACK,
        r#"{"name":"m"},{"name":"a","on_failure":{"kind":"fallback","task":"m"}},{"name":"b","needs":["m"]}"#,
        "\"b\" depends on \"m\", which runs only if \"a\" fails",
    ),
    (
        code::BAD_FALLBACK,
        r#"{"name":"m"},{"name":"a","work":{"kind":"question","text":"?"},"on_failure":{"kind":"fallback","task":"m"}}"#,
        "a question has a default answer instead",
    ),
    (
        code::BAD_FALLBACK,
        r#"{"name":"a","on_failure":{"kind":"fallback","task":"b"}},{"name":"b","on_failure":{"kind":"fallback","task":"a"}}"#,
        "round in a circle",
    ),
    (
        code::SELF_DEPENDENCY,
        r#"{"name":"a","needs":["a"]}"#,
        "\"a\" depends on itself",
    ),
    (
        code::UNKNOWN_DEPENDENCY,
        r#"{"name":"fetch_data"},{"name":"b","needs":["fetch-data"]}"#,
        "did you mean \"fetch_data\"?",
    ),
    (
        code::CYCLE,
        r#"{"name":"c","needs":["b"]},{"name":"b","needs":["c","d"]},{"name":"d","needs":["b"]},{"name":"e","needs":["d"]}"#,
        "c → b → c",
    ),
    (
        code::ZERO_TIMEOUT,
        r#"{"name":"a","attempt_timeout_us":0}"#,
        "attempt time-out is zero",
    ),
    (
        code::ZERO_TIMEOUT,
        r#"{"name":"a","task_timeout_us":0}"#,
        "leave it out",
    ),
    (
        code::ZERO_TIMEOUT,
        r#"{"name":"a","on_failure":{"kind":"ask","default":{"after_us":0,"answer":"skip"}}}"#,
        "answer to a failure",
    ),
    (
        code::ZERO_TIMEOUT,
        r#"{"name":"a","approve":{"text":"?","default":{"after_us":0,"yes":true}}}"#,
        "approval",
    ),
    (
        code::ZERO_TIMEOUT,
        r#"{"name":"a","work":{"kind":"question","text":"?","default":{"after_us":0,"value":""}}}"#,
        "wait for an answer",
    ),
    (
        code::RETRY_CAP_BELOW_BASE,
        r#"{"name":"a","retry":{"max_retries":1,"base_us":2,"cap_us":1}}"#,
        "(1 µs) is below the shortest (2 µs)",
    ),
    (
        code::BAD_DEFAULT,
        r#"{"name":"a","work":{"kind":"question","text":"?","answer":"yes_no","default":{"after_us":1,"value":"yes"}}}"#,
        "is \"yes\", and the question wants true or false",
    ),
    (
        code::BAD_DEFAULT,
        r#"{"name":"a","work":{"kind":"question","text":"?","answer":"number","default":{"after_us":1,"value":[]}}}"#,
        "is a list",
    ),
    (
        code::BAD_DEFAULT,
        r#"{"name":"a","work":{"kind":"question","text":"?","answer":{"choice":{"choices":["x"]}},"default":{"after_us":1,"value":"y"}}}"#,
        "one of its choices",
    ),
    (
        code::BAD_CHOICES,
        r#"{"name":"a","work":{"kind":"question","text":"?","answer":{"choice":{"choices":[]}}}}"#,
        "no choices",
    ),
    (
        code::BAD_CHOICES,
        r#"{"name":"a","work":{"kind":"question","text":"?","answer":{"choice":{"choices":["x","x "]}}}}"#,
        "twice",
    ),
    (
        code::UNKNOWN_LANE,
        r#"{"name":"a","lanes":[{"lane":"dsik"}]}"#,
        "did you mean \"disk\"?",
    ),
    (
        code::BAD_WEIGHT,
        r#"{"name":"a","lanes":[{"lane":"disk","weight":0}]}"#,
        "weighs 0",
    ),
    (
        code::BAD_WEIGHT,
        r#"{"name":"a","lanes":[{"lane":"disk","weight":3}]}"#,
        "capacity is 2",
    ),
    (
        code::DUPLICATE_LANE,
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
        code::UNKNOWN_VERSION,
        code::TOO_MANY_TASKS,
        code::TOO_MANY_LANES,
        code::TOO_DEEP,
        code::TOO_MANY_NEEDS,
        code::ZERO_CAPACITY,
        code::LANE_IN_PATCH,
        code::SHARED_LANE,
        code::BAD_REMOVAL,
    ];
    let met = CASES.iter().map(|(code, ..)| *code).chain(elsewhere);
    let met: BTreeSet<Code> = met.collect();
    assert_eq!(met, code::ALL.iter().copied().collect());
    let texts: BTreeSet<&str> = code::ALL.iter().map(|code| code.text()).collect();
    assert_eq!(texts.len(), code::ALL.len());
}

#[test]
fn lanes_are_checked() {
    let json = r#"{"version":1,"lanes":[{"name":"x","capacity":0},{"name":"x","capacity":1}],
        "tasks":[{"name":"a","lanes":[{"lane":"x"}]}]}"#;
    let found = TaskGraph::try_from(GraphSpec::from_json(json).unwrap()).unwrap_err();
    let codes: Vec<Code> = found.iter().map(|one| one.code).collect();
    assert_eq!(codes, [code::ZERO_CAPACITY, code::DUPLICATE_LANE]);
}

#[test]
fn a_task_is_in_one_shared_lane_with_weight_1() {
    let lanes = r#""lanes":[{"name":"x","capacity":2,"shared":true},{"name":"y","capacity":2,"shared":true},
        {"name":"z","capacity":2}]"#;
    let codes = |lanes: &str, used: &str| {
        let json = format!(r#"{{"version":1,{lanes},"tasks":[{{"name":"a","lanes":[{used}]}}]}}"#);
        let found = TaskGraph::try_from(GraphSpec::from_json(&json).unwrap());
        found.map_or_else(
            |found| found.iter().map(|one| one.code).collect(),
            |_| vec![],
        )
    };
    assert_eq!(codes(lanes, r#"{"lane":"x"},{"lane":"z","weight":2}"#), []);
    for used in [r#"{"lane":"x"},{"lane":"y"}"#, r#"{"lane":"x","weight":2}"#] {
        assert_eq!(codes(lanes, used), [code::SHARED_LANE], "{used}");
    }
    let large = r#""lanes":[{"name":"x","capacity":65,"shared":true}]"#;
    assert_eq!(codes(large, ""), [code::SHARED_LANE]);
    let mut graph = TaskGraph::new();
    let (x, y) = (graph.add_shared_lane("x", 2), graph.add_shared_lane("y", 2));
    assert!(graph.try_add_shared_lane("z", 65).is_err());
    let both = Task::new("a").lane(x).lane(y);
    assert!(matches!(
        graph.try_add_task(both, []),
        Err(AddError::SharedLane { .. })
    ));
    let heavy = Task::new("a").lane_weight(x, 2);
    assert!(matches!(
        graph.try_add_task(heavy, []),
        Err(AddError::SharedLane { .. })
    ));
    assert!(graph.as_written().lanes().iter().all(|lane| lane.shared));
}

#[test]
fn another_version_is_reported() {
    let graph = GraphSpec {
        version: 2,
        ..GraphSpec::default()
    };
    let found = TaskGraph::try_from(graph).unwrap_err();
    assert_eq!(found.as_slice()[0].code, code::UNKNOWN_VERSION);
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
            code::TOO_MANY_TASKS,
            Limits {
                max_tasks: 2,
                ..exact
            },
        ),
        (
            code::TOO_DEEP,
            Limits {
                max_depth: 2,
                ..exact
            },
        ),
        (
            code::TOO_MANY_NEEDS,
            Limits {
                max_needs: 1,
                ..exact
            },
        ),
        (
            code::TOO_MANY_LANES,
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
           {"name":"x","needs":["y","missing"]},{"name":"y","needs":["x"],"attempt_timeout_us":0},
           {"name":"below","needs":["x"]},{"name":"Below"}"#,
    );
    let codes: Vec<Code> = all.iter().map(|one| one.code).collect();
    assert_eq!(
        codes,
        [
            code::CASE_FOLDED_DUPLICATE,
            code::UNKNOWN_DEPENDENCY,
            code::ZERO_TIMEOUT,
            code::CYCLE,
            code::CYCLE
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
    let all: Vec<Diagnostic> = TaskGraph::try_from(graph)
        .unwrap_err()
        .into_iter()
        .collect();
    let spans = all.into_iter().map(|one| one.span.unwrap().into());
    let spans: Vec<std::ops::Range<usize>> = spans.collect();
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
            .all(|one| one.subject.as_ref().unwrap().len() <= 200)
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
