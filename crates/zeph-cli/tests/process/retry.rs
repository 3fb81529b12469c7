//! `zeph retry`: what is kept, what runs again, and what is refused.

use super::goal::json_of;
use super::support::{Scene, code};

/// `build` fails until there is a file `fixed`.
const PLAN: &str = r#"
    [tasks.fetch]
    shell = "echo fetch >> log; echo 12345678901234567890"
    [tasks.greet]
    shell = "echo greet >> log"
    [tasks.build]
    needs = ["fetch", "greet"]
    shell = "echo build >> log; test -e fixed"
    [tasks.save]
    needs = ["build", "fetch"]
    shell = 'echo "save $FROM" >> log'
    env = { FROM = "${{ tasks.fetch.stdout }}" }
"#;

fn failed() -> Scene {
    let scene = Scene::new(PLAN);
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 3, "{run:?}");
    assert!(run.out.contains("zeph retry one"), "{run:?}");
    scene
}

#[test]
fn a_retry_runs_what_did_not_complete_and_keeps_the_rest() {
    let scene = failed();
    scene.file("fixed", "");
    let dry = scene.zeph(&["retry", "one", "--dry-run"]);
    assert_eq!(code(&dry), 0, "{dry:?}");
    for wanted in [
        "would retry run one: 2 results kept, 2 tasks to run",
        "again build: it did not complete",
        "again save: it did not complete",
        "before these tasks took ",
    ] {
        assert!(dry.out.contains(wanted), "{wanted}: {dry:?}");
    }
    assert_eq!(scene.log(), ["build", "fetch", "greet"], "nothing ran");
    let again = scene.zeph(&["retry", "one", "--name", "two"]);
    assert_eq!(code(&again), 0, "{again:?}");
    assert!(again.out.contains("[4/4] ok save"), "{again:?}");
    let log = scene.log();
    let wanted = [
        "build",
        "build",
        "fetch",
        "greet",
        "save 12345678901234567890",
    ];
    assert_eq!(log, wanted, "fetch and greet are kept");
    // The new run is whole by itself.
    assert_eq!(code(&scene.zeph(&["delete", "one"])), 0);
    let shown = scene.zeph(&["show", "two", "fetch"]);
    assert!(shown.out.contains("12345678901234567890"), "{shown:?}");
    assert!(shown.out.contains("taken over from run one"), "{shown:?}");
    assert_eq!(code(&scene.zeph(&["verify", "two"])), 0);
    let replayed = scene.zeph(&["replay", "two"]);
    assert_eq!(code(&replayed), 0, "{replayed:?}");
}

#[test]
fn a_chosen_task_runs_again_with_what_depends_on_it() {
    let scene = failed();
    scene.file("fixed", "");
    assert_eq!(code(&scene.zeph(&["retry", "one", "--name", "two"])), 0);
    let nothing = scene.zeph(&["retry", "two"]);
    assert_eq!(code(&nothing), 2, "{nothing:?}");
    assert!(nothing.err.contains("nothing has changed"), "{nothing:?}");
    let unknown = scene.zeph(&["retry", "two", "--from", "grete"]);
    assert_eq!(code(&unknown), 2, "{unknown:?}");
    assert!(
        unknown.err.contains("did you mean \"greet\""),
        "{unknown:?}"
    );
    let chosen = scene.zeph(&["retry", "two", "--from", "build"]);
    assert_eq!(code(&chosen), 0, "{chosen:?}");
    assert!(
        chosen.out.contains("again build: it is named"),
        "{chosen:?}"
    );
    assert!(
        chosen.out.contains("again save: it needs build"),
        "{chosen:?}"
    );
    let log = scene.log();
    let count = |word: &str| log.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!([count("fetch"), count("build"), count("save")], [1, 3, 2]);
}

