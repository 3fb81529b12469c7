//! Rules of commands, which a task or `[defaults]` sets: retries, time-outs, failure, lanes.

use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Span, Table, Value};
use zeph_graph::wire::{AskDefault, LaneUseSpec, OnFailureSpec, code as graph_code};
use zeph_graph::{Effect, FailureAnswer};

use super::retry::{self, RetryKeys};
use super::{Mode, Use, command};
use crate::code;
use crate::fields::micros;
use crate::foreign;

/// The keys of `[defaults]`.
pub(crate) const KEYS: [&str; 11] = [
    "timeout",
    "total_timeout",
    "retry",
    "on_failure",
    "effect",
    "lanes",
    "priority",
    "env",
    "pass_env",
    "cwd",
    "path",
];

/// The key of `on_failure` that names the task that runs in place of this one.
pub(crate) const FALLBACK: &str = "fallback";

/// What happens after the last attempt.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The strategy itself.
    Then(OnFailureSpec),
    /// The default retries, unless `retry` sets others; then the run is aborted.
    Retry,
}

/// Rules of commands; `None` for a key that is not set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(super) timeout: Option<u64>,
    pub(super) total_timeout: Option<u64>,
    pub(super) retry: Option<RetryKeys>,
    pub(super) on_failure: Option<Failure>,
    /// The name in `on_failure = { fallback = … }`.
    pub(super) fallback: Option<Span>,
    pub(super) effect: Option<Effect>,
    pub(super) lanes: Option<(Vec<LaneUseSpec>, Span)>,
    pub(super) priority: Option<i32>,
    pub(super) env: Vec<(String, String)>,
    pub(super) pass_env: Option<Vec<String>>,
    pub(super) cwd: Option<String>,
    pub(super) path: Option<Vec<String>>,
}

impl Rules {
    pub(super) fn read(
        fields: &Table<'_>,
        uses: &mut Vec<Use>,
        problems: &mut Diagnostics,
    ) -> Self {
        Self {
            timeout: fields.read("timeout", |node, what| micros(node, what, problems)),
            total_timeout: fields.read("total_timeout", |node, what| micros(node, what, problems)),
            retry: fields.read("retry", |node, _| retry::read(node, problems)),
            on_failure: fields.read("on_failure", |node, _| on_failure(node, uses, problems)),
            fallback: (fields
                .get("on_failure")
                .and_then(|node| node.field(FALLBACK)))
            .map(|node| node.span),
            effect: fields.read("effect", |node, what| {
                node.parse(what, Effect::WORDS, problems)
            }),
            lanes: fields.read("lanes", |node, _| Some((lanes(node, problems), node.span))),
            priority: fields.read("priority", |node, _| priority(node, problems)),
            env: fields
                .get("env")
                .map_or_else(Vec::new, |node| command::env(node, uses, problems)),
            pass_env: (fields.get("pass_env")).map(|node| command::pass_env(node, problems)),
            cwd: fields.read("cwd", |node, _| command::cwd(node, uses, problems)),
            path: (fields.get("path")).map(|node| command::path(node, uses, problems)),
        }
    }

    /// Adds the variables of the plan, which those of these rules replace.
    pub(crate) fn inherit_env(&mut self, mut env: Vec<(String, String)>) {
        env.append(&mut self.env);
        self.env = env;
    }

    /// Applies these rules to a task, and those of `defaults` for the keys that are not set.
    pub(super) fn apply(self, defaults: &Self, draft: &mut super::Draft) {
        let spec = &mut draft.spec;
        spec.attempt_timeout_us = self.timeout.or(defaults.timeout);
        spec.task_timeout_us = self.total_timeout.or(defaults.total_timeout);
        spec.effect = self.effect.or(defaults.effect).unwrap_or_default();
        spec.priority = self.priority.or(defaults.priority).unwrap_or_default();
        draft.retry = self.retry.or(defaults.retry);
        let place = self.fallback.map(|place| (graph_code::BAD_FALLBACK, place));
        draft.marks.extend(place);
        if let Some((lanes, place)) = self.lanes.or_else(|| defaults.lanes.clone()) {
            spec.lanes = lanes;
            let codes = [
                graph_code::UNKNOWN_LANE,
                graph_code::DUPLICATE_LANE,
                graph_code::BAD_WEIGHT,
            ];
            draft.marks.extend(codes.map(|code| (code, place)));
        }
        match self.on_failure.or_else(|| defaults.on_failure.clone()) {
            Some(Failure::Then(strategy)) => spec.on_failure = strategy,
            Some(Failure::Retry) => {
                draft.retry = Some(draft.retry.unwrap_or_default().or_default_max());
            }
            None => {}
        }
        draft.resolve_retry(retry::DEFAULT);
    }
}

pub(super) fn priority(node: &Node, problems: &mut Diagnostics) -> Option<i32> {
    node.integer("`priority`", i32::MIN..=i32::MAX, problems)
}

