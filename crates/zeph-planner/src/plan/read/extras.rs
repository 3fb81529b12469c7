//! Keys that are no fields: harmless ones are ignored and reported, the others are refused.
//!
//! A key is harmless if it has no value, or if it is known to say nothing about what a plan does
//! ([`senses`](super::senses)). What is not known may mean something, so it is refused: a repair never
//! widens what a plan may do, and loses no need and no condition.

use serde_json::Value;
use zeph_diagnostics::quote;

use super::draft::{Draft, TaskDraft};
use super::keys::Extra;
use super::names::{Found, Names};
use super::senses::{Sense, is_credit, is_structure, sense};
use super::unwrap::Beside;
use super::words::{self, PLAN, TASK, field_of, fold, is_one_of};
use crate::plan::accepted::{FAILURE_RULES, TRIGGERS};
use crate::plan::finding::{Findings, code, repair};
use crate::plan::matching::{Noun, find};
use crate::plan::{PlanRequest, TaskKind};

/// The values of a state that has not begun; they say nothing.
const NOT_BEGUN: &str = "pending todo to_do not_started not_yet_started notstarted waiting queued planned new open \
     ready draft unstarted incomplete not_done no false 0 proposed scheduled created";
/// The values of the state of an answer that is all right.
const ANSWERED: &str = "ok okay success successful succeeded done complete completed finished final true 200 none null";
/// Keys around a plan that say of which form it is, with the values that say nothing else.
const ENVELOPE: [(&str, &str); 7] = [
    (
        "type",
        "function text tool_use tool_call function_call object json plan task_plan message output_text output \
     result response answer",
    ),
    ("role", "assistant model ai planner tool"),
    ("object", "plan message response chat_completion"),
    ("finish_reason", "stop end end_turn tool_calls tool_use"),
    ("stop_reason", "stop end end_turn tool_calls tool_use"),
    ("format", "json"),
    ("content_type", "json application_json"),
];

/// Reports the keys of a plan and of its tasks that are no fields.
pub(super) fn check(draft: &Draft, names: &Names, request: &PlanRequest, found: &mut Findings) {
    let mut judge = Judge {
        names,
        request,
        found,
    };
    for one in &draft.others {
        judge.judge(one, Place::Plan, "");
    }
    for (position, task) in draft.tasks.iter().enumerate() {
        for one in &task.others {
            if judge.found.is_full() {
                return;
            }
            let at = format!("/tasks/{}", task.index);
            judge.judge(one, Place::Task(position, task), &at);
        }
    }
}

/// Reports what stands beside a plan in the objects and lists around it.
pub(super) fn check_around(beside: &[Beside], request: &PlanRequest, found: &mut Findings) {
    let names = Names::default();
    let mut judge = Judge {
        names: &names,
        request,
        found,
    };
    for one in beside {
        match one {
            Beside::Wrapper { key, at } => {
                let message = format!(
                    "the plan is in {}, which may change what it means",
                    quote(key)
                );
                let help = "answer with the object that has \"reasoning\" and \"tasks\", and nothing around it";
                judge.found.problem(code::UNKNOWN_FIELD, at, message, help);
            }
            Beside::Item { at } => {
                let message = "the plan is in a list or a text with something else";
                let help = "answer with one object, and nothing around it";
                judge.found.problem(code::AMBIGUOUS, at, message, help);
            }
            Beside::Key {
                at,
                key,
                value,
                is_call,
            } => {
                let extra = Extra::of(key, value, false);
                judge.judge(&extra, Place::Around { is_call: *is_call }, at);
            }
        }
    }
}

/// Where a key stands.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// In a task, with its position.
    Task(usize, &'a TaskDraft),
    /// In the plan.
    Plan,
    /// Around the plan; `is_call` if the plan is the argument of a call.
    Around { is_call: bool },
}

struct Judge<'a, 'f> {
    names: &'a Names,
    request: &'a PlanRequest,
    found: &'f mut Findings,
}

