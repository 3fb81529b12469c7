//! Replay: the journal of every random run is decided again, with the same records.

use std::time::Duration;

use zeph_graph::{Entry, Record, Timestamp};
use zeph_scheduler::replay;
use zeph_tests::sim::trace::Trace;
use zeph_tests::sim::world::{Options, run};

/// The wait after a failed attempt, if it is a `retry_after` of the simulator's executors.
fn floor(journal: &[Entry], failed: &Entry) -> Option<Duration> {
    let at = usize::try_from(failed.seq.get()).ok()?;
    let Record::BackedOff { until, .. } = journal.get(at)?.record else {
        return None;
    };
    let waited = until.since(failed.at);
    let asked = [
        Duration::from_micros(1),
        Duration::from_secs(5),
        Duration::from_secs(120),
    ];
    // An endless wait is the longest `retry_after`.
    let longest = until == Timestamp::MAX;
    (asked.contains(&waited) || longest).then_some(waited)
}

#[test]
fn every_journal_comes_out_the_same_when_it_is_decided_again() {
    let mut records = 0;
    for seed in 0..3_000 {
        let outcome = run(seed, Options::SHORT, &Trace::default());
        let (Some(facts), None) = (outcome.facts, outcome.broken) else {
            panic!("seed {seed} broke by itself");
        };
        let journal = &outcome.journal;
        let header = || facts.header.clone();
        let again = replay(&header, journal, &facts.patches, &|entry| {
            floor(journal, entry)
        });
        match again {
            Ok(count) => records += count,
            Err(divergence) => panic!("seed {seed}: {divergence}"),
        }
    }
    assert!(records > 20_000, "only {records} records were replayed");
}

#[test]
fn a_wait_that_the_machine_would_not_have_drawn_is_found() {
    let mut found = 0;
    for seed in 0..1_000 {
        let outcome = run(seed, Options::SHORT, &Trace::default());
        let Some(facts) = outcome.facts else {
            continue;
        };
        let mut journal = outcome.journal;
        for at in 0..journal.len() {
            let honest = journal[at];
            let Record::BackedOff { task, until } = honest.record else {
                continue;
            };
            let longer = until.after(Duration::from_micros(7));
            if longer == until {
                // At `Timestamp::MAX` no wait can be longer.
                continue;
            }
            let until = longer;
            journal[at].record = Record::BackedOff { task, until };
            let header = || facts.header.clone();
            let again = replay(&header, &journal, &facts.patches, &|_| None);
            assert!(
                again.is_err(),
                "seed {seed}: {honest:?} was waited for longer"
            );
            journal[at] = honest;
            found += 1;
        }
    }
    assert!(found > 50, "only {found} waits were changed");
}
