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
