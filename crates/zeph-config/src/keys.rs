//! The table of all settings: name, kind, range, field.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{OrchestrationConfig as Config, OverBudget};
use crate::error::Problem;
use crate::value::{show_bytes, show_money, show_time};

/// One setting.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) field: Field,
}

/// The kind of a setting, its range, and how its field is read and written.
pub(crate) enum Field {
    /// A number without unit.
    Count(u64, u64, fn(&Config) -> u64, fn(&mut Config, u64)),
    /// A number of bytes.
    Bytes(u64, u64, fn(&Config) -> u64, fn(&mut Config, u64)),
    /// A duration.
    Time(
        Duration,
        Duration,
        fn(&Config) -> Duration,
        fn(&mut Config, Duration),
    ),
    /// A time-out above zero, or none.
    Timeout(
        fn(&Config) -> Option<Duration>,
        fn(&mut Config, Option<Duration>),
    ),
    /// A file or a folder.
    Path(fn(&Config) -> Option<&PathBuf>, fn(&mut Config, PathBuf)),
    /// A text of one line.
    Text(fn(&Config) -> Option<&str>, fn(&mut Config, String)),
    /// A number without unit, or none.
    Limit(
        u64,
        u64,
        fn(&Config) -> Option<u64>,
        fn(&mut Config, Option<u64>),
    ),
    /// Dollars, kept as millionths of one, or none.
    Money(fn(&Config) -> Option<u64>, fn(&mut Config, Option<u64>)),
    /// Whether to ask or to go on with what there is.
    Over(fn(&mut Config, OverBudget)),
}

const DAY: Duration = Duration::from_secs(86_400);
const MILLI: Duration = Duration::from_millis(1);
/// More tokens than any run can use, and far from where sums overflow.
const MOST_TOKENS: u64 = 1_000_000_000_000;
/// The same for dollars, in millionths.
pub(crate) const MOST_MICRO_USD: u64 = 1_000_000_000_000;

/// All settings, in the order in which people read about them.
pub(crate) static KEYS: &[Key] = &[
    key(
        "max_parallel",
        Field::Count(
            1,
            65_536,
            |c| c.max_parallel.into(),
            |c, n| c.max_parallel = narrow(n),
        ),
    ),
    key(
        "attempt_timeout",
        Field::Timeout(|c| c.attempt_timeout, |c, t| c.attempt_timeout = t),
    ),
    key(
        "task_timeout",
        Field::Timeout(|c| c.task_timeout, |c, t| c.task_timeout = t),
    ),
    key(
        "run_timeout",
        Field::Timeout(|c| c.run_timeout, |c, t| c.run_timeout = t),
    ),
    key(
        "cancel_grace",
        Field::Time(
            Duration::ZERO,
            DAY,
            |c| c.cancel_grace,
            |c, t| c.cancel_grace = t,
        ),
    ),
    key(
        "suspend_grace",
        Field::Time(
            Duration::ZERO,
            DAY,
            |c| c.suspend_grace,
            |c, t| c.suspend_grace = t,
        ),
    ),
    key(
        "retry.max_retries",
        Field::Count(
            0,
            u32::MAX as u64,
            |c| c.retry.max_retries.into(),
            |c, n| c.retry.max_retries = narrow(n),
        ),
    ),
    key(
        "retry.base",
        Field::Time(MILLI, DAY, |c| c.retry.base, |c, t| c.retry.base = t),
    ),
    key(
        "retry.cap",
        Field::Time(
            MILLI,
            Duration::from_secs(30 * 86_400),
            |c| c.retry.cap,
            |c, t| c.retry.cap = t,
        ),
    ),
    key(
        "max_tasks",
        Field::Count(
            1,
            10_000_000,
            |c| c.max_tasks.into(),
            |c, n| c.max_tasks = narrow(n),
        ),
    ),
    key(
        "max_output_bytes",
        Field::Bytes(
            1,
            1 << 20,
            |c| c.max_output_bytes as u64,
            |c, n| c.max_output_bytes = narrow(n) as usize,
        ),
    ),
    key(
        "log_bytes",
        Field::Bytes(
            0,
            64 << 20,
            |c| c.log_bytes as u64,
            |c, n| c.log_bytes = narrow(n) as usize,
        ),
    ),
    key(
        "db",
        Field::Path(|c| c.db.as_ref(), |c, path| c.db = Some(path)),
    ),
    key(
        "observer_buffer",
        Field::Count(
            1,
            1_000_000,
            |c| c.observer_buffer as u64,
            |c, n| c.observer_buffer = narrow(n) as usize,
        ),
    ),
    key(
        "llm.model",
        Field::Text(
            |c| c.llm.model.as_deref(),
            |c, text| c.llm.model = Some(text),
        ),
    ),
    key(
        "llm.base_url",
        Field::Text(
            |c| c.llm.base_url.as_deref(),
            |c, text| c.llm.base_url = Some(text),
        ),
    ),
    key(
        "llm.timeout",
        Field::Time(MILLI, DAY, |c| c.llm.timeout, |c, t| c.llm.timeout = t),
    ),
    key(
        "llm.calls",
        Field::Count(
            1,
            100,
            |c| c.llm.calls.into(),
            |c, n| c.llm.calls = narrow(n),
        ),
    ),
    key(
        "llm.input_usd",
        Field::Money(|c| c.llm.input_usd, |c, usd| c.llm.input_usd = usd),
    ),
    key(
        "llm.output_usd",
        Field::Money(|c| c.llm.output_usd, |c, usd| c.llm.output_usd = usd),
    ),
    key(
        "budget.tokens",
        Field::Limit(
            0,
            MOST_TOKENS,
            |c| c.budget.tokens,
            |c, tokens| c.budget.tokens = tokens,
        ),
    ),
    key(
        "budget.usd",
        Field::Money(|c| c.budget.usd, |c, usd| c.budget.usd = usd),
    ),
    key("budget.over", Field::Over(|c, over| c.budget.over = over)),
    key(
        "plan.max_tasks",
        Field::Count(
            1,
            1_000,
            |c| c.plan.max_tasks.into(),
            |c, n| c.plan.max_tasks = narrow(n),
        ),
    ),
    key(
        "plan.max_depth",
        Field::Count(
            1,
            1_000,
            |c| c.plan.max_depth.into(),
            |c, n| c.plan.max_depth = narrow(n),
        ),
    ),
    key(
        "plan.max_width",
        Field::Count(
            1,
            1_000,
            |c| c.plan.max_width.into(),
            |c, n| c.plan.max_width = narrow(n),
        ),
    ),
    key(
        "agents",
        Field::Path(|c| c.agents.as_ref(), |c, path| c.agents = Some(path)),
    ),
    key(
        "prompts",
        Field::Path(|c| c.prompts.as_ref(), |c, path| c.prompts = Some(path)),
    ),
    key(
        "plan_cache",
        Field::Path(
            |c| c.plan_cache.as_ref(),
            |c, path| c.plan_cache = Some(path),
        ),
    ),
];

