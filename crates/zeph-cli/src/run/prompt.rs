//! Prompts: a question to the person at the terminal, which the program can withdraw at any time.

use std::io;

use zeph_runtime::QuestionView;

use crate::exit::{CliError, Exit};
use crate::out::Channel;
use crate::run::confirm::{self, Edited, Editor};
use crate::run::dialog::{Choice, Dialog, Reaction};
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
        question: &QuestionView,
        plan: Option<String>,
        channel: Channel,
        view: &mut View,
    ) -> io::Result<Self> {
        let dialog = match plan {
            Some(_) => confirm::dialog(&question.text),
            None => Dialog::of(question),
        };
        Self::show(dialog.labelled(channel), plan.unwrap_or_default(), view)
    }

    fn show(dialog: Dialog, plan: String, view: &mut View) -> io::Result<Self> {
        let is_hidden = dialog.is_hidden();
        if is_hidden {
            view.hide();
        }
        let keyboard = Keyboard::open(is_hidden).inspect_err(|_| view.end_dialog())?;
        view.ask(dialog);
        Ok(Self {
            source: Source::Keyboard(keyboard),
            plan,
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
                match Keyboard::open(false) {
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
    question: &QuestionView,
    plan: Option<String>,
) -> Result<Result<Outcome, Exit>, CliError> {
    ask_with(|channel, view| Prompt::start(question, plan, channel, view)).await
}

/// Asks for a value that is not shown while it is typed; `None` if the person gives none.
pub(crate) async fn hidden_value(text: String) -> Result<Option<String>, CliError> {
    ask_dialog(Dialog::hidden(text, "Esc: no value".to_owned())).await
}

/// Asks a question that is answered by yes or no. Everything else but yes is no.
pub(crate) async fn agrees(text: &str) -> Result<bool, CliError> {
    let dialog = Dialog::yes_no(text.to_owned(), "Esc: no".to_owned());
    Ok(ask_dialog(dialog).await?.as_deref() == Some("yes"))
}

/// Asks which of several things is to be done, each with its name and what it does; `None` if the person
/// decides nothing.
pub(crate) async fn choose(
    text: String,
    help: String,
    choices: &[(&str, &'static str)],
) -> Result<Option<String>, CliError> {
    let choices = choices.iter();
    let choices = choices.map(|(name, note)| Choice::with_note(name, note));
    ask_dialog(Dialog::new(text, help, choices.collect())).await
}

async fn ask_dialog(dialog: Dialog) -> Result<Option<String>, CliError> {
    let asked = ask_with(|_, view| Prompt::show(dialog, String::new(), view)).await?;
    match asked {
        Ok(Outcome::Answer(text)) => Ok(Some(text)),
        Ok(Outcome::Later) => Ok(None),
        Ok(Outcome::Broken(why)) => Err(CliError::new(Exit::Internal, why)),
        Err(signal) => Err(CliError::new(signal, "interrupted")),
    }
}

async fn ask_with(
    start: impl FnOnce(Channel, &mut View) -> io::Result<Prompt>,
) -> Result<Result<Outcome, Exit>, CliError> {
    let mut signals = signals::listen()?;
    let channel = Channel::default();
    let mut view = View::without_events(channel);
    let prompt = start(channel, &mut view);
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
