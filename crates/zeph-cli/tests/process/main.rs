//! Several processes on one database: questions, suspension, crashes, resume.

#![allow(
    clippy::unwrap_used,
    reason = "a test may take the short way: its panic is its report"
)]

mod amend;
mod artifacts;
mod background;
mod bad_day;
mod by_hand;
mod cache;
mod checks;
mod completion;
mod control;
mod conversation;
mod cut_off;
mod docs_plans;
mod early;
mod environment;
mod fallback;
mod foreach;
mod gate;
mod goal;
mod groups;
mod hidden_values;
mod hooks;
mod inputs;
mod json_page;
mod labels;
mod matrix;
mod mcp;
mod mcp_rights;
mod operator_day;
mod orphans;
mod postgres;
mod programs;
mod reasons;
mod reports;
mod retry;
mod running_logs;
mod secrets;
#[path = "../../../zeph-memory-postgres/tests/postgres/server.rs"]
mod server;
mod service;
mod shared_lanes;
mod signals;
mod starting;
mod subplans;
mod support;
mod terminal;
mod triggers;
mod trust;

use support::{Scene, code};

const HELD: &str = r#"
[tasks.one]
shell = "echo one >> log"
[tasks.two]
shell = "echo two >> log"
[tasks.held]
needs = ["one", "two"]
effect = "EFFECT"
shell = "echo held >> log; read line < gate-$ZEPH_ATTEMPT"
[tasks.last]
needs = ["held"]
shell = "echo last >> log"
"#;

fn held(effect: &str) -> String {
    HELD.replace("EFFECT", effect)
}

#[test]
fn a_question_waits_on_disk_until_any_process_answers_it() {
    let scene = Scene::new(
        r#"
        [tasks.build]
        shell = "echo build >> log"
        [tasks.publish]
        needs = ["build"]
        approve = "Publish this?"
        shell = "echo publish >> log"
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 5, "{run:?}");
    assert!(run.out.contains("ask q1 publish: Publish this?"), "{run:?}");
    let answer = scene.zeph(&["answer", "r", "1", "yes"]);
    assert_eq!(code(&answer), 0, "{answer:?}");
    let resume = scene.zeph(&["resume"]);
    assert_eq!(code(&resume), 0, "{resume:?}");
    assert!(resume.out.contains("1 completed and kept"), "{resume:?}");
    assert_eq!(scene.log(), ["build", "publish"]);
    assert_eq!(code(&scene.zeph(&["resume", "r"])), 2, "it has ended");
    assert_eq!(code(&scene.zeph(&["resume"])), 2, "nothing is left");
}

#[test]
fn a_signal_suspends_and_the_run_goes_on_elsewhere() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(2);
    let mut run = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    run.signal("TERM");
    let ended = run.wait();
    drop(gate);
    assert_eq!(code(&ended), 143, "{ended:?}");
    assert!(ended.out.contains("zeph resume r"), "{ended:?}");
    let resume = scene.start(&["resume", "r"]);
    scene.pass_gate(2);
    let ended = resume.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert!(ended.out.contains("2 completed and kept"), "{ended:?}");
    assert_eq!(scene.log(), ["held", "held", "last", "one", "two"]);
}

#[test]
fn a_second_signal_stops_what_does_not_want_to_stop() {
    let scene = Scene::new(
        r#"
        [tasks.stubborn]
        shell = "trap '' TERM INT; read line < gate-1; read line < gate-1"
        "#,
    );
    scene.gates(1);
    let mut run = scene.start_with(
        &["run", "plan.toml", "--name", "r"],
        &[("ZEPH_SUSPEND_GRACE", "1h"), ("ZEPH_CANCEL_GRACE", "1h")],
    );
    let gate = scene.open_gate(1);
    run.signal("INT");
    run.until("has 1h");
    run.signal("INT");
    run.until("stopping running tasks");
    let ended = run.wait();
    drop(gate);
    assert_eq!(code(&ended), 130, "{ended:?}");
    assert!(ended.out.contains("stopped stubborn"), "{ended:?}");
    assert!(ended.out.contains("zeph resume r"), "{ended:?}");
}

#[test]
fn a_killed_run_keeps_what_it_printed_and_repeats_what_it_was_at() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(2);
    let mut run = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    // The next task starts when its dependencies are saved, which is before their lines are printed.
    run.until("[2/4] ok");
    run.signal("KILL");
    let killed = run.wait();
    drop(gate);
    assert!(killed.out.contains("ok one"), "{killed:?}");
    assert!(killed.out.contains("ok two"), "{killed:?}");
    let resume = scene.start(&["resume"]);
    scene.pass_gate(2);
    let ended = resume.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert!(ended.out.contains("2 completed and kept"), "{ended:?}");
    assert!(
        ended
            .out
            .contains("interrupted held: runs again (idempotent)"),
        "{ended:?}"
    );
    assert_eq!(scene.log(), ["held", "held", "last", "one", "two"]);
}