impl Judge<'_, '_> {
    /// Judges a key. The keys in an object of remarks are judged as if they stood beside it.
    fn judge(&mut self, extra: &Extra, place: Place<'_>, at: &str) {
        // A key as a segment of a JSON pointer.
        let below =
            |at: &str, key: &str| format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        let mut open = vec![(extra.clone(), below(at, &extra.key))];
        let mut is_inner = false;
        while let Some((extra, at)) = open.pop() {
            let is_container = sense(&fold(&extra.key), true) == Sense::Container;
            if let (true, Value::Object(map)) = (is_container, &extra.value) {
                let inner = map
                    .iter()
                    .map(|(key, value)| (Extra::of(key, value, false), below(&at, key)));
                open.extend(inner);
            }
            let is_credit = is_inner && is_credit(&fold(&extra.key));
            if !is_credit || texts(&extra.value).any(|text| self.names_something(&text, place)) {
                self.judge_one(&extra, place, &at);
            }
            is_inner = true;
        }
    }

    fn judge_one(&mut self, extra: &Extra, place: Place<'_>, at: &str) {
        let (key, value) = (&*extra.key, &extra.value);
        if value.is_null() {
            let message = format!("{} ignored, because it has no value", quote(key));
            return self.found.repair(repair::EMPTY_FIELD, at, message);
        }
        if extra.is_spare {
            let message = format!("{} ignored, because a better field says it", quote(key));
            return self.found.repair(repair::IGNORED_FIELD, at, message);
        }
        let folded = fold(key);
        let sense = sense(&folded, matches!(place, Place::Task(..)));
        if sense == Sense::State {
            return self.state(key, value, place, at);
        }
        if let Some(why) = self.danger(&folded, extra, sense, place) {
            let fields = if matches!(place, Place::Task(..)) {
                &TASK
            } else {
                &PLAN
            };
            let help = match words::near(fields, &folded) {
                Some(field) => format!("did you mean \"{field}\"?"),
                None => match place {
                    Place::Task(..) => "leave it out, and say it in \"prompt\"".to_owned(),
                    Place::Plan | Place::Around { .. } => {
                        "leave it out, and say it in the prompts of the tasks that it is about"
                            .to_owned()
                    }
                },
            };
            let message = format!("unknown field {}: {why}", quote(key));
            return self.found.problem(code::UNKNOWN_FIELD, at, message, help);
        }
        if extra.is_read {
            return;
        }
        if is_empty(value) {
            let message = format!("{} ignored, because it has no value", quote(key));
            return self.found.repair(repair::EMPTY_FIELD, at, message);
        }
        let message = format!("{} ignored, because it changes nothing", quote(key));
        self.found.repair(repair::IGNORED_FIELD, at, message);
    }

    /// The state of a task that has not begun, or of an answer that is all right, says nothing.
    fn state(&mut self, key: &str, value: &Value, place: Place<'_>, at: &str) {
        let is_harmless = is_empty(value)
            || match place {
                Place::Task(..) | Place::Plan => is_word(value, NOT_BEGUN),
                Place::Around { .. } => is_word(value, ANSWERED),
            };
        if is_harmless {
            let message = format!("{} ignored: it says nothing about the work", quote(key));
            return self.found.repair(repair::IGNORED_FIELD, at, message);
        }
        let message = format!("a plan cannot set {}", quote(key));
        let help = "describe the work, not its state or result";
        self.found.problem(code::STATE_FIELD, at, message, help);
    }

    /// Why ignoring a key may change what the plan does.
    fn danger(
        &self,
        folded: &str,
        extra: &Extra,
        sense: Sense,
        place: Place<'_>,
    ) -> Option<String> {
        const MAX_KEY_BYTES: usize = 64;
        let value = &extra.value;
        if extra.key.len() > MAX_KEY_BYTES || folded.is_empty() {
            return Some("it is no name of a field".to_owned());
        }
        let is_meant = match sense {
            Sense::Remark | Sense::State => false,
            // The keys of an object are judged one by one.
            Sense::Container if value.is_object() || is_empty(value) => false,
            Sense::Prose => !is_prose(value) && !is_empty(value),
            Sense::Switch(harmless) => !is_empty(value) && switch(value) != Some(harmless),
            Sense::Instruction | Sense::Container if extra.is_read || is_empty(value) => {
                let text = texts(value).find(|text| self.names_something(text, place))?;
                return Some(format!("its value names {}", quote(&text)));
            }
            Sense::Instruction | Sense::Container => true,
            // The places in a task itself are compared with the needs.
            Sense::Order(_) => match place {
                Place::Task(_, task) => {
                    let is_place = value.is_number() || value.is_string();
                    let is_own = task.others.iter().any(|one| one.key == extra.key);
                    !(is_place && is_own)
                }
                Place::Plan | Place::Around { .. } => true,
            },
            Sense::Unknown => {
                let is_form = matches!(place, Place::Around { is_call } if is_envelope(folded, value, is_call));
                !is_form && self.is_unknown(folded, value, place)
            }
        };
        is_meant.then(|| "it may change what is done".to_owned())
    }

