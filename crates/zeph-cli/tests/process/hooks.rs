//! Hooks: what they get, what they cannot do to a run, and the examples of the guide.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::support::{Scene, code};

const PLAN: &str = "[tasks.go]\napprove = 'Go on?'\nrun = ['true']\n[tasks.bad]\nneeds = ['go']\nrun = ['false']\n";

/// A scene with these settings of the user.
fn scene(settings: &str) -> Scene {
    let scene = Scene::new(PLAN);
    scene.folder(".config");
    scene.folder(".config/zeph");
    scene.file(".config/zeph/config.toml", settings);
    scene
}

fn program(scene: &Scene, name: &str, script: &str) {
    scene.file(name, &format!("#!/bin/sh\n{script}\n"));
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(scene.path(name), executable).unwrap();
}

fn json(scene: &Scene, name: &str) -> Value {
    let text = std::fs::read_to_string(scene.path(name)).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn a_question_a_failure_and_an_end_reach_their_programs() {
    let scene = scene(
        "[hooks]\nquestion = ['sh', '-c', 'cat > question.json']\nfailed = ['sh', '-c', 'cat > failed.json; echo $ZEPH_RUN > run']\nended = ['sh', '-c', 'cat > ended.json']",
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 5, "{run:?}");
    let question = json(&scene, "question.json");
    assert_eq!(question["hook"], "question");
    assert_eq!(question["question"]["text"], "Go on?");
    assert_eq!(question["next"][0], "zeph answer r 1 yes");
    assert!(!scene.has("ended.json"), "it only waits");
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    let resume = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&resume), 3, "{resume:?}");
    let (failed, ended) = (json(&scene, "failed.json"), json(&scene, "ended.json"));
    assert_eq!(
        (&failed["hook"], &failed["state"]),
        (&"failed".into(), &"failed".into())
    );
    assert_eq!(failed["failures"][0]["task"], "bad");
    assert_eq!(
        (&ended["hook"], &ended["exit"]),
        (&"ended".into(), &3.into())
    );
    assert_eq!(std::fs::read_to_string(scene.path("run")).unwrap(), "r\n");
}

#[test]
fn a_hook_that_fails_or_hangs_is_a_warning() {
    let scene = scene(
        "[hooks]\nfailed = ['no-such-program']\nended = ['sh', '-c', 'read line < gate-1']\ntimeout = '50ms'",
    );
    scene.gates(1);
    scene.file("plan.toml", "[tasks.bad]\nrun = ['false']");
    let run = scene.zeph(&["run", "plan.toml"]);
    assert_eq!(code(&run), 3, "the code is that of the run: {run:?}");
    assert!(
        run.err
            .contains("the hook \"failed\": \"no-such-program\" was not found"),
        "{run:?}"
    );
    assert!(
        run.err
            .contains("the hook \"ended\": it took longer than 50ms"),
        "{run:?}"
    );
}

#[test]
fn the_hooks_of_a_project_count_only_after_trust() {
    let scene = Scene::new("[tasks.a]\nrun = ['true']");
    scene.file(
        "zeph.toml",
        "[hooks]\nended = ['sh', '-c', 'cat > ended.json']",
    );
    let run = scene.zeph(&["run", "plan.toml"]);
    assert_eq!(code(&run), 0, "{run:?}");
    assert!(
        run.err.contains("hooks.ended") && !scene.has("ended.json"),
        "{run:?}"
    );
    assert_eq!(code(&scene.zeph(&["trust", "--yes"])), 0);
    let run = scene.zeph(&["run", "plan.toml"]);
    assert_eq!(code(&run), 0, "{run:?}");
    assert_eq!(json(&scene, "ended.json")["state"], "completed");
}

