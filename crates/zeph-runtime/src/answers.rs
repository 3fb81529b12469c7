//! The decisions of persons in a stored run: answers and given ends, who gave them, and when.

use std::collections::BTreeMap;

use serde_json::Value;
use zeph_graph::{
    Answer, AnsweredBy, ContentId, Entry, ManualEnd, Output, Record, Seq, TaskId, Timestamp,
};
use zeph_memory::{Content, RawGraphStore};

use crate::actor::Actor;
use crate::driver;
use crate::error::RuntimeError;
use crate::question::{QuestionView, answer_text};
use crate::restore::contents;
use crate::view::RunView;

/// An answer to a question of a stored run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AnswerView {
    /// The record of the answer.
    pub seq: Seq,
    /// When it was recorded.
    pub at: Timestamp,
    /// The task that asked.
    pub task: TaskId,
    /// The number of the question.
    pub question: u32,
    /// The answer as a person types it. Untrusted text.
    pub text: String,
    /// Whether it is the default, which counted because no other answer came in time.
    pub is_default: bool,
    /// Who answered, if that is known.
    pub by: Option<Actor>,
}

/// An end that a person gave a task of a stored run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManualEndView {
    /// The record.
    pub seq: Seq,
    /// When it was recorded.
    pub at: Timestamp,
    /// The task.
    pub task: TaskId,
    /// The end.
    pub end: ManualEnd,
    /// Who gave it and why, if that is known.
    pub by: Option<Actor>,
}

impl RunView {
    /// The ends that persons gave, oldest first.
    ///
    /// # Errors
    /// If the store cannot read who gave them.
    pub async fn manual_ends(
        &self,
        store: &dyn RawGraphStore,
    ) -> Result<Vec<ManualEndView>, RuntimeError> {
        let given = |entry: &Entry| {
            let Record::Overridden { task, end, by } = entry.record else {
                return None;
            };
            Some((entry.seq, entry.at, task, end, by))
        };
        let ids: Vec<ContentId> = (self.entries.iter().filter_map(given))
            .filter_map(|(.., by)| by.content())
            .collect();
        let parts = contents(store, &self.run, &ids).await?;
        let actor = |id: ContentId| {
            let part = parts.iter().find(|part| part.id == id)?;
            serde_json::from_slice(&part.bytes).ok()
        };
        let view = |(seq, at, task, end, by): (_, _, _, _, AnsweredBy)| ManualEndView {
            seq,
            at,
            task,
            end,
            by: by.content().and_then(actor),
        };
        Ok(self.entries.iter().filter_map(given).map(view).collect())
    }

    /// The answers, oldest first.
    ///
    /// # Errors
    /// If the store cannot read them.
    pub async fn answers(
        &self,
        store: &dyn RawGraphStore,
    ) -> Result<Vec<AnswerView>, RuntimeError> {
        self.read_answers(store, |_| true).await
    }

    /// The open question of that number. The inbox may have an answer to it.
    ///
    /// # Errors
    /// [`RuntimeError::AlreadyAnswered`] or [`RuntimeError::NoSuchQuestion`], or if the store cannot read the
    /// answer.
    pub async fn open_question(
        &self,
        store: &dyn RawGraphStore,
        question: u32,
    ) -> Result<QuestionView, RuntimeError> {
        let mut open = self.questions().into_iter();
        if let Some(open) = open.find(|open| open.id == question) {
            return Ok(open);
        }
        let given = self.read_answers(store, |of| of == question).await?.pop();
        let run = self.run.clone();
        Err(match given {
            Some(given) => RuntimeError::AlreadyAnswered {
                run,
                question,
                answer: given.text,
                posted: None,
            },
            None => RuntimeError::NoSuchQuestion { run, question },
        })
    }

    /// Reads the answers to some questions in one call of the store.
    async fn read_answers(
        &self,
        store: &dyn RawGraphStore,
        wanted: impl Fn(u32) -> bool,
    ) -> Result<Vec<AnswerView>, RuntimeError> {
        let is_wanted = |entry: &&Entry| matches!(entry.record, Record::Answered { question, .. } if wanted(question.get()));
        let answered = || self.entries.iter().filter(is_wanted);
        let ids: Vec<ContentId> = answered()
            .flat_map(|entry| entry.record.contents())
            .collect();
        // An answer and its sender have one part each.
        let parts = contents(store, &self.run, &ids).await?;
        let parts: BTreeMap<ContentId, Content> =
            parts.into_iter().map(|part| (part.id, part)).collect();
        Ok(answered()
            .filter_map(|entry| self.answer_view(entry, &parts))
            .collect())
    }

    fn answer_view(
        &self,
        entry: &Entry,
        parts: &BTreeMap<ContentId, Content>,
    ) -> Option<AnswerView> {
        let Record::Answered {
            task,
            question,
            answer,
            by,
        } = entry.record
        else {
            return None;
        };
        let part = |id| parts.get(&id).map(|part: &Content| &part.bytes);
        let value: Option<Value> = match answer {
            Answer::Value(Output::Content(id)) => {
                part(id).and_then(|bytes| serde_json::from_slice(bytes).ok())
            }
            Answer::Value(Output::Definition) => Some(driver::defined_value(self.graph(), task)),
            Answer::Value(Output::None) | Answer::Yes | Answer::No | Answer::Failure(_) => None,
        };
        let work = self.graph().task(task).work();
        Some(AnswerView {
            seq: entry.seq,
            at: entry.at,
            task,
            question: question.get(),
            text: answer_text(answer, &value.unwrap_or_default(), work),
            is_default: by.is_default(),
            by: by
                .content()
                .and_then(part)
                .and_then(|bytes| serde_json::from_slice(bytes).ok()),
        })
    }
}
