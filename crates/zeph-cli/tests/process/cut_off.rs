//! Early cut-off: a retry keeps what would run again only because of an equal result.

use super::goal::json_of;
use super::support::{Scene, code};

const PLAN: &str = r#"
    [tasks.fetch]
    shell = "echo fetch >> log; cat data"
    [tasks.count]
    needs = ["fetch"]
    shell = 'echo count >> log; printf %s "$TEXT" | wc -l'
    env = { TEXT = "${{ tasks.fetch.stdout }}" }
    [tasks.report]
    needs = ["count"]
    run = ["sh", "-c", "echo report >> log; echo $1", "sh", "${{ tasks.count.stdout }}"]
    effect = "at_most_once"
    [tasks.beside]
    needs = ["fetch"]
    shell = "echo beside >> log"
"#;

fn scene() -> Scene {
    let scene = Scene::new(PLAN);
    scene.file("data", "one\ntwo\n");
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 0, "{run:?}");
    scene
}

fn count(scene: &Scene) -> [usize; 4] {
    let log = scene.log();
    ["fetch", "count", "report", "beside"].map(|task| log.iter().filter(|it| *it == task).count())
}

#[test]
fn equal_inputs_keep_the_result_and_everything_says_so() {
    let scene = scene();
    let retry = ["retry", "one", "--from", "fetch", "--rerun-interrupted"];
    let shown = scene.zeph(&[&retry[..], &["--dry-run"]].concat());
    for wanted in [
        "0 results kept, 2 tasks to run, 2 perhaps",
        "again fetch: it is named",
        "again beside: it needs fetch",
        "perhaps count: kept if its inputs come out the same",
        "perhaps report: kept if its inputs come out the same",
    ] {
        assert!(shown.out.contains(wanted), "{wanted}: {shown:?}");
    }
    let json = json_of(&scene.zeph(&[&retry[..], &["--dry-run", "--json"]].concat()));
    assert_eq!(json["perhaps"][0]["task"], "count", "{json}");
    let two = scene.zeph(&[&retry[..], &["--name", "two"]].concat());
    assert_eq!(code(&two), 0, "{two:?}");
    assert_eq!(count(&scene), [2, 1, 1, 2], "{two:?}");
    for wanted in [
        "kept count: its inputs are those of run one",
        "4 completed (2 kept, with the same inputs)",
    ] {
        assert!(two.out.contains(wanted), "{wanted}: {two:?}");
    }
    let why = scene.zeph(&["why", "two", "count"]);
    assert!(why.out.contains("It has the result of run one."), "{why:?}");
    let json = json_of(&scene.zeph(&["show", "two", "count", "--json"]));
    assert_eq!(json["supplied"], "same_inputs", "{json}");
    assert_eq!(json["supplied_by"], "one");
    assert_eq!(code(&scene.zeph(&["verify", "two"])), 0);
    let replayed = scene.zeph(&["replay", "two"]);
    assert_eq!(code(&replayed), 0, "{replayed:?}");
    // A retry of the retry compares with that one, also when the first run is gone.
    assert_eq!(code(&scene.zeph(&["delete", "one"])), 0);
    let retry = [
        "retry",
        "two",
        "--from",
        "fetch",
        "--rerun-interrupted",
        "--name",
        "three",
    ];
    let three = scene.zeph(&retry);
    assert_eq!(code(&three), 0, "{three:?}");
    assert!(
        three.out.contains("its inputs are those of run two"),
        "{three:?}"
    );
    assert_eq!(count(&scene), [3, 1, 1, 3]);
}

#[test]
fn another_input_or_a_changed_task_runs() {
    let scene = scene();
    scene.file("data", "1\n2\n");
    let again = [
        "retry",
        "one",
        "--from",
        "fetch",
        "--rerun-interrupted",
        "--name",
        "two",
    ];
    let two = scene.zeph(&again);
    assert_eq!(code(&two), 0, "{two:?}");
    // The input of the report is the same number of lines.
    assert_eq!(count(&scene), [2, 2, 1, 2], "{two:?}");
    scene.file("changed.toml", &PLAN.replace("wc -l", "wc  -l"));
    let plan = ["retry", "two", "--plan", "changed.toml", "--from", "fetch"];
    let three = scene.zeph(&[&plan[..], &["--rerun-interrupted", "--name", "three"]].concat());
    assert_eq!(code(&three), 0, "{three:?}");
    assert!(
        three.out.contains("again count: its work has changed"),
        "{three:?}"
    );
    assert_eq!(count(&scene), [3, 3, 1, 3], "{three:?}");
    let refused = scene.zeph(&["retry", "three", "--from", "fetch"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    assert!(refused.err.contains("--rerun-interrupted"), "{refused:?}");
}

#[test]
fn a_fork_with_an_equal_result_keeps_what_depends_on_it() {
    let scene = scene();
    let set = |value: &str, name: &str| {
        let set = format!("fetch={value}");
        let fork = [
            "fork",
            "one",
            "--set",
            &set,
            "--rerun-interrupted",
            "--name",
            name,
        ];
        let forked = scene.zeph(&fork);
        assert_eq!(code(&forked), 0, "{forked:?}");
        forked
    };
    let value = json_of(&scene.zeph(&["show", "one", "fetch", "--json"]));
    let same = set(&value["output"]["value"].to_string(), "two");
    assert!(same.out.contains("kept count"), "{same:?}");
    assert_eq!(count(&scene), [1, 1, 1, 2], "{same:?}");
    set("{\"stdout\": \"other\\nlines\\nhere\"}", "three");
    assert_eq!(count(&scene), [1, 2, 2, 3]);
}
