//! Artifacts: kept in the database, handed to dependants as files, shown and written out.

use std::fs;

use super::goal::json_of;
use super::support::{Scene, code};

const PLAN: &str = r#"
    [tasks.build]
    shell = "echo build >> log; mkdir -p dist; printf 'a\\000b' > 'dist/app 1.bin'; echo ok > report.txt"
    artifacts = ["dist/*.bin", "report.txt"]
    [tasks.use]
    needs = ["build"]
    shell = 'rm -rf dist report.txt; test -e fixed || exit 1; od -An -c "$APP" | tr -d " " >> log; echo "$APP"'
    env = { APP = "${{ tasks.build.artifacts['dist/app 1.bin'] }}" }
"#;

fn failed() -> Scene {
    let scene = Scene::new(PLAN);
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 3, "{run:?}");
    assert!(
        !scene.has("dist"),
        "the second task has removed the originals"
    );
    scene
}

#[test]
fn an_artifact_outlives_its_file_and_comes_along_with_a_retry() {
    let scene = failed();
    scene.file("fixed", "");
    let again = scene.zeph(&["retry", "one", "--name", "two"]);
    assert_eq!(code(&again), 0, "{again:?}");
    assert_eq!(scene.log(), ["a\\0b", "build"]);
    // The file of the attempt is gone with it.
    let path = scene.zeph(&["logs", "two", "use"]).out;
    assert!(path.trim().ends_with("/dist/app 1.bin"), "{path}");
    assert!(!fs::exists(path.trim()).unwrap());
    // The new run is whole by itself, here and elsewhere.
    assert_eq!(code(&scene.zeph(&["delete", "one"])), 0);
    assert_eq!(code(&scene.zeph(&["export", "two", "two.jsonl"])), 0);
    let elsewhere = |args: &[&str]| scene.zeph(&[args, &["--db", "other.db"]].concat());
    assert_eq!(code(&elsewhere(&["import", "two.jsonl"])), 0);
    assert_eq!(code(&elsewhere(&["verify", "two"])), 0);
    let forked = elsewhere(&["fork", "two", "--at", "use", "--name", "three"]);
    assert_eq!(code(&forked), 0, "{forked:?}");
    assert_eq!(scene.log(), ["a\\0b", "a\\0b", "build"]);
}

#[test]
fn artifacts_are_listed_and_written_without_writing_over_a_file() {
    let scene = failed();
    let listed = scene.zeph(&["artifact", "one", "build"]);
    assert_eq!(code(&listed), 0, "{listed:?}");
    assert!(
        listed.out.contains("dist/app 1.bin") && listed.out.contains("3 bytes"),
        "{listed:?}"
    );
    let shown = scene.zeph(&["show", "one", "build"]);
    assert!(
        shown.out.contains("dist/app 1.bin") && shown.out.contains("BLAKE3"),
        "{shown:?}"
    );
    let json = json_of(&scene.zeph(&["show", "one", "build", "--json"]));
    let artifacts = &json["output"]["artifacts"];
    assert_eq!(artifacts[0]["name"], "dist/app 1.bin", "{json}");
    assert_eq!(artifacts[0]["bytes"], 3);
    assert_eq!(artifacts[0]["blake3"].as_str().map(str::len), Some(64));
    assert_eq!(json["output"]["blob_bytes"], serde_json::json!({}));
    let take = |more: &[&str]| {
        scene.zeph(&[&["artifact", "one", "build", "dist/app 1.bin"], more].concat())
    };
    assert_eq!(code(&take(&[])), 0);
    assert_eq!(fs::read(scene.path("app 1.bin")).unwrap(), b"a\0b");
    let there = take(&[]);
    assert_eq!(code(&there), 2);
    assert!(there.err.contains("--force"), "{there:?}");
    assert_eq!(code(&take(&["--force"])), 0);
    assert_eq!(take(&["--output", "-"]).out, "a\0b");
    let wrong = scene.zeph(&["artifact", "one", "build", "report.tx"]);
    assert_eq!(code(&wrong), 2);
    assert!(
        wrong.err.contains("did you mean \"report.txt\""),
        "{wrong:?}"
    );
    let none = scene.zeph(&["artifact", "one", "use"]);
    assert!(none.out.contains("has no artifacts"), "{none:?}");
}

