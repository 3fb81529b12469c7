//! Prompts: a question to the person at the terminal, which the program can cancel.
//!
//! A prompt reads the terminal in raw mode and cannot be interrupted from within its process, but its
//! question may be answered elsewhere, or by its default, at any time. So each prompt runs in a child
//! process. To cancel it, this process kills the child and restores the terminal.

use std::env;
use std::io::{self, Write as _};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use inquire::validator::Validation;
use inquire::{Confirm, InquireError, Select, Text};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{self, SetArg, Termios};
use nix::unistd;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zeph_common::{Boundary, escape_terminal, truncate};
use zeph_runtime::{Accepts, QuestionView};

use crate::exit::{CliError, Exit};
use crate::out;
use crate::run::confirm;

/// Names the file with the question for the child. The variable does not contain the question itself,
/// because Linux limits a variable to 128 KiB and a plan can be longer.
const VARIABLE: &str = "ZEPH_ASKED";
/// The most bytes of a question that a prompt shows.
const TEXT_BYTES: usize = 4 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Asked {
    text: String,
    help: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Kind {
    Text,
    Number,
    Confirm,
    Select(Vec<String>),
    /// A plan file to approve, edit or reject.
    Plan(String),
}

/// The outcome of a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The person's answer.
    Answer(String),
    /// The person will answer later.
    Later,
    /// The person pressed Ctrl-C.
    Interrupted,
    /// The prompt could not be shown, for this reason.
    Broken(String),
}

/// A question on the terminal.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) question: u32,
    outcome: JoinHandle<Outcome>,
    cancel: Option<oneshot::Sender<()>>,
    /// The question; readable for this user only, deleted when the prompt is dropped.
    _file: NamedTempFile,
    terminal: Option<Termios>,
}

impl Prompt {
    /// Starts the child that asks the person.
    pub(crate) fn start(
        question: &QuestionView,
        plan: Option<String>,
        label: &str,
    ) -> io::Result<Self> {
        let mut asked = Asked::of(question, plan);
        if !label.is_empty() {
            asked.text = format!("{label} {}", asked.text);
        }
        let mut file = NamedTempFile::new()?;
        serde_json::to_writer(&mut file, &asked).map_err(io::Error::other)?;
        file.flush()?;
        let terminal = termios::tcgetattr(io::stdin()).ok();
        let child = Command::new(env::current_exe()?)
            .arg("__prompt")
            .env(VARIABLE, file.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (cancel, cancelled) = oneshot::channel();
        Ok(Self {
            question: question.id,
            outcome: tokio::spawn(drive(child, cancelled)),
            cancel: Some(cancel),
            _file: file,
            terminal,
        })
    }

    /// Waits for the person. Dropping the future changes nothing.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        let outcome = (&mut self.outcome).await;
        let outcome = outcome.unwrap_or_else(|error| Outcome::Broken(error.to_string()));
        self.restore(false);
        outcome
    }

    /// Cancels the prompt and clears it from the terminal.
    pub(crate) async fn take_back(mut self) {
        if let Some(cancel) = self.cancel.take() {
            // A prompt that has ended does not receive it.
            let _ = cancel.send(());
        }
        let _ = (&mut self.outcome).await;
        self.restore(true);
    }

    fn restore(&self, clear: bool) {
        if let Some(terminal) = &self.terminal {
            // If this fails, there is no other way to restore the terminal.
            let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, terminal);
        }
        if clear {
            let mut stderr = io::stderr().lock();
            // Shows the cursor, and clears from the first line of the prompt.
            let _ = write!(stderr, "\x1b[?25h\r\x1b[J");
            let _ = stderr.flush();
        }
    }
}

async fn drive(mut child: Child, cancelled: oneshot::Receiver<()>) -> Outcome {
    let mut answer = Vec::new();
    let Some(mut stdout) = child.stdout.take() else {
        return Outcome::Broken("the prompt has no output".to_owned());
    };
    tokio::select! {
        _ = stdout.read_to_end(&mut answer) => {}
        Ok(()) = cancelled => {
            // Killing a child that has ended fails, which is harmless.
            let _ = child.kill().await;
            return Outcome::Later;
        }
    }
    let status = match child.wait().await {
        Ok(status) => status,
        Err(error) => return Outcome::Broken(error.to_string()),
    };
    match status.code() {
        Some(0) => Outcome::Answer(String::from_utf8_lossy(&answer).into_owned()),
        Some(code) if code == Exit::Interrupted as i32 => Outcome::Interrupted,
        Some(code) if code == Exit::Waiting as i32 => Outcome::Later,
        _ => Outcome::Broken(format!("the prompt ended with {status}")),
    }
}

