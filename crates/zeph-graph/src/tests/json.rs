//! The JSON form of graphs and headers: short, strict, versioned.

use crate::wire::{BadHeader, BadSpec, GraphSpec, decode_header, encode_header};
use crate::{Budget, Header, OverBudget, Policy, Task, TaskGraph};

fn error(json: &str) -> String {
    GraphSpec::from_json(json).unwrap_err().to_string()
}

#[test]
fn defaults_are_not_written() {
    let mut graph = TaskGraph::new();
    let fetch = graph.add_task("fetch", []);
    graph.add_task(Task::new("save").retries(3).action("write"), [fetch]);
    assert_eq!(
        GraphSpec::from(&graph).to_json(),
        r#"{"version":1,"tasks":[{"name":"fetch"},{"name":"save","needs":["fetch"],"work":{"kind":"action","name":"write"},"retry":{"max_retries":3}}]}"#
    );
}

#[test]
fn unknown_fields_are_errors_everywhere() {
    let tasks = [
        r#"{"name":"a","state":"completed"}"#,
        r#"{"name":"a","work":{"kind":"milestone","result":1}}"#,
        r#"{"name":"a","work":{"kind":"action","name":"x","result":1}}"#,
        r#"{"name":"a","work":{"kind":"question","text":"x","result":1}}"#,
        r#"{"name":"a","on_failure":{"kind":"abort","result":1}}"#,
        r#"{"name":"a","on_failure":{"kind":"ask","result":1}}"#,
        r#"{"name":"a","retry":{"max_retries":1,"result":1}}"#,
        r#"{"name":"a","lanes":[{"lane":"x","result":1}]}"#,
        r#"{"name":"a","approve":{"text":"x","result":1}}"#,
        r#"{"name":"a","budget":{"tokens":1,"result":1}}"#,
    ];
    for task in tasks {
        let message = error(&format!(r#"{{"version":1,"tasks":[{task}]}}"#));
        assert!(message.contains("unknown field"), "{message}");
    }
    assert!(error(r#"{"version":1,"nodes":[]}"#).contains("unknown field `nodes`"));
}

#[test]
fn wrong_shapes_are_errors() {
    for (json, words) in [
        ("{}", "missing field `version`"),
        ("", "EOF"),
        (r#"{"version":1} {"version":1}"#, "trailing characters"),
        (r#"{"version":1,"version":1}"#, "duplicate field"),
        (
            r#"{"version":1,"tasks":[{"needs":[]}]}"#,
            "missing field `name`",
        ),
        (
            r#"{"version":1,"tasks":[{"name":"a","name":"b"}]}"#,
            "duplicate field",
        ),
        (r#"{"version":1,"tasks":[{"name":1}]}"#, "invalid type"),
        (
            r#"{"version":1,"tasks":[{"name":"a","priority":NaN}]}"#,
            "expected",
        ),
        (
            r#"{"version":1,"tasks":[{"name":"a","trigger":"sometimes"}]}"#,
            "unknown variant",
        ),
        (
            r#"{"version":1,"tasks":[{"name":"a","attempt_timeout_us":-1}]}"#,
            "invalid value",
        ),
    ] {
        let message = error(json);
        assert!(message.contains(words), "{json}: {message}");
    }
}

#[test]
fn deep_nesting_is_an_error_and_not_a_crash() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let json = format!(
        r#"{{"version":1,"tasks":[{{"name":"a","work":{{"kind":"action","name":"x","params":{deep}}}}}]}}"#
    );
    assert!(error(&json).contains("recursion limit"));
}

#[test]
fn a_newer_version_differs_from_a_damaged_text() {
    let newer = r#"{"version":2,"nodes":{}}"#;
    assert!(matches!(
        GraphSpec::from_json(newer),
        Err(BadSpec::Version { found: 2 })
    ));
    assert!(matches!(
        GraphSpec::from_json("{"),
        Err(BadSpec::Json { .. })
    ));
    assert!(matches!(
        decode_header(newer),
        Err(BadHeader::Version { found: 2 })
    ));
    assert!(matches!(decode_header("[]"), Err(BadHeader::Json { .. })));
}

#[test]
fn a_header_reads_well() {
    let mut graph = TaskGraph::new();
    graph.add_task("a", []);
    let header = Header {
        graph,
        policy: Policy::default(),
    };
    let policy = r#""policy":{"max_parallel":8,"seed":0,"cancel_grace_us":5000000,"suspend_grace_us":5000000}"#;
    let graph = r#""graph":{"version":1,"tasks":[{"name":"a"}]}"#;
    assert_eq!(
        encode_header(&header),
        format!(r#"{{"version":1,{graph},{policy}}}"#)
    );
}

#[test]
fn a_header_without_budgets_has_none_and_one_with_them_brings_them_back() {
    let mut graph = TaskGraph::new();
    let own = Budget::of_micro_usd(2_500_000);
    graph.add_task(Task::new("a").budget(own), []);
    let budget = Budget::of_tokens(90_000);
    let header = Header {
        graph,
        policy: Policy {
            budget,
            over_budget: OverBudget::Partial,
            ..Policy::default()
        },
    };
    let text = encode_header(&header);
    let written = [
        r#"{"name":"a","budget":{"micro_usd":2500000}}"#,
        r#","budget":{"tokens":90000},"over_budget":"partial"}"#,
    ];
    for part in written {
        assert!(text.contains(part), "{text}");
    }
    let read = decode_header(&text).unwrap();
    assert_eq!(read.policy, header.policy);
    let task = read.graph.find("a").unwrap();
    assert_eq!(read.graph.task(task).rules().budget, own);

    // The form that was written before budgets were added.
    let old = text.replace(written[0], r#"{"name":"a"}"#);
    let read = decode_header(&old.replace(written[1], "}")).unwrap();
    assert_eq!(read.policy, Policy::default());
    let task = read.graph.find("a").unwrap();
    assert!(read.graph.task(task).rules().budget.is_unlimited());
}

#[test]
fn a_header_may_have_a_graph_that_validation_refuses() {
    let mut graph = TaskGraph::new();
    graph.add_task("a/<b>", []);
    graph.add_task("A/<B>", []);
    let choice = crate::Question::choice("Which?", Vec::<String>::new());
    graph.add_task(Task::new("ask").question(choice), []);
    assert_eq!(
        TaskGraph::try_from(GraphSpec::from(&graph))
            .unwrap_err()
            .as_slice()
            .len(),
        4
    );
    let header = Header {
        graph,
        policy: Policy::default(),
    };
    let read = decode_header(&encode_header(&header)).unwrap();
    assert_eq!(GraphSpec::from(&read.graph), GraphSpec::from(&header.graph));
}

#[test]
fn a_damaged_graph_in_a_header_is_reported() {
    let header = Header {
        graph: TaskGraph::new(),
        policy: Policy::default(),
    };
    let text = encode_header(&header);
    let text = text.replace(r#""tasks":[]"#, r#""tasks":[{"name":"a","needs":["b"]}]"#);
    let error = decode_header(&text).unwrap_err();
    assert!(error.to_string().contains("unknown_dependency"), "{error}");
    let text = text.replace(r#""max_parallel":8"#, r#""max_parallel":0"#);
    assert!(matches!(decode_header(&text), Err(BadHeader::Json { .. })));
}
