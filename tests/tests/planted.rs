//! Planted: every bug that was put into the machine on purpose is found, and each soon.
#![cfg(feature = "planted")]

use zeph_tests::sim::campaign::run_all;
use zeph_tests::sim::planted::hunt_all;
use zeph_tests::sim::world::Options;

// One test, since a bug that is chosen is in every machine of the process.
#[test]
fn every_planted_bug_is_found_and_none_is_there_unless_it_is_chosen() {
    let mut hunted = 0;
    for hunt in hunt_all(20_000) {
        hunted += 1;
        let (number, words, runs) = (hunt.number, hunt.words, hunt.runs);
        assert!(
            hunt.found.is_some(),
            "bug {number} ({words}) is not found in {runs} runs"
        );
    }
    assert!(hunted >= 30, "only {hunted} bugs");
    let totals = run_all(0..500, Options::SHORT, 2, &|_| {});
    assert!(totals.failure.is_none(), "{:?}", totals.failure);
}
