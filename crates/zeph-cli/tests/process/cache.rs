//! The cache of commands: an equal command with equal input files does not run again.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::Value;

use super::goal::json_of;
use super::support::{Ended, Scene, code};

const PLAN: &str = r#"
    [params]
    mode = "fast"
    [tasks.list]
    run = ["cat", "names"]
    [tasks.build]
    needs = ["list"]
    shell = 'echo build >> log; mkdir -p dist; echo "$MODE $NAMES" | tee dist/app; cat src/*'
    env = { MODE = "${{ params.mode }}", NAMES = "${{ tasks.list.stdout }}" }
    cache = { inputs = ["src/**"] }
    artifacts = ["dist/app"]
    [tasks.test]
    needs = ["build"]
    shell = 'echo test >> log; cat "$APP"'
    env = { APP = "${{ tasks.build.artifacts['dist/app'] }}" }
    cache = { inputs = ["src/*.c"] }
"#;

fn scene() -> Scene {
    let scene = Scene::new(PLAN);
    scene.folder("src");
    scene.file("src/a.c", "a");
    scene.file("src/b.c", "b");
    scene.file("names", "x y");
    scene
}

fn run(scene: &Scene, name: &str, more: &[&str]) -> Ended {
    let ended = scene.zeph(&[&["run", "plan.toml", "--name", name], more].concat());
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert_eq!(code(&scene.zeph(&["verify", name])), 0);
    ended
}

/// How often both tasks have run.
fn ran(scene: &Scene) -> [usize; 2] {
    let log = scene.log();
    ["build", "test"].map(|task| log.iter().filter(|line| *line == task).count())
}

#[test]
fn an_equal_command_with_equal_files_does_not_run_again_and_says_so() {
    let scene = scene();
    run(&scene, "one", &[]);
    assert_eq!(ran(&scene), [1, 1]);
    fs::remove_dir_all(scene.path("dist")).unwrap();
    let two = run(&scene, "two", &[]);
    assert_eq!(ran(&scene), [1, 1], "{two:?}");
    for wanted in [
        "cached build: the result of run one",
        "cached test: the result of run one",
        "3 completed (2 cached)",
    ] {
        assert!(two.out.contains(wanted), "{wanted}: {two:?}");
    }
    // Its artifact is a part of the result.
    let output = json_of(&scene.zeph(&["show", "two", "test", "--json"]));
    assert_eq!(output["output"]["value"]["stdout"], "fast x y", "{output}");
    assert_eq!(output["supplied"], "cached");
    assert_eq!(output["supplied_by"], "one");
    assert_eq!(
        code(&scene.zeph(&["artifact", "two", "build", "dist/app"])),
        0
    );
    for (args, wanted) in [
        (&["show", "two", "build"][..], "cached: made by run one"),
        (&["show", "two"], "completed, cached"),
        (&["status", "two"], "3 completed (2 cached)"),
        (&["why", "two", "build"], "It has the result of run one."),
        (
            &["show", "two", "build"],
            "while src/** and the command are the same",
        ),
    ] {
        let ended = scene.zeph(args);
        assert!(ended.out.contains(wanted), "{wanted}: {ended:?}");
    }
    let replayed = scene.zeph(&["replay", "two"]);
    assert_eq!(code(&replayed), 0, "{replayed:?}");
    let events = run(&scene, "three", &["--json"]);
    let events: Vec<Value> = (events.out.lines())
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let supplied = events.iter().find(|one| one["event"] == "task_supplied");
    let supplied = supplied.unwrap();
    assert_eq!(supplied["supplied_by"], "one", "{supplied}");
    assert_eq!(supplied["record"]["why"], "cached", "{supplied}");
    assert_eq!(events.last().unwrap()["counts"]["cached"], 2);
}

