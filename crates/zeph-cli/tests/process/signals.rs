//! Signals, limits of the system, terminals, and commands that outlive the tool.

use super::held;
use super::support::{Scene, code};

#[test]
fn a_closed_terminal_suspends_the_run() {
    for (signal, exit) in [("HUP", 129), ("QUIT", 131)] {
        let scene = Scene::new(&held("idempotent"));
        scene.gates(2);
        let mut run = scene.start(&["run", "plan.toml", "--name", "r"]);
        let gate = scene.open_gate(1);
        run.signal(signal);
        let ended = run.wait();
        drop(gate);
        assert_eq!(code(&ended), exit, "{ended:?}");
        assert!(ended.out.contains("zeph resume r"), "{ended:?}");
        let resume = scene.start(&["resume", "r"]);
        scene.pass_gate(2);
        assert_eq!(code(&resume.wait()), 0);
    }
}

#[test]
fn a_second_hang_up_is_no_second_request() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let env = [("ZEPH_SUSPEND_GRACE", "1h"), ("ZEPH_CANCEL_GRACE", "1h")];
    let mut run = scene.start_with(&["run", "plan.toml", "--name", "r"], &env);
    let gate = scene.open_gate(1);
    run.signal("HUP");
    run.until("has 1h");
    // The shell sends it again.
    run.signal("HUP");
    scene.write(gate);
    let ended = run.wait();
    assert_eq!(code(&ended), 129, "{ended:?}");
    assert!(ended.out.contains("ok held"), "{ended:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn under_nohup_a_hang_up_means_nothing() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let mut run = scene.start_by("trap '' HUP", &["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    run.signal("HUP");
    scene.write(gate);
    let ended = run.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn a_command_that_wants_a_terminal_fails_at_once_and_says_so() {
    let scene = Scene::new(
        r#"
        [tasks.login]
        shell = 'printf "Password: " > /dev/tty; read -r password < /dev/tty'
        "#,
    );
    // `script` gives the tool a terminal, which the task must not reach.
    let ended = scene.at_terminal(&["run", "plan.toml", "--name", "r"]);
    assert!(ended.out.contains("a task has no terminal"), "{ended:?}");
}

#[test]
fn a_limit_of_the_size_of_files_is_an_error_and_not_the_end() {
    let scene = Scene::new("[tasks.a]\nrun = ['true']");
    let run = scene.start_by("ulimit -f 8", &["run", "plan.toml", "--db", "runs.db"]);
    let ended = run.wait();
    assert_eq!(code(&ended), 8, "{ended:?}");
    assert!(ended.err.contains("error:"), "{ended:?}");
}

#[test]
fn resume_names_the_process_group_that_is_still_alive() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(2);
    let mut run = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    let noted = (0..1_000).any(|_| {
        let show = scene.zeph(&["show", "r", "held"]);
        show.out.contains("process group")
    });
    assert!(noted, "the group of a running command is noted");
    run.signal("KILL");
    run.wait();
    let resume = scene.start(&["resume", "r"]);
    let second = scene.open_gate(2);
    scene.write(gate);
    scene.write(second);
    let ended = resume.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    let wanted = "attempt 1 of held may still be running as process group";
    assert!(ended.out.contains(wanted), "{ended:?}");
}

#[test]
fn an_at_most_once_command_that_had_to_be_killed_is_asked_about() {
    let scene = Scene::new(
        r#"
        [tasks.pay]
        effect = "at_most_once"
        timeout = "300ms"
        retry = 2
        shell = "trap '' TERM; echo paid >> log; read line < gate-1"
        "#,
    );
    scene.gates(1);
    let env = [("ZEPH_CANCEL_GRACE", "200ms")];
    let run = scene.start_with(&["run", "plan.toml", "--name", "r"], &env);
    let ended = run.wait();
    assert_eq!(code(&ended), 5, "{ended:?}");
    assert!(ended.out.contains("ask q1 pay"), "{ended:?}");
    assert_eq!(scene.log(), ["paid"]);
}
