//! Artifacts in plan files: patterns, names, and the paths that an attempt gets.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use zeph_executor::{
    Artifact, Attempt, Executor, Parent, TaskContext, TaskError, TaskId, TaskInput, TaskOutput,
    async_trait,
};
use zeph_planfile::{Format, Plan, RunValues, Templated};

/// Reads the files that its parameters name, and remembers the paths.
#[derive(Clone, Default)]
struct Reader(Arc<Mutex<Vec<PathBuf>>>);

#[async_trait]
impl Executor for Reader {
    async fn execute(&self, _: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let paths = input.params["argv"].as_array().unwrap().iter();
        let paths: Vec<PathBuf> = paths.map(|path| path.as_str().unwrap().into()).collect();
        let read: Result<Vec<String>, _> = paths.iter().map(fs::read_to_string).collect();
        let read = read?;
        let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let modes: Vec<u32> = paths.iter().map(mode).collect();
        let folder = paths[0].ancestors().find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("zeph-artifacts-")
        });
        let folder = mode(&folder.unwrap().to_owned());
        *self.0.lock().unwrap() = paths;
        Ok(json!({ "read": read, "modes": modes, "folder": folder }).into())
    }
}

fn input(params: Value) -> TaskInput {
    let mut run = Artifact::new("bin/run", "#!");
    run.executable = true;
    let output = TaskOutput::from(json!({ "stdout": "" }))
        .with_artifact(Artifact::new("dist/a b.txt", "text"))
        .with_artifact(run);
    let mut input = TaskInput::new(params);
    input
        .parents
        .insert("build/all".into(), Parent::completed(output));
    let none = TaskOutput::from(json!({}));
    input.parents.insert("none".into(), Parent::completed(none));
    input
}

fn context() -> TaskContext {
    let run = "r".parse().unwrap();
    TaskContext::builder(run, TaskId::from_index(0), "use", Attempt::FIRST).build()
}

#[tokio::test]
async fn an_attempt_gets_private_copies_that_are_gone_after_it() {
    let reader = Reader::default();
    let templated = Templated::new(reader.clone(), RunValues::default());
    let argv = json!({ "argv": [
        "${{ tasks['build/all'].artifacts['dist/a b.txt'] }}",
        "${{ tasks['build/all'].artifacts['bin/run'] }}",
    ] });
    let output = templated.execute(&context(), input(argv)).await.unwrap();
    let wanted = json!({ "read": ["text", "#!"], "modes": [0o600, 0o700], "folder": 0o700 });
    assert_eq!(output.value, wanted);
    let paths = reader.0.lock().unwrap().clone();
    assert!(
        paths[0].ends_with("dist/a b.txt") && !paths[0].exists(),
        "{paths:?}"
    );
}

#[tokio::test]
async fn a_missing_artifact_is_an_error_with_those_that_are_there() {
    for (expression, wanted) in [
        (
            "tasks['build/all'].artifacts.other",
            "`bin/run`, `dist/a b.txt`",
        ),
        ("tasks.none.artifacts.x", "has no artifacts"),
    ] {
        let templated = Templated::new(Reader::default(), RunValues::default());
        let params = json!({ "argv": [format!("${{{{ {expression} }}}}")] });
        let error = templated.execute(&context(), input(params)).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

#[tokio::test]
async fn a_stored_name_that_leaves_the_folder_is_no_artifact() {
    let output = TaskOutput::from(json!({})).with_blob("artifact/../../x", "x");
    let mut input = TaskInput::new(json!({ "argv": ["${{ tasks.a.artifacts }}"] }));
    input.parents.insert("a".into(), Parent::completed(output));
    let templated = Templated::new(Reader::default(), RunValues::default());
    let error = templated.execute(&context(), input).await;
    // The reader gets the list of none, which is no path.
    assert!(error.unwrap_err().to_string().contains("No such file"));
}

#[test]
fn a_person_sees_names_instead_of_paths() {
    let params = json!({ "argv": ["cat", "${{ tasks['build/all'].artifacts['bin/run'] }}"] });
    let run = "r".parse().unwrap();
    let shown = RunValues::default().shown_params(&run, "use", input(params));
    assert_eq!(shown.unwrap()["argv"][1], "‹artifact: bin/run›");
}

#[test]
fn the_plan_says_who_has_artifacts_and_patterns_stay_in_the_folder() {
    let problems = |text: &str| match Plan::load(text, Format::Toml, "plan.toml") {
        Ok(plan) => plan.warnings().to_string(),
        Err(problems) => problems.to_string(),
    };
    let build = "[tasks.build]\nrun = ['make']\n";
    let with = format!("{build}artifacts = ['dist/*']\n");
    let user = |command: &str| format!("[tasks.use]\nneeds = ['build']\n{command}\n");
    let path = "${{ tasks.build.artifacts['dist/x'] }}";
    assert_eq!(
        problems(&format!(
            "{with}{}",
            user(&format!("run = ['git', 'add', \"{path}\"]"))
        )),
        ""
    );
    for (text, wanted) in [
        (
            format!("{build}{}", user(&format!("run = ['cat', \"{path}\"]"))),
            "give \"build\" the key `artifacts",
        ),
        (
            format!("{with}{}", user(&format!("shell = \"cat {path}\""))),
            "would be run as code",
        ),
        (
            format!("{with}{}", user(&format!("run = [\"{path}\"]"))),
            "decide which program runs",
        ),
        (
            format!("{with}{}", user(&format!("run = ['sh', \"{path}\"]"))),
            "would be run as code",
        ),
        (format!("{build}artifacts = ['../x']"), "has `..`"),
        (format!("{build}artifacts = ['/x']"), "begins with `/`"),
        (format!("{build}artifacts = []"), "is empty"),
        (
            "[tasks.a]\nprompt = 'x'\nartifacts = ['x']".to_owned(),
            "only commands have it",
        ),
    ] {
        let found = problems(&text);
        assert!(found.contains(wanted), "{text}: {found}");
    }
}
