//! The prompt about a plan: approve, edit or reject it.

use std::env;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use inquire::{InquireError, Select, Text};
use zeph_common::escape_terminal_block;
use zeph_orchestration::plan::PlanFiles;

use crate::out::{self, Tone};

const APPROVE: &str = "approve  run it";
const EDIT: &str = "edit     change it in an editor first";
const REJECT: &str = "reject   say what should be different";

/// Asks until there is an answer. An edited plan is checked here, so that it can be corrected.
pub(super) fn ask(text: &str, help: &str, file: &str) -> Result<String, InquireError> {
    let mut file = file.to_owned();
    loop {
        let choices = vec![APPROVE, EDIT, REJECT];
        let chosen = Select::new(text, choices)
            .with_help_message(help)
            .prompt()?;
        match chosen {
            APPROVE => return Ok("approve".to_owned()),
            EDIT => match edit(&file) {
                Ok(edited) if edited.trim() == file.trim() => {
                    out::note_line("nothing was changed");
                }
                Ok(edited) => {
                    let problems = PlanFiles::default().compile(&edited);
                    let Err(problems) = problems else {
                        return Ok(edited);
                    };
                    for problem in problems.iter().take(20) {
                        let problem = escape_terminal_block(&problem.to_string()).into_owned();
                        out::note_line(format!("{} {problem}", Tone::Bad.paint("error:")));
                    }
                    out::note_line("edit it again, or approve the plan as it was");
                    file = edited;
                }
                Err(error) => out::note_line(format!(
                    "{} the editor did not work: {error}; EDITOR names another one",
                    Tone::Bad.paint("error:")
                )),
            },
            _ => {
                let asked = Text::new("What should be different?")
                    .with_help_message("Esc: back to the plan")
                    .prompt();
                match asked {
                    Ok(why) if why.trim().is_empty() => {}
                    Ok(why) => return Ok(format!("reject: {}", why.trim())),
                    Err(InquireError::OperationCanceled) => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}

/// Opens a text in the person's editor, and returns the edited text.
fn edit(text: &str) -> io::Result<String> {
    let mut file = tempfile::Builder::new()
        .prefix("zeph-plan-")
        .suffix(".toml")
        .tempfile()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    let named = |name| env::var(name).ok().filter(|text| !text.trim().is_empty());
    let editor = named("VISUAL").or_else(|| named("EDITOR"));
    let editor = editor.unwrap_or_else(|| "vi".to_owned());
    // By convention the variable is a shell command, which may have arguments. Stdout is reserved for the
    // answer.
    let status = Command::new("sh")
        .arg("-c")
        .arg(format!("{editor} \"$1\""))
        .arg("sh")
        .arg(file.path())
        .stdout(Stdio::from(io::stderr()))
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("{editor} ended with {status}")));
    }
    // An editor may replace the file instead of writing to it.
    std::fs::read_to_string(file.path())
}
