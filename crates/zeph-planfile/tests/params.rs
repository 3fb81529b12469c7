//! Parameters: their types, bounds, and values from files of variables.

use std::collections::BTreeMap;

use serde_json::json;
use zeph_planfile::{Format, Plan};

fn plan(params: &str) -> Plan {
    let text = format!("[params]\n{params}\n[tasks.a]\nrun = ['x']");
    Plan::load(&text, Format::Toml, "plan").unwrap_or_else(|errors| panic!("{errors}"))
}

fn codes(params: &str) -> String {
    let text = format!("[params]\n{params}\n[tasks.a]\nrun = ['x']");
    let errors = Plan::load(&text, Format::Toml, "plan").err();
    let errors = errors.unwrap_or_default();
    let codes = errors.iter().map(|one| {
        assert!(one.span.is_some(), "{one:?}");
        one.code.text()
    });
    codes.collect::<Vec<_>>().join(" ")
}

/// The value of `p`, or the problem.
fn bound(plan: &Plan, given: &str) -> Result<serde_json::Value, String> {
    let given = BTreeMap::from([("p".to_owned(), given.to_owned())]);
    match plan.bind(&given) {
        Ok(bound) => Ok(bound.run_values().stored_params()["p"].clone()),
        Err(errors) => Err(errors.as_slice()[0].message.clone()),
    }
}

