//! What `show` tells of the input and the output of a task.

use super::support::{Scene, code};

#[test]
fn show_tells_what_the_attempts_of_a_command_got_without_secrets() {
    let scene = Scene::new(
        r#"
        [params]
        token = { secret = true }
        [tasks.extract]
        shell = "printf 41"
        [tasks.check]
        needs = ["extract"]
        run = ["test", "${{ tasks.extract.stdout }}", "-eq", "42 or more"]
        on_failure = "skip"
        [tasks.load]
        needs = ["extract"]
        stdin = "rows: ${{ tasks.extract.stdout }}\nkey: ${{ params.token }}"
        env = { ROWS = "${{ tasks.extract.stdout }}", A = "b" }
        shell = """
cat
echo done
"""
        "#,
    );
    scene.file("token", "correct-horse-battery");
    let run = scene.zeph(&["run", "plan.toml", "--name", "r", "-p", "token=@token"]);
    assert_eq!(code(&run), 4, "{run:?}");
    let check = scene.zeph(&["show", "r", "check"]);
    let given = "Input of each attempt\n  runs: test 41 -eq '42 or more'\n";
    assert!(check.out.contains(given), "{check:?}");
    let load = scene.zeph(&["show", "r", "load"]);
    for part in [
        "  runs by the shell:\n    cat\n    echo done\n",
        "  variables: A, ROWS\n",
        "  stdin:\n    rows: 41\n    key: ‹redacted: token›\n",
        "Output\n  exit: 0\n  stderr:\n  stdout:\n    rows: 41\n    key: ‹redacted: token›done\n",
    ] {
        assert!(load.out.contains(part), "{part}: {load:?}");
    }
    let json = scene.zeph(&["show", "r", "load", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(json["input"]["env"]["ROWS"], "41", "{json}");
    let first = scene.zeph(&["show", "r", "extract", "--json"]);
    assert!(!first.out.contains("correct-horse"), "{first:?}");
}

#[test]
fn show_tells_the_parameters_of_a_command_that_has_not_started() {
    let scene = Scene::new(
        r#"
        [tasks.go]
        ask = { text = "Go on?", answer = "yes_no" }
        [tasks.say]
        needs = ["go"]
        run = ["echo", "${{ tasks.go.value }}"]
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 5, "{run:?}");
    let show = || scene.zeph(&["show", "r", "say"]);
    let template = "Parameters\n  runs: echo '${{ tasks.go.value }}'\n";
    assert!(show().out.contains(template), "{:?}", show());
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "y"])), 0);
    assert_eq!(code(&scene.zeph(&["resume", "r"])), 0);
    let given = "Input of each attempt\n  runs: echo true\n";
    assert!(show().out.contains(given), "{:?}", show());
    let question = scene.zeph(&["show", "r", "go"]);
    assert!(question.out.contains("Output\n  yes\n"), "{question:?}");
    assert!(
        question.out.contains("is answered: \"yes\""),
        "{question:?}"
    );
}
