//! The long test forms: crash loop, soak, benchmarks.

use crate::cargo::Call;
use crate::workspace::Workspace;

/// Cases of each property test in a soak.
const CASES: &str = "10000";

/// Kills the real binary `kills` times.
pub(crate) fn crash_loop(kills: u32) -> Result<bool, String> {
    run_all(&crash_calls(kills))
}

/// The simulator's long form, the long crash loop, and many cases of every property test.
pub(crate) fn soak() -> Result<bool, String> {
    let mut calls = vec![Call::cargo("run --release -p zeph-tests --bin sim -- long")];
    calls.extend(crash_calls(500));
    calls.push(Call::cargo("test --workspace --all-features").env("PROPTEST_CASES", CASES));
    run_all(&calls)
}

/// Every benchmark.
pub(crate) fn bench() -> Result<bool, String> {
    run_all(&[Call::cargo("bench --workspace")])
}

/// The calls of a crash loop. The binary is built first, so that no kill hits a compiler.
pub(crate) fn crash_calls(kills: u32) -> Vec<Call> {
    vec![
        Call::cargo("build -p zeph-cli --bin zeph"),
        Call::cargo(&format!(
            "run -p zeph-tests --bin crash-loop -- --kills {kills}"
        )),
    ]
}

fn run_all(calls: &[Call]) -> Result<bool, String> {
    let root = Workspace::load()?.root;
    for call in calls {
        println!("{}", call.line());
        if !call.run_visible(&root)? {
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
    fn the_crash_loop_builds_the_binary_before_it_kills() {
        let lines: Vec<String> = crash_calls(50).iter().map(Call::line).collect();
        assert!(lines[0].starts_with("cargo build -p zeph-cli"), "{lines:?}");
        assert!(lines[1].ends_with("--kills 50"), "{lines:?}");
    }
}