impl Asked {
    fn of(question: &QuestionView, plan: Option<String>) -> Self {
        if let Some(file) = plan {
            // The plan is already on the screen; the problems of the last answer are not.
            let said = question.text.rsplit_once("\n\n").map(|(why, _)| why);
            let said = said.map(|why| format!("{}\n", zeph_common::escape_terminal_block(why)));
            return Self {
                text: format!("{}Run this plan?", said.unwrap_or_default()),
                help: "Esc: answer later".to_owned(),
                kind: Kind::Plan(file),
            };
        }
        let kind = match &question.accepts {
            Accepts::YesNo => Kind::Confirm,
            Accepts::Number => Kind::Number,
            Accepts::Text => Kind::Text,
            accepts @ (Accepts::Choice(_) | Accepts::Failure) => {
                Kind::Select(accepts.choices().into_iter().map(str::to_owned).collect())
            }
        };
        let name = escape_terminal(&question.task).into_owned();
        let text = truncate(&question.text, TEXT_BYTES, Boundary::Char).to_string();
        let default = question.default.as_ref();
        let default =
            default.map(|answer| format!("; without one in time: {}", escape_terminal(answer)));
        Self {
            text: format!("{name}: {}", escape_terminal(&text)),
            help: format!("Esc: answer later{}", default.unwrap_or_default()),
            kind,
        }
    }
}

/// The child: asks, and prints the answer on stdout.
pub(crate) fn child() -> Result<Exit, CliError> {
    let asked = env::var_os(VARIABLE).and_then(|path| std::fs::read(path).ok());
    let asked = asked.and_then(|asked| serde_json::from_slice::<Asked>(&asked).ok());
    let asked = asked
        .ok_or_else(|| CliError::new(Exit::Usage, "this command is only for `zeph run` itself"))?;
    end_with_parent();
    match ask(&asked) {
        Ok(answer) => {
            out::text(answer);
            Ok(Exit::Completed)
        }
        Err(InquireError::OperationCanceled) => Ok(Exit::Waiting),
        Err(InquireError::OperationInterrupted) => Ok(Exit::Interrupted),
        Err(error) => Err(CliError::new(
            Exit::Internal,
            format!("the question cannot be asked here: {error}"),
        )),
    }
}

/// Kills this process when its parent has ended, since no other process would restore the terminal.
fn end_with_parent() {
    const LOOK: Duration = Duration::from_millis(200);
    let parent = unistd::getppid();
    let terminal = termios::tcgetattr(io::stdin()).ok();
    thread::spawn(move || {
        while unistd::getppid() == parent {
            thread::sleep(LOOK);
        }
        if let Some(terminal) = terminal {
            // If this fails, there is no other way to restore the terminal.
            let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &terminal);
        }
        let _ = kill(unistd::Pid::this(), Signal::SIGKILL);
    });
}

fn ask(asked: &Asked) -> Result<String, InquireError> {
    let Asked { text, help, kind } = asked;
    match kind {
        Kind::Text => Text::new(text).with_help_message(help).prompt(),
        Kind::Number => {
            let is_number = |text: &str| {
                Ok(match text.trim().parse::<f64>() {
                    Ok(_) => Validation::Valid,
                    Err(_) => Validation::Invalid("this is not a number".into()),
                })
            };
            let prompt = Text::new(text).with_help_message(help);
            prompt.with_validator(is_number).prompt()
        }
        Kind::Confirm => {
            let yes = Confirm::new(text).with_help_message(help).prompt()?;
            Ok(if yes { "yes" } else { "no" }.to_owned())
        }
        Kind::Select(choices) => {
            let safe: Vec<String> = choices
                .iter()
                .map(|c| escape_terminal(c).into_owned())
                .collect();
            let chosen = Select::new(text, safe)
                .with_help_message(help)
                .raw_prompt()?;
            Ok(choices.get(chosen.index).cloned().unwrap_or_default())
        }
        Kind::Plan(file) => confirm::ask(text, help, file),
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Kind, Prompt};
    use zeph_runtime::{Accepts, QuestionView};

    fn question(accepts: Accepts) -> QuestionView {
        QuestionView {
            id: 1,
            task: "a\u{202e}b".to_owned(),
            about: zeph_graph::AskWhy::Work,
            text: "really\u{1b}[2J?".to_owned(),
            error: None,
            accepts,
            default: Some("no".to_owned()),
            default_at: None,
        }
    }

    fn asked(accepts: Accepts) -> Asked {
        Asked::of(&question(accepts), None)
    }

    #[tokio::test]
    async fn a_question_with_a_plan_of_300_kib_reaches_the_prompt() {
        let question = question(Accepts::Text);
        let plan = "x".repeat(300 << 10);
        let prompt = Prompt::start(&question, Some(plan.clone()), "").expect("the child starts");
        let asked = std::fs::read(prompt._file.path()).unwrap();
        let asked: Asked = serde_json::from_slice(&asked).unwrap();
        assert_eq!(asked.kind, Kind::Plan(plan));
        prompt.take_back().await;
    }

    #[test]
    fn a_question_is_asked_by_its_kind_and_inert() {
        let choices = ["x", "y"].map(str::to_owned).to_vec();
        let table = [
            (asked(Accepts::Text), Kind::Text),
            (asked(Accepts::Number), Kind::Number),
            (asked(Accepts::YesNo), Kind::Confirm),
            (
                asked(Accepts::Choice(choices.clone())),
                Kind::Select(choices),
            ),
        ];
        for (asked, kind) in table {
            assert_eq!(asked.kind, kind);
            assert_eq!(asked.text, "ab: really?");
            assert_eq!(asked.help, "Esc: answer later; without one in time: no");
        }
    }
}
