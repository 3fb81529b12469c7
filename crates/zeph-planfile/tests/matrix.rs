//! Matrices: the cells, their names and texts, what needs them, and the mistakes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zeph_planfile::{Format, Plan};

const TESTS: &str = r#"
[tasks.test]
matrix = { os = ["linux", "mac"], rust = ["stable", 1.85], exclude = [{ os = "mac", rust = 1.85 }], include = [{ os = "bsd/x", rust = "beta" }] }
run = ["cargo", "+${{ matrix.rust }}", "test", "${{ matrix.os ~ '-' ~ params.kind }}"]
"#;

fn load(text: &str) -> Plan {
    Plan::load(text, Format::Toml, "plan").unwrap_or_else(|errors| panic!("{errors}"))
}

fn spec(plan: &Plan) -> Value {
    let bound = plan
        .bind(&BTreeMap::new())
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert!(bound.graph().is_ok());
    serde_json::to_value(bound.spec()).expect("JSON")
}

fn names(spec: &Value) -> Vec<&str> {
    let tasks = spec["tasks"].as_array().into_iter().flatten();
    tasks.filter_map(|task| task["name"].as_str()).collect()
}

#[test]
fn a_cell_has_its_values_in_its_name_and_its_texts() {
    let text = format!("[params]\nkind = 'fast'\n{TESTS}");
    let spec = spec(&load(&text));
    let expected = [
        "test[linux,stable]",
        "test[linux,1.85]",
        "test[mac,stable]",
        "test[bsd-x,beta]",
    ];
    assert_eq!(names(&spec), expected);
    let argv = |at: usize| spec["tasks"][at]["work"]["params"]["argv"].clone();
    assert_eq!(argv(1), json!(["cargo", "+1.85", "test", "linux-fast"]));
    assert_eq!(argv(3), json!(["cargo", "+beta", "test", "bsd/x-fast"]));
}

#[test]
fn a_script_gets_the_values_as_they_are_written() {
    let spec = spec(&load(
        "[tasks.a]\nmatrix = { n = [1, true], t = [\"it's\"] }\nshell = 'echo ${{ matrix.n }} \"${{matrix.t}}\" $${{ x }}'\nenv = { N = '${{ matrix.n + 1 }}' }",
    ));
    let params = &spec["tasks"][0]["work"]["params"];
    assert_eq!(params["shell"], "echo 1 \"it's\" $${{ x }}");
    assert_eq!(params["env"]["N"], "2");
}

#[test]
fn a_name_means_all_cells_and_a_full_name_one() {
    let plan = load(
        r#"
        [tasks.build]
        matrix = { os = ["a", "b"] }
        run = ["make"]
        [tasks.test]
        matrix = { os = ["a", "b"] }
        needs = ["build[${{ matrix.os }}]"]
        run = ["echo", '${{ tasks["build[${{ matrix.os }}]"].stdout }}']
        [tasks.all]
        needs = ["test", "build"]
        run = ["echo", "${{ tasks.build|map(attribute='stdout')|join(' ') }}", '${{ tasks["test[b]"].exit }}']
        [tasks.summary]
        needs = ["test"]
        prompt = "Sum up ${{ tasks.test|length }} results"
        [tasks.other]
        needs = ["test"]
        context = ["test"]
        prompt = "Sum up"
        "#,
    );
    let spec = spec(&plan);
    let needs = |name: &str| {
        let tasks = spec["tasks"].as_array().expect("a list");
        tasks
            .iter()
            .find(|task| task["name"] == name)
            .map(|task| task["needs"].clone())
    };
    assert_eq!(needs("test[b]"), Some(json!(["build[b]"])));
    assert_eq!(
        needs("all"),
        Some(json!(["test[a]", "test[b]", "build[a]", "build[b]"]))
    );
    let context = |at: usize| spec["tasks"][at]["work"]["params"]["context"].clone();
    assert_eq!(context(5), json!([]), "the prompt names them");
    assert_eq!(context(6), json!(["test[a]", "test[b]"]));
    assert!(plan.warnings().is_empty(), "{}", plan.warnings());
}