#[test]
fn what_must_not_happen_twice_is_asked_about_or_said_on_the_command_line() {
    let scene = Scene::new(&held("at_most_once"));
    scene.gates(2);
    let mut run = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    run.signal("KILL");
    run.wait();
    drop(gate);
    let asked = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&asked), 5, "{asked:?}");
    assert!(
        asked.out.contains("a person is asked before it runs again"),
        "{asked:?}"
    );
    let question =
        "Task held was interrupted, and it is not known whether it took effect. What now?";
    assert!(asked.out.contains(question), "{asked:?}");
    assert_eq!(scene.log(), ["held", "one", "two"]);
    let again = scene.start(&["resume", "r", "--rerun-interrupted"]);
    scene.pass_gate(2);
    let ended = again.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert_eq!(scene.log(), ["held", "held", "last", "one", "two"]);
}

#[test]
fn a_run_at_work_is_not_resumed_by_another_process() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let run = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    let second = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&second), 8, "{second:?}");
    assert!(second.err.contains("pid"), "{second:?}");
    assert_eq!(code(&scene.zeph(&["resume"])), 2, "no other one is there");
    scene.write(gate);
    let ended = run.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert_eq!(scene.log(), ["held", "last", "one", "two"]);
}

#[test]
fn a_reader_that_goes_away_stops_nothing() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let mut run = scene.start(&["run", "plan.toml", "--name", "r"]);
    run.close_stdout();
    scene.pass_gate(1);
    let ended = run.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert!(!ended.err.contains("panicked"), "{ended:?}");
    assert_eq!(scene.log(), ["held", "last", "one", "two"]);
}

#[test]
fn the_demo_that_crashes_is_finished_by_resume() {
    let scene = Scene::new("");
    let crash = scene.zeph(&["demo", "--crash"]);
    assert_eq!(code(&crash), 0, "{crash:?}");
    assert!(crash.out.contains("zeph resume demo-"), "{crash:?}");
    let resume = scene.zeph(&["resume"]);
    assert_eq!(
        code(&resume),
        4,
        "one of its tasks fails on purpose: {resume:?}"
    );
    assert!(resume.out.contains("interrupted"), "{resume:?}");
    for line in crash.out.lines().filter(|line| line.contains("] ok ")) {
        let task = line.split_whitespace().nth(2).unwrap_or_default();
        assert!(
            !resume.out.contains(&format!("ok {task} ")),
            "{task} ran twice"
        );
    }
}

#[test]
fn without_a_home_there_must_be_a_database() {
    let scene = Scene::new("[tasks.one]\nrun = [\"true\"]\n");
    let lost = scene.zeph_without_home(&["run", "plan.toml"]);
    assert_eq!(code(&lost), 2, "{lost:?}");
    assert!(lost.err.contains("--db FILE"), "{lost:?}");
    let named = scene.zeph_without_home(&["run", "plan.toml", "--db", "here.db"]);
    assert_eq!(code(&named), 0, "{named:?}");
}

#[test]
fn nearer_settings_win() {
    let plan = "[tasks.one]\nrun = [\"true\"]\n";
    let scene = Scene::new(plan);
    scene.file("zeph.toml", "db = \"project.db\"\nmax_parallel = 3\n");
    assert_eq!(code(&scene.zeph(&["trust", "--yes"])), 0);
    assert_eq!(code(&scene.zeph(&["run", "plan.toml"])), 0);
    assert!(scene.has("project.db"), "the project's file names it");
    let flag = ["run", "plan.toml", "--db", "flag.db"];
    assert_eq!(code(&scene.zeph(&flag)), 0);
    assert!(scene.has("flag.db"), "the flag goes before the file");
    scene.file("zeph.toml", "max_paralel = 3\nmax_parallel = 2\n");
    let wrong = scene.zeph(&["run", "plan.toml"]);
    assert_eq!(code(&wrong), 2, "{wrong:?}");
    assert!(wrong.err.contains("did you mean"), "{wrong:?}");
    let list = scene.zeph(&["list", "--db", "flag.db"]);
    assert_eq!(code(&list), 0, "stored runs can be read: {list:?}");
    assert!(list.err.contains("zeph.toml has a problem"), "{list:?}");
}