#[test]
fn lists_and_objects_are_json_and_a_list_may_be_texts_with_commas() {
    let list = plan("p = ['x']");
    assert_eq!(bound(&list, "a, b"), Ok(json!(["a", "b"])));
    assert_eq!(bound(&list, ""), Ok(json!([])));
    assert_eq!(bound(&list, r#"["a,b", 1]"#), Ok(json!(["a,b", 1])));
    assert!(bound(&list, "[a]").unwrap_err().contains("is not a list"));
    let object = plan("p = { type = 'object', default = { a = 1 } }");
    assert_eq!(bound(&object, r#"{"b": [2]}"#), Ok(json!({ "b": [2] })));
    for wrong in ["a", "[1]", r#"{"a": "\u0000"}"#] {
        let problem = bound(&object, wrong).unwrap_err();
        assert!(problem.contains("is not an object"), "{wrong}: {problem}");
    }
}

#[test]
fn a_value_has_to_match_its_pattern_and_range() {
    let tag = plan("p = { pattern = 'v[0-9]+' }");
    assert_eq!(bound(&tag, "v12"), Ok(json!("v12")));
    for wrong in ["v", "xv1", "v1\n", "v1 "] {
        let problem = bound(&tag, wrong).unwrap_err();
        assert!(
            problem.contains("does not match the pattern \"v[0-9]+\""),
            "{problem}"
        );
    }
    let count = plan("p = { type = 'integer', min = 1, max = 9 }");
    assert_eq!(bound(&count, "9"), Ok(json!(9)));
    assert_eq!(
        bound(&count, "10").unwrap_err(),
        "the parameter \"p\": \"10\" is not from 1 to 9"
    );
    let ratio = plan("p = { type = 'number', min = 0.5 }");
    assert_eq!(
        bound(&ratio, "0.25").unwrap_err(),
        "the parameter \"p\": \"0.25\" is below 0.5"
    );
    let secret = plan("p = { secret = true, pattern = 'k-.*' }");
    let problem = bound(&secret, "hunter2").unwrap_err();
    assert!(!problem.contains("hunter2"), "{problem}");
}

#[test]
fn bounds_that_mean_nothing_are_refused() {
    for (params, expected) in [
        ("p = { pattern = '(' }", "bad_value"),
        ("p = { pattern = 1 }", "wrong_type"),
        ("p = { min = 1 }", "misplaced_key"),
        ("p = { type = 'number', pattern = 'x' }", "misplaced_key"),
        ("p = { type = 'number', min = 'x' }", "wrong_type"),
        ("p = { type = 'number', min = 2, max = 1 }", "bad_value"),
        ("p = { default = 3, max = 2 }", "bad_param"),
        ("p = { default = 'x', pattern = 'y' }", "bad_param"),
        ("p = { type = 'list', default = 'x' }", "wrong_type"),
        ("p = ['${{ params.x }}']", "expression_not_allowed"),
        ("p = { type = 'file', pattern = 'x' }", "misplaced_key"),
        ("p = { type = 'list', secret = true }", "bad_value"),
    ] {
        assert_eq!(codes(params), expected, "{params}");
    }
}

#[test]
fn a_file_exists_and_its_default_is_in_the_folder_of_the_plan() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let file = plan("p = { type = 'file', default = 'params.rs' }").in_folder(folder);
    let default = file.bind(&BTreeMap::new()).expect("it exists");
    let path = json!(format!("{folder}/params.rs"));
    assert_eq!(default.run_values().stored_params()["p"], path);
    assert!(
        bound(&file, "golden")
            .unwrap_err()
            .contains("is not a file")
    );
    let problem = bound(&file, "no-such-file").unwrap_err();
    assert!(
        problem.contains("no-such-file") && problem.contains("cannot be used"),
        "{problem}"
    );
}

#[test]
fn env_files_are_paths_and_their_problems_are_at_the_key() {
    for (top, expected) in [
        ("env_file = 1", "wrong_type"),
        ("env_file = ['a', '']", "bad_value"),
        ("env_file = '${{ params.x }}'", "bad_value"),
        ("env = { 'A=B' = 'x' }", "bad_value"),
        (
            "env = { A = '${{ tasks.a.stdout }}' }",
            "expression_not_allowed",
        ),
    ] {
        let text = format!("{top}\n[tasks.a]\nrun = ['x']");
        let errors = Plan::load(&text, Format::Toml, "plan").expect_err(top);
        assert_eq!(errors.as_slice()[0].code.text(), expected, "{top}");
    }
    let text = "env_file = ['no-such.env', 'params.rs']\n[tasks.a]\nrun = ['x']";
    let plan = Plan::load(text, Format::Toml, "plan").expect("a plan");
    let plan = plan.in_folder(concat!(env!("CARGO_MANIFEST_DIR"), "/tests"));
    for (all, wanted) in [(true, 2), (false, 1)] {
        let errors = plan.env_file_variables(all).expect_err("not variables");
        assert_eq!(errors.len(), wanted, "{errors}");
        assert!(
            errors
                .iter()
                .all(|one| one.code.text() == "bad_env_file" && one.span.is_some())
        );
    }
}

#[test]
fn the_variables_of_the_plan_are_under_those_of_defaults_and_tasks() {
    let text = "env = { A = '1', B = '1', C = '1' }\n[defaults]\nenv = { B = '2', C = '2' }\npath = ['bin']\n[tasks.a]\nrun = ['x']\nenv = { C = '3' }\n[tasks.b]\nrun = ['y']\npath = []";
    let plan = Plan::load(text, Format::Toml, "plan").expect("a plan");
    let spec = serde_json::to_value(plan.spec()).expect("JSON");
    let params = |at: usize| spec["tasks"][at]["work"]["params"].clone();
    assert_eq!(params(0)["env"], json!({ "A": "1", "B": "2", "C": "3" }));
    assert_eq!(params(0)["path"], json!(["bin"]));
    assert_eq!(params(1)["path"], json!(null));
    for (path, expected) in [
        ("'bin'", "wrong_type"),
        ("['a:b']", "bad_value"),
        ("['${{ run.id }}']", "expression_not_allowed"),
    ] {
        let text = format!("[tasks.a]\nrun = ['x']\npath = {path}");
        let errors = Plan::load(&text, Format::Toml, "plan").expect_err(path);
        assert_eq!(errors.as_slice()[0].code.text(), expected, "{path}");
    }
}