#[test]
fn each_mistake_is_reported_once_with_its_place() {
    let many = format!(
        "matrix = {{ a = [{}], b = [1, 2, 3, 4] }}",
        "1,".repeat(251)
    );
    for (line, expected) in [
        ("matrix = ['a']", "wrong_type"),
        ("matrix = {}", "missing_key"),
        ("matrix = { os = 'linux' }", "wrong_type"),
        ("matrix = { os = [] }", "bad_value"),
        ("matrix = { os = [['a']] }", "wrong_type"),
        ("matrix = { os = ['${{ params.x }}'] }", "bad_value"),
        ("matrix = { 'o s' = ['a'] }", "bad_value"),
        ("matrix = { os = ['a', 'a'] }", "bad_value"),
        ("matrix = { os = ['a/b', 'a-b'] }", "bad_value"),
        ("matrix = { os = ['A', 'a'] }", "case_folded_duplicate"),
        (
            "matrix = { os = ['a'], exclude = [{ os = 'b' }] }",
            "bad_value",
        ),
        (
            "matrix = { os = ['a'], exclude = [{ os = 'a' }] }",
            "bad_value",
        ),
        (
            "matrix = { os = ['a'], exclude = [{ oss = 'a' }] }",
            "unknown_key",
        ),
        (
            "matrix = { os = ['a'], include = [{ os = 'a' }] }",
            "bad_value",
        ),
        (
            "matrix = { os = ['a'], r = [1], include = [{ os = 'b' }] }",
            "missing_key",
        ),
        (
            "matrix = { os = ['a', 'b'] }\nenv = { X = '${{ matrix.oss }}' }",
            "unknown_name",
        ),
        (
            "matrix = { os = ['a', 'b'] }\nneeds = ['nope']",
            "unknown_dependency",
        ),
        (
            "matrix = { os = ['a', 'b'] }\nneeds = ['x']",
            "self_dependency cycle",
        ),
        ("matrix = { os = ['a', 'b'] }\nretri = 1", "unknown_key"),
        (
            "matrix = { os = ['a', 'b'] }\ntimeout = '5'",
            "bad_duration",
        ),
        (
            "matrix = { os = ['a', 'b'] }\nlanes = ['nope']",
            "unknown_lane",
        ),
        ("env = { X = '${{ matrix.os }}' }", "unknown_name"),
        (&many, "bad_value"),
    ] {
        let text = format!("[tasks.x]\nrun = ['y']\n{line}");
        let errors = Plan::load(&text, Format::Toml, "plan")
            .err()
            .unwrap_or_default();
        let codes: Vec<&str> = errors.iter().map(|one| one.code.text()).collect();
        assert_eq!(codes.join(" "), expected, "{line}: {errors}");
        assert!(errors[0].span.is_some(), "{errors}");
    }
    let long = format!(
        "[tasks.x]\nrun = ['y']\nmatrix = {{ a = ['{}'] }}",
        "z".repeat(199)
    );
    let errors = Plan::load(&long, Format::Toml, "plan").expect_err("a long name");
    assert!(errors[0].message.contains("200 bytes"), "{errors}");
}

#[test]
fn a_small_text_with_very_many_cells_is_refused_before_they_are_made() {
    let axis = |name: char| format!("{name} = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]");
    let task = |at: usize| {
        let axes = ['a', 'b', 'c'].map(axis).join(", ");
        format!("[tasks.t{at}]\nmatrix = {{ {axes} }}\n")
    };
    let text: String = (0..1_000).map(task).collect();
    let errors = Plan::load(&text, Format::Toml, "plan").expect_err("a million tasks");
    assert_eq!(errors.len(), 1, "{errors}");
    assert_eq!(errors[0].code.text(), "too_many_tasks");
    let many = format!(
        "[tasks.a]\nmatrix = {{ x = [1], exclude = [{}] }}",
        "{},".repeat(1_001)
    );
    let errors = Plan::load(&many, Format::Toml, "plan").expect_err("many rules");
    assert!(errors[0].message.contains("more than 1000"), "{errors}");
}

#[test]
fn a_condition_may_be_a_value_of_the_matrix() {
    let plan =
        load("[tasks.a]\nmatrix = { on = [true, false] }\nwhen = '${{ matrix.on }}'\nrun = ['x']");
    let spec = serde_json::to_value(plan.spec()).expect("JSON");
    let when = |at: usize| spec["tasks"][at]["prepare"]["when"].clone();
    assert_eq!(
        (when(0), when(1)),
        (json!("${{ true }}"), json!("${{ false }}"))
    );
}

#[test]
fn the_results_are_a_list_and_need_all_cells() {
    let build = "[tasks.build]\nmatrix = { os = ['a', 'b'] }\nrun = ['make']\n[tasks.use]\n";
    for (rest, expected, help) in [
        (
            "run = ['x', '${{ tasks.build }}']",
            "not_a_need",
            "all of its cells",
        ),
        (
            "needs = ['build[a]']\nrun = ['x', '${{ tasks.build|length }}']",
            "not_a_need",
            "all of its cells",
        ),
        (
            "needs = ['build']\nrun = ['x', '${{ tasks.build.stdout }}']",
            "no_such_output",
            "map(attribute=\"stdout\")|list",
        ),
        (
            "needs = ['use']\nrun = ['x', '${{ tasks.use }}']",
            "bad_expression",
            "",
        ),
    ] {
        let text = format!("{build}{rest}");
        let errors = Plan::load(&text, Format::Toml, "plan").expect_err(rest);
        let found = errors.iter().find(|one| one.code.text() == expected);
        let found = found.unwrap_or_else(|| panic!("{rest}: {errors}"));
        assert!(
            found.help.as_deref().unwrap_or_default().contains(help),
            "{errors}"
        );
    }
}
