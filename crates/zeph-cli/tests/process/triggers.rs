//! Finalizers, early triggers, conditions, exit codes that retry or skip, and idle time-outs, on the real binary.

use super::support::{Scene, code};

#[test]
fn a_finalizer_runs_after_an_abort_and_learns_how_the_run_went() {
    let scene = Scene::new(
        r#"
        [tasks.build]
        run = ["false"]
        [tasks.ship]
        needs = ["build"]
        run = ["echo", "shipped"]
        [tasks.undo]
        finally = true
        needs = ["build"]
        after = "any_failed"
        shell = "echo undo >> log"
        [tasks.clean]
        finally = true
        shell = 'echo "clean after $ZEPH_OUTCOME" >> log'
        [tasks.report]
        finally = true
        needs = ["clean"]
        run = ["false"]
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 3, "{run:?}");
    assert_eq!(scene.log(), ["clean after failed", "undo"], "{run:?}");
    let why = scene.zeph(&["why", "one", "ship"]);
    assert!(why.out.contains("build"), "{why:?}");
    // The results of finalizers are of their run only.
    let dry = scene.zeph(&["retry", "one", "--dry-run"]);
    assert!(
        dry.out
            .contains("again clean: it runs at the end of each run"),
        "{dry:?}"
    );
}

#[test]
fn a_finalizer_that_fails_degrades_a_complete_run() {
    let scene = Scene::new(
        "[tasks.work]\nrun = ['true']\n[tasks.clean]\nfinally = true\nrun = ['false']\n",
    );
    let run = scene.zeph(&["run", "plan.toml"]);
    assert_eq!(code(&run), 4, "{run:?}");
}

#[test]
fn work_cannot_depend_on_a_finalizer() {
    let scene = Scene::new(
        "[tasks.clean]\nfinally = true\nrun = ['true']\n[tasks.work]\nneeds = ['clean']\nrun = ['true']\n",
    );
    let checked = scene.zeph(&["validate", "plan.toml"]);
    assert_eq!(code(&checked), 2, "{checked:?}");
    for wanted in ["needs_finalizer", "runs at the end", "finally = true"] {
        assert!(checked.err.contains(wanted), "{wanted}: {checked:?}");
    }
}

#[test]
fn a_resting_run_is_cancelled_without_its_finalizers() {
    let scene = Scene::new(
        r#"
        [tasks.go]
        ask = "Go on?"
        [tasks.clean]
        finally = true
        shell = "echo clean >> log"
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 5, "{run:?}");
    let why = scene.zeph(&["why", "one", "clean"]);
    assert!(why.out.contains("It runs at the end"), "{why:?}");
    let cancel = scene.zeph(&["cancel", "one"]);
    assert_eq!(code(&cancel), 0, "{cancel:?}");
    let status = scene.zeph(&["status", "one"]);
    assert!(status.out.contains("canceled"), "{status:?}");
    assert!(scene.log().is_empty(), "nothing runs");
}

#[test]
fn the_first_success_is_enough_and_the_first_failure_raises_the_alarm() {
    let scene = Scene::new(
        r#"
        [tasks.fast]
        run = ["echo", "fast"]
        [tasks.broken]
        run = ["false"]
        on_failure = "skip"
        [tasks.slow]
        needs = ["use", "alarm"]
        run = ["echo", "slow"]
        [tasks.use]
        needs = ["fast", "broken"]
        after = "any_success"
        run = ["echo", "${{ tasks.fast.stdout }}"]
        [tasks.alarm]
        needs = ["fast", "broken"]
        after = "any_failed"
        shell = 'echo "broken: $STATE" >> log'
        env = { STATE = "${{ tasks.broken.state }}" }
        [tasks.quiet]
        needs = ["fast"]
        after = "any_failed"
        run = ["false"]
        [tasks.join]
        needs = ["fast", "quiet"]
        after = "none_failed"
        shell = "echo joined >> log"
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 4, "{run:?}");
    assert_eq!(scene.log(), ["broken: failed", "joined"], "{run:?}");
    assert!(
        run.out
            .contains("skipped quiet: no task that it depends on failed"),
        "{run:?}"
    );
    let why = scene.zeph(&["why", "one", "quiet"]);
    assert!(
        why.out.contains("no task that it depends on failed"),
        "{why:?}"
    );
}

#[test]
fn exit_codes_decide_about_retries_and_skips() {
    let scene = Scene::new(
        r#"
        [defaults]
        retry = { max = 3, base = "1ms", cap = "1ms" }
        on_failure = "skip"
        [tasks.busy]
        shell = "echo busy >> log; exit 75"
        retry_codes = [75]
        [tasks.wrong]
        shell = "echo wrong >> log; exit 64"
        retry_codes = [75]
        [tasks.nothing]
        shell = "echo nothing >> log; echo 'error: no changes' >&2; exit 99"
        skip_codes = [99]
        [tasks.after]
        needs = ["nothing"]
        after = "none_failed"
        shell = "echo after >> log"
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 4, "{run:?}");
    let log = scene.log();
    let times = |word: &str| log.iter().filter(|line| *line == word).count();
    let counted = ["busy", "wrong", "nothing", "after"].map(times);
    assert_eq!(counted, [4, 1, 1, 1], "{run:?}");
    assert!(run.out.contains("skipped nothing"), "{run:?}");
    assert!(run.out.contains("no changes"), "{run:?}");
    let watched = scene.zeph(&["watch", "one", "--from-start"]);
    assert!(watched.out.contains("no changes"), "{watched:?}");
    let shown = scene.zeph(&["show", "one", "nothing"]);
    assert!(shown.out.contains("nothing to do"), "{shown:?}");
}

