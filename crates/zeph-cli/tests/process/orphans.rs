//! Processes that outlive a killed `zeph`: a resume waits for them, ends them, or leaves them alone.

#![cfg(target_os = "linux")]

use std::thread;
use std::time::Instant;

use crate::support::{Process, Scene, code};
use crate::terminal::AtTerminal;

/// Waits at a gate that has the number of the attempt.
fn plan(effect: &str) -> String {
    format!(
        r#"
        [tasks.held]
        effect = "{effect}"
        shell = """
            echo "begin $ZEPH_ATTEMPT" >> log
            read line < gate-$ZEPH_ATTEMPT
            echo "end $ZEPH_ATTEMPT" >> log
        """
        "#
    )
}

/// A run whose `zeph` was killed while its task runs on.
fn orphaned(effect: &str) -> Scene {
    let scene = Scene::new(&plan(effect));
    scene.gates(2);
    let mut run = scene.start(&["run", "plan.toml", "--name", "r"]);
    eventually(|| order(&scene) == ["begin 1"]);
    let noted = (0..1_000).any(|_| {
        let show = scene.zeph(&["show", "r", "held"]);
        show.out.contains("process group")
    });
    assert!(noted, "the group of a running command is noted");
    run.signal("KILL");
    run.wait();
    scene
}

/// Looks again and again, for a minute.
fn eventually(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed().as_secs() < 60, "it does not happen");
        thread::yield_now();
    }
}

/// What the task has logged, in the order of its writing.
fn order(scene: &Scene) -> Vec<String> {
    let text = std::fs::read_to_string(scene.path("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_resume_waits_for_the_processes_of_a_killed_one() {
    let scene = orphaned("idempotent");
    let mut resume = scene.start(&["resume", "r", "--orphans", "wait", "--json"]);
    let interrupted = scene.start(&["resume", "r", "--orphans", "wait"]);
    // A signal ends the waiting, and the run is as before.
    let interrupted = stopped_while_waiting(interrupted);
    assert!(
        interrupted.err.contains("waiting attempt 1 of held"),
        "{interrupted:?}"
    );
    assert!(
        interrupted.err.contains("nothing is resumed"),
        "{interrupted:?}"
    );
    assert_eq!(order(&scene), ["begin 1"]);
    scene.pass_gate(1);
    resume.until("\"event\":\"resuming\"");
    scene.pass_gate(2);
    let ended = resume.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert_eq!(order(&scene), ["begin 1", "end 1", "begin 2", "end 2"]);
    assert!(
        !ended.out.contains("\"alive_process_group\":1"),
        "{ended:?}"
    );
}

/// Sends SIGINT when it says that it waits.
fn stopped_while_waiting(mut resume: Process) -> crate::support::Ended {
    resume.until_err("waiting");
    resume.signal("INT");
    let ended = resume.wait();
    assert_eq!(code(&ended), 130, "{ended:?}");
    ended
}

#[test]
fn a_resume_ends_the_processes_of_a_killed_one() {
    let scene = orphaned("idempotent");
    let resume = scene.start(&["resume", "r", "--orphans", "kill"]);
    scene.pass_gate(2);
    let ended = resume.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert!(ended.err.contains("ending attempt 1 of held"), "{ended:?}");
    assert_eq!(order(&scene), ["begin 1", "begin 2", "end 2"]);
    assert!(!ended.out.contains("may still be running"), "{ended:?}");
}

#[test]
fn a_person_decides_at_the_terminal_about_processes_that_are_alive() {
    let scene = orphaned("idempotent");
    let mut nothing = AtTerminal::start(&scene, &["resume", "r"]);
    let asked = nothing.until("Esc: resume nothing");
    assert!(
        asked.contains("Still at work: attempt 1 of held"),
        "{asked}"
    );
    nothing.press("\u{1b}");
    assert_eq!(nothing.wait(), Some(2));
    assert_eq!(order(&scene), ["begin 1"]);

    let mut zeph = AtTerminal::start(&scene, &["resume", "r"]);
    zeph.until("Esc: resume nothing");
    zeph.press("kill\r");
    scene.pass_gate(2);
    assert_eq!(zeph.wait(), Some(0));
    assert_eq!(order(&scene), ["begin 1", "begin 2", "end 2"]);
}

#[test]
fn the_question_about_an_interrupted_task_says_that_it_is_still_at_work() {
    let scene = orphaned("at_most_once");
    let rests = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&rests), 5, "{rests:?}");
    let asked = "is still at work, as process group";
    assert!(rests.out.contains(asked), "{rests:?}");
    let happened = "zeph answer r 1 happened";
    let status = scene.zeph(&["status", "r"]);
    assert!(status.out.contains(happened), "{status:?}");

    let mut answer = AtTerminal::start(&scene, &["answer", "r", "1"]);
    let shown = answer.until("happened it took effect");
    assert!(shown.contains("still at work"), "{shown}");
    scene.pass_gate(1);
    eventually(|| order(&scene) == ["begin 1", "end 1"]);
    answer.press("happened\r");
    assert_eq!(answer.wait(), Some(0));
    // What the task would have returned is not known, so the run is degraded.
    let ended = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&ended), 4, "{ended:?}");
    assert_eq!(order(&scene), ["begin 1", "end 1"]);
}