const fn key(name: &'static str, field: Field) -> Key {
    Key { name, field }
}

/// A number that its range keeps below `u32::MAX`.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The names of all settings, such as `retry.base`.
///
/// # Examples
/// ```
/// assert!(zeph_config::keys().any(|key| key == "retry.base"));
/// ```
pub fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// The environment variable of a setting.
///
/// # Examples
/// ```
/// assert_eq!(zeph_config::env_name("retry.max_retries"), "ZEPH_RETRY_MAX_RETRIES");
/// ```
#[must_use]
pub fn env_name(key: &str) -> String {
    format!("ZEPH_{}", key.replace('.', "_").to_ascii_uppercase())
}

pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The candidate that is close enough to a name to be a typing error.
pub(crate) fn closest(name: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let near =
        candidates.map(|candidate| (strsim::damerau_levenshtein(name, &candidate), candidate));
    let allowed = (name.chars().count() / 4).clamp(1, 3);
    near.filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Everything that is out of range in a value, by key.
pub(crate) fn problems(config: &Config) -> Vec<(&'static str, Problem)> {
    let single = KEYS
        .iter()
        .filter_map(|key| Some((key.name, key.field.range_problem(config)?)));
    let mut found: Vec<_> = single.collect();
    let (base, cap) = (config.retry.base, config.retry.cap);
    if base > cap && !found.iter().any(|(key, _)| key.starts_with("retry.")) {
        let limit = show_time(cap);
        found.push((
            "retry.base",
            Problem::AboveOther {
                found: show_time(base),
                other: "retry.cap",
                limit,
            },
        ));
    }
    // A price without the other one would let half of each call go free.
    let lonely = match (config.llm.input_usd, config.llm.output_usd) {
        (Some(_), None) => Some(("llm.input_usd", "llm.output_usd")),
        (None, Some(_)) => Some(("llm.output_usd", "llm.input_usd")),
        (Some(_), Some(_)) | (None, None) => None,
    };
    found.extend(lonely.map(|(key, other)| (key, Problem::Alone { other })));
    found
}

impl Field {
    /// What is wrong with this field's value in a config.
    pub(crate) fn range_problem(&self, config: &Config) -> Option<Problem> {
        match self {
            Self::Count(low, high, get, _) => outside(get(config), *low, *high, |n| n.to_string()),
            Self::Bytes(low, high, get, _) => outside(get(config), *low, *high, show_bytes),
            Self::Time(low, high, get, _) => outside(get(config), *low, *high, show_time),
            Self::Timeout(get, _) => {
                get(config)
                    .filter(Duration::is_zero)
                    .map(|zero| Problem::Range {
                        found: show_time(zero),
                        wanted: "more than 0s, or \"none\"".to_owned(),
                    })
            }
            Self::Path(get, _) => {
                get(config)
                    .filter(|path| path.as_os_str().is_empty())
                    .map(|_| Problem::Range {
                        found: "an empty text".to_owned(),
                        wanted: "a path".to_owned(),
                    })
            }
            Self::Text(get, _) => {
                let wrong = get(config)
                    .filter(|text| text.trim().is_empty() || text.chars().any(char::is_control));
                wrong.map(|text| Problem::Range {
                    found: match text.trim().is_empty() {
                        true => "an empty text".to_owned(),
                        false => "a text of several lines, or with control characters".to_owned(),
                    },
                    wanted: "a text of one line".to_owned(),
                })
            }
            Self::Limit(low, high, get, _) => {
                get(config).and_then(|n| outside(n, *low, *high, |n| n.to_string()))
            }
            Self::Money(get, _) => {
                get(config).and_then(|usd| outside(usd, 0, MOST_MICRO_USD, show_money))
            }
            Self::Over(_) => None,
        }
    }
}

fn outside<T: PartialOrd>(
    value: T,
    low: T,
    high: T,
    show: impl Fn(T) -> String,
) -> Option<Problem> {
    if value >= low && value <= high {
        return None;
    }
    let wanted = format!("{} to {}", show(low), show(high));
    Some(Problem::Range {
        found: show(value),
        wanted,
    })
}
