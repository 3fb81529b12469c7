//! Retries: the keys of a task, and the default policy for the keys that are not set.

use std::time::Duration;

use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Value};
use zeph_graph::Retry;
use zeph_graph::wire::code as graph_code;

use crate::fields::micros_or_zero;
use crate::foreign;

/// The default policy, unless the caller of the plan sets another one.
pub(super) const DEFAULT: Retry = Retry::times(3);

/// The retry keys of a task; `None` for a key that is not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct RetryKeys {
    max: Option<u32>,
    base: Option<Duration>,
    cap: Option<Duration>,
}

impl RetryKeys {
    /// The same keys, but with the default number of retries instead of 0: for `on_failure = "retry"`.
    pub(super) fn or_default_max(self) -> Self {
        let max = self.max.filter(|&max| max > 0);
        Self { max, ..self }
    }

    /// The retry policy of the task, with a default policy for the keys that are not set.
    ///
    /// A wait that is set bounds the default of the other one, so that `base <= cap` holds with every
    /// default policy.
    pub(crate) fn resolve(self, defaults: Retry) -> Retry {
        let longest = self.cap.unwrap_or(Duration::MAX);
        let base = self.base.unwrap_or(defaults.base.min(longest));
        Retry {
            max_retries: self.max.unwrap_or(defaults.max_retries),
            base,
            cap: self.cap.unwrap_or(defaults.cap).max(base),
        }
    }
}

/// Reads `retry`.
pub(super) fn read(node: &Node, problems: &mut Diagnostics) -> Option<RetryKeys> {
    if matches!(node.value, Value::Integer(_)) {
        let max = node.integer("`retry`", 0..=u32::MAX, problems)?;
        return Some(RetryKeys {
            max: Some(max),
            ..RetryKeys::default()
        });
    }
    if !matches!(node.value, Value::Table(_)) {
        node.wrong_type("`retry`", "an integer or a table", problems);
        return None;
    }
    let fields = node.table_with_help(
        "`retry`",
        &["max", "base", "cap"],
        foreign::retry_key,
        problems,
    )?;
    let max = fields.require("`retry`", "max", "max = 3", problems)?;
    let max = max.integer("`max`", 0..=u32::MAX, problems)?;
    let mut wait = |key| {
        let micros = fields.read(key, |node, what| micros_or_zero(node, what, problems));
        micros.map(Duration::from_micros)
    };
    let (base, cap) = (wait("base"), wait("cap"));
    if let Some((node, (base, cap))) = fields.get("cap").zip(base.zip(cap))
        && cap < base
    {
        let code = graph_code::RETRY_CAP_BELOW_BASE;
        let message = "the longest wait before a retry is below the shortest";
        problems.push(Diagnostic::new(code, message).at(node.span));
        return None;
    }
    Some(RetryKeys {
        max: Some(max),
        base,
        cap,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Resolves keys in milliseconds to the number of retries and both waits in milliseconds.
    fn resolved(max: Option<u32>, base: Option<u64>, cap: Option<u64>) -> (u32, u64, u64) {
        let (base, cap) = (
            base.map(Duration::from_millis),
            cap.map(Duration::from_millis),
        );
        let keys = RetryKeys { max, base, cap };
        let defaults = Retry::times(7).backoff(Duration::from_secs(2), Duration::from_secs(9));
        let retry = keys.resolve(defaults);
        let millis = |wait: Duration| wait.as_millis() as u64;
        (retry.max_retries, millis(retry.base), millis(retry.cap))
    }

    #[test]
    fn keys_override_the_defaults_and_bound_the_default_of_the_other_wait() {
        assert_eq!(resolved(None, None, None), (7, 2_000, 9_000));
        assert_eq!(resolved(Some(1), None, None), (1, 2_000, 9_000));
        assert_eq!(resolved(Some(1), Some(5_000), None), (1, 5_000, 9_000));
        assert_eq!(resolved(Some(1), Some(20_000), None), (1, 20_000, 20_000));
        assert_eq!(resolved(Some(1), None, Some(500)), (1, 500, 500));
        assert_eq!(resolved(Some(1), None, Some(60_000)), (1, 2_000, 60_000));
        assert_eq!(resolved(Some(1), Some(0), Some(0)), (1, 0, 0));
    }

    #[test]
    fn the_default_is_three_retries_after_a_second_to_a_minute() {
        assert_eq!(RetryKeys::default().resolve(DEFAULT), Retry::times(3));
    }

    proptest! {
        #[test]
        fn no_default_policy_puts_the_longest_wait_below_the_shortest(
            base in any::<Option<u32>>(), cap in any::<Option<u32>>(), waits in any::<(u32, u32)>()
        ) {
            let micros = |wait: u32| Duration::from_micros(wait.into());
            let (base, cap) = (base.map(micros), cap.map(micros));
            // `read` refuses a `cap` below `base`.
            prop_assume!(base.zip(cap).is_none_or(|(base, cap)| base <= cap));
            let keys = RetryKeys { max: None, base, cap };
            let retry = keys.resolve(Retry::times(1).backoff(micros(waits.0), micros(waits.1)));
            prop_assert!(retry.base <= retry.cap, "{retry:?}");
            prop_assert!(base.is_none_or(|base| base == retry.base));
            prop_assert!(cap.is_none_or(|cap| cap == retry.cap));
        }
    }
}
