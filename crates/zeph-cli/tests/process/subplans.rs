//! Plans of several files: run, resumed without the files, and their problems at the terminal.

use super::support::{Scene, code};

fn scene() -> Scene {
    let scene = Scene::new(
        r#"
        include = "shared.toml"
        [tasks.deploy]
        plan = "sub/deploy.toml"
        params = { to = "eu", token = "${{ params.key }}" }
        [tasks.last]
        needs = ["deploy"]
        run = ["sh", "-c", 'echo "last $1 $2" >> log', "sh", "${{ tasks.deploy.push.outputs.url }}", "${{ params.area }}"]
        "#,
    );
    scene.folder("sub");
    scene.file(
        "shared.toml",
        "[params]\narea = 'all'\nkey = { secret = true, env = 'KEY' }",
    );
    scene.file(
        "sub/deploy.toml",
        r#"
        [params]
        to = { choices = ["eu", "us"] }
        token = { secret = true }
        [tasks.ask]
        approve = "Push to ${{ params.to }}?"
        [tasks.push]
        needs = ["ask"]
        shell = 'echo "$(cat here) $T" >> ../log; echo "url=$TO.example" >> "$ZEPH_OUTPUT"'
        env = { T = "${{ params.token }}", TO = "${{ params.to }}" }
        [tasks.extra]
        needs = ["push"]
        when = "${{ params.to == 'us' }}"
        shell = "echo extra >> log"
        "#,
    );
    scene.file("sub/here", "in-sub");
    scene
}

#[test]
fn a_run_has_all_files_in_it() {
    let scene = scene();
    let shown = scene.zeph(&["validate", "plan.toml"]);
    assert_eq!(code(&shown), 0, "{shown:?}");
    let key = [("KEY", "correct-horse")];
    let run = scene
        .start_with(&["run", "plan.toml", "--name", "r"], &key)
        .wait();
    assert_eq!(code(&run), 5, "{run:?}");
    let why = scene.zeph(&["why", "r", "deploy.push"]);
    assert!(why.out.contains("deploy.ask"), "{why:?}");
    scene.rename("shared.toml", "gone.toml");
    scene.rename("sub/deploy.toml", "sub/gone.toml");
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    let resume = scene.start_with(&["resume", "r"], &key).wait();
    assert_eq!(code(&resume), 0, "{resume:?}");
    assert_eq!(scene.log(), ["in-sub correct-horse", "last eu.example all"]);
    let logs = scene.zeph(&["show", "r", "deploy.push", "--json"]);
    assert!(logs.out.contains("eu.example"), "{logs:?}");
}

#[test]
fn a_resume_tells_that_a_part_has_changed() {
    let scene = scene();
    let key = [("KEY", "correct-horse")];
    let run = scene
        .start_with(&["run", "plan.toml", "--name", "r"], &key)
        .wait();
    assert_eq!(code(&run), 5, "{run:?}");
    let same = scene.start_with(&["resume", "r"], &key).wait();
    assert!(!same.out.contains("has changed since"), "{same:?}");
    scene.file("sub/deploy.toml", "[tasks.other]\nrun = ['true']");
    let changed = scene.start_with(&["resume", "r"], &key).wait();
    assert!(
        changed.out.contains("sub/deploy.toml has changed since"),
        "{changed:?}"
    );
}

#[test]
fn a_problem_is_shown_in_the_file_that_has_it() {
    let scene = scene();
    scene.file("sub/deploy.toml", "[tasks.push]\nrunn = ['x']");
    let shown = scene.zeph(&["validate", "plan.toml"]);
    assert_eq!(code(&shown), 2, "{shown:?}");
    assert!(
        shown.err.contains("sub/deploy.toml:2:1") && shown.err.contains("runn = ['x']"),
        "{shown:?}"
    );
    scene.file("sub/deploy.toml", "[tasks.again]\nplan = '../plan.toml'");
    let shown = scene.zeph(&["validate", "plan.toml"]);
    assert!(
        shown.err.contains("plan.toml → deploy.toml → plan.toml"),
        "{shown:?}"
    );
}