#[test]
fn retries_are_those_of_the_settings_where_the_plan_leaves_them_open() {
    let scene = Scene::new(
        r#"
        [tasks.counted]
        shell = "echo counted >> log; exit 1"
        retry = 1
        on_failure = "skip"
        [tasks.logged]
        shell = "echo logged >> log; exit 1"
        retry = { max = 1, base = "2ms", cap = "2ms" }
        on_failure = "skip"
        [tasks.open]
        needs = ["counted", "logged"]
        after = "all_done"
        shell = "echo open >> log; exit 1"
        on_failure = "retry"
        "#,
    );
    let settings = "[retry]\nmax_retries = 2\nbase = \"1ms\"\ncap = \"1ms\"\n";
    scene.file("zeph.toml", settings);
    let run = scene.zeph(&["run", "plan.toml"]);
    assert_eq!(code(&run), 3, "{run:?}");
    let count = |line: &str| run.out.matches(line).count();
    assert_eq!(count("retry counted in 1ms"), 1, "{run:?}");
    assert_eq!(count("retry logged in 2ms"), 1, "{run:?}");
    assert_eq!(count("retry open in 1ms"), 2, "{run:?}");
    let log = [&["counted"; 2][..], &["logged"; 2], &["open"; 3]].concat();
    assert_eq!(scene.log(), log);
}

#[test]
fn a_plan_from_stdin_and_nasty_names_are_shown_inert() {
    let scene = Scene::new("");
    let plan = r#"{ "tasks": { "fine": { "run": ["sh", "-c", "printf '\\033]0;x\\007bad\\n' >&2; exit 1"] } } }"#;
    let run = scene.zeph_with_stdin(&["run", "-", "--name", "r"], plan);
    assert_eq!(code(&run), 3, "{run:?}");
    assert!(!run.out.contains('\u{1b}'), "{run:?}");
    assert!(run.out.contains("bad"), "{run:?}");
}

#[test]
fn secrets_are_given_again_and_the_folder_must_be_there() {
    let scene = Scene::new("");
    scene.folder("work");
    scene.file(
        "work/plan.toml",
        r#"
        [params]
        token = { type = "string", secret = true }
        [tasks.publish]
        approve = "Publish?"
        run = ["sh", "-c", "test \"$TOKEN\" = s3cret && echo published >> ../log"]
        env = { TOKEN = "${{ params.token }}" }
        "#,
    );
    let token = "token=s3cret";
    let run = scene.zeph(&["run", "work/plan.toml", "--name", "r", "-p", token]);
    assert_eq!(code(&run), 5, "{run:?}");
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    let without = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&without), 2, "{without:?}");
    assert!(without.err.contains("-p token=@FILE"), "{without:?}");
    scene.rename("work", "elsewhere");
    let gone = scene.zeph(&["resume", "r", "-p", token]);
    assert_eq!(code(&gone), 2, "{gone:?}");
    assert!(gone.err.contains("restore the folder"), "{gone:?}");
    scene.rename("elsewhere", "work");
    let resume = scene.zeph(&["resume", "r", "-p", token]);
    assert_eq!(code(&resume), 0, "{resume:?}");
    assert_eq!(scene.log(), ["published"]);
}

#[test]
fn resume_without_a_name_skips_a_run_whose_secret_is_missing() {
    let scene = Scene::new("[tasks.older]\napprove = 'Run it?'\nrun = ['true']");
    assert_eq!(
        code(&scene.zeph(&["run", "plan.toml", "--name", "older"])),
        5
    );
    let plan = "[params]\ntoken = { type = 'string', secret = true }\n[tasks.newer]\napprove = 'Run it?'\nrun = ['true']\nenv = { T = '${{ params.token }}' }";
    scene.file("secret.toml", plan);
    let newer = [
        "run",
        "secret.toml",
        "--name",
        "newer",
        "-p",
        "token=s3cret-value",
    ];
    assert_eq!(code(&scene.zeph(&newer)), 5);
    assert_eq!(code(&scene.zeph(&["answer", "older", "1", "yes"])), 0);
    let resume = scene.zeph(&["resume"]);
    assert_eq!(code(&resume), 0, "{resume:?}");
    assert!(resume.out.contains("run older completed"), "{resume:?}");
    let passed_over = "run newer is not resumed: ";
    assert!(resume.err.contains(passed_over), "{resume:?}");
    // Now only the other run is left, and the error names what it needs.
    let resume = scene.zeph(&["resume"]);
    assert_eq!(code(&resume), 2, "{resume:?}");
    assert!(resume.err.contains("-p token=@FILE"), "{resume:?}");
    assert!(resume.err.contains(passed_over), "{resume:?}");
}

