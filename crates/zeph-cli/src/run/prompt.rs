//! Prompts: a question to the person at the terminal, which the program can cancel.
//!
//! A prompt reads the terminal in raw mode and cannot be interrupted from within its process, but its
//! question may be answered elsewhere, or by its default, at any time. So each prompt runs in a child
//! process, whose stdout is a socket: the child reads the question from it, and writes the answer to it.
//! When the socket is closed, to cancel the prompt or because this process ended, the child restores the
//! terminal and ends.

use std::env;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::thread;

use inquire::validator::Validation;
use inquire::{Confirm, InquireError, Select, Text};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{self, SetArg, Termios};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use zeph_common::{Boundary, escape_terminal, escape_terminal_block, truncate};
use zeph_runtime::{Accepts, QuestionView};

use crate::exit::{CliError, Exit};
use crate::goal::shown::problems_of;
use crate::out::{self, Channel};
use crate::run::confirm;

/// The most bytes of a question that a prompt shows.
const TEXT_BYTES: usize = 4 << 10;

/// The question that the child shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct PromptText {
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
    child: Child,
    socket: UnixStream,
    /// The bytes of the answer so far.
    answer: Vec<u8>,
    terminal: Option<Termios>,
}

impl Prompt {
    /// Starts the child that asks the person.
    pub(crate) async fn start(
        question: &QuestionView,
        plan: Option<String>,
        channel: Channel,
    ) -> io::Result<Self> {
        let mut shown = PromptText::of(question, plan);
        shown.text = channel.prefixed(&shown.text);
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut prompt = Self {
            question: question.id,
            terminal: termios::tcgetattr(io::stdin()).ok(),
            child: Command::new(env::current_exe()?)
                .arg("__prompt")
                .stdout(OwnedFd::from(theirs))
                .kill_on_drop(true)
                .spawn()?,
            socket: UnixStream::from_std(ours)?,
            answer: Vec::new(),
        };
        let line = format!("{}\n", serde_json::to_string(&shown)?);
        prompt.socket.write_all(line.as_bytes()).await?;
        Ok(prompt)
    }

    /// Waits for the person. Dropping the future changes nothing.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        let ended = async {
            while self.socket.read_buf(&mut self.answer).await? > 0 {}
            self.child.wait().await
        };
        let ended = ended.await;
        restore(self.terminal.as_ref());
        let status = match ended {
            Ok(status) => status,
            Err(error) => return Outcome::Broken(error.to_string()),
        };
        match status.code() {
            Some(0) => Outcome::Answer(String::from_utf8_lossy(&self.answer).into_owned()),
            Some(code) if code == Exit::Interrupted as i32 => Outcome::Interrupted,
            Some(code) if code == Exit::Waiting as i32 => Outcome::Later,
            _ => Outcome::Broken(format!("the prompt ended with {status}")),
        }
    }

    /// Cancels the prompt: the child clears it from the terminal.
    pub(crate) async fn cancel(mut self) {
        // Both fail only if the child has ended.
        let _ = self.socket.shutdown().await;
        let _ = self.child.wait().await;
        restore(self.terminal.as_ref());
    }
}

fn restore(terminal: Option<&Termios>) {
    if let Some(terminal) = terminal {
        // If this fails, there is no other way to restore the terminal.
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, terminal);
    }
}

impl PromptText {
    fn of(question: &QuestionView, plan: Option<String>) -> Self {
        if let Some(file) = plan {
            // The plan is already on the screen; the problems of the last answer are not.
            let problems = problems_of(&question.text);
            let problems = problems.map(|text| format!("{}\n", escape_terminal_block(text)));
            return Self {
                text: format!("{}Run this plan?", problems.unwrap_or_default()),
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
        let name = escape_terminal(&question.task);
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
    let (shown, socket) = read_question()
        .map_err(|_| CliError::new(Exit::Usage, "this command is only for `zeph run` itself"))?;
    end_with(socket);
    match ask(&shown) {
        Ok(answer) => {
            out::text(answer);
            Ok(Exit::Completed)
        }
        Err(InquireError::OperationCanceled) => Ok(Exit::Waiting),
        Err(InquireError::OperationInterrupted) => Ok(Exit::Interrupted),
        Err(error) => {
            let text = format!("the question cannot be asked here: {error}");
            Err(CliError::new(Exit::Internal, text))
        }
    }
}

fn read_question() -> io::Result<(PromptText, BufReader<File>)> {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(io::ErrorKind::NotConnected.into());
    }
    let mut socket = BufReader::new(File::from(stdout.as_fd().try_clone_to_owned()?));
    let mut line = String::new();
    socket.read_line(&mut line)?;
    Ok((serde_json::from_str(&line)?, socket))
}

/// Ends this process when the socket is closed, and clears the prompt from the terminal.
fn end_with(mut socket: BufReader<File>) {
    let terminal = termios::tcgetattr(io::stdin()).ok();
    thread::spawn(move || {
        // An error is an end as well.
        let _ = io::copy(&mut socket, &mut io::sink());
        restore(terminal.as_ref());
        // Shows the cursor, and clears from the first line of the prompt.
        let _ = write!(io::stderr(), "\x1b[?25h\r\x1b[J");
        // The prompt cannot be interrupted otherwise.
        let _ = kill(Pid::this(), Signal::SIGKILL);
    });
}

fn ask(shown: &PromptText) -> Result<String, InquireError> {
    let PromptText { text, help, kind } = shown;
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
    use super::{Kind, PromptText};
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

    fn shown(accepts: Accepts) -> PromptText {
        PromptText::of(&question(accepts), None)
    }

    #[test]
    fn a_question_is_asked_by_its_kind_and_inert() {
        let choices = ["x", "y"].map(str::to_owned).to_vec();
        let table = [
            (shown(Accepts::Text), Kind::Text),
            (shown(Accepts::Number), Kind::Number),
            (shown(Accepts::YesNo), Kind::Confirm),
            (
                shown(Accepts::Choice(choices.clone())),
                Kind::Select(choices),
            ),
        ];
        for (shown, kind) in table {
            assert_eq!(shown.kind, kind);
            assert_eq!(shown.text, "ab: really?");
            assert_eq!(shown.help, "Esc: answer later; without one in time: no");
        }
    }
}
