//! The plans of the guide: all are valid, and the small ones have the documented results.

#![allow(clippy::unwrap_used, reason = "the panic of a test is its report")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use serde_json::Value;
use zeph_tests::crash::binary::{build, workspace};

fn command(folder: &Path, words: &[&str]) -> Command {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let binary = BINARY.get_or_init(|| build().unwrap());
    let mut command = Command::new(binary);
    command
        .args(words)
        .current_dir(workspace())
        .env("ZEPH_DB", folder.join("runs.db"))
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .stdin(Stdio::null());
    command
}

fn call(folder: &Path, words: &[&str]) -> Output {
    command(folder, words).output().unwrap()
}

/// The standard output of a task of the run `r`.
fn printed(folder: &Path, task: &str) -> String {
    let shown = call(folder, &["show", "r", task, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    let text = shown["output"]["value"]["stdout"].as_str();
    text.unwrap().to_owned()
}

#[test]
fn every_plan_is_valid() {
    let folder = tempfile::tempdir().unwrap();
    let mut plans = 0;
    for entry in fs::read_dir(workspace().join("docs/plans")).unwrap() {
        let path = entry.unwrap().path();
        // Beside the plans are their parts and variables.
        if path.extension().is_none_or(|kind| kind != "toml") {
            continue;
        }
        let checked = call(folder.path(), &["validate", path.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{}: {said}", path.display());
        plans += 1;
    }
    assert!(plans >= 4, "{plans}");
}

#[test]
fn hello_greets() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["run", "docs/plans/hello.toml", "--name=r", "-p", "name=Ada"];
    assert!(call(folder.path(), &words).status.success());
    let letter = printed(folder.path(), "letter");
    assert!(letter.starts_with("Hello, Ada! It is "), "{letter}");
}

#[test]
fn approve_takes_its_answers_from_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["run", "docs/plans/approve.toml", "--name=r"];
    let mut run = command(folder.path(), &words)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let answers = [("ask q1 ", "1", "long"), ("ask q2 ", "2", "yes")];
    let mut answers = answers.iter().peekable();
    for line in BufReader::new(run.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some((_, id, text)) = answers.next_if(|(asked, ..)| line.contains(asked)) {
            let answered = call(folder.path(), &["answer", "r", id, text]);
            assert!(answered.status.success(), "{answered:?}");
        }
    }
    assert!(run.wait().unwrap().success());
    assert_eq!(
        printed(folder.path(), "publish"),
        "published: The long notes: three fixes and a new command."
    );
    assert_eq!(
        printed(folder.path(), "tell"),
        "publishing ended as: completed"
    );
}

#[test]
fn rust_ci_goes_on_after_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let project = folder.path().join("project");
    fs::create_dir_all(project.join("src")).unwrap();
    let manifest = "[package]\nname = \"p\"\nedition = \"2024\"\n[workspace]\n";
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    // Everything is valid except the format.
    fs::write(project.join("src/main.rs"), "fn main( ) { }\n").unwrap();
    let repo = format!("--param=repo={}", project.display());
    let words = ["run", "docs/plans/rust-ci.toml", "--name=r", &repo];
    let run = call(folder.path(), &words);
    let said = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(4), "{said}");
    assert_eq!(
        printed(folder.path(), "verdict"),
        "fmt failed, check completed, clippy completed, test completed"
    );
}
