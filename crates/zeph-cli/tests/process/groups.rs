//! Groups of runs: between processes, also when one of them is killed.

use serde_json::Value;

use super::support::{Ended, Scene, code};

const PLAN: &str = r#"
group = "nightly"
[tasks.work]
shell = "echo begin $ZEPH_RUN >> log; read line < gate-$ZEPH_RUN; echo end $ZEPH_RUN >> log"
"#;

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

#[test]
fn runs_of_a_group_wait_for_each_other_also_after_a_kill() {
    let scene = Scene::new(PLAN);
    scene.gates(2);
    let mut first = scene.start(&["run", "plan.toml", "--name", "1"]);
    let gate = scene.open_gate(1);
    let mut second = scene.start(&["run", "plan.toml", "--name", "2"]);
    second.until("waiting the run waits for run 1 of group nightly");

    let status = scene.zeph(&["status", "2"]);
    let wanted = "run 2: waits for run 1 of group nightly";
    assert!(status.out.contains(wanted), "{status:?}");
    let status = json(&scene.zeph(&["status", "2", "--json"]));
    let wanted = r#"{"name":"nightly","on_conflict":"queue","waits_for":"1"}"#;
    let wanted: Value = serde_json::from_str(wanted).unwrap();
    assert_eq!(status["group"], wanted);
    assert_eq!(status["interrupted"], false);
    let why = json(&scene.zeph(&["why", "2", "work", "--json"]));
    assert_eq!(why["reason"], "group", "{why}");
    assert_eq!(why["next"][0], "zeph status 1", "{why}");
    let list = scene.zeph(&["list"]);
    assert!(list.out.contains("2 waits for run 1 of group"), "{list:?}");
    let list = json(&scene.zeph(&["list", "--group", "nightly", "--json"]));
    let waits: Vec<&Value> = (list.as_array().unwrap().iter())
        .map(|line| &line["waits_for"])
        .collect();
    assert_eq!(waits, [&Value::from("1"), &Value::Null]);
    let list = json(&scene.zeph(&["list", "--group", "weekly", "--json"]));
    assert_eq!(list, Value::Array(Vec::new()));

    let third = ["run", "plan.toml", "--name", "3", "--on-conflict", "refuse"];
    let refused = scene.zeph(&third);
    assert_eq!(code(&refused), 8, "{refused:?}");
    let wanted = "run 1 of group nightly is at work";
    assert!(refused.err.contains(wanted), "{refused:?}");
    assert!(refused.err.contains("`zeph watch 1`"), "{refused:?}");

    first.signal("KILL");
    first.wait();
    let next = scene.open_gate(2);
    // The command that outlived its run.
    scene.write(gate);
    let mut again = scene.start(&["resume", "1"]);
    again.until("waits for run 2 of group nightly");
    again.signal("INT");
    let ended = again.wait();
    assert_eq!(code(&ended), 130, "{ended:?}");
    assert!(ended.out.contains("zeph resume 1"), "{ended:?}");
    let again = scene.start(&["resume", "1"]);
    scene.write(next);
    let ended = second.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert!(ended.out.contains("ok work"), "{ended:?}");
    scene.pass_gate(1);
    let ended = again.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    let text = std::fs::read_to_string(scene.path("log")).unwrap();
    let begun: Vec<&str> = text.lines().filter(|line| line.starts_with('b')).collect();
    assert_eq!(begun, ["begin 1", "begin 2", "begin 1"], "{text}");
}

#[test]
fn a_waiting_run_is_suspended_and_canceled_from_another_process() {
    let scene = Scene::new(PLAN);
    scene.gates(1);
    let first = scene.start(&["run", "plan.toml", "--name", "1"]);
    let gate = scene.open_gate(1);
    let mut second = scene.start(&["run", "plan.toml", "--name", "2", "--json"]);
    second.until(r#""event":"waiting""#);
    let suspended = scene.zeph(&["suspend", "2"]);
    assert_eq!(code(&suspended), 0, "{suspended:?}");
    assert!(second.wait().out.contains(r#""state":"suspended""#));
    let mut second = scene.start(&["resume", "2"]);
    second.until("waits for run 1 of group nightly");
    let canceled = scene.zeph(&["cancel", "2"]);
    assert_eq!(code(&canceled), 0, "{canceled:?}");
    let ended = second.wait();
    assert!(ended.out.contains("canceled"), "{ended:?}");
    scene.write(gate);
    assert_eq!(code(&first.wait()), 0);
    assert_eq!(scene.log(), ["begin 1", "end 1"]);
}

#[test]
fn a_run_can_end_the_one_that_works_and_a_retry_leaves_the_group() {
    let scene = Scene::new(PLAN);
    scene.gates(2);
    let first = scene.start(&["run", "plan.toml", "--name", "1"]);
    let gate = scene.open_gate(1);
    let args = ["run", "plan.toml", "--name", "2"];
    let second = scene.start(&[&args[..], &["--on-conflict", "cancel-running"]].concat());
    let ended = first.wait();
    drop(gate);
    assert!(ended.out.contains("canceled"), "{ended:?}");
    let gate = scene.open_gate(2);
    // The retry is of another group than the run that works.
    let retry = ["retry", "1", "--name", "3", "--group", "other"];
    scene.file("gate-3", "go\n");
    let retried = scene.zeph(&retry);
    assert_eq!(code(&retried), 0, "{retried:?}");
    scene.write(gate);
    assert_eq!(code(&second.wait()), 0);
    let usage = scene.zeph(&["run", "plan.toml", "--group", "a b"]);
    assert_eq!(code(&usage), 2, "{usage:?}");
}