    /// Whether an unknown key may mean something. Without a value it says nothing, unless it is close to
    /// a field, or its empty list may be that of no tools.
    fn is_unknown(&self, folded: &str, value: &Value, place: Place<'_>) -> bool {
        let (fields, has_tools) = match place {
            Place::Task(_, task) => (&TASK, task.has_tools),
            Place::Plan | Place::Around { .. } => (&PLAN, false),
        };
        if !is_empty(value) {
            return true;
        }
        let is_list = matches!(value, Value::Array(_) | Value::Object(_));
        let is_field = field_of(&TASK, folded).is_some() || words::near(fields, folded).is_some();
        is_field || (is_list && !has_tools && !is_structure(folded))
    }

    /// Whether a text names another task, an agent, a tool or a command.
    fn names_something(&self, text: &str, place: Place<'_>) -> bool {
        let (own, agent) = match place {
            Place::Task(position, task) => (Some(position), task.agent.as_deref()),
            Place::Plan | Place::Around { .. } => (None, None),
        };
        let task = match self.names.find(text) {
            Found::One { position, .. } => Some(position) != own,
            Found::Several(_) => true,
            Found::None => false,
        };
        let catalog = &self.request.catalog;
        let named = find(text, catalog.names(), Noun::Agent);
        let agent = named.is_some_and(|named| {
            agent.is_none_or(|own| find(own, catalog.names(), Noun::Agent) != Some(named))
        });
        let tools = || {
            catalog
                .iter()
                .flat_map(|agent| &agent.tools)
                .map(String::as_str)
        };
        let is_word = |words: &[&str]| words.contains(&fold(text).as_str());
        task || agent
            || is_word(&TaskKind::ALL.map(TaskKind::word))
            || is_word(&TRIGGERS.map(|(word, _)| word))
            || is_word(&FAILURE_RULES.map(|(word, _)| word))
            || tools().any(|tool| tool.eq_ignore_ascii_case(text.trim()))
            || find(text, self.request.commands.names(), Noun::Command).is_some()
    }
}

/// The texts and numbers in a value, at any depth; at most 64.
fn texts(value: &Value) -> impl Iterator<Item = String> {
    let (mut open, mut texts) = (vec![value], Vec::new());
    while let Some(value) = open.pop() {
        if texts.len() >= 64 {
            break;
        }
        match value {
            Value::String(text) => texts.push(text.clone()),
            Value::Array(items) => open.extend(items),
            Value::Object(map) => {
                texts.extend(map.keys().cloned());
                open.extend(map.values());
            }
            Value::Number(number) => texts.push(number.to_string()),
            Value::Null | Value::Bool(_) => {}
        }
    }
    texts.into_iter()
}

/// Whether a key and its value say only of which form the answer is.
fn is_envelope(folded: &str, value: &Value, is_call: bool) -> bool {
    let is_call_name =
        is_call && ["tool", "function", "action", "tool_name", "recipient"].contains(&folded);
    let is_known = |(key, words): &(&str, &str)| *key == folded && is_word(value, words);
    ENVELOPE.iter().any(is_known) || (is_call_name && value.is_string())
}

/// Whether a value is one of some words.
fn is_word(value: &Value, words: &str) -> bool {
    match value {
        Value::String(text) => is_one_of(words, &fold(text.trim_end_matches('%'))),
        Value::Number(number) => is_one_of(words, number.to_string().trim_end_matches(".0")),
        Value::Bool(value) => is_one_of(words, if *value { "true" } else { "false" }),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

/// Whether a value is a text of several words, as it may stand around a plan.
fn is_prose(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.trim().contains(' '))
}

/// The value of a switch; `None` if it is none.
fn switch(value: &Value) -> Option<bool> {
    let is = |words| is_word(value, words);
    if is("true yes on 1") {
        Some(true)
    } else if is("false no off 0 none never null") {
        Some(false)
    } else {
        None
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
