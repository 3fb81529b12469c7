//! `foreach`: its list, where an item may be used, and the mistakes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zeph_planfile::{Format, Plan};

fn load(text: &str) -> Plan {
    Plan::load(text, Format::Toml, "plan").unwrap_or_else(|errors| panic!("{errors}"))
}

fn codes(text: &str) -> Vec<String> {
    match Plan::load(text, Format::Toml, "plan") {
        Ok(plan) => match plan.bind(&BTreeMap::new()) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(|one| one.code.to_string()).collect(),
        },
        Err(problems) => problems.iter().map(|one| one.code.to_string()).collect(),
    }
}

fn task(text: &str, given: &[(&str, &str)]) -> Value {
    let given = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let bound = load(text).bind(&given.collect());
    let bound = bound.unwrap_or_else(|errors| panic!("{errors}"));
    assert!(bound.graph().is_ok());
    serde_json::to_value(bound.spec()).expect("JSON")
}

#[test]
fn a_list_of_parameters_is_fixed_before_the_run() {
    let spec = task(
        "[params]\nregions = { type = 'list', default = ['eu'] }\n[tasks.a]\nforeach = { in = '${{ params.regions }}', max = 5, max_parallel = 2, on_failure = 'skip' }\nrun = ['echo', '${{ item }}']",
        &[("regions", r#"["eu","${{ x }}"]"#)],
    );
    let task = &spec["tasks"][0];
    // The value of a parameter is no expression.
    assert_eq!(
        task["work"]["params"]["foreach"],
        json!(["eu", "$${{ x }}"])
    );
    assert_eq!(task["foreach"], json!({ "max": 5, "on_failure": "skip" }));
    assert_eq!(task["lanes"], json!([{ "lane": "foreach a" }]));
    assert_eq!(
        spec["lanes"],
        json!([{ "name": "foreach a", "capacity": 2 }])
    );
}

#[test]
fn a_literal_list_keeps_its_types_and_its_expressions() {
    let spec = task(
        "[tasks.p]\nrun = ['true']\n[tasks.a]\nneeds = ['p']\nforeach = [1, { url = '${{ tasks.p.stdout }}' }, 'x']\nrun = ['echo', '--', '${{ item }}']",
        &[],
    );
    let list = &spec["tasks"][1]["work"]["params"]["foreach"];
    assert_eq!(*list, json!([1, { "url": "${{ tasks.p.stdout }}" }, "x"]));
    assert_eq!(spec["tasks"][1]["foreach"], json!({}));
}

#[test]
fn an_item_has_its_places() {
    let foreach = "[tasks.a]\nforeach = ['x']\n";
    for (text, wanted) in [
        (
            "[tasks.a]\nrun = ['echo', '${{ item }}']",
            "expression_not_allowed",
        ),
        (
            "[tasks.a]\nforeach = ['${{ item }}']\nrun = ['true']",
            "expression_not_allowed",
        ),
        (
            &format!("{foreach}when = '${{{{ item == 1 }}}}'\nrun = ['true']"),
            "expression_not_allowed",
        ),
        (
            &format!("{foreach}description = '${{{{ item }}}}'\nrun = ['true']"),
            "expression_not_allowed",
        ),
        // A value that runs as code.
        (
            &format!("{foreach}shell = 'echo ${{{{ item }}}}'"),
            "unsafe_interpolation",
        ),
        (
            &format!("{foreach}run = ['${{{{ item }}}}']"),
            "unsafe_interpolation",
        ),
        (
            &format!("{foreach}run = ['sh', '-c', '${{{{ item }}}}']"),
            "unsafe_interpolation",
        ),
        (
            &format!("{foreach}run = ['true']\nenv = {{ LD_PRELOAD = '${{{{ item }}}}' }}"),
            "unsafe_interpolation",
        ),
        // The work.
        ("[tasks.a]\nforeach = ['x']\nask = 'Go?'", "misplaced_key"),
        ("[tasks.a]\nforeach = ['x']", "misplaced_key"),
        (
            "[tasks.a]\nforeach = ['x']\nrun = ['true']\non_failure = 'ask'",
            "bad_foreach",
        ),
        // The list.
        ("[tasks.a]\nforeach = 'x'\nrun = ['true']", "bad_value"),
        ("[tasks.a]\nforeach = 7\nrun = ['true']", "wrong_type"),
        ("[tasks.a]\nforeach = {}\nrun = ['true']", "missing_key"),
        (
            "[tasks.a]\nforeach = { in = ['x', 'y'], max = 1 }\nrun = ['true']",
            "bad_value",
        ),
        (
            "[tasks.a]\nforeach = { in = ['x'], on_failure = 'ask' }\nrun = ['true']",
            "bad_value",
        ),
        (
            "[tasks.a]\nforeach = { in = ['x'], parallel = 1 }\nrun = ['true']",
            "unknown_key",
        ),
        (
            "[params]\nn = 1\n[tasks.a]\nforeach = '${{ params.n }}'\nrun = ['true']",
            "expression_failed",
        ),
        // What comes after it.
        (
            "[tasks.a]\nforeach = ['x']\nrun = ['true']\n[tasks.b]\nneeds = ['a']\nrun = ['echo', '${{ tasks.a.stdout }}']",
            "no_such_output",
        ),
    ] {
        assert_eq!(codes(text), [wanted], "{text}");
    }
    let fine = "[tasks.a]\nforeach = ['x']\nrun = ['echo', '--', '${{ item }}', '${{ item_index }}']\nenv = { X = '${{ item.y }}' }\n[tasks.b]\nneeds = ['a']\nrun = ['echo', '${{ tasks.a|length }}', '${{ tasks.a.value|length }}', '${{ tasks.a.state }}']";
    assert_eq!(codes(fine), [""; 0]);
}
