//! Sub-plans and included files: names, needs, parameters, places of problems, and what is refused.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use zeph_planfile::{Diagnostics, Format, Plan};

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn load(folder: &Path, name: &str) -> Result<Plan, Diagnostics> {
    let bytes = std::fs::read(folder.join(name)).unwrap();
    Plan::load_bytes_in(&bytes, Format::Toml, name, folder.to_str().unwrap())
}

fn spec(plan: &Plan, given: &[(&str, &str)]) -> Value {
    let given = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let bound = plan
        .bind(&given.collect())
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert!(bound.graph().is_ok());
    serde_json::to_value(bound.spec()).unwrap()
}

fn task<'a>(spec: &'a Value, name: &str) -> &'a Value {
    let mut tasks = spec["tasks"].as_array().unwrap().iter();
    tasks
        .find(|task| task["name"] == name)
        .unwrap_or_else(|| panic!("no {name}: {spec}"))
}

const DEPLOY: &str = r#"
[params]
to = { choices = ["eu", "us"] }
copies = 2
token = { secret = true }
[lanes]
net = 1
[defaults]
timeout = "1m"
env = { A = "defaults", TO = "${{ params.to }}" }
[tasks.build]
matrix = { n = [1, 2] }
run = ["make", "n${{ matrix.n }}"]
[tasks.push]
needs = ["build"]
run = ["push", "${{ tasks.build|length }}", "${{ params.copies }}", '${{ tasks["build[1]"].stdout }}']
env = { A = "task", T = "${{ params.token }}" }
lanes = ["net"]
[tasks.check]
needs = ["push"]
prompt = "Is this good? ${{ tasks.push.stdout }}"
[tasks.note]
prompt = "Write a note"
"#;

const MAIN: &str = r#"
        [params]
        place = "eu"
        key = { secret = true }
        [defaults]
        timeout = "9m"
        [tasks.first]
        run = ["first"]
        [tasks.deploy]
        needs = ["first"]
        plan = "deploy.toml"
        params = { to = "${{ params.place }}", token = "${{ params.key }}" }
        [tasks.last]
        needs = ["deploy"]
        run = ["last", "${{ tasks.deploy.push.stdout }}", "${{ tasks.deploy.state }}", "${{ tasks.deploy.build[0].exit }}"]
    "#;

