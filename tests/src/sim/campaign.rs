//! Campaign: many seeds on several threads, and the report of a failure.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::damage;
use super::trace::Trace;
use super::world::{Options, Outcome, run};
use crate::violation::Violation;

/// A seed that breaks an invariant.
#[derive(Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The options of the run.
    pub options: Options,
    /// The invariant.
    pub broken: Violation,
    /// The events up to the violation.
    pub trace: Trace,
}

/// The sums over many runs.
#[derive(Debug, Default)]
pub struct Totals {
    /// Runs.
    pub runs: u64,
    /// Inputs.
    pub events: u64,
    /// Appends.
    pub appends: u64,
    /// Crashes.
    pub crashes: u64,
    /// The failure with the smallest seed, if there is one.
    pub failure: Option<Failure>,
}

/// Executes the run of a seed. Some seeds run twice, to check that the same seed gives the same journal.
///
/// # Errors
/// The failure, with its trace.
pub fn check(seed: u64, options: Options) -> Result<Outcome, Box<Failure>> {
    let outcome = guarded(seed, options, &Trace::default());
    let mut broken = outcome.broken.clone();
    if broken.is_none() && seed.is_multiple_of(4) {
        let again = guarded(seed, options, &Trace::default());
        if again.journal != outcome.journal || again.broken.is_some() {
            broken = Some(Violation {
                number: 6,
                name: "same_seed_same_bytes",
                what: "the second run of the seed wrote another journal".into(),
            });
        }
    }
    if broken.is_none() && seed % 8 == 1 {
        broken = damaged(seed, &outcome);
    }
    match broken {
        None => Ok(outcome),
        Some(broken) => {
            let trace = Trace::kept();
            guarded(seed, options, &trace);
            Err(Box::new(Failure {
                seed,
                options,
                broken,
                trace,
            }))
        }
    }
}

/// Recovers from eight damaged copies of the run's journal; none may panic.
fn damaged(seed: u64, outcome: &Outcome) -> Option<Violation> {
    let facts = outcome.facts.as_ref()?;
    for hurt in 0..8 {
        let seed = seed.wrapping_mul(31).wrapping_add(hurt);
        let survived = std::panic::catch_unwind(|| {
            let _ = damage::survives(seed, facts, &outcome.journal);
        });
        if let Err(panic) = survived {
            return Some(Violation {
                number: 14,
                name: "damage_is_survived",
                what: format!("damage {hurt}: {}", panic_text(&*panic)),
            });
        }
    }
    None
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or(panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
    text.unwrap_or_default()
}

/// Executes a run; a panic of the scheduler counts as a violation.
fn guarded(seed: u64, options: Options, trace: &Trace) -> Outcome {
    let result = std::panic::catch_unwind(|| run(seed, options, trace));
    result.unwrap_or_else(|panic| Outcome {
        broken: Some(Violation {
            number: 13,
            name: "records_explained",
            what: format!("the machine panicked: {}", panic_text(&*panic)),
        }),
        events: 0,
        appends: 0,
        crashes: 0,
        journal: Vec::new(),
        facts: None,
    })
}

/// Executes the runs of `seeds` on that many threads, until the first failure. `done` is called with the
/// number of finished runs, every thousand runs.
pub fn run_all(
    seeds: std::ops::Range<u64>,
    options: Options,
    threads: usize,
    done: &(dyn Fn(u64) + Sync),
) -> Totals {
    let next = AtomicU64::new(seeds.start);
    let stop = AtomicBool::new(false);
    let totals = Mutex::new(Totals::default());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut own = Totals::default();
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        break;
                    }
                    match check(seed, options) {
                        Ok(outcome) => own.add(&outcome),
                        Err(failure) => {
                            own.failure = Some(*failure);
                            stop.store(true, Ordering::Relaxed);
                        }
                    }
                    let over = seed - seeds.start + 1;
                    if over.is_multiple_of(1_000) {
                        done(over);
                    }
                }
                if let Ok(mut totals) = totals.lock() {
                    totals.merge(own);
                }
            });
        }
    });
    totals.into_inner().unwrap_or_default()
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        self.runs += 1;
        self.events += outcome.events;
        self.appends += outcome.appends;
        self.crashes += outcome.crashes;
    }

    fn merge(&mut self, other: Self) {
        self.runs += other.runs;
        self.events += other.events;
        self.appends += other.appends;
        self.crashes += other.crashes;
        let earlier = match (&self.failure, &other.failure) {
            (Some(mine), Some(its)) => its.seed < mine.seed,
            (None, _) => true,
            (Some(_), None) => false,
        };
        if earlier {
            self.failure = other.failure;
        }
    }
}

/// The first violation in `runs` runs, if there is one. Every eighth run has a graph large enough for
/// full lanes.
#[must_use]
pub fn first_violation(runs: u64) -> Option<Box<Failure>> {
    (0..runs).find_map(|seed| {
        let most_tasks = if seed % 8 == 7 { 40 } else { 12 };
        let options = Options {
            most_tasks,
            ..Options::SHORT
        };
        check(seed, options).err()
    })
}

/// Repeats the run of a seed with one crash before and one after every append.
///
/// # Errors
/// The first failure.
pub fn crash_everywhere(seed: u64, options: Options) -> Result<u64, Box<Failure>> {
    let calm = Options {
        crash_at: Some((u64::MAX, false)),
        ..options
    };
    let appends = check(seed, calm)?.appends;
    for append in 0..appends {
        for appended in [false, true] {
            let crash_at = Some((append, appended));
            check(
                seed,
                Options {
                    crash_at,
                    ..options
                },
            )?;
        }
    }
    Ok(2 * appends)
}

/// Looks for the shortest trace that breaks the same invariant, on small graphs and nearby seeds.
#[must_use]
pub fn shrink(failure: Failure, tries: u64) -> Failure {
    let mut best = failure;
    for most_tasks in 1..=4 {
        for seed in 0..tries {
            let options = Options {
                most_tasks,
                ..best.options
            };
            let found = guarded(seed, options, &Trace::default()).broken;
            let same = |broken: &Violation| broken.number == best.broken.number;
            let Some(broken) = found.filter(same) else {
                continue;
            };
            let trace = Trace::kept();
            guarded(seed, options, &trace);
            if trace.lines().len() < best.trace.lines().len() {
                best = Failure {
                    seed,
                    options,
                    broken,
                    trace,
                };
            }
        }
    }
    best
}