fn on_failure(node: &Node, uses: &mut Vec<Use>, problems: &mut Diagnostics) -> Option<Failure> {
    let then = |strategy| Some(Failure::Then(strategy));
    if !matches!(node.value, Value::Table(_)) {
        let words = [("abort", 0), ("skip", 1), ("ask", 2), ("retry", 3)];
        return match node.word_with_help(
            "`on_failure`",
            &words,
            foreign::on_failure_word,
            problems,
        )? {
            0 => then(OnFailureSpec::Abort {}),
            1 => then(OnFailureSpec::Skip {}),
            2 => then(OnFailureSpec::Ask { default: None }),
            _ => Some(Failure::Retry),
        };
    }
    let fields = node.table("`on_failure`", &["value", "ask", FALLBACK], problems)?;
    if fields.entries().len() > 1 {
        let (first, second) = (&fields.entries()[0].key, &fields.entries()[1]);
        let message = format!("`on_failure` has both `{first}` and `{}`", second.key);
        problems.push(Diagnostic::new(code::MISPLACED_KEY, message).at(second.key_span));
        return None;
    }
    if let Some(name) = fields.get(FALLBACK) {
        let task = name.string("`fallback`", problems)?.to_owned();
        return then(OnFailureSpec::Fallback { task });
    }
    match (fields.get("value"), fields.entry("ask")) {
        (Some(value), None) => {
            note_texts(value, uses);
            let value = value.to_json();
            then(OnFailureSpec::Value { value })
        }
        (None, Some(ask)) => {
            let default = ask_default(&ask.node, problems)?;
            then(OnFailureSpec::Ask { default })
        }
        (_, None) | (Some(_), Some(_)) => {
            problems.push(Diagnostic::new(code::MISSING_KEY, "`on_failure` is empty").at(node.span).help("write \"abort\", \"skip\", \"ask\", \"retry\", { value = … }, { ask = … } or { fallback = \"NAME\" }"));
            None
        }
    }
}

fn ask_default(node: &Node, problems: &mut Diagnostics) -> Option<Option<AskDefault>> {
    let fields = node.table("`ask`", &["default", "after"], problems)?;
    let (answer, after) = both(&fields, problems)?;
    let Some((answer, after)) = answer.zip(after) else {
        return Some(None);
    };
    let answer = answer.parse("`default`", FailureAnswer::WORDS, problems);
    let after_us = micros(after, "`after`", problems);
    let (answer, after_us) = answer.zip(after_us)?;
    Some(Some(AskDefault { after_us, answer }))
}

/// `default` and `after`, which only have a meaning together.
pub(super) fn both<'a>(
    fields: &Table<'a>,
    problems: &mut Diagnostics,
) -> Option<(Option<&'a Node>, Option<&'a Node>)> {
    let (default, after) = (fields.entry("default"), fields.entry("after"));
    let lonely = match (default, after) {
        (Some(entry), None) => Some((entry, "after")),
        (None, Some(entry)) => Some((entry, "default")),
        (Some(_), Some(_)) | (None, None) => None,
    };
    if let Some((entry, missing)) = lonely {
        let message = format!("`{}` has no meaning without `{missing}`", entry.key);
        problems.push(
            Diagnostic::new(code::MISSING_KEY, message)
                .at(entry.key_span)
                .help("write what is answered, and after which time"),
        );
        return None;
    }
    Some((default.map(|it| &it.node), after.map(|it| &it.node)))
}

/// Collects all texts of an arbitrary JSON value that is fixed before the run.
pub(super) fn note_texts(node: &Node, uses: &mut Vec<Use>) {
    note_texts_as(node, Mode::Early, uses);
}

/// Collects all texts of an arbitrary JSON value.
pub(super) fn note_texts_as(node: &Node, mode: Mode, uses: &mut Vec<Use>) {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match &node.value {
            Value::String(text) => uses.push(Use::new(text, node, mode)),
            Value::List(items) => open.extend(items),
            Value::Table(entries) => open.extend(entries.iter().map(|entry| &entry.node)),
            Value::Null | Value::Bool(_) | Value::Integer(_) | Value::Float(_) => {}
        }
    }
}

fn lanes(node: &Node, problems: &mut Diagnostics) -> Vec<LaneUseSpec> {
    if let Value::Table(entries) = &node.value {
        let weighed = entries.iter().filter_map(|entry| {
            let what = "the weight in a lane";
            Some(LaneUseSpec {
                lane: entry.key.clone(),
                weight: entry.node.integer(what, 1..=u32::MAX, problems)?,
            })
        });
        return weighed.collect();
    }
    let items = node.list("`lanes`", problems).unwrap_or_default();
    let names = items.iter().filter_map(|item| {
        let lane = item.string("the name of a lane", problems)?.to_owned();
        Some(LaneUseSpec { lane, weight: 1 })
    });
    names.collect()
}
