//! The crash loop detects defects: a correct binary passes, and binaries that lose or repeat work fail.

#![allow(clippy::unwrap_used, reason = "the panic of a test is its report")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use zeph_tests::crash::binary::build;
use zeph_tests::crash::trial::play;

/// Runs some trials with the binary behind a script, and returns the failure.
fn broken(script: &str, seeds: std::ops::Range<u64>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let victim = victim(folder.path(), script);
    let stories = seeds.map(|seed| play(&victim, folder.path().join(seed.to_string()), seed, 4));
    stories.filter_map(Result::err).collect()
}

/// A script that executes some lines and then the real binary with `exec`.
fn victim(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("victim");
    let real = build().unwrap();
    let text = format!(
        "#!/bin/sh\nreal='{}'\n{script}\nexec \"$real\" \"$@\"\n",
        real.display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn says(broken: &[String], words: &[&str]) -> bool {
    let mut texts = broken.iter().flat_map(|error| error.lines().last());
    texts.any(|text| words.iter().any(|word| text.contains(word)))
}

#[test]
fn an_honest_victim_keeps_its_promises() {
    assert_eq!(broken("", 0..6), Vec::<String>::new());
}

#[test]
fn a_victim_that_forgets_is_found() {
    let script = "[ \"$1\" = resume ] && rm -rf runs.db* && set -- run plan.toml --name trial";
    let broken = broken(script, 0..6);
    let words = [
        "began 2 times",
        "was reported to be",
        "records became",
        "is gone",
        "damaged",
        "was TaskNow",
    ];
    assert!(says(&broken, &words), "{broken:#?}");
}

#[test]
fn a_victim_that_boasts_is_found() {
    let script = "[ \"$1\" = resume ] && echo '[1/2] ok t01 1ms'";
    let broken = broken(script, 0..6);
    assert!(
        says(&broken, &["t01 was reported to be completed"]),
        "{broken:#?}"
    );
}

#[test]
fn a_victim_that_repeats_work_is_found() {
    let script = "[ \"$1\" = resume ] && echo 'begin t00 1' >> \"$ZEPH_COUNTER\"
[ \"$1\" = resume ] && echo 'begin t00 1' >> \"$ZEPH_COUNTER\"";
    let broken = broken(script, 0..6);
    assert!(says(&broken, &["attempt 1 of t00 began"]), "{broken:#?}");
}

#[test]
fn a_victim_that_runs_more_than_it_records_is_found() {
    let script = "[ \"$1\" = resume ] && echo 'begin t00 9' >> \"$ZEPH_COUNTER\"";
    let broken = broken(script, 0..6);
    assert!(
        says(&broken, &["attempt 9 of t00 began, but only"]),
        "{broken:#?}"
    );
}

#[test]
fn a_victim_that_gives_other_inputs_is_found() {
    let script = "[ \"$1\" = resume ] && sed -i 's/ out-/ other-/' \"$ZEPH_COUNTER\"";
    let broken = broken(script, 0..12);
    assert!(says(&broken, &["was given \"other-"]), "{broken:#?}");
}
