//! Water-filling: max-min fair shares of a budget.

/// The highest share at which the demands fit into the budget, if each gets at most the share; `u64::MAX`
/// if all demands fit.
///
/// A demand up to the share is granted in full, and a larger one gets the share. The order of the demands
/// does not matter. Cost: `n log n`.
pub(crate) fn water_fill(demands: impl IntoIterator<Item = u64>, budget: u64) -> u64 {
    let mut demands: Vec<u64> = demands.into_iter().collect();
    demands.sort_unstable();
    let mut left = budget;
    let mut unfilled = demands.len() as u64;
    for demand in demands {
        if demand > left / unfilled {
            return left / unfilled;
        }
        left -= demand;
        unfilled -= 1;
    }
    u64::MAX
}

/// How many of the demands, from the first, can have a useful share of the budget, and that share. `least`
/// has the smallest useful share of each. Cost: `n (log n)²`.
pub(crate) fn water_fill_useful(demands: &[u64], least: &[u64], budget: u64) -> (usize, u64) {
    let share = |count: usize| water_fill(demands[..count].iter().copied(), budget);
    let is_useful = |count: usize| {
        let share = share(count);
        let all = demands.iter().zip(least).take(count);
        all.into_iter()
            .all(|(&demand, &least)| demand.min(least) <= share)
    };
    let (mut useful, mut too_many) = (0, demands.len() + 1);
    while too_many - useful > 1 {
        let middle = useful.midpoint(too_many);
        if is_useful(middle) {
            useful = middle;
        } else {
            too_many = middle;
        }
    }
    (useful, share(useful))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{water_fill, water_fill_useful};

    #[test]
    fn small_wants_are_granted_and_the_rest_is_equal() {
        assert_eq!(water_fill([10, 500, 20, 700], 430), 200);
        assert_eq!(water_fill([10, 20], 30), u64::MAX);
        assert_eq!(water_fill([7, 7, 7], 20), 6);
        assert_eq!(water_fill([3, 0], 0), 0);
        assert_eq!(water_fill([], 0), u64::MAX);
        assert_eq!(water_fill([u64::MAX, u64::MAX], u64::MAX), u64::MAX / 2);
    }

    #[test]
    fn a_useful_share_for_some_is_better_than_none_for_all() {
        let useful = |budget| water_fill_useful(&[100, 5, 100, 100], &[20; 4], budget);
        assert_eq!(useful(1_000), (4, u64::MAX));
        assert_eq!(useful(70), (4, 21));
        assert_eq!(useful(60), (3, 27));
        assert_eq!(useful(30), (2, 25));
        assert_eq!(useful(19), (0, u64::MAX));
        assert_eq!(water_fill_useful(&[], &[], 9), (0, u64::MAX));
    }

    proptest! {
        #[test]
        fn the_share_is_the_highest_that_keeps_the_budget(
            demands in prop::collection::vec(prop_oneof![0u64..20, 0u64..1_000], 0..30),
            budget in 0u64..10_000,
        ) {
            let level = water_fill(demands.iter().copied(), budget);
            let filled = |level: u64| demands.iter().map(|&demand| demand.min(level)).sum::<u64>();
            prop_assert!(filled(level) <= budget);
            if level == u64::MAX {
                prop_assert!(demands.iter().sum::<u64>() <= budget);
            } else {
                prop_assert!(filled(level + 1) > budget);
            }
        }

        #[test]
        fn the_order_does_not_matter(
            demands in prop::collection::vec(0u64..1_000, 0..30).prop_shuffle(),
            budget in 0u64..10_000,
        ) {
            let mut sorted = demands.clone();
            sorted.sort_unstable();
            prop_assert_eq!(water_fill(demands, budget), water_fill(sorted, budget));
        }
    }
}
