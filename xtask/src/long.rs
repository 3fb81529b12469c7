//! The long forms, for an hour without hurry: crash loop, soak, benchmarks.

use crate::tool::Call;
use crate::workspace::Workspace;

/// Property tests try this many cases each in a soak.
const CASES: &str = "10000";

/// Kills the real binary that many times.
pub(crate) fn crash_loop(kills: u32) -> Result<bool, String> {
    all(&crash_calls(kills))
}

/// The simulator's long form, the long crash loop, and many cases for every property test.
pub(crate) fn soak() -> Result<bool, String> {
    let mut calls = vec![Call::cargo("run --release -p zeph-tests --bin sim -- long")];
    calls.extend(crash_calls(500));
    calls.push(Call::cargo("test --workspace --all-features").with("PROPTEST_CASES", CASES));
    all(&calls)
}

/// Every benchmark.
pub(crate) fn bench() -> Result<bool, String> {
    all(&[Call::cargo("bench --workspace")])
}

/// The calls of a crash loop: its victim is built first, so that no kill hits a compiler.
pub(crate) fn crash_calls(kills: u32) -> Vec<Call> {
    vec![
        Call::cargo("build -p zeph-cli --bin zeph"),
        Call::cargo(&format!(
            "run -p zeph-tests --bin crash-loop -- --kills {kills}"
        )),
    ]
}

fn all(calls: &[Call]) -> Result<bool, String> {
    let root = Workspace::load()?.root;
    for call in calls {
        println!("{}", call.line());
        if !call.shown(&root)? {
            eprintln!("FAILED: {}", call.line());
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_victim_is_built_before_it_is_killed() {
        let lines: Vec<String> = crash_calls(50).iter().map(Call::line).collect();
        assert!(lines[0].starts_with("cargo build -p zeph-cli"), "{lines:?}");
        assert!(lines[1].ends_with("--kills 50"), "{lines:?}");
    }
}
