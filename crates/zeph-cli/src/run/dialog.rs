//! A dialog: one question with choices or a line to write, as a state machine over keys.

use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, escape_terminal_block, truncate};
use zeph_graph::{AnswerKind, AskWhy, Fault, Question};
use zeph_runtime::{Accepts, QuestionView};

use crate::out::{Channel, Tone};
use crate::run::footer::{Drawing, Size, fit, wrap};
use crate::run::input::Input;
use crate::run::keys::Key;

/// The choices that are shown at once.
const MOST_CHOICES: usize = 8;
/// The lines of the question that are shown; the whole text is in the line of its event.
const MOST_LINES: usize = 6;
/// The lines of a problem, or of the help, that are shown.
const MOST_REASONS: usize = 3;
/// The most bytes of a question that are prepared for the screen.
const TEXT_BYTES: usize = 4 << 10;
/// The problem of an empty text, which the next Enter gives.
const IS_EMPTY: &str = "Enter once more gives an empty answer";
/// What stands before the answer.
const LABEL: &str = "  answer: ";

/// A question on the screen. All of its texts but the answers are safe to print.
#[derive(Debug, PartialEq)]
pub(super) struct Dialog {
    text: String,
    help: String,
    choices: Vec<Choice>,
    /// The choice that Enter takes. None at first, so that a stray Enter answers nothing.
    chosen: Option<usize>,
    /// The line to write; `None` while there are choices.
    line: Option<Line>,
    input: Input,
    /// Why the last input was no answer.
    problem: Option<String>,
}

/// One of several answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    pub(super) name: String,
    /// What it does, if the name does not say it.
    pub(super) note: &'static str,
    pub(super) effect: Effect,
}

/// The effect of a choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Its name is the answer.
    Answer,
    /// More is to be written.
    Write(Line),
    /// The plan is edited.
    Edit,
}

/// A line to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The question in place of the dialog's own.
    pub(super) text: Option<&'static str>,
    /// What the answer begins with.
    pub(super) prefix: &'static str,
    pub(super) form: LineForm,
}

/// The form of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineForm {
    Text,
    /// A text that is not shown.
    Hidden,
    Number,
    Json,
}

/// The effect of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// The dialog goes on.
    None,
    /// The answer.
    Answer(String),
    /// The person will answer later.
    Later,
    /// The plan is to be edited.
    Edit,
}

impl Dialog {
    /// The dialog for a question.
    pub(super) fn of(question: &QuestionView) -> Self {
        let names = question.words();
        let mut choices: Vec<Choice> = names.into_iter().map(Choice::answer).collect();
        if question.about == AskWhy::Failure(Fault::Interrupted) {
            for choice in &mut choices {
                choice.note = interrupted_note(&choice.name);
            }
        }
        let plain = |form| Line {
            text: None,
            prefix: "",
            form,
        };
        let mut line = None;
        match question.accepts {
            Accepts::Text => line = Some(plain(LineForm::Text)),
            Accepts::Number => line = Some(plain(LineForm::Number)),
            Accepts::YesNo | Accepts::Choice(_) => {}
            Accepts::Failure => choices.push(Choice {
                name: "value".to_owned(),
                note: "write its result as JSON",
                effect: Effect::Write(Line {
                    text: Some("Which result should it have, as JSON?"),
                    prefix: "value:",
                    form: LineForm::Json,
                }),
            }),
        }
        let name = escape_terminal(&question.task);
        let text = truncate(&question.text, TEXT_BYTES, Boundary::Char).to_string();
        let default = question.default.as_ref();
        let default =
            default.map(|answer| format!("; without one in time: {}", escape_terminal(answer)));
        Self {
            line,
            ..Self::new(
                format!("{name}: {}", escape_terminal_block(&text)),
                format!("Esc: answer later{}", default.unwrap_or_default()),
                choices,
            )
        }
    }

    /// A dialog with choices.
    pub(super) const fn new(text: String, help: String, choices: Vec<Choice>) -> Self {
        Self {
            text,
            help,
            choices,
            chosen: None,
            line: None,
            input: Input::EMPTY,
            problem: None,
        }
    }

    /// A dialog for a value that is not shown.
    pub(super) fn hidden(text: String, help: String) -> Self {
        Self {
            line: Some(Line {
                text: None,
                prefix: "",
                form: LineForm::Hidden,
            }),
            ..Self::new(text, help, Vec::new())
        }
    }

    /// A dialog with the answers yes and no.
    pub(super) fn yes_no(text: String, help: String) -> Self {
        let choices = Accepts::YesNo.choices().into_iter();
        Self::new(text, help, choices.map(Choice::answer).collect())
    }

