//! The service of `docs/plans/service.toml`: ready before its users, ended with the run, started again by a
//! resume.

use std::path::Path;

use super::support::{Ended, Scene, code};

const PLAN: &str = include_str!("../../../../docs/plans/service.toml");
const LOOP: &str = "( while :; do date > \"$dir/ready\"; sleep 0.1; done ) &";
const TMPDIR: (&str, &str) = ("TMPDIR", "tmp");

fn scene(changes: &[(&str, &str)]) -> Scene {
    let plan = changes.iter().fold(PLAN.to_owned(), |plan, (from, to)| {
        assert!(plan.contains(from), "{from}");
        plan.replace(from, to)
    });
    let scene = Scene::new(&plan);
    scene.folder("tmp");
    scene
}

fn run(scene: &Scene, args: &[&str]) -> Ended {
    scene.start_with(args, &[TMPDIR]).wait()
}

/// Whether the process that the server has noted is alive.
fn server_is_alive(scene: &Scene) -> bool {
    let pid = std::fs::read_to_string(scene.path("tmp/zeph-service-r/pid")).unwrap_or_default();
    let pid = pid.trim();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !pid.is_empty() && !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_service_is_ready_before_its_users_and_ends_with_them() {
    let scene = scene(&[]);
    let ended = run(&scene, &["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert!(ended.out.contains("ok server"), "{ended:?}");
    assert!(!scene.has("tmp/zeph-service-r"), "it is cleaned up");
    let failing = self::scene(&[("&& echo \"tested\"", "&& exit 7"), ("max = 8", "max = 0")]);
    let ended = run(&failing, &["run", "plan.toml", "--name", "r"]);
    assert_eq!(
        code(&ended),
        4,
        "the service ends also after a failure: {ended:?}"
    );
    assert!(!failing.has("tmp/zeph-service-r"), "it is cleaned up");
}

#[test]
fn a_service_that_ends_early_or_is_never_ready_fails_the_run_by_its_name() {
    let early = scene(&[(LOOP, "( sleep 0.2; exit 9 ) &")]);
    let ended = run(&early, &["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&ended), 3, "{ended:?}");
    assert!(ended.out.contains("FAILED server"), "{ended:?}");
    assert!(
        ended.out.contains("the server ended by itself"),
        "{ended:?}"
    );
    let never = scene(&[
        (LOOP, "sleep 1000 &"),
        ("timeout = \"30s\"", "timeout = \"300ms\""),
    ]);
    let ended = run(&never, &["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&ended), 3, "{ended:?}");
    assert!(ended.out.contains("FAILED ready"), "{ended:?}");
    assert!(!server_is_alive(&never), "the abort ends it");
}

#[test]
fn a_suspension_ends_the_service_and_a_resume_starts_it_again() {
    let gate = format!("read line < {}; ", "gate-$ZEPH_ATTEMPT");
    let scene = scene(&[
        (
            "echo $$ > \"$dir/pid\"",
            "echo started >> log && echo $$ > \"$dir/pid\"",
        ),
        (
            "[tasks.stop]",
            &format!("[tasks.held]\nneeds = [\"ready\"]\nshell = '{gate}'\n[tasks.stop]"),
        ),
        ("needs = [\"test\"]", "needs = [\"test\", \"held\"]"),
    ]);
    scene.gates(2);
    let mut process = scene.start_with(&["run", "plan.toml", "--name", "r"], &[TMPDIR]);
    let first = scene.open_gate(1);
    assert!(server_is_alive(&scene));
    process.signal("TERM");
    let ended = process.wait();
    drop(first);
    assert!(ended.out.contains("suspended"), "{ended:?}");
    assert!(!server_is_alive(&scene), "the suspension ends it");
    let resumed = scene.start_with(&["resume", "r"], &[TMPDIR]);
    let second = scene.open_gate(2);
    scene.write(second);
    let ended = resumed.wait();
    assert_eq!(scene.log(), ["started", "started"], "{ended:?}");
    assert!(!Path::new(&scene.path("tmp/zeph-service-r")).exists());
}
