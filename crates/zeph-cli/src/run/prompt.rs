//! Prompts: a question to the person at the terminal, which the program can withdraw at any time.

use std::io;

use zeph_runtime::QuestionView;

use crate::exit::{CliError, Exit};
use crate::out::Channel;
use crate::run::confirm::{self, Edited, Editor};
use crate::run::dialog::{Dialog, Reaction};
use crate::run::keys::{Key, Keyboard};
use crate::run::signals;
use crate::run::view::View;

/// The outcome of a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The person's answer.
    Answer(String),
    /// The person will answer later.
    Later,
    /// The prompt could not be shown, for this reason.
    Broken(String),
}

/// A question on the terminal: its dialog is part of the view.
#[derive(Debug)]
pub(super) struct Prompt {
    pub(super) question: QuestionView,
    source: Source,
    /// The plan that the question is about, as the next editor opens it.
    plan: String,
}

/// Where the answer comes from.
#[derive(Debug)]
enum Source {
    Keyboard(Keyboard),
    Editor(Editor),
}

/// A step towards the answer.
#[derive(Debug)]
pub(super) enum Step {
    Key(io::Result<Key>),
    Edited(io::Result<String>),
}

impl Prompt {
    /// Shows a question, which is about a plan if there is one.
    pub(super) fn start(
        question: QuestionView,
        plan: Option<String>,
        channel: Channel,
        view: &mut View,
    ) -> io::Result<Self> {
        let dialog = match plan {
            Some(_) => confirm::dialog(&question.text),
            None => Dialog::of(&question),
        };
        let keyboard = Keyboard::open()?;
        view.ask(dialog.labelled(channel));
        Ok(Self {
            question,
            source: Source::Keyboard(keyboard),
            plan: plan.unwrap_or_default(),
        })
    }

    /// Waits for the person. Dropping the future changes nothing.
    pub(super) async fn step(&mut self) -> Step {
        match &mut self.source {
            Source::Keyboard(keyboard) => Step::Key(keyboard.next().await),
            Source::Editor(editor) => Step::Edited(editor.text().await),
        }
    }

    /// Handles a step. After an outcome the question is no longer on the terminal.
    pub(super) fn handle(&mut self, step: Step, view: &mut View) -> Option<Outcome> {
        let outcome = match step {
            Step::Key(Ok(key)) => self.press(key, view),
            Step::Key(Err(error)) => Some(Outcome::Broken(error.to_string())),
            Step::Edited(text) => {
                view.release();
                self.edited(text, view)
            }
        };
        if outcome.is_some() {
            view.end_dialog();
        }
        outcome
    }

    fn press(&mut self, key: Key, view: &mut View) -> Option<Outcome> {
        match view.press(key) {
            Reaction::None => None,
            Reaction::Answer(text) => Some(Outcome::Answer(text)),
            Reaction::Later => Some(Outcome::Later),
            Reaction::Edit => {
                view.hold();
                match Editor::open(&self.plan) {
                    Ok(editor) => {
                        self.source = Source::Editor(editor);
                        None
                    }
                    Err(error) => {
                        view.release();
                        self.edited(Err(error), view)
                    }
                }
            }
        }
    }

    fn edited(&mut self, text: io::Result<String>, view: &mut View) -> Option<Outcome> {
        match confirm::check(&self.plan, text) {
            Edited::Answer(text) => Some(Outcome::Answer(text)),
            Edited::Again { lines, plan } => {
                for line in lines {
                    view.line(&line);
                }
                self.plan = plan;
                match Keyboard::open() {
                    Ok(keyboard) => {
                        self.source = Source::Keyboard(keyboard);
                        None
                    }
                    Err(error) => Some(Outcome::Broken(error.to_string())),
                }
            }
        }
    }

    /// Withdraws the question.
    pub(super) async fn cancel(self, view: &mut View) {
        if let Source::Editor(editor) = self.source {
            editor.stop().await;
            view.release();
        }
        view.end_dialog();
    }
}

/// Asks one question, outside of a followed run. The error is a signal that ended the prompt.
pub(crate) async fn ask(
    question: QuestionView,
    plan: Option<String>,
) -> Result<Result<Outcome, Exit>, CliError> {
    let mut signals = signals::listen()?;
    let channel = Channel::default();
    let mut view = View::without_events(channel);
    let prompt = Prompt::start(question, plan, channel, &mut view);
    let mut prompt = prompt.map_err(|error| CliError::new(Exit::Internal, error.to_string()))?;
    loop {
        let step = tokio::select! {
            step = prompt.step() => Some(step),
            () = view.tick() => None,
            () = signals.next() => {
                prompt.cancel(&mut view).await;
                return Ok(Err(signals.first.unwrap_or(Exit::Interrupted)));
            }
        };
        let outcome = step.and_then(|step| prompt.handle(step, &mut view));
        if let Some(outcome) = outcome {
            return Ok(Ok(outcome));
        }
        view.refresh();
    }
}
