//! Keys that are no fields: harmless ones are ignored and reported, the others are refused.
//!
//! A key is harmless if ignoring it changes nothing that a plan does: it has no value, or it is known as a
//! remark; or it is close to no field, has no word of rights, order or conditions in it, and its value
//! names no task, agent, tool or command. So a repair never widens what a plan may do, and loses no need.

use serde_json::Value;
use zeph_diagnostics::quote;

use super::draft::{Draft, TaskDraft};
use super::keys::Extra;
use super::names::{Found, Names};
use super::words::{self, PLAN, TASK, fold};
use crate::plan::accepted::{FAILURE_RULES, TRIGGERS};
use crate::plan::finding::{Findings, code, repair};
use crate::plan::matching::{Noun, find};
use crate::plan::{PlanRequest, TaskKind};

/// Keys with a state or a result, which a plan cannot set.
const STATE: &str = "state status result results output outputs outcome error errors attempt attempts \
     started_at finished_at completed completed_at done progress is_done is_completed finished";
/// The values of a state that has not begun; they say nothing.
const NOT_BEGUN: &str = "pending todo to_do not_started not_yet_started notstarted waiting queued planned new open \
     ready draft unstarted incomplete not_done no false 0 proposed scheduled created";
/// Keys that are remarks, whatever their value is.
const REMARKS: &str = "note notes comment comments remark remarks tag tags labels category categories priority \
     importance urgency version schema title name label description summary rationale reason reasoning \
     why explanation thought thoughts justification purpose confidence complexity difficulty effort \
     estimated_time estimated_duration duration time_estimate estimate eta phase stage order index number \
     step_number position sequence level color icon emoji metadata meta created_at updated_at author \
     language total_tasks task_count num_tasks total_steps step_count count goal objective topic deliverable";
/// Words of rights, order, conditions and limits: a key with one of them may change what a task does.
const WORDS: &str = "tool tools toolset function functions approve approval approved approver confirm confirmation consent \
     permission permissions permit right rights grant grants allow allowed allows deny denied forbid forbidden disallow disallowed \
     restrict restricted restriction restrictions readonly read write sandbox safe unsafe secret secrets only \
     limit limits max maximum min minimum unless until if when while condition conditions conditional else loop \
     foreach each matrix repeat retry retries timeout deadline budget model temperature env environment cwd \
     shell script run exec execute sudo root admin before after depend depends dependency dependencies \
     dependent dependents need needs require requires required requirement requirements prerequisite \
     prerequisites parent parents child children upstream downstream next then previous follow follows successor \
     successors predecessor predecessors blocked blocks blocker wait waits trigger fail fails failure fallback \
     finally cleanup skip abort ask gate guard check review human interactive parallel sequential serial concurrency \
     agent agents assign assigned command commands argument arguments edge edges link links connection \
     connections tasks subtasks subtask steps inputs input input_from lane group policy effect access scope \
     capability capabilities role";

fn is_one_of(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|one| one == word)
}

/// Reports the keys of a plan and of its tasks that are no fields.
pub(super) fn check(draft: &Draft, names: &Names, request: &PlanRequest, found: &mut Findings) {
    let mut judge = Judge {
        names,
        request,
        found,
    };
    for one in &draft.others {
        judge.judge(one, None, "");
    }
    for (position, task) in draft.tasks.iter().enumerate() {
        for one in &task.others {
            if judge.found.is_full() {
                return;
            }
            judge.judge(
                one,
                Some((position, task)),
                &format!("/tasks/{}", task.index),
            );
        }
    }
}

struct Judge<'a, 'f> {
    names: &'a Names,
    request: &'a PlanRequest,
    found: &'f mut Findings,
}

impl Judge<'_, '_> {
    fn judge(&mut self, extra: &Extra, task: Option<(usize, &TaskDraft)>, at: &str) {
        let (key, value) = (&*extra.key, &extra.value);
        // A key as a segment of a JSON pointer.
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        let folded = fold(key);
        if value.is_null() {
            let message = format!("{} ignored, because it has no value", quote(key));
            return self.found.repair(repair::EMPTY_FIELD, &at, message);
        }
        if extra.is_spare {
            let message = format!("{} ignored, because a better field says it", quote(key));
            return self.found.repair(repair::IGNORED_FIELD, &at, message);
        }
        if is_one_of(STATE, &folded) {
            if is_empty(value) || has_not_begun(value) {
                let message = format!("{} ignored: the task has not begun", quote(key));
                return self.found.repair(repair::IGNORED_FIELD, &at, message);
            }
            let message = format!("a plan cannot set {}", quote(key));
            let help = "describe the work, not its state or result";
            return self.found.problem(code::STATE_FIELD, &at, message, help);
        }
        if !is_one_of(REMARKS, &folded)
            && let Some(why) = self.danger(key, &folded, value, task)
        {
            let message = format!("unknown field {}: {why}", quote(key));
            let fields = if task.is_some() { &TASK } else { &PLAN };
            let help = match words::near(fields, &folded) {
                Some(field) => format!("did you mean \"{field}\"?"),
                None => "leave it out, and say it in \"prompt\"".to_owned(),
            };
            return self.found.problem(code::UNKNOWN_FIELD, &at, message, help);
        }
        if is_empty(value) {
            let message = format!("{} ignored, because it has no value", quote(key));
            return self.found.repair(repair::EMPTY_FIELD, &at, message);
        }
        let message = format!("{} ignored, because a plan has no such field", quote(key));
        self.found.repair(repair::IGNORED_FIELD, &at, message);
    }

    /// Why ignoring a key may change what the plan does.
    fn danger(
        &self,
        key: &str,
        folded: &str,
        value: &Value,
        task: Option<(usize, &TaskDraft)>,
    ) -> Option<String> {
        const MAX_KEY_BYTES: usize = 64;
        if key.len() > MAX_KEY_BYTES || folded.is_empty() {
            return Some("it is no name of a field".to_owned());
        }
        let fields = if task.is_some() { &TASK } else { &PLAN };
        if let Some(field) = words::near(fields, folded) {
            return Some(format!("it is close to \"{field}\""));
        }
        if let Some(word) = folded.split('_').find(|word| is_one_of(WORDS, word)) {
            return Some(format!("{} may change what is done", quote(word)));
        }
        if matches!(value, Value::Array(_) | Value::Object(_)) && is_empty(value) {
            // Written for another word, an empty list takes all tools away.
            let has_tools = task.is_none_or(|(_, task)| task.has_tools);
            return (!has_tools).then(|| "its empty list may mean no tools".to_owned());
        }
        let text = texts(value).find(|text| self.names_something(text, task))?;
        Some(format!("its value names {}", quote(&text)))
    }

    /// Whether a text names another task, an agent, a tool or a command.
    fn names_something(&self, text: &str, task: Option<(usize, &TaskDraft)>) -> bool {
        let (own, agent) = match task {
            Some((position, task)) => (Some(position), task.agent.as_deref()),
            None => (None, None),
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
            Value::Number(_) | Value::Null | Value::Bool(_) => {}
        }
    }
    texts.into_iter()
}

fn has_not_begun(value: &Value) -> bool {
    match value {
        Value::String(text) => is_one_of(NOT_BEGUN, &fold(text.trim_end_matches('%'))),
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::Bool(done) => !done,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
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