#[test]
fn whatever_the_result_depends_on_makes_it_run_again() {
    let scene = scene();
    run(&scene, "first", &[]);
    let mut expected = [1, 1];
    let mut check = |name: &str, what: &str, change: [usize; 2], more: &[&str]| {
        run(&scene, name, more);
        expected = [expected[0] + change[0], expected[1] + change[1]];
        assert_eq!(ran(&scene), expected, "{what}");
    };
    let write = |name: &str, text: &str| scene.file(name, text);
    write("src/a.c", "changed");
    check("one", "a file has changed", [1, 1], &[]);
    write("src/c.h", "");
    check("two", "a file of one pattern is new", [1, 0], &[]);
    fs::rename(scene.path("src/c.h"), scene.path("src/d.h")).unwrap();
    check("three", "it has another name", [1, 0], &[]);
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(scene.path("src/d.h"), mode).unwrap();
    check("four", "it is a program", [1, 0], &[]);
    check("five", "nothing has changed", [0, 0], &[]);
    check(
        "six",
        "a parameter, and with it the artifact",
        [1, 1],
        &["-p", "mode=slow"],
    );
    check("seven", "the first value is known", [0, 0], &[]);
    write("names", "z");
    check("eight", "the output of a dependency", [1, 1], &[]);
    write("src/a.c", "a");
    write("names", "x y");
    fs::remove_file(scene.path("src/d.h")).unwrap();
    check("nine", "everything is as it was", [0, 0], &[]);
    check("ten", "the cache is not asked", [1, 1], &["--no-cache"]);
    let from = check_from(&scene, "eleven");
    assert_eq!(from, "ten", "the latest result counts");
}

fn check_from(scene: &Scene, name: &str) -> String {
    run(scene, name, &[]);
    let json = json_of(&scene.zeph(&["show", name, "build", "--json"]));
    json["supplied_by"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_deleted_run_gives_no_result() {
    let scene = scene();
    run(&scene, "one", &[]);
    run(&scene, "two", &[]);
    assert_eq!(code(&scene.zeph(&["delete", "one"])), 0);
    // What was taken over is a part of the second run.
    let shown = json_of(&scene.zeph(&["show", "two", "test", "--json"]));
    assert_eq!(shown["output"]["value"]["stdout"], "fast x y");
    run(&scene, "three", &[]);
    assert_eq!(ran(&scene), [2, 2]);
    run(&scene, "four", &[]);
    assert_eq!(ran(&scene), [2, 2]);
}

#[test]
fn a_failure_a_retry_and_a_resume_have_the_cache_too() {
    let scene = Scene::new(
        r#"
        [tasks.build]
        shell = "echo build >> log; test -e fixed"
        retry = { max = 1, base = "0s" }
        cache = { inputs = ["in"] }
        [tasks.after]
        needs = ["build"]
        approve = "Go on?"
        when = "${{ tasks.build.exit == 0 }}"
        shell = "echo after >> log"
        cache = { inputs = ["in"] }
        "#,
    );
    scene.file("in", "1");
    let failed = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&failed), 3, "{failed:?}");
    assert_eq!(scene.log(), ["build", "build"], "a failure is not kept");
    scene.file("fixed", "");
    let waiting = scene.zeph(&["retry", "one", "--name", "two"]);
    assert_eq!(code(&waiting), 5, "{waiting:?}");
    assert_eq!(code(&scene.zeph(&["answer", "two", "1", "yes"])), 0);
    let resumed = scene.zeph(&["resume", "two"]);
    assert_eq!(code(&resumed), 0, "{resumed:?}");
    assert_eq!(scene.log(), ["after", "build", "build", "build"]);
    // Nothing is asked about a task that does not run.
    let three = scene.zeph(&["run", "plan.toml", "--name", "three"]);
    assert_eq!(code(&three), 0, "{three:?}");
    assert!(three.out.contains("2 completed (2 cached)"), "{three:?}");
    assert_eq!(scene.log().len(), 4);
}

#[test]
fn a_task_that_is_chosen_runs_although_the_cache_has_its_result() {
    let scene = scene();
    run(&scene, "one", &[]);
    let from = scene.zeph(&["retry", "one", "--from", "build", "--name", "two"]);
    assert_eq!(code(&from), 0, "{from:?}");
    // What depends on it has the cache.
    assert_eq!(ran(&scene), [2, 1], "{from:?}");
    let only = scene.zeph(&["retry", "two", "--only", "test", "--name", "three"]);
    assert_eq!(code(&only), 0, "{only:?}");
    assert_eq!(ran(&scene), [2, 2], "{only:?}");
    // A later retry does not remember the choice.
    let third = scene.zeph(&["retry", "three", "--from", "list", "--plan", "plan.toml"]);
    assert_eq!(code(&third), 0, "{third:?}");
    assert_eq!(ran(&scene), [2, 2], "{third:?}");
}

