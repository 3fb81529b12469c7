//! `on_failure = { fallback = … }`: what it means, in matrices and sub-plans, and the mistakes.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zeph_planfile::{Format, Plan};

const FETCH: &str = "[tasks.fetch]\nrun = ['false']\non_failure = { fallback = 'mirror' }\n";
const MIRROR: &str = "[tasks.mirror]\nrun = ['true']\n";

fn spec(plan: &Plan) -> Value {
    let bound = plan.bind(&BTreeMap::new());
    let bound = bound.unwrap_or_else(|errors| panic!("{errors}"));
    assert!(bound.graph().is_ok());
    serde_json::to_value(bound.spec()).unwrap()
}

fn load(text: &str) -> Plan {
    Plan::load(text, Format::Toml, "plan").unwrap_or_else(|errors| panic!("{errors}"))
}

/// The problems of a plan: each with its code, its message and its help.
fn problems(text: &str) -> Vec<String> {
    let found = match Plan::load(text, Format::Toml, "plan") {
        Ok(plan) => plan
            .bind(&BTreeMap::new())
            .expect_err("the plan has a problem"),
        Err(found) => found,
    };
    let line = |one: &zeph_planfile::Diagnostic| {
        let help = one.help.as_deref().unwrap_or_default();
        format!("{}: {} ({help})", one.code, one.message)
    };
    found.iter().map(line).collect()
}

fn strategies(spec: &Value) -> Vec<(&str, &Value)> {
    let tasks = spec["tasks"].as_array().unwrap().iter();
    tasks
        .map(|task| (task["name"].as_str().unwrap(), &task["on_failure"]))
        .collect()
}

#[test]
fn a_fallback_may_be_written_before_or_after_its_user() {
    let expected = json!({ "kind": "fallback", "task": "mirror" });
    for text in [format!("{FETCH}{MIRROR}"), format!("{MIRROR}{FETCH}")] {
        let spec = spec(&load(&text));
        let found = strategies(&spec)
            .into_iter()
            .find(|(name, _)| *name == "fetch");
        assert_eq!(found.unwrap().1, &expected);
    }
}

#[test]
fn a_cell_falls_back_to_its_own_cell() {
    let plan = load(
        "[tasks.fetch]\nmatrix = { os = ['linux', 'mac'] }\nrun = ['false']\non_failure = { fallback = 'mirror[${{ matrix.os }}]' }\n[tasks.mirror]\nmatrix = { os = ['linux', 'mac'] }\nrun = ['true']",
    );
    let spec = spec(&plan);
    let of = |name: &str| {
        let found = strategies(&spec).into_iter().find(|(of, _)| *of == name);
        found.unwrap().1["task"].clone()
    };
    assert_eq!(of("fetch[linux]"), "mirror[linux]");
    assert_eq!(of("fetch[mac]"), "mirror[mac]");
}

/// A fallback of a sub-plan waits for nothing, and nothing waits for it.
#[test]
fn a_sub_plan_does_not_wait_for_its_fallbacks() {
    let folder = tempfile::tempdir().unwrap();
    let sub = format!(
        "{FETCH}{MIRROR}[tasks.save]\nneeds = ['fetch']\nrun = ['true']\n[tasks.last]\nrun = ['false']\non_failure = {{ fallback = 'spare' }}\n[tasks.spare]\nrun = ['true']"
    );
    std::fs::write(folder.path().join("sub.toml"), sub).unwrap();
    let outer = "[tasks.first]\nrun = ['true']\n[tasks.load]\nplan = 'sub.toml'\nneeds = ['first']";
    let folder = folder.path().to_str().unwrap();
    let plan = Plan::load_bytes_in(outer.as_bytes(), Format::Toml, "plan", folder);
    let spec = spec(&plan.unwrap_or_else(|errors| panic!("{errors}")));
    let task = |name: &str| {
        let tasks = spec["tasks"].as_array().unwrap();
        tasks.iter().find(|task| task["name"] == name).unwrap()
    };
    assert_eq!(task("load.mirror").get("needs"), None);
    assert_eq!(task("load.fetch")["needs"], json!(["first"]));
    assert_eq!(task("load.fetch")["on_failure"]["task"], "load.mirror");
    assert_eq!(task("load")["needs"], json!(["load.save", "load.last"]));
}

#[test]
fn an_answer_that_stands_in_for_a_result_is_read() {
    let ask = "[tasks.mirror]\nask = { text = 'Is it there?', answer = 'yes_no' }\n";
    let warnings = load(&format!("{FETCH}{ask}")).warnings();
    assert!(warnings.is_empty(), "{warnings}");
}

#[test]
fn mistakes_say_what_to_write() {
    let cases = [
        (
            "[tasks.fetch]\nrun = ['false']\non_failure = { fallback = 'miror' }\n[tasks.mirror]\nrun = ['true']",
            "bad_fallback: \"miror\" cannot run in place of task \"fetch\": it is not a task of this graph (did you mean \"mirror\"?)",
        ),
        (
            "[tasks.a]\nrun = ['true']\n[tasks.mirror]\nneeds = ['a']\nrun = ['true']\n[tasks.fetch]\nrun = ['false']\non_failure = { fallback = 'mirror' }",
            "bad_fallback: \"mirror\" cannot run in place of task \"fetch\": it depends on other tasks (leave out what it depends on)",
        ),
        (
            "[tasks.mirror]\nrun = ['true']\n[tasks.fetch]\nrun = ['false']\non_failure = { fallback = 'mirror' }\n[tasks.save]\nneeds = ['mirror']\nrun = ['true']",
            "bad_fallback: task \"save\" depends on \"mirror\", which runs only if \"fetch\" fails (depend on \"fetch\", whose result is then that of \"mirror\")",
        ),
        (
            "[defaults]\non_failure = { fallback = 'mirror' }\n[tasks.mirror]\nrun = ['true']",
            "misplaced_key: `fallback` belongs to one task, not to `defaults` (a task can run in place of one other task only: write it there)",
        ),
        (
            "[tasks.mirror]\nrun = ['true']\n[tasks.fetch]\nrun = ['false']\non_failure = { fallback = 'mirror', value = 1 }",
            "misplaced_key: `on_failure` has both `fallback` and `value` ()",
        ),
        (
            "[tasks.fetch]\nrun = ['false']\non_failure = { fallback = 7 }",
            "wrong_type: ",
        ),
        (
            "[tasks.fetch]\nrun = ['false']\non_failure = 'fallback'",
            "bad_value: ",
        ),
        (
            "[tasks.fetch]\nrun = ['false']\nfallback = 'mirror'",
            "unknown_key: ",
        ),
    ];
    for (text, expected) in cases {
        let found = problems(text);
        assert!(
            found.first().is_some_and(|one| one.starts_with(expected)),
            "{expected}: {found:?}"
        );
    }
    for text in [
        "[tasks.fetch]\nrun = ['false']\non_failure = 'fallback'",
        "[tasks.fetch]\nrun = ['false']\nfallback = 'mirror'",
    ] {
        let found = problems(text);
        let help = "write `on_failure = { fallback = \"NAME\" }`";
        assert!(found[0].contains(help), "{found:?}");
    }
}
