//! The question about a plan: approve, edit or reject it.

use std::env;
use std::io::{self, Write as _};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::NamedTempFile;
use tokio::process::{Child, Command};
use zeph_common::escape_terminal_block;
use zeph_orchestration::plan::PlanFiles;

use crate::goal::shown::problems_of;
use crate::out::Tone;
use crate::run::dialog::{Choice, Dialog, Effect, Line, LineForm};

/// The problems of an edited plan that are printed.
const MOST_PROBLEMS: usize = 20;
/// The time that an editor has to restore the terminal.
const EDITOR_GRACE: Duration = Duration::from_secs(1);

/// The dialog. The plan is already on the screen; the problems of the last answer are not.
pub(super) fn dialog(question: &str) -> Dialog {
    let problems = problems_of(question);
    let problems = problems.map(|text| format!("{}\n", escape_terminal_block(text)));
    let choice = |name: &str, note, effect| Choice {
        name: name.to_owned(),
        note,
        effect,
    };
    let reason = Effect::Write(Line {
        text: Some("What should be different?"),
        prefix: "reject: ",
        form: LineForm::Text,
    });
    Dialog::new(
        format!("{}Run this plan?", problems.unwrap_or_default()),
        "Esc: answer later".to_owned(),
        vec![
            choice("approve", "run it", Effect::Answer),
            choice("edit", "change it in an editor first", Effect::Edit),
            choice("reject", "say what should be different", reason),
        ],
    )
}

/// The person's editor with a plan.
#[derive(Debug)]
pub(super) struct Editor {
    file: NamedTempFile,
    name: String,
    child: Child,
}

impl Editor {
    pub(super) fn open(plan: &str) -> io::Result<Self> {
        let mut file = tempfile::Builder::new()
            .prefix("zeph-plan-")
            .suffix(".toml")
            .tempfile()?;
        file.write_all(plan.as_bytes())?;
        file.flush()?;
        let named = |name| env::var(name).ok().filter(|text| !text.trim().is_empty());
        let name = named("VISUAL").or_else(|| named("EDITOR"));
        let name = name.unwrap_or_else(|| "vi".to_owned());
        // By convention the variable is a shell command, which may have arguments. Stdout may be a file for
        // the answer.
        let child = Command::new("sh")
            .arg("-c")
            .arg(format!("{name} \"$1\""))
            .arg("sh")
            .arg(file.path())
            .stdout(Stdio::from(io::stderr()))
            .spawn()?;
        Ok(Self { file, name, child })
    }

    /// The edited text, when the editor has ended. Dropping the future loses nothing.
    pub(super) async fn text(&mut self) -> io::Result<String> {
        let status = self.child.wait().await?;
        if !status.success() {
            let text = format!("{} ended with {status}", self.name);
            return Err(io::Error::other(text));
        }
        // An editor may replace the file instead of writing to it.
        std::fs::read_to_string(self.file.path())
    }

    /// Ends the editor, because the question is closed.
    pub(super) async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            // It fails only if the editor has ended.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            let _ = tokio::time::timeout(EDITOR_GRACE, self.child.wait()).await;
        }
    }
}

/// What follows from an edited plan.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Edited {
    Answer(String),
    /// It is asked again, after these lines. The next editor opens that plan.
    Again {
        lines: Vec<String>,
        plan: String,
    },
}

/// Checks an edited plan, so that it can be corrected here.
pub(super) fn check(before: &str, edited: io::Result<String>) -> Edited {
    let error = |text: &str| format!("{} {text}", Tone::Bad.paint("error:"));
    let again = |lines: Vec<String>, plan: &str| Edited::Again {
        lines,
        plan: plan.to_owned(),
    };
    match edited {
        Ok(edited) if edited.trim() == before.trim() => {
            again(vec!["nothing was changed".to_owned()], before)
        }
        Ok(edited) => match PlanFiles::default().compile(&edited) {
            Ok(_) => Edited::Answer(edited),
            Err(problems) => {
                let problems = problems.iter().take(MOST_PROBLEMS);
                let lines = problems.map(|one| error(&escape_terminal_block(&one.to_string())));
                let advice = "edit it again, or approve the plan as it was".to_owned();
                again(lines.chain([advice]).collect(), &edited)
            }
        },
        Err(why) => {
            let why = escape_terminal_block(&why.to_string()).into_owned();
            let text = format!("the editor did not work: {why}; EDITOR names another one");
            again(vec![error(&text)], before)
        }
    }
}
