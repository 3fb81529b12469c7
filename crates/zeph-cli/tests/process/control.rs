//! Runs that are controlled from another terminal.

use crate::goal::json_of;
use crate::held;
use crate::support::{Scene, code};

#[test]
fn a_run_is_suspended_from_another_terminal() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(2);
    let run = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    let elsewhere = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&elsewhere), 8, "{elsewhere:?}");
    assert!(elsewhere.err.contains("`zeph suspend r`"), "{elsewhere:?}");
    assert!(elsewhere.err.contains("`zeph watch r`"), "{elsewhere:?}");
    let suspend = scene.zeph(&["suspend", "r"]);
    assert_eq!(code(&suspend), 0, "{suspend:?}");
    assert!(suspend.out.contains("`zeph resume r`"), "{suspend:?}");
    let ended = run.wait();
    drop(gate);
    assert_eq!(code(&ended), 5, "{ended:?}");
    assert!(ended.out.contains("run r suspended"), "{ended:?}");
    // No process works on it any more: nothing waits for the next one.
    let again = scene.zeph(&["suspend", "r"]);
    assert_eq!(code(&again), 0, "{again:?}");
    assert!(again.out.contains("no process works on it"), "{again:?}");
    let again = json_of(&scene.zeph(&["suspend", "r", "--json"]));
    assert_eq!(again["delivery"], "stale", "{again}");
    let status = json_of(&scene.zeph(&["status", "r", "--json"]));
    assert_eq!(status["requests"], serde_json::json!([]), "{status}");
    let resume = scene.start(&["resume", "r"]);
    scene.pass_gate(2);
    assert_eq!(code(&resume.wait()), 0);
    let ended = scene.zeph(&["suspend", "r"]);
    assert_eq!(code(&ended), 2, "{ended:?}");
    assert!(ended.err.contains("has ended"), "{ended:?}");
}

#[test]
fn a_run_is_watched_to_its_end_from_another_terminal() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let run = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    let mut watch = scene.start(&["watch", "r"]);
    watch.until("watching run r: ");
    let mut json = scene.start(&["watch", "r", "--json", "--from-start"]);
    json.until("\"event\":\"watching\"");
    let mut left = scene.start(&["watch"]);
    left.until("works on it");
    left.signal("INT");
    let left = left.wait();
    assert_eq!(code(&left), 130, "{left:?}");
    assert!(left.err.contains("detached run r continues"), "{left:?}");
    scene.write(gate);
    assert_eq!(code(&run.wait()), 0, "the run was left alone");
    let watch = watch.wait();
    assert_eq!(code(&watch), 0, "{watch:?}");
    assert!(!watch.out.contains("ok one"), "{watch:?}");
    for line in [
        "[3/4] ok held",
        "[4/4] ok last",
        "run r completed: 4 completed",
    ] {
        assert!(watch.out.contains(line), "{line}: {watch:?}");
    }
    let json = json.wait();
    let lines = json
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<serde_json::Value> = lines.collect();
    assert!(lines.iter().any(|line| line["task"] == "one"), "{lines:?}");
    let last = lines.last().unwrap();
    assert_eq!(
        (&last["event"], &last["exit"]),
        (&"summary".into(), &0.into())
    );
}

#[test]
fn a_watch_ends_when_the_process_of_the_run_does() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let mut run = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    let mut watch = scene.start(&["watch", "r"]);
    watch.until("watching run r: ");
    run.signal("KILL");
    let watch = watch.wait();
    drop((run.wait(), gate));
    assert_eq!(code(&watch), 5, "{watch:?}");
    assert!(watch.out.contains("run r interrupted: "), "{watch:?}");
    assert!(watch.out.contains("zeph resume r"), "{watch:?}");
    // A run at rest has nothing to watch.
    let watch = scene.zeph(&["watch", "r"]);
    assert_eq!(code(&watch), 5, "{watch:?}");
    assert_eq!(code(&scene.zeph(&["cancel", "r"])), 0);
    let watch = scene.zeph(&["watch", "r"]);
    assert_eq!(code(&watch), 3, "{watch:?}");
    assert!(watch.out.contains("run r canceled: "), "{watch:?}");
}

#[test]
fn a_pause_ends_with_the_resume_that_says_so() {
    let scene = Scene::new("[tasks.q]\nask = 'Go?'\n[tasks.a]\nneeds = ['q']\nrun = ['true']");
    assert_eq!(code(&scene.zeph(&["run", "plan.toml", "--name", "r"])), 5);
    assert_eq!(code(&scene.zeph(&["pause", "r"])), 0);
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    let resume = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&resume), 5, "{resume:?}");
    let resume = scene.zeph(&["resume", "r"]);
    let both = "`zeph resume r --unpause`";
    assert!(resume.out.contains(both), "{resume:?}");
    let resume = scene.zeph(&["resume", "r", "--unpause"]);
    assert_eq!(code(&resume), 0, "{resume:?}");
    assert!(
        resume.out.contains("unpaused the run continues"),
        "{resume:?}"
    );
}

#[test]
fn a_question_is_answered_by_the_name_of_its_task() {
    let scene =
        Scene::new("[tasks.go]\napprove = 'Go?'\nrun = ['true']\n[tasks.other]\nrun = ['true']\n");
    assert_eq!(code(&scene.zeph(&["run", "plan.toml", "--name", "r"])), 5);
    for (task, why) in [
        ("other", "no open question"),
        ("og", "did you mean \"go\"?"),
    ] {
        let refused = scene.zeph(&["answer", "r", task, "yes"]);
        assert_eq!(code(&refused), 2, "{refused:?}");
        assert!(refused.err.contains(why), "{refused:?}");
    }
    let answered = scene.zeph(&["answer", "r", "go", "yes"]);
    assert_eq!(code(&answered), 0, "{answered:?}");
    assert!(answered.out.contains("zeph resume r"), "{answered:?}");
    assert_eq!(code(&scene.zeph(&["resume", "r"])), 0);
}

#[test]
fn a_plan_with_other_line_ends_has_not_changed() {
    let plan = "[tasks.go]\r\napprove = 'Go?'\r\nrun = ['true']\r\n";
    let scene = Scene::new(plan);
    assert_eq!(code(&scene.zeph(&["run", "plan.toml", "--name", "r"])), 5);
    for (text, is_changed) in [
        (plan.to_owned(), false),
        (plan.replace("\r\n", "\n"), false),
        (plan.replace("true", "false"), true),
    ] {
        scene.file("plan.toml", &text);
        let resume = scene.zeph(&["resume", "r"]);
        assert_eq!(code(&resume), 5, "{resume:?}");
        let says = resume.out.contains("has changed since");
        assert_eq!(says, is_changed, "{text:?}: {resume:?}");
    }
}