#[test]
fn one_task_runs_alone_with_the_results_that_it_needs() {
    let scene = failed();
    scene.file("fixed", "");
    let alone = scene.zeph(&["retry", "one", "--only", "build", "--name", "two"]);
    assert_eq!(code(&alone), 0, "{alone:?}");
    for wanted in [
        "retrying run one: 2 results kept, 1 task to run",
        "again build: it did not complete",
        "gone save",
        "[3/3] ok build",
    ] {
        assert!(alone.out.contains(wanted), "{wanted}: {alone:?}");
    }
    assert_eq!(scene.log(), ["build", "build", "fetch", "greet"]);
    let early = scene.zeph(&["retry", "one", "--only", "save"]);
    assert_eq!(code(&early), 2, "{early:?}");
    let wanted = "task \"save\" needs \"build\", which has no result to take over from run one";
    assert!(early.err.contains(wanted), "{early:?}");
}

#[test]
fn a_fork_goes_on_with_a_result_that_was_given_by_hand() {
    let scene = failed();
    scene.file("fixed", "");
    scene.file("text", "by hand\n");
    let dry = json_of(&scene.zeph(&["fork", "one", "--set", "fetch=@text", "--dry-run", "--json"]));
    assert_eq!(dry["given"], serde_json::json!(["fetch"]), "{dry}");
    assert_eq!(dry["kept"], 1, "{dry}");
    let fork = ["fork", "one", "--set", "fetch=@text", "--name", "two"];
    let forked = scene.zeph(&fork);
    assert_eq!(code(&forked), 0, "{forked:?}");
    assert!(
        forked.out.contains("given fetch: --set has its result"),
        "{forked:?}"
    );
    let wanted = ["build", "build", "fetch", "greet", "save by hand"];
    assert_eq!(scene.log(), wanted, "fetch and greet did not run again");
    let shown = scene.zeph(&["show", "two", "fetch"]);
    assert!(
        shown.out.contains("given by hand, in a fork of run one"),
        "{shown:?}"
    );
    assert_eq!(code(&scene.zeph(&["verify", "two"])), 0);

    let at = scene.zeph(&["fork", "two", "--at", "save", "--name", "three"]);
    assert_eq!(code(&at), 0, "{at:?}");
    assert_eq!(scene.log().len(), 6, "only save ran again");
    let shown = scene.zeph(&["show", "three", "fetch"]);
    assert!(shown.out.contains("taken over from run two"), "{shown:?}");
    for (wrong, wanted) in [
        (&["fork", "one"][..], "--at"),
        (&["fork", "one", "--set", "fetch"], "has no value"),
        (
            &["fork", "one", "--set", "fetsch=1"],
            "did you mean \"fetch\"",
        ),
        (&["fork", "one", "--set", "save=1"], "needs \"build\""),
    ] {
        let refused = scene.zeph(wrong);
        assert_eq!(code(&refused), 2, "{wrong:?}: {refused:?}");
        assert!(refused.err.contains(wanted), "{wanted}: {refused:?}");
    }

    let diff = json_of(&scene.zeph(&["diff", "one", "two", "--json"]));
    let of = |name: &str| {
        let tasks = diff["tasks"].as_array().unwrap();
        tasks
            .iter()
            .find(|task| task["task"] == name)
            .cloned()
            .unwrap()
    };
    assert_eq!(diff["after"]["state"], "completed", "{diff}");
    assert_eq!(of("greet")["different"], false, "{diff}");
    assert_eq!(of("fetch")["output"], "changed", "{diff}");
    assert_eq!(of("build")["before"]["state"], "failed", "{diff}");
    assert_eq!(of("build")["after"]["state"], "completed", "{diff}");
    let diff = scene.zeph(&["diff", "one", "two"]);
    assert!(
        diff.out.contains("one failed and two completed"),
        "{diff:?}"
    );
    assert!(
        diff.out.contains("1 task with the same states and results"),
        "{diff:?}"
    );
}

