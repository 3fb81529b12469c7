//! Questions of a run, and their answers.

use std::sync::Arc;

use zeph_executor::MAX_VALUE_BYTES;
use zeph_graph::QuestionId;
use zeph_runtime::QuestionView;
use zeph_runtime::driver::{self, AnswerError, GivenReply, Reply};
use zeph_scheduler::{InputOutcome, OpenQuestion};

use super::DagScheduler;
use super::step::Content;

impl DagScheduler {
    /// Answers a question. The consequences start with the next tick.
    ///
    /// For a task that is a question, a text is read as a person's: "yes" answers a yes-or-no
    /// question, a choice may be given by its number. For an approval, `true` and `false`; for a
    /// failed task, a [`FailureAnswer`](zeph_graph::FailureAnswer) or the value to continue with.
    ///
    /// [`InputOutcome::Rejected`] if the question does not accept the answer, or the value is larger
    /// than 1 MiB: it stays open. [`InputOutcome::Stale`] if the question is closed or was never asked.
    pub fn answer(&mut self, question: QuestionId, reply: impl Into<Reply>) -> InputOutcome {
        let now = self.clock.now();
        let Some(scheduler) = self.run.scheduler_mut() else {
            return InputOutcome::Stale;
        };
        let given = GivenReply {
            question,
            reply: reply.into(),
            by: None,
        };
        let content = |value| Content::Value(Arc::new(value));
        let contents = &mut self.contents;
        match driver::answer(scheduler, contents, now, given, MAX_VALUE_BYTES, content) {
            Ok(outcome) => outcome,
            Err(AnswerError::NotOpen) => InputOutcome::Stale,
            Err(AnswerError::NotAccepted(_)) => InputOutcome::Rejected,
        }
    }

    /// The open questions, oldest first.
    #[must_use]
    pub fn questions(&self) -> Vec<OpenQuestion> {
        let scheduler = self.run.scheduler();
        scheduler.map_or_else(Vec::new, |scheduler| scheduler.questions().collect())
    }

    /// An open question as text for a person, with the error if it is about a failed task. Texts of the
    /// graph and of errors are not escaped.
    #[must_use]
    pub fn question_text(&self, question: QuestionId) -> Option<String> {
        let scheduler = self.run.scheduler()?;
        let open = scheduler.questions().find(|open| open.id == question)?;
        let error = self.errors.get(open.task).cloned();
        let view = QuestionView::new(scheduler, &open, error);
        Some(match view.error {
            Some(error) => format!("{} The error: {error}", view.text),
            None => view.text,
        })
    }
}
