//! A plan that uses every key, read into the exact graph specification.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::json;
use zeph_graph::wire::{GraphSpec, WorkSpec};
use zeph_planfile::{BoundPlan, Format, ParamKind, Plan};

/// The parameters of a command executor, without unknown fields.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandParams {
    argv: Option<Vec<String>>,
    shell: Option<String>,
    stdin: Option<String>,
    env: Option<BTreeMap<String, String>>,
    cwd: Option<String>,
    output: Option<String>,
    ok_codes: Option<Vec<i32>>,
}

const PLAN: &str = include_str!("full.toml");

fn bound() -> BoundPlan {
    let given = [("area", "eu"), ("token", "hush")];
    let given = given.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let plan = Plan::load(PLAN, Format::Toml, "full.toml").unwrap();
    plan.in_folder("/srv/plans")
        .bind(&BTreeMap::from(given))
        .unwrap()
}

#[test]
fn every_key_reaches_the_graph() {
    let bound = bound();
    let expected: serde_json::Value =
        serde_json::from_str(include_str!("full.graph.json")).unwrap();
    let mut found = serde_json::to_value(bound.spec()).unwrap();
    let hash = found["metadata"]["plan_hash"].take();
    assert_eq!(hash.as_str().map(str::len), Some(64));
    assert_eq!(
        found,
        expected,
        "found\n{}",
        serde_json::to_string_pretty(&found).unwrap()
    );
    assert_eq!(bound.goal(), "Release eu");
    assert_eq!(bound.limits().max_parallel, NonZeroU32::new(4));
    assert_eq!(bound.limits().timeout, Some(Duration::from_secs(7_200)));
}

#[test]
fn the_graph_comes_back_from_its_own_specification() {
    let graph = bound().graph().unwrap();
    let text = GraphSpec::from(&graph).to_json();
    assert!(!text.contains("hush"), "the secret is in {text}");
    let again = GraphSpec::from_json(&text).unwrap();
    assert_eq!(GraphSpec::from(&graph), again);
    assert_eq!(graph.len(), 7);
}

#[test]
fn every_command_is_one_that_the_executor_takes() {
    let mut commands = 0;
    for task in &bound().spec().tasks {
        if let WorkSpec::Action { name, params } = &task.work {
            assert_eq!(name, "command");
            let params: CommandParams = serde_json::from_value(params.clone()).unwrap();
            assert_ne!(params.argv.is_some(), params.shell.is_some(), "{params:?}");
            let all = [&params.stdin, &params.cwd, &params.output];
            assert!(all.into_iter().flatten().all(|text| !text.is_empty()));
            assert!(params.env.is_none_or(|env| !env.is_empty()));
            assert!(params.ok_codes.is_none_or(|codes| !codes.is_empty()));
            commands += 1;
        }
    }
    assert_eq!(commands, 4);
}

#[test]
fn params_are_described() {
    let plan = Plan::load(PLAN, Format::Toml, "full.toml").unwrap();
    assert_eq!(plan.goal(), "Release ${{ params.area }}");
    let described: Vec<_> = plan
        .params()
        .map(|param| (&*param.name, param.kind, param.default.clone()))
        .collect();
    assert_eq!(
        described,
        [
            ("area", ParamKind::String, None),
            ("copies", ParamKind::Integer, Some(json!(2))),
            ("ratio", ParamKind::Number, Some(json!(0.5))),
            ("loud", ParamKind::Boolean, Some(json!(true))),
            ("token", ParamKind::String, None),
        ]
    );
    let area = plan.params().next().unwrap();
    assert_eq!(area.choices, [json!("eu"), json!("us")]);
    assert_eq!(area.description.as_deref(), Some("where to"));
    assert!(plan.params().nth(4).unwrap().is_secret);
}

#[test]
fn line_breaks_of_windows_are_read_as_line_breaks() -> Result<(), zeph_planfile::Diagnostics> {
    let text = "[tasks.a]\r\nshell = '''\r\nmkdir -p out\r\necho a\r\n'''\r\nstdin = \"\"\"\r\na\r\n\\r\\n\"\"\"\r\n";
    let plan = Plan::load(text, Format::Toml, "plan")?;
    assert!(plan.has_crlf());
    let spec = plan.spec();
    let WorkSpec::Action { params, .. } = &spec.tasks[0].work else {
        panic!("the task runs a command");
    };
    assert_eq!(params["shell"], "mkdir -p out\necho a\n");
    // A break that is written as an escape is wanted.
    assert_eq!(params["stdin"], "a\n\r\n");

    let json = r#"{"tasks": {"a": {"shell": "a\r\nb"}}}"#;
    let plan = Plan::load(json, Format::Json, "plan")?;
    assert!(!plan.has_crlf());
    let json = serde_json::to_string(&plan.spec().tasks[0].work).unwrap_or_default();
    assert!(json.contains(r#""a\nb""#), "{json}");
    Ok(())
}
