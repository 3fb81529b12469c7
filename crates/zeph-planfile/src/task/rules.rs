//! Rules of commands, which a task or `[defaults]` gives: retries, time-outs, failure, lanes.

use zeph_graph::wire::{AskDefault, Code, LaneUseSpec, OnFailureSpec};
use zeph_graph::{Effect, FailureAnswer};

use super::retry::{self, Wish};
use super::{Mode, Use, command};
use crate::errors::PlanCode;
use crate::fields::{self, Fields};
use crate::node::{Node, Value};
use crate::place::{Place, Problems};

/// The keys of `[defaults]`.
pub(super) const KEYS: [&str; 9] = [
    "timeout",
    "total_timeout",
    "retry",
    "on_failure",
    "effect",
    "lanes",
    "priority",
    "env",
    "cwd",
];

const EFFECTS: [(&str, Effect); 3] = [
    ("pure", Effect::Pure),
    ("idempotent", Effect::Idempotent),
    ("at_most_once", Effect::AtMostOnce),
];
const ANSWERS: [(&str, FailureAnswer); 3] = [
    ("retry", FailureAnswer::Retry),
    ("skip", FailureAnswer::Skip),
    ("abort", FailureAnswer::Abort),
];

/// What happens after the last attempt.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The strategy itself.
    Then(OnFailureSpec),
    /// The default retries, if there are no others, and then the end of the run.
    Retry,
}

/// Rules of commands; what is `None` was not said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    pub(super) timeout: Option<u64>,
    pub(super) total_timeout: Option<u64>,
    pub(super) retry: Option<Wish>,
    pub(super) on_failure: Option<Failure>,
    pub(super) effect: Option<Effect>,
    pub(super) lanes: Option<(Vec<LaneUseSpec>, Place)>,
    pub(super) priority: Option<i32>,
    pub(super) env: Vec<(String, String)>,
    pub(super) cwd: Option<String>,
}

impl Rules {
    pub(super) fn read(fields: &Fields<'_>, uses: &mut Vec<Use>, problems: &mut Problems) -> Self {
        let mut micros = |key: &str| {
            let node = fields.get(key)?;
            fields::micros(node, &format!("`{key}`"), problems)
        };
        let (timeout, total_timeout) = (micros("timeout"), micros("total_timeout"));
        let retry = fields.get("retry");
        let effect = fields.get("effect");
        let env = fields.get("env");
        let cwd = fields.get("cwd");
        Self {
            timeout,
            total_timeout,
            retry: retry.and_then(|node| retry::read(node, problems)),
            on_failure: fields
                .get("on_failure")
                .and_then(|node| on_failure(node, uses, problems)),
            effect: effect.and_then(|node| fields::word(node, "`effect`", &EFFECTS, problems)),
            lanes: fields
                .get("lanes")
                .map(|node| (lanes(node, problems), node.place)),
            priority: fields
                .get("priority")
                .and_then(|node| priority(node, problems)),
            env: env.map_or_else(Vec::new, |node| command::env(node, uses, problems)),
            cwd: cwd.and_then(|node| command::cwd(node, uses, problems)),
        }
    }

