//! Artifacts: files that are kept when a command has succeeded, and what is refused.

use std::path::Path;

use super::support::{Outcome, run_with};
use serde_json::json;
use zeph_command::CommandExecutor;
use zeph_executor::Artifact;

async fn run_in(folder: &Path, script: &str, patterns: &[&str]) -> Outcome {
    let executor = CommandExecutor::builder().cwd(folder).build();
    run_with(&executor, json!({ "shell": script, "artifacts": patterns })).await
}

#[tokio::test]
async fn matching_files_are_kept_with_their_names_and_may_stay_executable() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mkdir -p dist/sub; printf 'a\\0' > dist/a; printf b > dist/sub/b; chmod +x dist/a; echo no > other";
    let output = run_in(folder.path(), script, &["dist/**", "./dist/a"])
        .await
        .unwrap();
    let kept: Vec<Artifact> = output.artifacts().collect();
    let mut a = Artifact::new("dist/a", &b"a\0"[..]);
    a.executable = true;
    let mut kept_by_name = kept.clone();
    kept_by_name.sort_by(|one, two| one.name.cmp(&two.name));
    assert_eq!(kept_by_name, [a, Artifact::new("dist/sub/b", "b")]);
    // The folder of the task is `cwd`.
    let executor = CommandExecutor::builder().cwd(folder.path()).build();
    let input = json!({ "shell": "true", "cwd": "dist", "artifacts": ["sub/b"] });
    let output = run_with(&executor, input).await.unwrap();
    assert_eq!(output.artifacts().next(), Some(Artifact::new("sub/b", "b")));
}

#[tokio::test]
async fn what_cannot_be_kept_fails_the_attempt_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let most = Artifact::MAX_BYTES + 1;
    for (script, pattern, code, wanted) in [
        ("true", "none/*.gz", "artifact_missing", "\"none/*.gz\""),
        ("true", "../x", "invalid_params", "`..`"),
        ("true", "/etc/passwd", "invalid_params", "begins with `/`"),
        (
            "ln -s /etc/passwd link",
            "link",
            "bad_artifact",
            "leads out",
        ),
        (
            "mkdir l; ln -s /etc l/folder",
            "l/folder/passwd",
            "artifact_missing",
            "not followed",
        ),
        ("touch ./-rf", "*rf", "bad_artifact", "begins with `-`"),
        (
            "mkdir n; touch \"$(printf 'n/a\\033b')\"",
            "n/*",
            "bad_artifact",
            "control character",
        ),
        (
            &format!("truncate -s {most} large"),
            "large",
            "artifact_too_large",
            "64 MiB",
        ),
        (
            "mkdir many; cd many; for n in 1 2 3 4 5; do truncate -s 60M $n; done",
            "many/*",
            "artifact_too_large",
            "256 MiB",
        ),
    ] {
        let error = run_in(folder.path(), script, &[pattern]).await.unwrap_err();
        assert_eq!(
            error.class(),
            zeph_executor::ErrorClass::Permanent,
            "{error}"
        );
        assert_eq!(error.code(), code, "{script}: {error}");
        assert!(error.to_string().contains(wanted), "{script}: {error}");
    }
}

#[tokio::test]
async fn a_failed_command_keeps_nothing_and_says_its_own_error() {
    let folder = tempfile::tempdir().unwrap();
    let error = run_in(folder.path(), "exit 3", &["none"])
        .await
        .unwrap_err();
    assert_eq!(error.code(), "exit_code");
}
