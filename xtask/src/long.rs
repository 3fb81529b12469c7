//! The long test forms: crash loop, soak, benchmarks.

use std::path::Path;

use crate::cargo::Call;
use crate::workspace::Workspace;

/// Cases of each property test in a soak.
const CASES: &str = "10000";

/// Kills the real binary `kills` times.
pub(crate) fn crash_loop(kills: u32) -> Result<bool, String> {
    let workspace = Workspace::load()?;
    run_all(&workspace, &crash_calls(&workspace.target, kills))
}

/// The long forms of the simulator, the crash loop, the damages and the traces, and many cases of every
/// property test.
pub(crate) fn soak() -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let mut calls = vec![Call::cargo("run --release -p zeph-tests --bin sim -- long")];
    calls.extend(crash_calls(&workspace.target, 10_000));
    calls.extend(damage_calls(&workspace.target, 5_000));
    calls.extend(trace_calls(&workspace.target, "all", 5_000));
    calls.push(Call::cargo("test --workspace --all-features").env("PROPTEST_CASES", CASES));
    run_all(&workspace, &calls)
}

/// Every benchmark.
pub(crate) fn bench() -> Result<bool, String> {
    run_all(&Workspace::load()?, &[Call::cargo("bench --workspace")])
}

/// The calls of the simulator's short form.
pub(crate) fn simulation_calls(target: &Path) -> Vec<Call> {
    let simulator = Call::program(target.join("debug/sim"), "short");
    vec![build(), simulator]
}

/// The calls of a crash loop. The binary is built first, so that no kill hits a compiler.
pub(crate) fn crash_calls(target: &Path, kills: u32) -> Vec<Call> {
    let program = target.join("debug/crash-loop");
    let crash_loop = Call::program(program, &format!("--kills {kills}"));
    vec![build(), with_binary(crash_loop, target)]
}

/// The calls that damage each of two databases `count` times.
pub(crate) fn damage_calls(target: &Path, count: u32) -> Vec<Call> {
    let damage = Call::program(target.join("debug/damage"), &format!("--count {count}"));
    vec![build(), with_binary(damage, target)]
}

/// The calls that let system calls fail, and the power `power` times in each of two sessions.
pub(crate) fn trace_calls(target: &Path, faults: &str, power: u32) -> Vec<Call> {
    let words = format!("--faults {faults} --power {power}");
    let trace = Call::program(target.join("debug/trace"), &words);
    vec![build(), with_binary(trace, target)]
}

/// The call with the path of the built `zeph`, so that it builds none of its own.
pub(crate) fn with_binary(call: Call, target: &Path) -> Call {
    call.env(
        "TEST_ZEPH_BINARY",
        &target.join("debug/zeph").to_string_lossy(),
    )
}

/// Builds the binaries with the features of the tests, which usually has been done by then. Any other
/// choice of packages has other features, and would compile most of the dependencies again.
fn build() -> Call {
    Call::cargo("test --workspace --all-features --no-run --tests")
}

fn run_all(workspace: &Workspace, calls: &[Call]) -> Result<bool, String> {
    for call in calls {
        println!("{}", call.line());
        if !call.run_visible(&workspace.root)? {
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
    fn the_crash_loop_uses_the_binary_that_was_built_before() {
        let lines: Vec<String> = crash_calls(Path::new("t"), 50)
            .iter()
            .map(Call::line)
            .collect();
        let build = "cargo test --workspace --all-features --no-run --tests";
        let crash_loop = "TEST_ZEPH_BINARY=t/debug/zeph t/debug/crash-loop --kills 50";
        assert_eq!(lines, [build, crash_loop]);
    }
}
