//! Water-filling: how much of a budget each of several texts gets.

/// The level up to which everybody is filled, so that all together stay within the budget.
///
/// Max-min fair: who wants no more than the level gets all of it, everybody else gets the level.
/// `u64::MAX` if all wishes fit. The level is the largest whole number that keeps the budget, so
/// less than one unit for each one who is cut stays unused. It does not depend on the order of the
/// wishes, and equal wishes get equal shares. Sorts once: `n log n`.
pub(crate) fn level(wants: impl IntoIterator<Item = u64>, budget: u64) -> u64 {
    let mut wants: Vec<u64> = wants.into_iter().collect();
    wants.sort_unstable();
    let mut left = budget;
    let mut unfilled = wants.len() as u64;
    for want in wants {
        if want > left / unfilled {
            return left / unfilled;
        }
        left -= want;
        unfilled -= 1;
    }
    u64::MAX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::level;

    #[test]
    fn small_wishes_are_granted_and_the_rest_is_level() {
        assert_eq!(level([10, 500, 20, 700], 430), 200);
        assert_eq!(level([10, 20], 30), u64::MAX);
        assert_eq!(level([7, 7, 7], 20), 6);
        assert_eq!(level([3, 0], 0), 0);
        assert_eq!(level([], 0), u64::MAX);
        assert_eq!(level([u64::MAX, u64::MAX], u64::MAX), u64::MAX / 2);
    }

    proptest! {
        #[test]
        fn the_level_keeps_the_budget_and_is_the_highest_that_does(
            wants in prop::collection::vec(prop_oneof![0u64..20, 0u64..1_000], 0..30),
            budget in 0u64..10_000,
        ) {
            let level = level(wants.iter().copied(), budget);
            let filled = |level: u64| wants.iter().map(|&want| want.min(level)).sum::<u64>();
            prop_assert!(filled(level) <= budget);
            if level == u64::MAX {
                prop_assert!(wants.iter().sum::<u64>() <= budget);
            } else {
                prop_assert!(filled(level + 1) > budget);
            }
        }

        #[test]
        fn the_order_does_not_matter(
            wants in prop::collection::vec(0u64..1_000, 0..30).prop_shuffle(),
            budget in 0u64..10_000,
        ) {
            let mut sorted = wants.clone();
            sorted.sort_unstable();
            prop_assert_eq!(level(wants, budget), level(sorted, budget));
        }
    }
}
