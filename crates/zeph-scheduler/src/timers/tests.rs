//! Timers and clocks against a naive count of ticks.

use std::time::Duration;

use super::{Clock, Timer, TimerKind, Timers};
use zeph_graph::{TaskId, Timestamp};

fn timer(task: u32) -> Timer {
    Timer {
        task: Some(TaskId::from_index(task)),
        kind: TimerKind::Attempt,
    }
}

#[test]
fn a_timer_that_is_set_again_moves() {
    let mut timers = Timers::default();
    timers.set(timer(1), Timestamp::from_micros(5));
    timers.set(timer(1), Timestamp::from_micros(9));
    timers.set(timer(2), Timestamp::from_micros(7));
    let all: Vec<_> = timers.iter().map(|(at, t)| (at.as_micros(), t)).collect();
    assert_eq!(all, [(7, timer(2)), (9, timer(1))]);
}

#[test]
fn a_timer_that_is_cleared_is_gone() {
    let mut timers = Timers::default();
    timers.set(timer(1), Timestamp::from_micros(5));
    timers.clear(timer(1));
    timers.clear(timer(1));
    assert_eq!((timers.first(), timers.at(timer(1))), (None, None));
}

#[test]
fn the_end_of_time_never_comes() {
    let mut timers = Timers::default();
    timers.set(timer(1), Timestamp::MAX);
    assert_eq!(timers.first(), None);
    assert_eq!(timers.at(timer(1)), Some(Timestamp::MAX));
}

#[test]
fn a_clock_is_charged_only_while_it_runs() {
    // Bits of the number say in which of 16 ticks the clock runs.
    for pattern in 0..1u32 << 16 {
        let mut clock = Clock::stopped(Duration::from_micros(5));
        let mut used = 0;
        for tick in 0..16 {
            let running = pattern >> tick & 1 == 1;
            let now = Timestamp::from_micros(tick);
            let due = clock.run(running, now);
            let left = 5u64.saturating_sub(used);
            let expected = running.then(|| tick + left);
            // A clock that expired earlier still returns that time while it runs.
            let expected = expected.map(|at| if used > 5 { tick - (used - 5) } else { at });
            let stretch = running && tick > 0 && pattern >> (tick - 1) & 1 == 1;
            if stretch || used <= 5 {
                assert_eq!(
                    due.map(Timestamp::as_micros),
                    expected,
                    "{pattern:b} {tick}"
                );
            }
            if running {
                used += 1;
            } else {
                used = used.min(5);
            }
        }
    }
}

#[test]
fn a_clock_without_end_does_not_overflow() {
    let mut clock = Clock::stopped(Duration::MAX);
    assert_eq!(clock.run(true, Timestamp::MAX), Some(Timestamp::MAX));
    assert_eq!(clock.run(false, Timestamp::ZERO), None);
    assert_eq!(clock.run(true, Timestamp::ZERO), Some(Timestamp::MAX));
}