#[test]
fn each_item_and_each_cell_has_its_own_result() {
    let scene = Scene::new(
        r#"
        [tasks.each]
        foreach = ["a", "b", "c"]
        when = "${{ run.goal == '' }}"
        shell = 'echo "each $FILE" >> log; cat "$FILE"'
        env = { FILE = "${{ item }}" }
        cache = { inputs = ["${{ item }}"] }
        [tasks.cell]
        matrix = { file = ["a", "b"] }
        shell = 'echo "cell $FILE" >> log; cat "$FILE"'
        env = { FILE = "${{ matrix.file }}" }
        cache = { inputs = ["${{ matrix.file }}"] }
        [tasks.all]
        needs = ["each", "cell"]
        run = ["echo", "${{ tasks.each }}", "${{ tasks.cell }}"]
        "#,
    );
    for name in ["a", "b", "c"] {
        scene.file(name, name);
    }
    let first = run(&scene, "one", &[]);
    assert_eq!(scene.log().len(), 5, "{first:?}");
    scene.file("b", "changed");
    let second = run(&scene, "two", &[]);
    let again: Vec<String> = scene.log();
    let count = |line: &str| again.iter().filter(|other| *other == line).count();
    let counts = ["each a", "each b", "each c", "cell a", "cell b"].map(count);
    assert_eq!(counts, [1, 2, 1, 1, 2], "{second:?}");
    assert!(second.out.contains("cached each[0]"), "{second:?}");
    let all = json_of(&scene.zeph(&["show", "two", "all", "--json"]));
    let text = all["output"]["value"]["stdout"].as_str().unwrap();
    assert_eq!(text.matches("changed").count(), 2, "{text}");
}

#[test]
fn files_that_cannot_be_inputs_fail_the_task_with_advice() {
    for (name, code_word, wanted) in [
        ("missing/*", "cache_input_missing", "no file matches"),
        ("out", "bad_cache_input", "leads out of the folder"),
    ] {
        let plan = format!(
            "[tasks.a]\nshell = 'echo ran >> log'\ncache = {{ inputs = ['{name}'] }}\nretry = 3"
        );
        let scene = Scene::new(&plan);
        symlink("/etc/hostname", scene.path("out")).unwrap();
        let failed = scene.zeph(&["run", "plan.toml", "--name", "one"]);
        assert_eq!(code(&failed), 3, "{failed:?}");
        assert!(failed.out.contains(wanted), "{failed:?}");
        assert!(scene.log().is_empty());
        let shown = json_of(&scene.zeph(&["show", "one", "a", "--json"]));
        assert_eq!(shown["preparation"]["code"], code_word, "{shown}");
    }
}

#[test]
fn a_link_inside_the_folder_is_the_file_that_it_leads_to() {
    let scene = Scene::new("[tasks.a]\nshell = 'echo ran >> log'\ncache = { inputs = ['link'] }");
    scene.file("target", "1");
    symlink("target", scene.path("link")).unwrap();
    run(&scene, "one", &[]);
    run(&scene, "two", &[]);
    assert_eq!(scene.log().len(), 1);
    scene.file("target", "2");
    run(&scene, "three", &[]);
    assert_eq!(scene.log().len(), 2);
}

#[test]
fn a_command_that_changes_its_inputs_is_not_kept() {
    let scene =
        Scene::new("[tasks.a]\nshell = 'echo ran >> log; echo >> in'\ncache = { inputs = ['in'] }");
    scene.file("in", "");
    run(&scene, "one", &[]);
    scene.file("in", "");
    run(&scene, "two", &[]);
    assert_eq!(scene.log().len(), 2);
}

#[test]
fn a_secret_and_a_cache_are_refused() {
    let secret = "[params]\ntoken = { secret = true }\n[tasks.a]\nrun = ['true']\n";
    let cache = "cache = { inputs = ['src/**'] }\n";
    for (rest, wanted) in [
        (
            "env = { T = '${{ params.token }}' }\n",
            "the secret \"token\"",
        ),
        ("stdin = '${{ params.token }}'\n", "the secret \"token\""),
        (
            "pass_env = ['API_KEY']\n",
            "the variable \"API_KEY\" of `pass_env`",
        ),
    ] {
        let scene = Scene::new(&format!("{secret}{rest}{cache}"));
        let refused = scene.zeph(&["validate", "plan.toml"]);
        assert_eq!(code(&refused), 2, "{refused:?}");
        assert!(refused.err.contains(wanted), "{refused:?}");
        assert!(refused.err.contains("remove `cache`"), "{refused:?}");
        let scene = Scene::new(&format!("{secret}{rest}"));
        assert_eq!(code(&scene.zeph(&["validate", "plan.toml"])), 0);
    }
    let all = "[params]\ntoken = { secret = true }\n[defaults]\nenv = { T = '${{ params.token }}' }\n[tasks.a]\nrun = ['true']\n";
    let scene = Scene::new(&format!("{all}{cache}"));
    let refused = scene.zeph(&["validate", "plan.toml"]);
    assert!(refused.err.contains("secret_in_cache"), "{refused:?}");
}
