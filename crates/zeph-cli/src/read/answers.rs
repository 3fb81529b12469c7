//! The answers of a run: who gave them, from where, and when.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use zeph_graph::{AnsweredBy, Entry, Record, Seq, Timestamp};
use zeph_memory::RawGraphStore;
use zeph_runtime::{Actor, RunView};

use super::explain;
use super::time::moment;
use crate::exit::CliError;

/// The people and programs that answered, by the records of the answers.
#[derive(Debug, Default)]
pub(crate) struct Answers(BTreeMap<Seq, Actor>);

impl Answers {
    pub(crate) async fn read(store: &dyn RawGraphStore, view: &RunView) -> Result<Self, CliError> {
        let mut actors = BTreeMap::new();
        for (entry, by) in answers(view) {
            if let Some(actor) = view.answered_by(store, by).await? {
                actors.insert(entry.seq, actor);
            }
        }
        Ok(Self(actors))
    }

    /// ` by anna (process 4711, pts/3), DATE`; empty for another record, or if it is not known.
    pub(crate) fn words(&self, entry: &Entry, now: Timestamp) -> String {
        let Some(actor) = self.0.get(&entry.seq) else {
            return String::new();
        };
        let at = moment(actor.posted_at.unwrap_or(entry.at), now);
        format!(" by {actor}, {at}")
    }

    /// Who gave the answer of a record; null if that is not known.
    pub(crate) fn actor_json(&self, entry: &Entry) -> Value {
        json!(self.0.get(&entry.seq))
    }

    /// All answers of a run.
    pub(crate) fn to_json(&self, view: &RunView) -> Vec<Value> {
        let answer = |(entry, by): (&Entry, AnsweredBy)| {
            let Record::Answered { task, question, .. } = entry.record else {
                return Value::Null;
            };
            json!({
                "question": question.get(),
                "task": explain::name(view, task),
                "at_us": entry.at.as_micros(),
                "by_default": by.is_default(),
                "by": self.actor_json(entry),
            })
        };
        answers(view).map(answer).collect()
    }
}

fn answers(view: &RunView) -> impl Iterator<Item = (&Entry, AnsweredBy)> {
    view.entries.iter().filter_map(|entry| {
        let Record::Answered { by, .. } = entry.record else {
            return None;
        };
        Some((entry, by))
    })
}
