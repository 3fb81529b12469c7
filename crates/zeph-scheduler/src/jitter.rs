//! Jitter: pseudo-random waits. A draw is a function of seed, task and attempt, so replays repeat it.

use std::time::Duration;

use zeph_graph::TaskId;

/// 64 uniformly distributed bits, by the finalizer of SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) fn draw(seed: u64, task: TaskId, attempt: u32) -> u64 {
    let place = (u64::from(task.as_u32()) << 32) | u64::from(attempt);
    let mut z = seed ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for factor in [0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb] {
        z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(factor);
        z ^= z >> 27;
    }
    z ^ (z >> 31)
}

/// A wait drawn evenly from `base..=min(cap, base * 2^failures)`: exponential back-off with full
/// jitter above a base.
pub(crate) fn backoff(base: Duration, cap: Duration, failures: u32, draw: u64) -> Duration {
    let base_us = micros(base);
    let cap_us = micros(cap).max(base_us);
    let top_us = base_us
        .saturating_mul(1u64.checked_shl(failures).unwrap_or(u64::MAX))
        .min(cap_us);
    let span = u128::from(top_us - base_us) + 1;
    // The high half of the product: an even draw below `span` without division.
    let offset = (u128::from(draw) * span) >> 64;
    Duration::from_micros(base_us + offset as u64)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_stay_between_base_and_cap() {
        let (base, cap) = (Duration::from_millis(100), Duration::from_secs(2));
        for failures in [1, 2, 5, 31, 63, 64, 1000, u32::MAX] {
            for draw in [0, 1, u64::MAX / 2, u64::MAX] {
                let wait = backoff(base, cap, failures, draw);
                assert!(
                    (base..=cap).contains(&wait),
                    "{failures} failures: {wait:?}"
                );
            }
        }
    }

    #[test]
    fn the_first_wait_reaches_twice_the_base_and_no_further() {
        let (base, cap) = (Duration::from_millis(100), Duration::from_secs(60));
        assert_eq!(backoff(base, cap, 1, 0), base);
        assert_eq!(backoff(base, cap, 1, u64::MAX), base * 2);
    }

    #[test]
    fn a_cap_below_the_base_counts_as_the_base() {
        let wait = backoff(Duration::from_secs(5), Duration::from_secs(1), 9, u64::MAX);
        assert_eq!(wait, Duration::from_secs(5));
    }

    #[test]
    fn the_longest_waits_do_not_overflow() {
        let wait = backoff(Duration::MAX, Duration::MAX, u32::MAX, u64::MAX);
        assert_eq!(wait, Duration::from_micros(u64::MAX));
    }

    #[test]
    fn draws_differ_by_seed_task_and_attempt() {
        let t = TaskId::from_index;
        let draws = [
            draw(0, t(0), 1),
            draw(1, t(0), 1),
            draw(0, t(1), 1),
            draw(0, t(0), 2),
            draw(7, t(9), 3),
        ];
        for (i, a) in draws.iter().enumerate() {
            assert!(draws[..i].iter().all(|b| a != b));
        }
    }
}