#[test]
fn a_run_that_another_process_owns_is_reported_before_a_missing_secret() {
    let params = "[params]\ntoken = { type = 'string', secret = true }\n";
    let scene = Scene::new(&format!("{params}{}", held("idempotent")));
    scene.gates(1);
    let token = [
        "run",
        "plan.toml",
        "--name",
        "r",
        "-p",
        "token=s3cret-value",
    ];
    let run = scene.start(&token);
    let gate = scene.open_gate(1);
    let second = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&second), 8, "{second:?}");
    assert!(
        second.err.contains("is active in another process"),
        "{second:?}"
    );
    scene.write(gate);
    assert_eq!(code(&run.wait()), 0);
}

#[test]
fn a_short_secret_of_a_resumed_run_is_reported() {
    let plan = "[params]\ntoken = { type = 'string', secret = true }\n[tasks.t]\napprove = 'Go?'\nrun = ['true']\nenv = { TOKEN = '${{ params.token }}' }";
    let scene = Scene::new(plan);
    let begun = scene.zeph(&["run", "plan.toml", "--name", "r", "-p", "token=pin"]);
    assert_eq!(code(&begun), 5, "{begun:?}");
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    let resume = scene.zeph(&["resume", "r", "-p", "token=pin"]);
    assert_eq!(code(&resume), 0, "{resume:?}");
    let warning = "warning: the secret token is too short";
    assert!(resume.err.contains(warning), "{resume:?}");
}

#[test]
fn a_secret_is_redacted_reported_as_too_short_or_refuses_the_run() {
    let plan = "[params]\ntoken = { type = 'string', secret = true }\n[tasks.show]\nrun = ['sh', '-c', 'echo $TOKEN >&2; exit 1']\nenv = { TOKEN = '${{ params.token }}' }";
    let scene = Scene::new(plan);
    let run = |token: &str| {
        let token = format!("token={token}");
        scene.zeph(&["run", "plan.toml", "-p", &token])
    };
    let long = run("a-long-secret");
    assert!(long.out.contains("‹redacted: token›"), "{long:?}");
    let short = run("pin");
    assert_eq!(code(&short), 3, "{short:?}");
    assert!(
        short.err.contains("the secret token is too short"),
        "{short:?}"
    );
    let marker = run("a-long‹secret");
    assert_eq!(code(&marker), 2, "{marker:?}");
    assert!(marker.err.contains("cannot be redacted"), "{marker:?}");
}

#[test]
fn a_stopped_owner_is_reported_within_seconds_and_gets_each_request_once() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let mut run = scene.start_with(
        &["run", "plan.toml", "--name", "r"],
        &[("ZEPH_SUSPEND_GRACE", "1h"), ("ZEPH_CANCEL_GRACE", "1h")],
    );
    let gate = scene.open_gate(1);
    run.signal("STOP");
    let started = std::time::Instant::now();
    let cancel = scene.zeph(&["cancel", "r"]);
    let took = started.elapsed();
    assert_eq!(code(&cancel), 8, "{cancel:?}");
    assert!(cancel.err.contains("does not reply"), "{cancel:?}");
    assert!(took < std::time::Duration::from_secs(30), "{took:?}");
    run.signal("CONT");
    let ended = run.wait();
    drop(gate);
    assert_eq!(code(&ended), 3, "the request takes effect: {ended:?}");
    let show = scene.zeph(&["show", "r", "--json"]);
    assert!(show.out.contains("canceled"), "{show:?}");
}

#[test]
fn a_run_that_lost_its_secret_and_folder_is_still_cancelled_and_deleted() {
    let scene = Scene::new(
        r#"
        [params]
        token = { secret = true }
        [tasks.ask]
        ask = "Go on?"
        [tasks.use]
        needs = ["ask"]
        shell = "echo used >> log"
        env = { TOKEN = "${{ params.token }}" }
        "#,
    );
    for (name, command) in [("a", ["cancel", "a"]), ("b", ["delete", "b"])] {
        let secret = ["-p", "token=correct horse"];
        let run = scene.zeph(&[&["run", "plan.toml", "--name", name], &secret[..]].concat());
        assert_eq!(code(&run), 5, "{run:?}");
        if name == "b" {
            let kept = scene.zeph(&command);
            assert_eq!(code(&kept), 2, "{kept:?}");
            assert!(kept.err.contains("zeph delete --force b"), "{kept:?}");
            let gone = scene.zeph(&["delete", "--force", "b"]);
            assert_eq!(code(&gone), 0, "{gone:?}");
        } else {
            let end = scene.zeph(&command);
            assert_eq!(code(&end), 0, "{end:?}");
            let list = scene.zeph(&["list", "--json"]);
            assert!(list.out.contains(r#""state":"canceled""#), "{list:?}");
        }
    }
    assert!(scene.log().is_empty(), "nothing was started");
}
