//! Shared lanes: between processes, also when one of them is killed.

use super::goal::json_of;
use super::support::{Scene, code};

const PLAN: &str = r#"
[lanes]
gpu = { limit = 1, shared = true }
[tasks.work]
lanes = ["gpu"]
timeout = "5m"
shell = "echo begin $ZEPH_RUN >> log; read line < gate-$ZEPH_RUN; echo end $ZEPH_RUN >> log"
"#;

#[test]
fn a_slot_passes_between_processes_also_after_a_kill() {
    let scene = Scene::new(PLAN);
    scene.gates(2);
    let mut first = scene.start(&["run", "plan.toml", "--name", "1"]);
    let gate = scene.open_gate(1);
    let mut second = scene.start(&["run", "plan.toml", "--name", "2", "--json"]);
    second.until("task_ready");
    let wanted = "waits for a slot of the shared lane gpu (1 of 1 used by run 1)";
    let why = scene.zeph(&["why", "2", "work"]);
    assert!(why.out.contains(wanted), "{why:?}");
    let why = json_of(&scene.zeph(&["why", "2", "work", "--json"]));
    assert_eq!(why["reason"], "shared_lane", "{why}");
    assert_eq!(why["next"][0], "zeph status 1", "{why}");
    let status = scene.zeph(&["status", "2"]);
    assert!(status.out.contains(wanted), "{status:?}");
    assert_eq!(scene.log(), ["begin 1"]);

    // A run that waits for a slot is canceled at once.
    let mut third = scene.start(&["run", "plan.toml", "--name", "3", "--json"]);
    third.until("task_ready");
    assert_eq!(code(&scene.zeph(&["cancel", "3"])), 0);
    assert_eq!(code(&third.wait()), 3);

    first.signal("KILL");
    first.wait();
    let next = scene.open_gate(2);
    // The command that outlived its run.
    scene.write(gate);
    scene.write(next);
    let second = second.wait();
    assert_eq!(code(&second), 0, "{second:?}");
    let log = scene.log();
    assert!(log.contains(&"begin 2".to_owned()), "{log:?}");
}

#[test]
fn wrong_shared_lanes_are_reported() {
    for (lanes, used, wanted) in [
        ("gpu = { shared = true }", "\"gpu\"", "has no `limit`"),
        ("gpu = { limit = 65, shared = true }", "\"gpu\"", "64"),
        (
            "gpu = { limit = 0, shared = true }",
            "\"gpu\"",
            "capacity 0",
        ),
        (
            "gpu = { limit = 1, sharde = true }",
            "\"gpu\"",
            "did you mean \"shared\"?",
        ),
        (
            "gpu = { limit = 1, shared = true }\nnpu = { limit = 1, shared = true }",
            "\"gpu\", \"npu\"",
            "is in two shared lanes",
        ),
    ] {
        let plan = format!("[lanes]\n{lanes}\n[tasks.a]\nlanes = [{used}]\nrun = ['true']\n");
        let scene = Scene::new(&plan);
        let refused = scene.zeph(&["validate", "plan.toml"]);
        assert_eq!(code(&refused), 2, "{lanes}: {refused:?}");
        assert!(refused.err.contains(wanted), "{wanted}: {refused:?}");
    }
}
