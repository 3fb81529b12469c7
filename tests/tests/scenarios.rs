//! Scenarios: every file of `scenarios/` gives its expected trace. `UPDATE_SCENARIOS=1` rewrites the traces.

use std::path::PathBuf;

use zeph_tests::scenario::check;

#[test]
fn every_scenario_plays_as_written() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let update = std::env::var_os("UPDATE_SCENARIOS").is_some();
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .collect();
    files.sort();
    assert!(files.len() >= 40, "only {} scenarios", files.len());
    let wrong: Vec<String> = (files.iter())
        .filter_map(|file| check(file, update).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