#[test]
fn a_fork_goes_on_from_a_record() {
    let scene = Scene::new(
        r#"
        [tasks.fetch]
        shell = "echo fetch >> log; echo text"
        [tasks.second]
        needs = ["fetch"]
        shell = "echo seven >> log"
        [tasks.send]
        needs = ["second"]
        effect = "at_most_once"
        shell = "echo send >> log"
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 0, "{run:?}");
    let shown = json_of(&scene.zeph(&["show", "one", "fetch", "--json"]));
    let records = shown["records"].as_array().expect("has records");
    let done = records
        .iter()
        .find(|record| record["kind"] == "task_completed");
    let done = done.expect("it completed")["seq"].to_string();

    let fork = |at: &str, more: &[&str]| scene.zeph(&[&["fork", "one", "--at", at], more].concat());
    let dry = fork(&done, &["--dry-run", "--rerun-interrupted"]);
    for wanted in [
        &*format!("would retry run one at record {done}: 1 result kept, 2 tasks to run"),
        &format!("again second: it completed after record {done}"),
        "again send: it took effect (at_most_once), and cannot be taken over",
    ] {
        assert!(dry.out.contains(wanted), "{wanted}: {dry:?}");
    }
    let dry = json_of(&fork(&done, &["--dry-run", "--json"]));
    assert_eq!(dry["at"].to_string(), done, "{dry}");
    assert_eq!(dry["kept"], 1, "{dry}");
    for (at, wanted) in [
        ("0", "has no record 0: its records are 1 to "),
        ("9999", "has no record 9999"),
        ("record=x", "record=x is no number"),
        ("sevn", "has no task \"sevn\""),
        (
            &*done,
            "because it or what it depends on completed after record",
        ),
    ] {
        let refused = fork(at, &[]);
        assert_eq!(code(&refused), 2, "{at}: {refused:?}");
        assert!(refused.err.contains(wanted), "{wanted}: {refused:?}");
    }
    assert_eq!(scene.log(), ["fetch", "send", "seven"], "nothing ran");

    let forked = fork(&done, &["--rerun-interrupted", "--name", "two"]);
    assert_eq!(code(&forked), 0, "{forked:?}");
    assert_eq!(scene.log(), ["fetch", "send", "send", "seven", "seven"]);
    let set = [
        "--at",
        "task=second",
        "--set",
        "fetch=other",
        "--rerun-interrupted",
        "--name",
        "three",
    ];
    let forked = fork(&done, &set);
    assert_eq!(code(&forked), 0, "{forked:?}");
    assert!(forked.out.contains("given fetch"), "{forked:?}");
    assert_eq!(scene.log().len(), 7, "fetch did not run again");
}

#[test]
fn a_changed_plan_runs_only_what_has_changed() {
    let scene = failed();
    let plan = r#"
        [tasks.fetch]
        timeout = "1m"
        shell = "echo fetch >> log; echo 12345678901234567890"
        [tasks.build]
        needs = ["fetch"]
        shell = "echo built >> log"
        [tasks.hello]
        run = ["sh", "-c", "echo hello >> log"]
    "#;
    scene.file("plan.toml", plan);
    let again = scene.zeph(&["--json", "retry", "one", "--plan", "plan.toml"]);
    assert_eq!(code(&again), 0, "{again:?}");
    let first = again.out.lines().next().unwrap_or_default();
    let retrying: serde_json::Value = serde_json::from_str(first).expect("is JSON");
    assert_eq!(retrying["kept"], 1, "a time-out changes no result");
    assert_eq!(retrying["gone"], serde_json::json!(["greet", "save"]));
    let again: Vec<&str> = retrying["again"]
        .as_array()
        .expect("is a list")
        .iter()
        .filter_map(|one| one["task"].as_str())
        .collect();
    assert_eq!(again, ["build", "hello"]);
    let log = scene.log();
    assert_eq!(log, ["build", "built", "fetch", "greet", "hello"]);
}