#[test]
fn a_signal_stops_a_hook_that_hangs() {
    let scene = scene("[hooks]\nended = ['sh', '-c', 'read line < gate-1']\ntimeout = '1h'");
    scene.gates(1);
    scene.file("plan.toml", "[tasks.a]\nrun = ['true']");
    let mut run = scene.start(&["run", "plan.toml"]);
    // The hook reads from the gate.
    let gate = scene.open_gate(1);
    run.signal("TERM");
    let run = run.wait();
    assert_eq!(code(&run), 0, "the run had ended: {run:?}");
    assert!(run.err.contains("a hook was still running"), "{run:?}");
    drop(gate);
}

#[test]
fn a_project_does_not_shorten_the_hooks_of_the_user() {
    let scene = scene("[hooks]\nended = ['sh', '-c', 'cat > ended.json']");
    scene.file("plan.toml", "[tasks.a]\nrun = ['true']");
    scene.file("zeph.toml", "[hooks]\ntimeout = '1ms'");
    let run = scene.zeph(&["run", "plan.toml"]);
    assert!(run.err.contains("hooks.timeout"), "{run:?}");
    assert_eq!(json(&scene, "ended.json")["state"], "completed");
}

#[test]
fn the_examples_of_the_guide_run() {
    let guide = include_str!("../../../../docs/src/guide.md");
    let (_, section) = guide.split_once("### Hooks").unwrap();
    let (_, block) = section.split_once("```toml\n").unwrap();
    let (settings, _) = block.split_once("```").unwrap();
    let scene = scene(settings);
    scene.folder("bin");
    // Programs that the machine of the test may not have.
    program(
        &scene,
        "bin/jq",
        "grep -o '\"text\":\"[^\"]*\"\\|\"state\":\"[a-z]*\"' | head -1",
    );
    for name in ["mail", "curl", "notify-send"] {
        let script = format!("{{ echo \"$@\"; test {name} = notify-send || cat; }} > {name}.txt");
        program(&scene, &format!("bin/{name}"), &script);
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", scene.path("bin").display());
    let env = [("PATH", &*path), ("WEBHOOK_URL", "http://127.0.0.1:1/hook")];
    let run = scene
        .start_with(&["run", "plan.toml", "--name", "r"], &env)
        .wait();
    assert_eq!(
        (code(&run), run.err.contains("warning")),
        (5, false),
        "{run:?}"
    );
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    let run = scene.start_with(&["resume", "r"], &env).wait();
    assert_eq!(
        (code(&run), run.err.contains("warning")),
        (3, false),
        "{run:?}"
    );
    let read = |name: &str| std::fs::read_to_string(scene.path(name)).unwrap();
    assert!(
        read("notify-send.txt").starts_with("run r asks \"text\":\"Go on?\""),
        "{}",
        read("notify-send.txt")
    );
    assert!(
        read("mail.txt").starts_with("-s run r failed me@example.com\n{"),
        "{}",
        read("mail.txt")
    );
    let curl = read("curl.txt");
    assert!(
        curl.starts_with("-sS --fail --json @- http://127.0.0.1:1/hook\n"),
        "{curl}"
    );
    assert!(curl.contains("\"state\":\"failed\""), "{curl}");
}

#[test]
fn a_resting_run_that_is_canceled_calls_the_hook_of_its_end() {
    for (name, args) in [
        ("c", &["cancel", "c"][..]),
        ("d", &["delete", "--force", "d"]),
    ] {
        let scene = scene("[hooks]\nended = ['sh', '-c', 'cat >> ended.json']");
        scene.file("plan.toml", "[tasks.a]\napprove = 'Go on?'\nrun = ['true']");
        let run = scene.zeph(&["run", "plan.toml", "--name", name]);
        assert_eq!(code(&run), 5, "{run:?}");
        assert!(!scene.has("ended.json"), "it rests");
        let ended = scene.zeph(args);
        assert_eq!(code(&ended), 0, "{ended:?}");
        // One call, so the file is one JSON document.
        let message = json(&scene, "ended.json");
        let fields = ["hook", "run", "state"].map(|field| message[field].clone());
        assert_eq!(fields, ["ended", name, "canceled"].map(Value::from));
    }
}