#[test]
fn a_command_without_output_is_stopped_and_one_with_output_is_not() {
    let scene = Scene::new(
        r#"
        [tasks.silent]
        run = ["sleep", "600"]
        idle_timeout = "300ms"
        on_failure = "skip"
        [tasks.talking]
        shell = "i=0; while [ $i -lt 12 ]; do echo $i; sleep 0.1; i=$((i+1)); done"
        idle_timeout = "1s"
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 4, "{run:?}");
    assert!(
        run.out
            .contains("gave no output and no heartbeat for its idle_timeout of 300ms"),
        "{run:?}"
    );
    let shown = scene.zeph(&["show", "one", "talking"]);
    assert!(shown.out.contains("completed"), "{shown:?}");
}

#[test]
fn a_condition_decides_over_parameters_and_results() {
    let scene = Scene::new(
        r#"
        [params]
        deploy = false
        [tasks.diff]
        run = ["echo", "changed"]
        [tasks.build]
        needs = ["diff"]
        when = "${{ tasks.diff.stdout == 'changed' }}"
        shell = "echo build >> log"
        [tasks.nothing]
        needs = ["diff"]
        when = "${{ tasks.diff.stdout == '' }}"
        shell = "echo nothing >> log"
        [tasks.deploy]
        needs = ["build"]
        when = "${{ params.deploy }}"
        shell = "echo deploy >> log"
        [tasks.tell]
        needs = ["deploy", "nothing"]
        after = "none_failed"
        shell = "echo tell >> log"
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 0, "{run:?}");
    assert_eq!(scene.log(), ["build", "tell"], "{run:?}");
    for wanted in [
        "its condition ${{ tasks.diff.stdout == '' }} is false",
        "skipped deploy",
    ] {
        assert!(run.out.contains(wanted), "{wanted}: {run:?}");
    }
    let run = scene.zeph(&["run", "plan.toml", "-p", "deploy=true"]);
    assert_eq!(code(&run), 0, "{run:?}");
    assert!(scene.log().contains(&"deploy".to_owned()), "{run:?}");
}

#[test]
fn a_condition_is_one_expression_that_is_true_or_false() {
    let scene = Scene::new("[tasks.a]\nwhen = \"params.x\"\nrun = ['true']\n");
    let checked = scene.zeph(&["validate", "plan.toml"]);
    assert_eq!(code(&checked), 2, "{checked:?}");
    assert!(checked.err.contains("${{ params.x }}"), "{checked:?}");
    let scene = Scene::new(
        "[tasks.a]\nrun = ['echo', 'yes']\n[tasks.b]\nneeds = ['a']\nwhen = \"${{ tasks.a.stdout }}\"\nrun = ['true']\n",
    );
    let run = scene.zeph(&["run", "plan.toml"]);
    assert_eq!(code(&run), 3, "{run:?}");
    assert!(
        run.out.contains("is \"yes\", and not true or false"),
        "{run:?}"
    );
}

#[test]
fn a_killed_run_is_cancelled_without_its_finalizers() {
    let scene = Scene::new(
        r#"
        [tasks.work]
        shell = "kill -9 $PPID; sleep 60"
        [tasks.clean]
        finally = true
        retry = 3
        shell = "echo clean >> log"
        "#,
    );
    scene.zeph(&["run", "plan.toml", "--name", "one"]);
    let cancel = scene.zeph(&["cancel", "one"]);
    assert_eq!(code(&cancel), 0, "{cancel:?}");
    let shown = scene.zeph(&["show", "one"]);
    assert!(shown.out.contains("2 canceled"), "{shown:?}");
    assert!(scene.log().is_empty(), "nothing runs");
}

#[test]
fn a_condition_comes_before_an_approval_and_a_question() {
    let scene = Scene::new(
        r#"
        [tasks.diff]
        run = ["echo", "nothing"]
        [tasks.ship]
        needs = ["diff"]
        when = "${{ tasks.diff.stdout == 'changed' }}"
        approve = "Ship it?"
        shell = "echo ship >> log"
        [tasks.name]
        ask = "Under which name?"
        needs = ["diff"]
        when = "${{ tasks.diff.stdout == 'changed' }}"
        [tasks.all]
        needs = ["diff"]
        when = "${{ tasks.diff.stdout == 'nothing' }}"
        [tasks.after]
        needs = ["all"]
        shell = "echo after >> log"
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 0, "{run:?}");
    assert_eq!(scene.log(), ["after"], "{run:?}");
    for task in ["ship", "name"] {
        let why = scene.zeph(&["why", "one", task]);
        let wanted = "its condition does not hold";
        assert!(why.out.contains(wanted), "{why:?}");
        let shown = scene.zeph(&["show", "one", task]);
        assert!(
            shown.out.contains("tasks.diff.stdout == 'changed'"),
            "{shown:?}"
        );
    }
    assert_eq!(code(&scene.zeph(&["verify", "one"])), 0);
}

#[test]
fn a_condition_that_fails_is_reported_and_does_not_ask() {
    let scene = Scene::new(
        r#"
        [tasks.diff]
        run = ["echo", "maybe"]
        [tasks.ship]
        needs = ["diff"]
        when = "${{ tasks.diff.stdout }}"
        approve = "Ship it?"
        run = ["true"]
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 3, "{run:?}");
    assert!(run.out.contains("and not true or false"), "{run:?}");
    let shown = scene.zeph(&["show", "one", "ship"]);
    assert!(shown.out.contains("and not true or false"), "{shown:?}");
}