    /// Whether what is typed is not shown.
    pub(super) fn is_hidden(&self) -> bool {
        self.line.is_some_and(|line| line.form == LineForm::Hidden)
    }

    /// With the label of the channel.
    pub(super) fn labelled(mut self, channel: Channel) -> Self {
        self.text = channel.prefixed(&self.text);
        self
    }

    /// Handles a key.
    pub(super) fn press(&mut self, key: Key) -> Reaction {
        let problem = self.problem.take();
        match key {
            Key::Enter => match self.line {
                Some(line) => self.write(line, problem.as_deref() == Some(IS_EMPTY)),
                None => self.choose(),
            },
            Key::Escape if self.line.is_some() && !self.choices.is_empty() => {
                self.restart();
                Reaction::None
            }
            Key::Escape => Reaction::Later,
            Key::Lines => {
                self.input = Input::default();
                self.problem =
                    Some("this takes one line; NAME=@FILE takes several from a file".to_owned());
                Reaction::None
            }
            Key::Up | Key::Down if self.line.is_none() => {
                let last = self.choices.len().saturating_sub(1);
                self.chosen = Some(match (self.chosen, key) {
                    (Some(chosen), Key::Up) => chosen.saturating_sub(1),
                    (Some(chosen), _) => last.min(chosen + 1),
                    (None, Key::Up) => last,
                    (None, _) => 0,
                });
                self.input = Input::default();
                Reaction::None
            }
            Key::Up
            | Key::Down
            | Key::Left
            | Key::Right
            | Key::Home
            | Key::End
            | Key::Backspace
            | Key::Delete
            | Key::DeleteWord
            | Key::DeleteLine
            | Key::Char(_) => {
                self.input.edit(key);
                if self.line.is_none() {
                    self.chosen = self.typed_choice().ok().flatten();
                }
                Reaction::None
            }
        }
    }

    /// The choices again.
    pub(super) fn restart(&mut self) {
        self.line = None;
        self.chosen = None;
        self.input = Input::default();
    }

    /// Begins the input anew.
    pub(super) fn clear_input(&mut self) {
        self.input = Input::default();
    }

    /// The choice that the input names, by the rules of `zeph answer`; `None` without an input.
    fn typed_choice(&self) -> Result<Option<usize>, String> {
        let typed = self.input.text();
        if typed.trim().is_empty() {
            return Ok(None);
        }
        let names: Vec<String> = self.choices.iter().map(|one| one.name.clone()).collect();
        let question = Question::choice("", names.clone());
        let name = question.check_answer(&typed);
        let name = name.map_err(|error| error.to_string())?;
        Ok(names
            .iter()
            .position(|other| Some(&**other) == name.as_str()))
    }

    fn choose(&mut self) -> Reaction {
        let typed = self.input.text();
        // The form that `zeph answer` takes, with the line behind the name.
        for choice in &self.choices {
            if let Effect::Write(line) = choice.effect
                && let Some(rest) = typed.trim().strip_prefix(line.prefix)
            {
                self.line = Some(line);
                self.input = Input::from(rest.trim());
                return self.write(line, false);
            }
        }
        let problem = match self.typed_choice() {
            Ok(_) => "choose one with the arrow keys, or type its name".to_owned(),
            Err(problem) => problem,
        };
        let Some(choice) = self.chosen.and_then(|chosen| self.choices.get(chosen)) else {
            self.problem = Some(problem);
            return Reaction::None;
        };
        match choice.effect {
            Effect::Answer => Reaction::Answer(choice.name.clone()),
            Effect::Edit => Reaction::Edit,
            Effect::Write(line) => {
                self.line = Some(line);
                self.input = Input::default();
                Reaction::None
            }
        }
    }

    fn write(&mut self, line: Line, is_confirmed: bool) -> Reaction {
        let text = self.input.text();
        let checked = match line.form {
            LineForm::Text if text.trim().is_empty() && !line.prefix.is_empty() => {
                Err("nothing is written yet".to_owned())
            }
            LineForm::Text | LineForm::Hidden if text.is_empty() && !is_confirmed => {
                Err(IS_EMPTY.to_owned())
            }
            LineForm::Text | LineForm::Hidden => Ok(()),
            LineForm::Number => {
                let number = Question {
                    kind: AnswerKind::Number,
                    ..Question::text("")
                };
                let number = number.check_answer(&text);
                number.map(drop).map_err(|error| error.to_string())
            }
            LineForm::Json => serde_json::from_str::<Value>(&text)
                .map(drop)
                .map_err(|error| format!("this is not JSON: {error}; a text needs quotes")),
        };
        match checked {
            Ok(()) => Reaction::Answer(format!("{}{text}", line.prefix)),
            Err(problem) => {
                self.problem = Some(problem);
                Reaction::None
            }
        }
    }

