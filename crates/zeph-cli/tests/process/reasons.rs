//! Reasons: what a run reports about failures and what follows from them, about time-outs, and about its plan.

use crate::support::{Scene, code};

#[test]
fn what_follows_from_one_failure_is_folded_everywhere() {
    let mut plan = "[tasks.root]\nshell = 'exit 3'\n".to_owned();
    for number in 1..=40 {
        plan.push_str(&format!(
            "[tasks.t{number}]\nneeds = ['root']\nrun = ['true']\n"
        ));
    }
    let scene = Scene::new(&plan);
    let run = scene.zeph(&["run", "plan.toml", "--name", "r", "-v"]);
    assert_eq!(code(&run), 3, "{run:?}");
    for line in [
        "[0/41] ending root failed: 40 tasks do not start",
        "40 tasks did not start: root failed",
    ] {
        assert!(run.out.lines().any(|found| found == line), "{run:?}");
    }
    assert!(run.out.lines().count() < 10, "{run:?}");
    let decision = "task \"t40\" is canceled: the run was aborted";
    assert!(run.err.contains(decision), "-v has each record: {run:?}");
    let show = scene.zeph(&["show", "r"]);
    assert!(
        show.out.contains("\n40 tasks did not start: root failed\n"),
        "{show:?}"
    );
    assert!(!show.out.contains("t40"), "{show:?}");
    let json = scene.zeph(&["show", "r", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(
        json["not_started"][0]["tasks"].as_array().map(Vec::len),
        Some(40)
    );
}

#[test]
fn a_plan_without_a_goal_is_shown_by_its_file() {
    let scene = Scene::new("[tasks.one]\nrun = ['true']\n");
    assert_eq!(code(&scene.zeph(&["run", "plan.toml", "--name", "r"])), 0);
    for command in ["show", "status"] {
        let shown = scene.zeph(&[command, "r"]);
        assert!(!shown.out.contains("goal"), "{shown:?}");
    }
    let show = scene.zeph(&["show", "r"]);
    assert!(show.out.contains("\nplan         plan.toml\n"), "{show:?}");
}

#[test]
fn a_time_out_is_named_with_its_limit_everywhere() {
    let scene = Scene::new(
        r#"
        [tasks.slow]
        shell = "sleep 60"
        timeout = "50ms"
        on_failure = "skip"
        [tasks.total]
        shell = "echo broken >&2; exit 9"
        total_timeout = "2s"
        retry = { max = 9, base = "1h", cap = "1h" }
        on_failure = "skip"
        [tasks.value]
        shell = "exit 4"
        on_failure = { value = 1 }
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 4, "{run:?}");
    let slow = "the attempt took longer than its timeout of 50ms";
    let total = "used up its total_timeout of 2s; the last attempt: the shell script exited with code 9: broken";
    for reason in [slow, total] {
        assert!(run.out.contains(reason), "{reason}: {run:?}");
    }
    let ends: Vec<&str> = run
        .out
        .lines()
        .filter(|line| line.starts_with("FAILED"))
        .collect();
    assert_eq!(ends.len(), 2, "{run:?}");
    assert!(
        ends[0].ends_with("took longer than its timeout of 50ms"),
        "{run:?}"
    );
    assert!(ends[1].ends_with(total), "{run:?}");
    let value = "value value: a substitute value is used: the shell script exited with code 4";
    assert!(run.out.contains(value), "{run:?}");
    let end = "run r degraded: 1 completed (1 with its substitute value), 2 failed in ";
    assert!(run.out.contains(end), "{run:?}");
    let show = scene.zeph(&["show", "r", "slow"]);
    let stopped = ": took longer than its timeout of 50ms, started";
    assert!(show.out.contains(stopped), "{show:?}");
    let why = scene.zeph(&["why", "r", "total"]);
    let all = "It failed: all its attempts together used up its total_timeout of 2s.";
    assert!(why.out.contains(all), "{why:?}");
}
