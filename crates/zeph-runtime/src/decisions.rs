//! Decisions: the answers of persons and the ends that they give, in the engine's task.

use serde_json::Value;
use zeph_executor::TaskOutput;
use zeph_graph::{QuestionId, TaskId};
use zeph_scheduler::InputOutcome;

use crate::active_run::ActiveRun;
use crate::actor::Actor;
use crate::content::{ContentParts, redacted_output};
use crate::core::Core;
use crate::driver::{self, GivenEnd, GivenReply, Reply};
use crate::error::RuntimeError;
use crate::message::Key;
use crate::restore::closest;

impl ActiveRun {
    /// The task of that name.
    pub(crate) fn find(&self, name: String) -> Result<TaskId, RuntimeError> {
        let graph = self.scheduler.graph();
        graph.find(&name).ok_or_else(|| RuntimeError::NoSuchTask {
            run: self.chain.run().clone(),
            suggestion: closest(graph, &name),
            task: name,
        })
    }
}

impl Core {
    pub(crate) fn answer(
        &mut self,
        key: Key,
        question: u32,
        text: String,
        by: Option<&Actor>,
    ) -> Result<InputOutcome, RuntimeError> {
        let max_bytes = self.config.limits.max_output_bytes;
        let text = match &self.config.redact {
            Some(redact) => String::from_utf8_lossy(&redact.redact(text.as_bytes())).into_owned(),
            None => text,
        };
        let answered = self.update(key, |active, now| {
            driver::answer(
                &mut active.scheduler,
                &mut active.contents,
                now,
                GivenReply {
                    question: QuestionId::new(question).ok_or(driver::AnswerError::NotOpen)?,
                    reply: Reply::Text(text),
                    by: by.map(ContentParts::of_actor),
                },
                max_bytes,
                |value| ContentParts::of_value(&value),
            )
        });
        let run = || self.runs.get(&key).map(|active| active.chain.run().clone());
        match (answered, run()) {
            (Some(Ok(outcome)), _) => Ok(outcome),
            (Some(Err(error)), Some(run)) => Err(RuntimeError::answer(run, question, error)),
            (_, None) | (None, _) => Ok(InputOutcome::Stale),
        }
    }

    /// Gives a task its end: a result, or none to skip it; and the reason.
    pub(crate) fn give_end(
        &mut self,
        key: Key,
        (name, result, reason): (String, Option<Value>, Option<String>),
        by: Option<Actor>,
    ) -> Result<InputOutcome, RuntimeError> {
        let Some(active) = self.runs.get(&key) else {
            return Ok(InputOutcome::Stale);
        };
        let run = active.chain.run().clone();
        let task = active.find(name.clone())?;
        let bad = |reason: String| RuntimeError::BadResult {
            run,
            task: name,
            reason,
        };
        let redact = self.config.redact.as_deref();
        let result = match result {
            Some(value) => match redacted_output(redact, TaskOutput::from(value)) {
                Ok(output) => Some(output.value),
                Err(error) => return Err(bad(error.message().to_owned())),
            },
            None => None,
        };
        let by = self.signed(by, reason);
        let max_bytes = self.config.limits.max_output_bytes;
        let given = self.update(key, |active, now| {
            let given = GivenEnd {
                task,
                result,
                by: by.as_ref().map(ContentParts::of_actor),
            };
            let (scheduler, contents) = (&mut active.scheduler, &mut active.contents);
            let content = |value| ContentParts::of_given(&value);
            driver::give_end(scheduler, contents, now, given, max_bytes, content)
        });
        match given {
            Some(outcome) => outcome.map_err(|error| bad(error.0)),
            None => Ok(InputOutcome::Stale),
        }
    }

    /// Who decides, with the reason, without secrets.
    pub(crate) fn signed(&self, by: Option<Actor>, reason: Option<String>) -> Option<Actor> {
        let reason = reason.map(|text| match &self.config.redact {
            Some(redact) => String::from_utf8_lossy(&redact.redact(text.as_bytes())).into_owned(),
            None => text,
        });
        match (by, reason) {
            (None, None) => None,
            (by, reason) => Some(Actor {
                reason,
                ..by.unwrap_or_default()
            }),
        }
    }
}
