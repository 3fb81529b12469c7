//! Simulation: a bounded number of seeds; the gate's `sim short` runs more of them.

use zeph_tests::sim::campaign::{crash_everywhere, run_all, shrink};
use zeph_tests::sim::world::Options;

fn hold(seeds: std::ops::Range<u64>, options: Options) {
    let totals = run_all(seeds, options, 2, &|_| {});
    if let Some(failure) = totals.failure {
        let failure = shrink(failure, 200);
        let lines = failure.trace.lines().join("\n");
        panic!("{lines}\nseed {}: {}", failure.seed, failure.broken);
    }
    assert!(totals.crashes > 0 && totals.events > totals.runs);
}

#[test]
fn every_invariant_holds_in_short_runs() {
    hold(2_000_000..2_003_000, Options::SHORT);
}

#[test]
fn every_invariant_holds_on_larger_graphs() {
    let options = Options {
        most_tasks: 40,
        ..Options::SHORT
    };
    hold(3_000_000..3_000_150, options);
}

#[test]
fn a_crash_before_and_after_every_append_loses_nothing() {
    for seed in 4_000_000..4_000_060 {
        if let Err(failure) = crash_everywhere(seed, Options::SHORT) {
            let lines = failure.trace.lines().join("\n");
            panic!("{lines}\nseed {seed}: {}", failure.broken);
        }
    }
}