#[test]
fn an_artifact_with_a_secret_is_not_kept() {
    let scene = Scene::new(
        r#"
        [params]
        token = { secret = true }
        [tasks.leak]
        shell = 'echo "token=$T" > conf'
        env = { T = "${{ params.token }}" }
        artifacts = ["conf"]
        "#,
    );
    scene.file("token", "correct-horse-battery");
    let run = scene.zeph(&["run", "plan.toml", "--name", "r", "-p", "token=@token"]);
    assert_eq!(code(&run), 3, "{run:?}");
    assert!(
        run.out.contains("contains a secret") || run.err.contains("contains a secret"),
        "{run:?}"
    );
    let stored = scene.bytes_below(".local/state/zeph");
    let secret = b"correct-horse-battery";
    assert!(!stored.windows(secret.len()).any(|part| part == secret));
}

#[test]
fn an_artifact_survives_a_kill_between_the_two_tasks() {
    let scene = Scene::new(
        r#"
        [tasks.build]
        shell = "echo one > a.txt"
        artifacts = ["a.txt"]
        [tasks.wait]
        needs = ["build"]
        shell = "rm -f a.txt; test -e waited || { touch waited; read go < gate-1; }"
        [tasks.use]
        needs = ["build", "wait"]
        run = ["cp", "${{ tasks.build.artifacts['a.txt'] }}", "copy"]
        "#,
    );
    scene.gates(1);
    let mut run = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    run.signal("KILL");
    run.wait();
    let resume = scene.zeph(&["resume", "r", "--orphans", "ignore"]);
    drop(gate);
    assert_eq!(code(&resume), 0, "{resume:?}");
    assert_eq!(fs::read_to_string(scene.path("copy")).unwrap(), "one\n");
}

#[test]
fn items_and_sub_plans_have_artifacts() {
    let scene = Scene::new(
        r#"
        [tasks.make]
        foreach = ["x", "y"]
        shell = 'echo "$ITEM" > "out-$ITEM.txt"'
        env = { ITEM = "${{ item }}" }
        artifacts = ["out-${{ item }}.txt"]
        [tasks.join]
        needs = ["make"]
        run = ["cat", "${{ tasks.make.artifacts['0/out-x.txt'] }}", "${{ tasks.make.artifacts['1/out-y.txt'] }}"]
        [tasks.all]
        needs = ["make"]
        run = ["echo", "${{ tasks.make.artifacts|list|join(' ') }}"]
        [tasks.sub]
        plan = "sub.toml"
        [tasks.after]
        needs = ["sub"]
        run = ["cat", "${{ tasks.sub.inner.artifacts['i.txt'] }}"]
        "#,
    );
    scene.file(
        "sub.toml",
        "[tasks.inner]\nshell = 'echo inner > i.txt'\nartifacts = ['i.txt']\n[tasks.next]\nneeds = ['inner']\nrun = ['cat', \"${{ tasks.inner.artifacts['i.txt'] }}\"]\n",
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 0, "{run:?}");
    for (task, wanted) in [
        ("join", "x\ny\n"),
        ("all", "0/out-x.txt 1/out-y.txt\n"),
        ("after", "inner\n"),
        ("sub.next", "inner\n"),
    ] {
        assert_eq!(scene.zeph(&["logs", "r", task]).out, wanted, "{task}");
    }
    let shown = scene.zeph(&["show", "r", "join"]);
    assert!(shown.out.contains("‹artifact: 0/out-x.txt›"), "{shown:?}");
}