#[test]
fn a_changed_parameter_runs_the_tasks_that_use_it() {
    let scene = Scene::new(
        r#"
        [params]
        who = "you"
        [tasks.fetch]
        shell = "echo fetch >> log; echo fetched"
        [tasks.greet]
        needs = ["fetch"]
        shell = 'echo "greet $WHO" >> log'
        env = { WHO = "${{ params.who + tasks.fetch.stdout }}" }
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one", "-p", "who=me"]);
    assert_eq!(code(&run), 0, "{run:?}");
    // Parameters that are not given have their earlier values.
    let same = scene.zeph(&["retry", "one", "--plan", "plan.toml"]);
    assert!(same.err.contains("nothing has changed"), "{same:?}");
    let again = scene.zeph(&["retry", "one", "--plan", "plan.toml", "-p", "who=us"]);
    assert_eq!(code(&again), 0, "{again:?}");
    let changed = "again greet: its work has changed";
    assert!(again.out.contains(changed), "{again:?}");
    let wanted = ["fetch", "greet mefetched", "greet usfetched"];
    assert_eq!(scene.log(), wanted);
}

#[test]
fn what_must_not_happen_twice_is_retried_only_on_request() {
    let scene = Scene::new(
        "[tasks.publish]\neffect = 'at_most_once'\nshell = 'echo published >> log; kill -KILL $$'\n",
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 5, "{run:?}");
    assert_eq!(code(&scene.zeph(&["answer", "one", "1", "skip"])), 0);
    let skipped = scene.zeph(&["resume", "one"]);
    assert_eq!(code(&skipped), 4, "{skipped:?}");
    let refused = scene.zeph(&["retry", "one"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    for wanted in ["publish", "at_most_once", "--rerun-interrupted"] {
        assert!(refused.err.contains(wanted), "{wanted}: {refused:?}");
    }
    assert_eq!(scene.log(), ["published"]);
    let again = scene.zeph(&["retry", "one", "--rerun-interrupted"]);
    assert_eq!(code(&again), 5, "{again:?}");
    assert_eq!(scene.log(), ["published", "published"]);
}

#[test]
fn a_goal_is_planned_again_from_its_planner() {
    let scene = Scene::new("");
    let run = scene.zeph(&["do", "Report", "--scripted", "--yes", "--name", "g"]);
    assert_eq!(code(&run), 0, "{run:?}");
    // What the first plan added is left out, and the second one adds its own.
    let planned = scene.zeph(&["retry", "g", "--from", "plan"]);
    assert_eq!(code(&planned), 0, "{planned:?}");
    assert!(planned.err.contains("gone survey"), "{planned:?}");
    assert!(planned.err.contains("6 completed"), "{planned:?}");
    let answer = scene.zeph(&["retry", "g", "--from", "answer"]);
    assert_eq!(code(&answer), 0, "{answer:?}");
}

#[test]
fn a_run_that_has_not_ended_is_not_retried() {
    let scene = Scene::new("[tasks.go]\nask = 'Go?'\n");
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 5, "{run:?}");
    let refused = scene.zeph(&["retry", "one"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    for wanted in ["has not ended", "zeph resume one", "zeph cancel one"] {
        assert!(refused.err.contains(wanted), "{wanted}: {refused:?}");
    }
}

#[test]
fn a_completed_effect_is_not_repeated_without_a_word() {
    let scene = Scene::new(
        r#"
        [tasks.migrate]
        when = "${{ run.id == 'never' }}"
        run = ["true"]
        [tasks.deploy]
        needs = ["migrate"]
        after = "none_failed"
        effect = "at_most_once"
        shell = "echo deploy >> log"
        [tasks.notify]
        needs = ["deploy"]
        shell = "test -e fixed"
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 3, "{run:?}");
    scene.file("fixed", "");
    let again = scene.zeph(&["retry", "one"]);
    assert_eq!(code(&again), 2, "{again:?}");
    assert!(again.err.contains("deploy took effect"), "{again:?}");
    assert_eq!(scene.log(), ["deploy"]);
    let again = scene.zeph(&["retry", "one", "--rerun-interrupted"]);
    assert_eq!(code(&again), 0, "{again:?}");
}

#[test]
fn the_name_of_a_matrix_means_all_of_its_tasks() {
    let scene = Scene::new(
        r#"
        [tasks.build]
        matrix = { os = ["linux", "mac"] }
        shell = "echo build >> log"
        "#,
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 0, "{run:?}");
    let again = scene.zeph(&["retry", "one", "--from", "build"]);
    assert_eq!(code(&again), 0, "{again:?}");
    assert_eq!(scene.log().len(), 4, "{again:?}");
}