    fn question(&self) -> &str {
        let other = self.line.and_then(|line| line.text);
        other.unwrap_or(&self.text)
    }

    fn help(&self) -> &str {
        match self.line.and_then(|line| line.text) {
            Some(_) => "Esc: back",
            None => &self.help,
        }
    }

    /// The dialog as it is drawn.
    pub(super) fn draw(&self, size: Size) -> Drawing {
        let width = size.width.saturating_sub(1);
        let mut end = Vec::new();
        let inset = width.saturating_sub(2);
        let problem = self.problem.iter().flat_map(|text| wrap(text, inset));
        for line in problem.take(MOST_REASONS) {
            end.push(format!("  {}", Tone::Bad.paint(line)));
        }
        for line in wrap(self.help(), inset).into_iter().take(MOST_REASONS) {
            end.push(format!("  {}", Tone::Quiet.paint(line)));
        }
        let choices = self.draw_choices(width);
        let room = size.height.saturating_sub(choices.len() + end.len() + 3);
        let mut lines = wrap(self.question(), inset);
        let most = room.clamp(1, MOST_LINES);
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                *last = fit(&format!("{last} …"), inset);
            }
        }
        let question = lines.into_iter().enumerate().map(|(index, line)| {
            let mark = if index == 0 { "?" } else { " " };
            format!("{} {line}", Tone::Question.paint(mark))
        });
        let mut lines: Vec<String> = question.chain(choices).collect();
        let room = width.saturating_sub(LABEL.len() + 1);
        let (input, column) = if self.is_hidden() {
            self.input.masked().draw(room)
        } else {
            self.input.draw(room)
        };
        let cursor = Some((lines.len(), LABEL.len() + column));
        lines.push(format!("{LABEL}{input}"));
        lines.append(&mut end);
        Drawing { lines, cursor }
    }

    /// The choices around the chosen one.
    fn draw_choices(&self, width: usize) -> Vec<String> {
        if self.line.is_some() {
            return Vec::new();
        }
        let count = self.choices.len();
        let chosen = self.chosen.unwrap_or_default();
        let first = chosen.saturating_sub(MOST_CHOICES / 2);
        let first = first.min(count.saturating_sub(MOST_CHOICES));
        let shown = self
            .choices
            .iter()
            .enumerate()
            .skip(first)
            .take(MOST_CHOICES);
        let mut lines: Vec<String> = shown
            .map(|(index, choice)| {
                let is_chosen = self.chosen == Some(index);
                let mark = if is_chosen { ">" } else { " " };
                let line = fit(&format!("  {mark} {}", choice.plain()), width);
                let tone = if is_chosen {
                    Tone::Question
                } else {
                    Tone::Plain
                };
                tone.paint(line)
            })
            .collect();
        if count > MOST_CHOICES {
            let place = format!("    ({} of {count})", chosen + 1);
            lines.push(Tone::Quiet.paint(place));
        }
        lines
    }

    /// The dialog as lines, for a terminal that cannot move its cursor.
    pub(super) fn plain(&self) -> String {
        if let Some(problem) = &self.problem {
            return format!("  {}", Tone::Bad.paint(problem));
        }
        let mut text = format!("{} {}", Tone::Question.paint("?"), self.question());
        if self.line.is_none() {
            for (index, choice) in self.choices.iter().enumerate() {
                text.push_str(&format!("\n  {} {}", index + 1, choice.plain()));
            }
        }
        text.push_str(&format!("\n  {}, then Enter", self.help()));
        text
    }
}

/// What an answer about an interrupted attempt does.
fn interrupted_note(answer: &str) -> &'static str {
    match answer {
        "retry" => "do it again",
        "happened" => "it took effect: the task is completed, without a result",
        "skip" => "it did not: go on without it",
        "abort" => "it did not: end the run",
        _ => "",
    }
}

impl Choice {
    fn answer(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            note: "",
            effect: Effect::Answer,
        }
    }

    /// A choice with what it does.
    pub(super) fn with_note(name: &str, note: &'static str) -> Self {
        Self {
            note,
            ..Self::answer(name)
        }
    }

    fn plain(&self) -> String {
        let name = escape_terminal(&self.name);
        match self.note {
            "" => name.into_owned(),
            note => format!("{name:<8} {note}"),
        }
    }
}

#[cfg(test)]
mod tests;
