//! The table of all settings: name, field, kind and range.

use std::path::PathBuf;
use std::time::Duration;

use zeph_diagnostics::Diagnostic;
use zeph_graph::OverBudget;

use crate::code;
use crate::config::OrchestrationConfig as Config;
use crate::kind::{Kind, Value};

/// One setting.
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    scope: Scope,
    field: fn(&mut Config) -> Field<'_>,
}

/// What the file of an untrusted project may do with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Set it to any value: nothing becomes possible or more expensive by it.
    Free,
    /// Lower it.
    Limit,
    /// Nothing: it runs programs, names an address, chooses files, or changes what a budget counts.
    Trusted,
}

/// The field of a setting in a configuration.
enum Field<'a> {
    U32(&'a mut u32),
    Usize(&'a mut usize),
    Limit(&'a mut Option<u64>),
    Time(&'a mut Duration),
    Timeout(&'a mut Option<Duration>),
    Path(&'a mut Option<PathBuf>),
    Text(&'a mut Option<String>),
    Names(&'a mut Vec<String>),
    Flag(&'a mut bool),
    Over(&'a mut OverBudget),
}

const DAY: Duration = Duration::from_secs(86_400);
const MILLI: Duration = Duration::from_millis(1);
/// More tokens than any run can use, and far from where sums overflow.
const MAX_TOKENS: u64 = 1_000_000_000_000;

macro_rules! settings {
    ($($name:literal: $variant:ident($($field:ident).+), $scope:ident, $kind:expr;)*) => {
        /// All settings, in the order in which the documentation lists them.
        pub(crate) static SETTINGS: &[Setting] = &[$(Setting {
            name: $name,
            kind: $kind,
            scope: Scope::$scope,
            field: |config| Field::$variant(&mut config.$($field).+),
        },)*];
    };
}

settings! {
    "max_parallel": U32(max_parallel), Limit, Kind::Count(1, 65_536);
    "attempt_timeout": Timeout(attempt_timeout), Limit, Kind::Timeout;
    "task_timeout": Timeout(task_timeout), Limit, Kind::Timeout;
    "run_timeout": Timeout(run_timeout), Limit, Kind::Timeout;
    "cancel_grace": Time(cancel_grace), Limit, Kind::Time(Duration::ZERO, DAY);
    "suspend_grace": Time(suspend_grace), Limit, Kind::Time(Duration::ZERO, DAY);
    "retry.max_retries": U32(retry.max_retries), Limit, Kind::Count(0, u32::MAX as u64);
    "retry.base": Time(retry.base), Free, Kind::Time(MILLI, DAY);
    "retry.cap": Time(retry.cap), Free, Kind::Time(MILLI, Duration::from_secs(30 * 86_400));
    "max_tasks": U32(max_tasks), Limit, Kind::Count(1, 10_000_000);
    "max_output_bytes": Usize(max_output_bytes), Limit, Kind::Bytes(1, 1 << 20);
    "log_bytes": Usize(log_bytes), Limit, Kind::Bytes(0, 64 << 20);
    "pass_env": Names(pass_env), Trusted, Kind::Names;
    "db": Path(db), Trusted, Kind::Path;
    "observer_buffer": Usize(observer_buffer), Limit, Kind::Count(1, 1_000_000);
    "llm.model": Text(llm.model), Trusted, Kind::Text;
    "llm.fallback_model": Text(llm.fallback_model), Trusted, Kind::Text;
    "llm.base_url": Text(llm.base_url), Trusted, Kind::Text;
    "llm.stream": Flag(llm.stream), Free, Kind::Flag;
    "llm.system_role": Flag(llm.system_role), Trusted, Kind::Flag;
    "llm.max_tokens_field": Text(llm.max_tokens_field), Trusted, Kind::Text;
    "llm.proxy": Text(llm.proxy), Trusted, Kind::Text;
    "llm.key_in_clear": Flag(llm.key_in_clear), Trusted, Kind::Flag;
    "llm.timeout": Time(llm.timeout), Limit, Kind::Time(MILLI, DAY);
    "llm.calls": U32(llm.calls), Limit, Kind::Count(1, 100);
    "llm.input_usd": Limit(llm.input_usd), Trusted, Kind::Money;
    "llm.fallback_input_usd": Limit(llm.fallback_input_usd), Trusted, Kind::Money;
    "llm.fallback_output_usd": Limit(llm.fallback_output_usd), Trusted, Kind::Money;
    "llm.output_usd": Limit(llm.output_usd), Trusted, Kind::Money;
    "budget.tokens": Limit(budget.tokens), Limit, Kind::Limit(0, MAX_TOKENS);
    "budget.usd": Limit(budget.usd), Limit, Kind::Money;
    "budget.over": Over(budget.over), Trusted, Kind::Over;
    "plan.max_tasks": U32(plan.max_tasks), Limit, Kind::Count(1, 1_000);
    "plan.max_depth": U32(plan.max_depth), Limit, Kind::Count(1, 1_000);
    "plan.max_width": U32(plan.max_width), Limit, Kind::Count(1, 1_000);
    "plan.max_replans": U32(plan.max_replans), Limit, Kind::Count(0, 10);
    "plan.start_early": Flag(plan.start_early), Trusted, Kind::Flag;
    "agents": Path(agents), Trusted, Kind::Path;
    "prompts": Path(prompts), Trusted, Kind::Path;
    "plan_cache": Path(plan_cache), Trusted, Kind::Path;
    "tools.write": Path(tools.write), Trusted, Kind::Path;
    "tools.run": Names(tools.run), Trusted, Kind::Words;
    "tools.http": Names(tools.http), Trusted, Kind::Words;
    "hooks.failed": Names(hooks.failed), Trusted, Kind::Program;
    "hooks.question": Names(hooks.question), Trusted, Kind::Program;
    "hooks.ended": Names(hooks.ended), Trusted, Kind::Program;
    "hooks.timeout": Time(hooks.timeout), Trusted, Kind::Time(MILLI, Duration::from_secs(3_600));
}

impl Setting {
    /// The value in a configuration.
    fn get(&self, config: &mut Config) -> Value {
        match (self.field)(config) {
            Field::U32(field) => Value::Number((*field).into()),
            Field::Usize(field) => Value::Number(*field as u64),
            Field::Limit(field) => field.map_or(Value::None, Value::Number),
            Field::Time(field) => Value::Time(*field),
            Field::Timeout(field) => field.map_or(Value::None, Value::Time),
            Field::Path(field) => field.clone().map_or(Value::None, Value::Path),
            Field::Text(field) => field.clone().map_or(Value::None, Value::Text),
            Field::Names(field) => Value::Names(field.clone()),
            Field::Flag(field) => Value::Flag(*field),
            Field::Over(field) => Value::Over(*field),
        }
    }

    /// The value in a configuration as text.
    pub(crate) fn text(&self, config: &Config) -> String {
        self.kind.show(&self.get(&mut config.clone()))
    }

    /// Whether the file of an untrusted project may replace the value that `config` has.
    pub(crate) fn allows(&self, config: &Config, value: &Value) -> bool {
        match self.scope {
            Scope::Free => true,
            Scope::Trusted => false,
            Scope::Limit => match (self.get(&mut config.clone()), value) {
                (Value::None, _) => true,
                (Value::Number(old), Value::Number(new)) => *new <= old,
                (Value::Time(old), Value::Time(new)) => *new <= old,
                (_, _) => false,
            },
        }
    }

    /// Whether the setting counts only in a trusted project, whatever its value.
    pub(crate) fn needs_trust(&self) -> bool {
        self.scope == Scope::Trusted
    }

    /// Puts a value of the setting's kind into a configuration.
    pub(crate) fn set(&self, config: &mut Config, value: Value) {
        match ((self.field)(config), value) {
            // The range keeps the number below `u32::MAX`.
            (Field::U32(field), Value::Number(n)) => *field = u32::try_from(n).unwrap_or(u32::MAX),
            (Field::Usize(field), Value::Number(n)) => *field = n as usize,
            (Field::Limit(field), Value::Number(n)) => *field = Some(n),
            (Field::Limit(field), Value::None) => *field = None,
            (Field::Time(field), Value::Time(time)) => *field = time,
            (Field::Timeout(field), Value::Time(time)) => *field = Some(time),
            (Field::Timeout(field), Value::None) => *field = None,
            (Field::Path(field), Value::Path(path)) => *field = Some(path),
            (Field::Text(field), Value::Text(text)) => *field = Some(text),
            (Field::Names(field), Value::Names(names)) => *field = names,
            (Field::Flag(field), Value::Flag(flag)) => *field = flag,
            (Field::Over(field), Value::Over(over)) => *field = over,
            (_, value) => debug_assert!(false, "{value:?} is not a value of {}", self.name),
        }
    }
}

/// The names of all settings, such as `retry.base`.
///
/// # Examples
/// ```
/// assert!(zeph_config::keys().any(|key| key == "retry.base"));
/// ```
pub fn keys() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.name)
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

pub(crate) fn find(name: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.name == name)
}

/// The first part of the settings' names that are in tables, such as `retry`.
pub(crate) fn is_table(name: &str) -> bool {
    let tables = keys().filter_map(|key| key.split_once('.'));
    tables.into_iter().any(|(table, _)| table == name)
}

/// All problems of a configuration, with the name of the setting as the path.
pub(crate) fn problems(config: &Config) -> Vec<Diagnostic> {
    let mut config = config.clone();
    let single = SETTINGS.iter().filter_map(|setting| {
        let value = setting.get(&mut config);
        let problem = setting.kind.check(setting.name, &value)?;
        Some(problem.path(setting.name))
    });
    let mut found: Vec<Diagnostic> = single.collect();
    let (base, cap) = (config.retry.base, config.retry.cap);
    if base > cap && found.iter().all(|one| !is_about(one, "retry.")) {
        let (base, cap) = (Value::Time(base), Value::Time(cap));
        let message = format!("`retry.base` is {base}, above `retry.cap`, which is {cap}");
        let one = Diagnostic::new(code::CONFLICT, message).path("retry.base");
        found.push(one.help("lower it, or raise `retry.cap`"));
    }
    // With only one price, a budget would not count half of each call.
    let llm = &config.llm;
    let own = (
        "llm.input_usd",
        llm.input_usd,
        "llm.output_usd",
        llm.output_usd,
    );
    let fallback = (
        "llm.fallback_input_usd",
        llm.fallback_input_usd,
        "llm.fallback_output_usd",
        llm.fallback_output_usd,
    );
    let alone = [own, fallback].into_iter().filter_map(|pair| match pair {
        (one, Some(_), other, None) | (other, None, one, Some(_)) => Some((one, other)),
        (_, Some(_), _, Some(_)) | (_, None, _, None) => None,
    });
    found.extend(alone.map(|(key, other)| {
        let message = format!("`{key}` is given without `{other}`");
        let one = Diagnostic::new(code::CONFLICT, message).path(key);
        one.help("give both, or none")
    }));
    found
}

fn is_about(one: &Diagnostic, prefix: &str) -> bool {
    one.path
        .as_ref()
        .is_some_and(|path| path.starts_with(prefix))
}