#[test]
fn the_tasks_of_a_plan_have_its_name_its_values_and_wait_for_its_needs() {
    let folder = folder(&[("main.toml", MAIN), ("deploy.toml", DEPLOY)]);
    let plan = load(folder.path(), "main.toml").unwrap_or_else(|errors| panic!("{errors}"));
    let spec = spec(&plan, &[("key", "hunter2!"), ("deploy.copies", "5")]);
    let names: Vec<&str> = spec["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["name"].as_str().unwrap())
        .collect();
    let expected = [
        "first",
        "deploy.build[1]",
        "deploy.build[2]",
        "deploy.push",
        "deploy.check",
        "deploy.note",
        "deploy",
        "last",
    ];
    assert_eq!(names, expected);
    let offered: Vec<&str> = plan.params().map(|param| &*param.name).collect();
    assert_eq!(offered, ["place", "key", "deploy.copies"]);
    let needs = |name: &str| task(&spec, name)["needs"].clone();
    assert_eq!(needs("deploy.build[1]"), json!(["first"]));
    assert_eq!(
        needs("deploy.push"),
        json!(["deploy.build[1]", "deploy.build[2]"])
    );
    assert_eq!(needs("deploy"), json!(["deploy.check", "deploy.note"]));
    let mut last: Vec<Value> = needs("last").as_array().unwrap().clone();
    last.sort_by_key(Value::to_string);
    assert_eq!(
        json!(last),
        json!([
            "deploy",
            "deploy.build[1]",
            "deploy.build[2]",
            "deploy.push"
        ])
    );
    let params = |name: &str| task(&spec, name)["work"]["params"].clone();
    assert_eq!(
        params("deploy.push")["argv"],
        json!([
            "push",
            "${{ tasks[\"deploy.build\"]|length }}",
            "5",
            "${{ tasks[\"deploy.build[1]\"].stdout }}"
        ])
    );
    assert_eq!(
        params("deploy.push")["env"],
        json!({ "A": "task", "T": "${{ params[\"key\"] }}", "TO": "eu" })
    );
    assert_eq!(params("deploy.check")["context"], json!([]));
    assert_eq!(
        params("deploy.note")["context"],
        json!([]),
        "it does not know `first`"
    );
    assert_eq!(
        task(&spec, "deploy.push")["attempt_timeout_us"],
        json!(60_000_000)
    );
    assert_eq!(
        task(&spec, "first")["attempt_timeout_us"],
        json!(540_000_000)
    );
    assert_eq!(spec["lanes"][0]["name"], "net");
    // A value is checked by the rules of the plan that takes it, at the place where it is given.
    let given = BTreeMap::from(
        [("place", "nowhere"), ("key", "hunter2!")].map(|(k, v)| (k.to_owned(), v.to_owned())),
    );
    let errors = plan.bind(&given).unwrap_err();
    assert!(
        errors.to_string().contains(
            "main.toml:12:25: [bad_param] the parameter \"deploy.to\": \"nowhere\" is not one of"
        ),
        "{errors}"
    );
}

#[test]
fn plans_nest_across_folders_and_cells() {
    let main = "[tasks.all]\nmatrix = { to = ['eu', 'us'] }\nplan = 'sub/a.toml'\nparams = { where = '${{ matrix.to }}' }\n[tasks.end]\nneeds = ['all']\nrun = ['end', '${{ tasks[\"all[us].deep.run\"].stdout }}']\n[tasks.one]\nneeds = ['all[eu]']";
    let a = "[params]\nwhere = {}\nfile = { type = 'file', default = 'data' }\n[tasks.deep]\nplan = 'b.toml'\nparams = { at = 'x-${{ params.where }}' }\n[tasks.cat]\nneeds = ['deep']\nrun = ['cat', '${{ params.file }}']\ncwd = 'work'\npath = ['bin']";
    let b = "[params]\nat = {}\n[tasks.run]\nshell = 'true'\nenv = { AT = '${{ params.at }}' }";
    let folder = folder(&[
        ("main.toml", main),
        ("sub/a.toml", a),
        ("sub/b.toml", b),
        ("sub/data", ""),
    ]);
    let plan = load(folder.path(), "main.toml").unwrap_or_else(|errors| panic!("{errors}"));
    let spec = spec(&plan, &[]);
    let params = |name: &str| task(&spec, name)["work"]["params"].clone();
    let sub = folder
        .path()
        .canonicalize()
        .unwrap()
        .join("sub")
        .display()
        .to_string();
    assert_eq!(params("all[us].deep.run")["env"], json!({ "AT": "x-us" }));
    assert_eq!(params("all[us].deep.run")["cwd"], json!(sub));
    assert_eq!(
        params("all[eu].cat")["argv"],
        json!(["cat", format!("{sub}/data")])
    );
    assert_eq!(params("all[eu].cat")["cwd"], json!(format!("{sub}/work")));
    assert_eq!(params("all[eu].cat")["path"], json!([format!("{sub}/bin")]));
    assert_eq!(
        task(&spec, "end")["needs"],
        json!(["all[eu]", "all[us]", "all[us].deep.run"])
    );
    assert_eq!(task(&spec, "one")["needs"], json!(["all[eu]"]));
}

#[test]
fn an_included_file_is_under_the_plan() {
    let main = "include = ['one.toml', 'two.toml']\n[params]\na = 'main'\n[defaults]\nenv = { X = 'main' }\n[tasks.t]\nrun = ['x', '${{ params.a }}', '${{ params.b }}', '${{ params.c }}']\nlanes = ['net']";
    let one = "env = { ALL = '1' }\n[params]\na = 'one'\nb = 'one'\nc = 'one'\n[lanes]\nnet = 3\n[defaults]\nretry = 1\ntimeout = '1s'\nenv = { X = 'one', Y = 'one' }";
    let two = "[params]\nb = 'two'\n[defaults]\nretry = 2";
    let folder = folder(&[("main.toml", main), ("one.toml", one), ("two.toml", two)]);
    let plan = load(folder.path(), "main.toml").unwrap_or_else(|errors| panic!("{errors}"));
    let spec = spec(&plan, &[]);
    let t = task(&spec, "t");
    assert_eq!(
        t["work"]["params"]["argv"],
        json!(["x", "main", "two", "one"])
    );
    assert_eq!(
        t["work"]["params"]["env"],
        json!({ "ALL": "1", "X": "main", "Y": "one" })
    );
    assert_eq!(
        (&t["retry"]["max_retries"], &t["attempt_timeout_us"]),
        (&json!(2), &json!(1_000_000))
    );
}

/// The task of a plan, the other file, and the problem.
const WRONG_PLANS: &[(&str, &str, &str)] = &[
    (
        "plan = 'other.toml'",
        "[tasks.x]\nrn = ['y']",
        "other.toml:2:1: [unknown_key]",
    ),
    (
        "plan = 'other.toml'",
        "[tasks.x]\nneeds = ['y']",
        "other.toml:2:10: [unknown_dependency]",
    ),
    ("plan = 'other.toml'", "[tasks", "other.toml:1:7: [syntax]"),
    (
        "plan = 'none.toml'",
        "",
        "main.toml:2:8: [bad_plan_file] \"none.toml\" cannot be read",
    ),
    (
        "plan = 'main.toml'",
        "",
        "main.toml:2:8: [bad_plan_file] \"main.toml\" is a plan around this one: main.toml → main.toml",
    ),
    (
        "plan = 'other.toml'",
        "[tasks.y]\nplan = 'main.toml'",
        "other.toml:2:8: [bad_plan_file] \"main.toml\" is a plan around this one: main.toml → other.toml → main.toml",
    ),
    (
        "plan = 'other.toml'",
        "[tasks.y]\nplan = 'other.toml'",
        "main.toml → other.toml → other.toml",
    ),
    (
        "plan = 'other.toml'",
        "timeout = '1m'\n[tasks.y]\nrun = ['y']",
        "main.toml:2:8: [misplaced_key] the plan of \"x\" has `timeout`",
    ),
    (
        "plan = 'other.toml'\nparams = { b = 1 }",
        "[params]\na = 1\n[tasks.y]\nrun = ['y']",
        "main.toml:3:12: [unknown_param] the plan of \"x\" has no parameter \"b\"",
    ),
    (
        "plan = 'other.toml'\nparams = { a = 'z' }",
        "[params]\na = 1\n[tasks.y]\nrun = ['y']",
        "main.toml:3:16: [bad_param] the parameter \"a\": \"z\" is not of the type `integer`",
    ),
    (
        "plan = 'other.toml'",
        "[params]\na = {}\n[tasks.y]\nrun = ['y']",
        "main.toml:2:8: [missing_param] the plan of \"x\" needs the parameter \"a\"",
    ),
    (
        "plan = 'other.toml'\nparams = { a = 'z' }",
        "[params]\na = { secret = true }\n[tasks.y]\nrun = ['y']",
        "main.toml:3:16: [secret_exposed]",
    ),
    (
        "plan = 'other.toml'\nparams = { a = '${{ params.none }}' }",
        "[params]\na = ''\n[tasks.y]\nrun = ['y']",
        "main.toml:3:16: [unknown_param]",
    ),
    (
        "plan = 'other.toml'\nparams = { a = '${{ tasks.x.state }}' }",
        "[params]\na = ''\n[tasks.y]\nrun = ['y']",
        "main.toml:3:16: [expression_not_allowed]",
    ),
    (
        "plan = 'other.toml'\nrun = ['y']",
        "[tasks.y]\nrun = ['y']",
        "main.toml:3:1: [unknown_key]",
    ),
    (
        "run = ['y']\nparams = { a = 1 }",
        "",
        "main.toml:3:1: [misplaced_key]",
    ),
];

/// What is included, the other file, and the problem.
const WRONG_FILES: &[(&str, &str, &str)] = &[
    ("'other.toml'", "[tasks.x]", "other.toml:1:2: [unknown_key]"),
    (
        "'other.toml'",
        "[params]\na = { typ = 1 }",
        "other.toml:2:7: [unknown_key]",
    ),
    (
        "'other.toml'",
        "[defaults]\ntimeout = 5",
        "other.toml:2:11: [bad_duration]",
    ),
    (
        "'other.toml'",
        "[defaults]\ncwd = '${{ params.none }}'",
        "main.toml:1:11: [unknown_param]",
    ),
    ("1", "", "main.toml:1:11: [wrong_type]"),
    ("'none.toml'", "", "main.toml:1:11: [bad_plan_file]"),
];

#[test]
fn problems_are_in_the_file_that_has_them() {
    for (main, other, expected) in WRONG_PLANS {
        let text = format!("[tasks.x]\n{main}");
        let folder = folder(&[("main.toml", &text), ("other.toml", other)]);
        let errors = load(folder.path(), "main.toml")
            .expect_err(main)
            .to_string();
        let shown = errors.replace(&format!("{}/", folder.path().display()), "");
        assert!(shown.contains(expected), "{main}, {other}: {shown}");
        assert_eq!(shown.lines().count(), 1, "{main}, {other}: {shown}");
    }
    for (include, other, expected) in WRONG_FILES {
        let text = format!("include = {include}\n[tasks.x]\nrun = ['y']");
        let folder = folder(&[("main.toml", &text), ("other.toml", other)]);
        let errors = load(folder.path(), "main.toml")
            .expect_err(other)
            .to_string();
        let shown = errors.replace(&format!("{}/", folder.path().display()), "");
        assert!(shown.contains(expected), "{other}: {shown}");
        assert_eq!(shown.lines().count(), 1, "{other}: {shown}");
    }
}

#[test]
fn nine_levels_are_one_too_many_and_eight_are_not() {
    let names: Vec<String> = (0..=9).map(|level| format!("p{level}.toml")).collect();
    for (last, is_fine) in [(8, true), (9, false)] {
        let folder = tempfile::tempdir().unwrap();
        for level in 0..last {
            let text = format!("[tasks.t]\nplan = '{}'", names[level + 1]);
            std::fs::write(folder.path().join(&names[level]), text).unwrap();
        }
        std::fs::write(folder.path().join(&names[last]), "[tasks.t]\nrun = ['x']").unwrap();
        let loaded = load(folder.path(), "p0.toml");
        assert_eq!(loaded.is_ok(), is_fine, "{loaded:?}");
        if let Err(errors) = loaded {
            assert!(
                errors.to_string().contains("nested more than 8 deep"),
                "{errors}"
            );
        }
    }
}

#[test]
fn plans_that_multiply_are_refused_soon() {
    let folder = tempfile::tempdir().unwrap();
    for level in 0..8 {
        let task = |at: usize| format!("[tasks.t{at}]\nplan = 'p{}.toml'\n", level + 1);
        let text: String = (0..10).map(task).collect();
        std::fs::write(folder.path().join(format!("p{level}.toml")), text).unwrap();
    }
    std::fs::write(folder.path().join("p8.toml"), "[tasks.t]\nrun = ['x']").unwrap();
    let errors = load(folder.path(), "p0.toml").unwrap_err();
    assert_eq!(errors.len(), 1, "{errors}");
    assert!(errors.to_string().contains("at most 1000"), "{errors}");
}

#[test]
fn a_plan_without_a_folder_and_a_file_that_others_can_write_are_refused() {
    let text = "[tasks.x]\nplan = 'other.toml'";
    let errors = Plan::load(text, Format::Toml, "main.toml").unwrap_err();
    assert!(
        errors.to_string().contains("this plan has no folder"),
        "{errors}"
    );
    let folder = folder(&[
        ("main.toml", text),
        ("other.toml", "[tasks.y]\nrun = ['y']"),
    ]);
    assert!(load(folder.path(), "main.toml").is_ok());
    let path = folder.path().join("other.toml");
    let open_to_all = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(path, open_to_all).unwrap();
    let errors = load(folder.path(), "main.toml").unwrap_err();
    assert!(
        errors.to_string().contains("other users can write to it"),
        "{errors}"
    );
}

#[test]
fn a_file_outside_of_the_plans_folder_is_not_quoted() {
    let folder = folder(&[
        ("key.toml", "aws_secret_access_key = AKIAsecret"),
        ("plans/include.toml", "include = ['../key.toml']\n[tasks.a]"),
        ("plans/sub.toml", "[tasks.a]\nplan = '../key.toml'"),
        ("plans/link.toml", "include = ['link']\n[tasks.a]"),
    ]);
    let plans = folder.path().join("plans");
    std::os::unix::fs::symlink("../key.toml", plans.join("link")).unwrap();
    for name in ["include.toml", "sub.toml", "link.toml"] {
        let errors = load(&plans, name).unwrap_err().to_string();
        assert!(errors.contains("outside of the plan's folder"), "{errors}");
        for hidden in ["aws", "AKIA"] {
            assert!(!errors.contains(hidden), "{name}: {errors}");
        }
    }
}
