//! Steering: what a followed run does about questions, answers and signals.

use zeph_graph::{AskWhy, Fault};
use zeph_runtime::{Accepts, QuestionView, RunSnapshot, RunView, RuntimeError};
use zeph_scheduler::{Event, EventKind};

use crate::exit::Exit;
use crate::goal::confirm::{self, Confirm};
use crate::out::{self, Tone};
use crate::run::narrate::Line;
use crate::run::prompt::{Outcome, Prompt};
use crate::run::session::Session;
use crate::run::view::View;

impl Session {
    /// Takes a prompt back whose question is closed; answers what was answered beforehand.
    pub(super) async fn question_events(&mut self, event: &Event) {
        if let EventKind::QuestionAsked { question, why } = event.kind()
            && why == AskWhy::Failure(Fault::Interrupted)
            && self.manner.reruns_interrupted
        {
            // It may have been answered from elsewhere in the meantime.
            let _ = self.handle.answer(question.get(), "retry").await;
        }
        if let EventKind::QuestionAnswered { question, .. } = event.kind()
            && let Some(prompt) = self.prompt.take_if(|open| open.question == question.get())
        {
            prompt.take_back().await;
            self.view.release();
        }
    }

    /// Puts the oldest question to the person that they have not put off.
    pub(super) async fn ask_next(&mut self, snapshot: &RunSnapshot) {
        let next = snapshot
            .questions
            .iter()
            .find(|open| !self.put_off.contains(&open.id));
        let Some(question) = next else { return };
        let plan = self.plan_of(question).await;
        let question = &self.with_reason(question).await;
        if let Some(plan) = &plan {
            self.view.text(&plan.text);
        }
        self.view.hold();
        let label = self.manner.channel.label;
        match Prompt::start(question, plan.map(|plan| plan.file), label) {
            Ok(prompt) => self.prompt = Some(prompt),
            Err(_) => self.later(question.id),
        }
    }

    /// The open questions as they are told. One about a plan is told behind the plan, and in fewer
    /// words, since the prompt or the end of the run says what can be answered.
    pub(super) async fn questions(
        &mut self,
        event: &Event,
        snapshot: &RunSnapshot,
    ) -> Vec<QuestionView> {
        let mut questions = snapshot.questions.clone();
        let EventKind::QuestionAsked { question, why } = event.kind() else {
            return questions;
        };
        let asked = questions.iter_mut().find(|open| open.id == question.get());
        if let (AskWhy::Work, Some(asked)) = (why, asked)
            && let Some(plan) = self.plan_of(asked).await
        {
            if !self.manner.is_interactive {
                self.view.text(&plan.text);
            }
            let said = asked.text.rsplit_once("\n\n").map(|(why, _)| why);
            let said = said.map(|why| format!("{why} "));
            asked.text = format!("{}Run this plan?", said.unwrap_or_default());
            asked.accepts = Accepts::Choice(vec!["approve".to_owned()]);
        }
        questions
    }

    /// A question about a failure with what the executor said.
    async fn with_reason(&self, question: &QuestionView) -> QuestionView {
        let mut question = question.clone();
        if matches!(question.about, AskWhy::Failure(_))
            && let Ok(view) = RunView::load(&*self.store, self.handle.id()).await
            && let Ok(task) = view.task(&question.task)
            && let Some(error) = view.attempts(task).last().and_then(|last| last.error)
            && let Ok(Some(said)) = view.error(&*self.store, error).await
        {
            let line = said.message.lines().next().unwrap_or_default();
            question.text = format!("{} ({line})", question.text);
        }
        question
    }

    /// The plan that a question is about, if it is about one.
    async fn plan_of(&self, question: &QuestionView) -> Option<Confirm> {
        let view = RunView::load(&*self.store, self.handle.id()).await.ok()?;
        let channel = self.manner.channel;
        confirm::read(&*self.store, &view, &question.task, channel).await
    }

    fn later(&mut self, question: u32) {
        self.put_off.insert(question);
        self.view.release();
    }

    /// Only questions are left, and nobody here answers them.
    pub(super) async fn wait_or_rest(&mut self, snapshot: &RunSnapshot) {
        let due = snapshot
            .questions
            .iter()
            .filter_map(|open| open.default_at)
            .min();
        match due {
            Some(_) if self.has_said_waiting => {}
            Some(due) => {
                self.has_said_waiting = true;
                let wait = due.since(crate::cx::now());
                let text = format!(
                    "for an answer; a default counts in {}",
                    zeph_common::format_duration(wait)
                );
                self.view.line(&Line::note("waiting", Tone::Question, text));
            }
            None => self.rest().await,
        }
    }

    async fn rest(&mut self) {
        self.is_resting = true;
        // A run that is gone has told so by its last event.
        let _ = self.handle.suspend().await;
    }

    /// A wish to stop: the run comes to rest, its work is stopped, this process is.
    pub(super) async fn signal(&mut self, count: u32) {
        let counts = self.handle.snapshot().counts;
        let text = match (count, counts.in_flight()) {
            (1, 0) => "coming to rest".to_owned(),
            (1, running) => format!(
                "nothing new starts, {running} running {} {} to finish; once more stops now",
                if running == 1 {
                    "task has"
                } else {
                    "tasks have"
                },
                zeph_common::format_duration(self.manner.grace),
            ),
            (2, _) => "stopping what still runs; once more cuts it off".to_owned(),
            _ => {
                self.killed = true;
                return;
            }
        };
        if let Some(prompt) = self.prompt.take() {
            prompt.take_back().await;
            self.view.release();
        }
        let line = Line::note("suspending", Tone::Warning, text);
        match &self.view {
            View::Json(_) => out::note_line(&line),
            View::Lines(_) | View::Live(_) => self.view.line(&line),
        }
        self.rest().await;
    }

    /// What came of the prompt.
    pub(super) async fn prompted(&mut self, outcome: Outcome) {
        let Some(prompt) = self.prompt.take() else {
            return;
        };
        let question = prompt.question;
        self.view.release();
        match outcome {
            Outcome::Answer(text) => match self.handle.answer(question, text).await {
                // Answered elsewhere in the meantime: its event tells.
                Ok(()) | Err(RuntimeError::NoSuchQuestion { .. }) => {}
                Err(error) => {
                    let text = zeph_common::escape_terminal(&error.to_string()).into_owned();
                    self.view
                        .line(&Line::note("not an answer", Tone::Bad, text));
                }
            },
            Outcome::Later | Outcome::Broken => self.put_off.extend([question]),
            Outcome::Interrupted => {
                let count = self.signals.note(Exit::Interrupted);
                self.signal(count).await;
            }
        }
        self.after_event().await;
    }
}
