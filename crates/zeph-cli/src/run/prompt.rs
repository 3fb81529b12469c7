//! Prompts: a question to the person at the terminal, which can be taken back.
//!
//! A prompt reads the terminal in raw mode and cannot be interrupted from within its process, but its
//! question may be answered elsewhere, or by its default, at any time. So it is a process of its own,
//! that is ended then, after which the terminal is put back as it was.

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
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use zeph_common::{Boundary, escape_terminal, truncate};
use zeph_runtime::{Accepts, QuestionView};

use crate::exit::{CliError, Exit};
use crate::out;
use crate::run::confirm;

/// Carries the question to the child. Not an argument: those are seen by everybody.
const VARIABLE: &str = "ZEPH_ASKED";
/// The bytes of a question that a prompt shows.
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
    /// A plan to approve, to edit or to reject, as its file.
    Plan(String),
}

/// What came of a prompt.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The person's answer.
    Answer(String),
    /// The person will answer later.
    Later,
    /// The person pressed Ctrl-C.
    Interrupted,
    /// The prompt could not be shown.
    Broken,
}

/// A question on the terminal.
#[derive(Debug)]
pub(crate) struct Prompt {
    pub(crate) question: u32,
    outcome: JoinHandle<Outcome>,
    cancel: Option<oneshot::Sender<()>>,
    terminal: Option<Termios>,
}

impl Prompt {
    /// Puts a question to the person.
    pub(crate) fn start(
        question: &QuestionView,
        plan: Option<String>,
        label: &str,
    ) -> io::Result<Self> {
        let mut asked = Asked::of(question, plan);
        if !label.is_empty() {
            asked.text = format!("{label} {}", asked.text);
        }
        let asked = serde_json::to_string(&asked).map_err(io::Error::other)?;
        let terminal = termios::tcgetattr(io::stdin()).ok();
        let child = Command::new(env::current_exe()?)
            .arg("__prompt")
            .env(VARIABLE, asked)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (cancel, cancelled) = oneshot::channel();
        Ok(Self {
            question: question.id,
            outcome: tokio::spawn(drive(child, cancelled)),
            cancel: Some(cancel),
            terminal,
        })
    }

    /// Waits for the person. Dropping the future changes nothing.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        let outcome = (&mut self.outcome).await.unwrap_or(Outcome::Broken);
        self.restore(false);
        outcome
    }

    /// Takes the question off the terminal.
    pub(crate) async fn take_back(mut self) {
        if let Some(cancel) = self.cancel.take() {
            // A prompt that has ended by itself does not listen any more.
            let _ = cancel.send(());
        }
        let _ = (&mut self.outcome).await;
        self.restore(true);
    }

    fn restore(&self, clear: bool) {
        if let Some(terminal) = &self.terminal {
            // If it does not work there is nothing else to try.
            let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, terminal);
        }
        if clear {
            let mut stderr = io::stderr().lock();
            // Shows the cursor, and clears from the line that the prompt began on.
            let _ = write!(stderr, "\x1b[?25h\r\x1b[J");
            let _ = stderr.flush();
        }
    }
}

async fn drive(mut child: Child, cancelled: oneshot::Receiver<()>) -> Outcome {
    let mut answer = Vec::new();
    let Some(mut stdout) = child.stdout.take() else {
        return Outcome::Broken;
    };
    tokio::select! {
        _ = stdout.read_to_end(&mut answer) => {}
        Ok(()) = cancelled => {
            // Already gone is as good.
            let _ = child.kill().await;
            return Outcome::Later;
        }
    }
    let code = child.wait().await.ok().and_then(|status| status.code());
    match code {
        Some(0) => Outcome::Answer(String::from_utf8_lossy(&answer).into_owned()),
        Some(code) if code == Exit::Interrupted as i32 => Outcome::Interrupted,
        Some(code) if code == Exit::Waiting as i32 => Outcome::Later,
        _ => Outcome::Broken,
    }
}

impl Asked {
    fn of(question: &QuestionView, plan: Option<String>) -> Self {
        if let Some(file) = plan {
            // What is asked is on the screen already; what was wrong with the last answer is not.
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

/// The child's side: asks, and prints the answer on stdout.
pub(crate) fn child() -> Result<Exit, CliError> {
    let asked = env::var(VARIABLE).unwrap_or_default();
    let asked: Asked = serde_json::from_str(&asked)
        .map_err(|_| CliError::new(Exit::Usage, "this command is only for `zeph run` itself"))?;
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

/// Ends this process when its parent is gone: nobody is left to take the terminal back.
fn end_with_parent() {
    const LOOK: Duration = Duration::from_millis(200);
    let parent = unistd::getppid();
    let terminal = termios::tcgetattr(io::stdin()).ok();
    thread::spawn(move || {
        while unistd::getppid() == parent {
            thread::sleep(LOOK);
        }
        if let Some(terminal) = terminal {
            // If it does not work there is nothing else to try.
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
    use super::{Asked, Kind};
    use zeph_runtime::{Accepts, QuestionView};

    fn asked(accepts: Accepts) -> Asked {
        let question = QuestionView {
            id: 1,
            task: "a\u{202e}b".to_owned(),
            about: zeph_graph::AskWhy::Work,
            text: "really\u{1b}[2J?".to_owned(),
            error: None,
            accepts,
            default: Some("no".to_owned()),
            default_at: None,
        };
        Asked::of(&question, None)
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
