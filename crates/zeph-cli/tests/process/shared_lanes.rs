//! Shared lanes: between processes, also when one of them is killed.

use std::process::Command;

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

    // The command that outlives its run keeps its slot.
    first.signal("KILL");
    first.wait();
    let why = scene.zeph(&["why", "2", "work"]);
    assert!(why.out.contains(wanted), "{why:?}");
    scene.write(gate);
    let next = scene.open_gate(2);
    scene.write(next);
    let second = second.wait();
    assert_eq!(code(&second), 0, "{second:?}");
    let log = scene.log();
    assert_eq!(log, ["begin 1", "begin 2", "end 1", "end 2"]);
    // The waits for slots are not in the journal, and need not be.
    for args in [["verify", "2"], ["replay", "2"], ["verify", "1"]] {
        let checked = scene.zeph(&args);
        assert_eq!(code(&checked), 0, "{args:?}: {checked:?}");
    }
}

/// The lock of a slot is released with the attempt, although a process that it left behind has inherited it.
#[test]
fn a_process_that_a_command_leaves_behind_uses_no_slot() {
    let left = "setsid sleep 600 > /dev/null 2>&1 < /dev/null & echo $! >> left; read line";
    let scene = Scene::new(&PLAN.replace("read line", left));
    scene.gates(2);
    for run in [1, 2] {
        let started = scene.start(&["run", "plan.toml", "--name", &run.to_string()]);
        scene.pass_gate(run);
        let ended = started.wait();
        assert_eq!(code(&ended), 0, "{ended:?}");
    }
    let left = std::fs::read_to_string(scene.path("left")).unwrap();
    for process in left.lines() {
        let killed = Command::new("kill").arg(process).status();
        assert!(killed.unwrap().success(), "it was alive");
    }
}

#[test]
fn a_process_that_is_stopped_when_it_is_next_does_not_stop_the_others() {
    let scene = Scene::new(PLAN);
    scene.gates(3);
    let first = scene.start(&["run", "plan.toml", "--name", "1"]);
    let gate = scene.open_gate(1);
    let mut second = scene.start(&["run", "plan.toml", "--name", "2", "--json"]);
    second.until("task_ready");
    second.signal("STOP");
    let mut third = scene.start(&["run", "plan.toml", "--name", "3", "--json"]);
    third.until("task_ready");
    let why = scene.zeph(&["why", "3", "work"]);
    let wanted = "(1 of 1 used by run 1; run 2 is next)";
    assert!(why.out.contains(wanted), "{why:?}");
    scene.write(gate);
    assert_eq!(code(&first.wait()), 0);
    scene.pass_gate(3);
    let third = third.wait();
    assert_eq!(code(&third), 0, "{third:?}");
    second.signal("CONT");
    scene.pass_gate(2);
    let second = second.wait();
    assert_eq!(code(&second), 0, "{second:?}");
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