    /// Puts these rules into a task, and those of `defaults` where these say nothing.
    pub(super) fn apply(self, defaults: &Self, draft: &mut super::Draft) {
        let spec = &mut draft.spec;
        spec.attempt_timeout_us = self.timeout.or(defaults.timeout);
        spec.task_timeout_us = self.total_timeout.or(defaults.total_timeout);
        spec.effect = self.effect.or(defaults.effect).unwrap_or_default();
        spec.priority = self.priority.or(defaults.priority).unwrap_or_default();
        draft.retry = self.retry.or(defaults.retry);
        if let Some((lanes, place)) = self.lanes.or_else(|| defaults.lanes.clone()) {
            spec.lanes = lanes;
            let codes = [Code::UnknownLane, Code::DuplicateLane, Code::BadWeight];
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

pub(super) fn priority(node: &Node, problems: &mut Problems) -> Option<i32> {
    fields::integer(node, "`priority`", (i32::MIN, i32::MAX), problems)
}

fn on_failure(node: &Node, uses: &mut Vec<Use>, problems: &mut Problems) -> Option<Failure> {
    let then = |strategy| Some(Failure::Then(strategy));
    if !matches!(node.value, Value::Table(_)) {
        let words = [("abort", 0), ("skip", 1), ("ask", 2), ("retry", 3)];
        return match fields::word(node, "`on_failure`", &words, problems)? {
            0 => then(OnFailureSpec::Abort {}),
            1 => then(OnFailureSpec::Skip {}),
            2 => then(OnFailureSpec::Ask { default: None }),
            _ => Some(Failure::Retry),
        };
    }
    let fields = Fields::open(node, "`on_failure`", &["value", "ask"], problems)?;
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
        (Some(_), Some(ask)) => {
            let message = "`on_failure` has both `value` and `ask`";
            problems.add(PlanCode::MisplacedKey, ask.key_place, message);
            None
        }
        (None, None) => {
            problems
                .add(PlanCode::MissingKey, node.place, "`on_failure` is empty")
                .help(
                    "write \"abort\", \"skip\", \"ask\", \"retry\", { value = … } or { ask = … }",
                );
            None
        }
    }
}

fn ask_default(node: &Node, problems: &mut Problems) -> Option<Option<AskDefault>> {
    let fields = Fields::open(node, "`ask`", &["default", "after"], problems)?;
    let (answer, after) = both(&fields, problems)?;
    let Some((answer, after)) = answer.zip(after) else {
        return Some(None);
    };
    let answer = fields::word(answer, "`default`", &ANSWERS, problems);
    let after_us = fields::micros(after, "`after`", problems);
    let (answer, after_us) = answer.zip(after_us)?;
    Some(Some(AskDefault { after_us, answer }))
}

/// `default` and `after`, which only have a meaning together.
pub(super) fn both<'a>(
    fields: &Fields<'a>,
    problems: &mut Problems,
) -> Option<(Option<&'a Node>, Option<&'a Node>)> {
    let (default, after) = (fields.entry("default"), fields.entry("after"));
    let lonely = match (default, after) {
        (Some(entry), None) => Some((entry, "after")),
        (None, Some(entry)) => Some((entry, "default")),
        (Some(_), Some(_)) | (None, None) => None,
    };
    if let Some((entry, missing)) = lonely {
        let message = format!("`{}` has no meaning without `{missing}`", entry.key);
        problems
            .add(PlanCode::MissingKey, entry.key_place, message)
            .help("write what is answered, and after which time");
        return None;
    }
    Some((default.map(|it| &it.node), after.map(|it| &it.node)))
}

/// Notes all texts of a value that takes any JSON.
pub(super) fn note_texts(node: &Node, uses: &mut Vec<Use>) {
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match &node.value {
            Value::Text(text) => uses.push(Use {
                text: text.clone(),
                place: node.place,
                mode: Mode::Early,
            }),
            Value::List(items) => open.extend(items),
            Value::Table(entries) => open.extend(entries.iter().map(|entry| &entry.node)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

fn lanes(node: &Node, problems: &mut Problems) -> Vec<LaneUseSpec> {
    if let Value::Table(entries) = &node.value {
        let weighed = entries.iter().filter_map(|entry| {
            let what = "the weight in a lane";
            Some(LaneUseSpec {
                lane: entry.key.clone(),
                weight: fields::integer(&entry.node, what, (1, u32::MAX), problems)?,
            })
        });
        return weighed.collect();
    }
    let items = fields::list(node, "`lanes`", problems).unwrap_or_default();
    let names = items.iter().filter_map(|item| {
        let lane = fields::text(item, "the name of a lane", problems)?.to_owned();
        Some(LaneUseSpec { lane, weight: 1 })
    });
    names.collect()
}
