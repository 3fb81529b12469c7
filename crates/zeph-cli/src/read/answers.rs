//! The decisions of persons in a run: answers and given ends, who gave them, from where, and when.

use serde_json::{Value, json};
use zeph_common::{Boundary, truncate};
use zeph_graph::{Entry, ManualEnd, TaskId, Timestamp};
use zeph_memory::RawGraphStore;
use zeph_runtime::{Actor, AnswerView, ManualEndView, RunView};

use super::explain;
use super::time::moment;
use crate::exit::CliError;

/// The most bytes of an answer that are shown.
const MAX_ANSWER_BYTES: usize = 200;

/// The answers of a run and the ends that persons gave its tasks, each in the order of their records.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    answers: Vec<AnswerView>,
    ends: Vec<ManualEndView>,
}

impl Answers {
    pub(crate) async fn read(store: &dyn RawGraphStore, view: &RunView) -> Result<Self, CliError> {
        Ok(Self {
            answers: view.answers(store).await?,
            ends: view.manual_ends(store).await?,
        })
    }

    /// `: "yes" by anna (process 4711, pts/3), DATE`; empty for the record of anything else.
    pub(crate) fn words(&self, entry: &Entry, now: Timestamp) -> String {
        let Some(answer) = self.of(entry) else {
            let actor = self
                .end_of(entry)
                .and_then(|end| Some((end, end.by.as_ref()?)));
            return actor.map_or_else(String::new, |(end, actor)| given_by(end, actor, now));
        };
        let text = short(&answer.text);
        let Some(actor) = &answer.by else {
            return format!(": {text}");
        };
        let at = moment(actor.posted_at.unwrap_or(answer.at), now);
        format!(": {text} by {actor}, {at}")
    }

    /// ` by anna (process 4711, pts/3), DATE: "the reason"`: who gave a task its end; `None` if none did, or if that
    /// is not known.
    pub(crate) fn end_words(&self, task: TaskId, now: Timestamp) -> Option<String> {
        let end = self.ends.iter().find(|end| end.task == task)?;
        Some(given_by(end, end.by.as_ref()?, now))
    }

    /// Who gave the answer of a record; null if that is not known.
    pub(crate) fn actor_json(&self, entry: &Entry) -> Value {
        let answer = self.of(entry).map(|answer| answer.by.as_ref());
        json!(answer.or_else(|| Some(self.end_of(entry)?.by.as_ref())))
    }

    fn of(&self, entry: &Entry) -> Option<&AnswerView> {
        let answers = &self.answers;
        let at = answers.binary_search_by_key(&entry.seq, |answer| answer.seq);
        at.ok().map(|at| &answers[at])
    }

    fn end_of(&self, entry: &Entry) -> Option<&ManualEndView> {
        let at = (self.ends).binary_search_by_key(&entry.seq, |end| end.seq);
        at.ok().map(|at| &self.ends[at])
    }

    /// The ends that persons gave, for programs.
    pub(crate) fn ends_json(&self, view: &RunView) -> Vec<Value> {
        let end = |given: &ManualEndView| {
            let end = match given.end {
                ManualEnd::Complete(_) => "complete",
                ManualEnd::Skip => "skip",
                ManualEnd::Withdraw => "withdraw",
            };
            json!({
                "task": explain::name(view, given.task),
                "end": end,
                "at_us": given.at.as_micros(),
                "by": given.by,
            })
        };
        self.ends.iter().map(end).collect()
    }

    pub(crate) fn to_json(&self, view: &RunView) -> Vec<Value> {
        let answer = |answer: &AnswerView| {
            json!({
                "question": answer.question,
                "task": explain::name(view, answer.task),
                "text": answer.text,
                "at_us": answer.at.as_micros(),
                "by_default": answer.is_default,
                "by": answer.by,
            })
        };
        self.answers.iter().map(answer).collect()
    }
}

fn given_by(end: &ManualEndView, actor: &Actor, now: Timestamp) -> String {
    let at = moment(actor.posted_at.unwrap_or(end.at), now);
    let reason = (actor.reason.as_deref()).map(|text| format!(": {}", short(text)));
    format!(" by {actor}, {at}{}", reason.unwrap_or_default())
}

/// An answer in quotation marks, shortened.
pub(crate) fn short(text: &str) -> String {
    format!(
        "{:?}",
        truncate(text, MAX_ANSWER_BYTES, Boundary::Word).to_string()
    )
}
