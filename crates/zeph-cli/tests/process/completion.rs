//! Completion and manual pages.

use super::support::{Process, Scene, code};

const PLAN: &str = r#"
    [params]
    days = { type = "integer", default = 7, description = "how far back" }
    depth = 1
    [tasks.build]
    shell = "true"
    [tasks.bundle]
    shell = "true"
    [tasks.publish]
    needs = ["build"]
    ask = { text = "Where?", choices = ["live", "test"] }
"#;

/// The candidates for the last word of a line.
fn complete(scene: &Scene, words: &[&str]) -> Vec<String> {
    let mut command = scene.command(&[&["--", "zeph"], words].concat());
    let index = words.len().to_string();
    command.envs([
        ("ZEPH_COMPLETE", "bash"),
        ("_CLAP_COMPLETE_INDEX", &*index),
        ("_CLAP_IFS", "\n"),
        // A warning would be printed into the line.
        ("ZEPH_UNKNOWN", "x"),
    ]);
    let ended = Process::of(command).wait();
    assert_eq!((code(&ended), &*ended.err), (0, ""), "{ended:?}");
    ended.out.lines().map(str::to_owned).collect()
}

#[test]
fn the_shell_completes_runs_tasks_questions_and_parameters() {
    let scene = Scene::new(PLAN);
    assert_eq!(complete(&scene, &["show", ""])[..1], ["--db"], "no run yet");
    let run = ["run", "plan.toml", "--name"];
    for name in ["nightly", "night-2", "weekly"] {
        assert_eq!(code(&scene.zeph(&[&run[..], &[name]].concat())), 5);
    }
    let first = complete(&scene, &["show", ""]);
    assert_eq!(
        first[..3],
        ["weekly", "night-2", "nightly"],
        "the newest first"
    );
    assert_eq!(complete(&scene, &["status", "ni"]), ["night-2", "nightly"]);
    assert_eq!(
        complete(&scene, &["show", "nightly", "bu"]),
        ["build", "bundle"]
    );
    assert_eq!(
        complete(&scene, &["retry", "nightly", "--from", "p"]),
        ["publish"]
    );
    assert_eq!(complete(&scene, &["answer", "nightly", "1"]), ["1"]);
    assert_eq!(complete(&scene, &["answer", "nightly", "1", "l"]), ["live"]);
    assert_eq!(complete(&scene, &["answer", "nightly", "pu"]), ["publish"]);
    assert_eq!(
        complete(&scene, &["answer", "nightly", "publish", "l"]),
        ["live"]
    );
    // The value of an option is no run.
    for option in [
        &["--plan", "plan.toml"][..],
        &["--plan=plan.toml"],
        &["-p", "x=1"],
        &["-px=1"],
    ] {
        let line = [&["retry"], option, &["nightly", "--from", "p"]].concat();
        assert_eq!(complete(&scene, &line), ["publish"], "{line:?}");
    }
    assert_eq!(complete(&scene, &["graph", "nigh"]), ["night-2", "nightly"]);
    assert_eq!(complete(&scene, &["graph", "pl"]), ["plan.toml"]);
    assert_eq!(
        complete(&scene, &["run", "plan.toml", "-p", "d"]),
        ["days=", "depth="]
    );
    let other = complete(&scene, &["show", "--db", "other.db", "ni"]);
    assert_eq!(other, [""; 0], "another database has no runs");
    assert!(
        !complete(&scene, &[""])
            .iter()
            .any(|word| word.starts_with('_'))
    );
    for shell in ["bash", "zsh", "fish"] {
        let script = scene.zeph(&["completions", shell]);
        assert_eq!(code(&script), 0, "{script:?}");
        assert!(script.out.contains("ZEPH_COMPLETE"), "{script:?}");
    }
}

#[test]
fn each_command_has_a_manual_page() {
    let scene = Scene::new(PLAN);
    let page = scene.zeph(&["man"]);
    assert_eq!(code(&page), 0, "{page:?}");
    assert!(page.out.contains(".TH zeph 1"), "{page:?}");
    assert_eq!(code(&scene.zeph(&["man", "pages"])), 0);
    for page in ["zeph.1", "zeph-run.1", "zeph-retry.1"] {
        assert!(scene.has(&format!("pages/{page}")), "{page}");
    }
}
