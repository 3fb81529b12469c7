//! The plans of `docs/plans` that need no network and no toolchain, run to their ends.

use std::path::Path;

use super::support::{Ended, Scene, code};

/// A scene with all plans of the docs.
fn scene() -> Scene {
    let scene = Scene::new("");
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plans");
    scene.folder("parts");
    for folder in ["", "parts/"] {
        for entry in std::fs::read_dir(plans.join(folder)).unwrap().flatten() {
            if entry.path().is_file() {
                let name = entry.file_name().into_string().unwrap();
                let copy = scene.path(&format!("{folder}{name}"));
                std::fs::copy(entry.path(), copy).unwrap();
            }
        }
    }
    scene
}

/// Runs a plan, answers its questions, and resumes it.
fn run(scene: &Scene, plan: &str, answers: &[&str]) -> Ended {
    let ended = scene.zeph(&["run", &format!("{plan}.toml"), "--name", plan]);
    if answers.is_empty() {
        return ended;
    }
    assert_eq!(code(&ended), 5, "{ended:?}");
    for (number, answer) in (1..).zip(answers) {
        let answered = scene.zeph(&["answer", plan, &format!("{number}"), answer]);
        assert_eq!(code(&answered), 0, "{answered:?}");
    }
    scene.zeph(&["resume", plan])
}

fn logs(scene: &Scene, run: &str, task: &str) -> String {
    scene.zeph(&["logs", run, task]).out
}

#[test]
fn every_plan_is_valid_without_secrets() {
    let scene = scene();
    let plans = std::fs::read_dir(scene.path("")).unwrap().flatten();
    let mut count = 0;
    for entry in plans.filter(|entry| entry.path().extension().is_some_and(|it| it == "toml")) {
        let name = entry.file_name().into_string().unwrap();
        if name == "plan.toml" {
            continue;
        }
        let valid = scene.zeph(&["validate", &name]);
        assert_eq!(code(&valid), 0, "{valid:?}");
        assert!(!valid.err.contains("warning"), "{valid:?}");
        count += 1;
    }
    assert!(count >= 16, "{count}");
}

#[test]
fn pipelines_with_approvals_end_with_their_files() {
    let scene = scene();
    let etl = run(&scene, "etl", &["yes"]);
    assert_eq!(code(&etl), 4, "a source has a substitute: {etl:?}");
    let loaded = std::fs::read_to_string(scene.path("warehouse.json")).unwrap();
    let loaded: serde_json::Value = serde_json::from_str(&loaded).unwrap();
    assert_eq!(
        (&loaded["usd"], &loaded["orders"][1]["eur"]),
        (&1.1.into(), &5.5.into())
    );
    let alert = scene.zeph(&["why", "etl", "alert"]);
    assert!(alert.out.contains("skipped"), "{alert:?}");
    let release = run(&scene, "release", &["yes"]);
    assert_eq!(code(&release), 0, "{release:?}");
    let tags = std::fs::read_to_string(scene.path("tags.txt")).unwrap();
    assert!(!scene.has("notes.txt"), "the finalizer removed it");
    assert!(
        tags.starts_with("v1.4.0 ") && scene.has("published-1.4.0.tar"),
        "{tags}"
    );
    let everywhere = run(&scene, "deploy-everywhere", &[]);
    assert_eq!(code(&everywhere), 0, "{everywhere:?}");
    let report = logs(&scene, "deploy-everywhere", "tell");
    assert!(
        report.contains("deployed: https://eu.example https://us.example"),
        "{report}"
    );
}

#[test]
fn a_model_questions_secrets_and_three_hundred_tasks() {
    let scene = scene();
    let args = ["run", "research.toml", "--scripted", "--name", "research"];
    let research = scene.zeph(&args);
    assert_eq!(code(&research), 0, "{research:?}");
    assert!(scene.has("news.txt"));
    let questions = run(&scene, "questions", &["pizza", "3", "yes"]);
    assert_eq!(code(&questions), 0, "{questions:?}");
    let order = logs(&scene, "questions", "order");
    assert!(
        order.contains("3 times pizza, spoon: true, note: no"),
        "{order}"
    );
    let many = run(&scene, "many", &[]);
    assert_eq!(code(&many), 0, "{many:?}");
    let sum = logs(&scene, "many", "sum");
    assert!(
        sum.contains("300 of 300 shards, the last one is j30"),
        "{sum}"
    );
    let refused = run(&scene, "deploy-secret", &[]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    let token = [("DEPLOY_TOKEN", "correct-horse")];
    let args = ["run", "deploy-secret.toml", "--name", "deploy"];
    let deploy = scene.start_with(&args, &token).wait();
    assert_eq!(code(&deploy), 0, "{deploy:?}");
    let login = logs(&scene, "deploy", "login");
    assert!(
        login.contains("with ‹redacted: token› at deploy.example"),
        "{login}"
    );
}

#[test]
fn limits_large_outputs_and_texts_of_any_language() {
    let scene = scene();
    let limits = run(&scene, "limits", &[]);
    assert_eq!(code(&limits), 4, "{limits:?}");
    assert!(logs(&scene, "limits", "report").contains("failed failed failed"));
    assert!(logs(&scene, "limits", "cleans-up").contains("cleaned"));
    let large = run(&scene, "large-output", &[]);
    assert_eq!(code(&large), 0, "{large:?}");
    let sum = logs(&scene, "large-output", "sum");
    assert!(sum.contains("5000000 3 20000000"), "{sum}");
    let package = run(&scene, "package", &[]);
    assert_eq!(code(&package), 0, "{package:?}");
    let installed = logs(&scene, "package", "install");
    assert_eq!(installed, "hello from the package\n");
    let kept = scene.zeph(&["artifact", "package", "build", "dist/hello", "-o", "-"]);
    assert!(kept.out.starts_with("#!/bin/sh"), "{kept:?}");
    let first = run(&scene, "incremental", &[]);
    assert_eq!(code(&first), 0, "{first:?}");
    let second = scene.zeph(&["run", "incremental.toml", "--name", "again"]);
    assert!(second.out.contains("cached test"), "{second:?}");
    scene.file("parts-to-build/two", "changed\n");
    let third = scene.zeph(&["run", "incremental.toml", "--name", "third"]);
    assert!(third.out.contains("4 completed (1 cached)"), "{third:?}");
    assert_eq!(logs(&scene, "third", "test"), "ONE\nCHANGED\n");
    let unicode = run(&scene, "unicode", &[]);
    assert_eq!(code(&unicode), 0, "{unicode:?}");
    let length = logs(&scene, "unicode", "length");
    assert!(length.contains("10 characters, ZOË 🦀 ЮЛИЯ"), "{length}");
}
