//! The answers of a run: what was answered, who gave it, from where, and when.

use serde_json::{Value, json};
use zeph_common::{Boundary, truncate};
use zeph_graph::{Entry, Timestamp};
use zeph_memory::RawGraphStore;
use zeph_runtime::{AnswerView, RunView};

use super::explain;
use super::time::moment;
use crate::exit::CliError;

/// The most bytes of an answer that are shown.
const MAX_ANSWER_BYTES: usize = 200;

/// The answers of a run, in the order of their records.
#[derive(Debug, Default)]
pub(crate) struct Answers(Vec<AnswerView>);

impl Answers {
    pub(crate) async fn read(store: &dyn RawGraphStore, view: &RunView) -> Result<Self, CliError> {
        Ok(Self(view.answers(store).await?))
    }

    /// `: "yes" by anna (process 4711, pts/3), DATE`; empty for the record of anything else.
    pub(crate) fn words(&self, entry: &Entry, now: Timestamp) -> String {
        let Some(answer) = self.of(entry) else {
            return String::new();
        };
        let text = short(&answer.text);
        let Some(actor) = &answer.by else {
            return format!(": {text}");
        };
        let at = moment(actor.posted_at.unwrap_or(answer.at), now);
        format!(": {text} by {actor}, {at}")
    }

    /// Who gave the answer of a record; null if that is not known.
    pub(crate) fn actor_json(&self, entry: &Entry) -> Value {
        json!(self.of(entry).and_then(|answer| answer.by.as_ref()))
    }

    fn of(&self, entry: &Entry) -> Option<&AnswerView> {
        let at = self.0.binary_search_by_key(&entry.seq, |answer| answer.seq);
        at.ok().map(|at| &self.0[at])
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
        self.0.iter().map(answer).collect()
    }
}

/// An answer in quotation marks, shortened.
pub(crate) fn short(text: &str) -> String {
    format!(
        "{:?}",
        truncate(text, MAX_ANSWER_BYTES, Boundary::Word).to_string()
    )
}
