//! The arguments of the commands that change a run at work: answers, ends by hand, cancels.

use std::path::PathBuf;

use clap::Args;

use super::ParamArgs;

#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The question's number, as `zeph status` shows it, or the name of its task
    pub(crate) question: String,
    /// The answer; @FILE takes it from a file, @- from stdin, @env:VARIABLE from a variable, @@TEXT is an
    /// answer that begins with @
    /// [default: ask at the terminal]
    pub(crate) text: Option<String>,
    /// Withdraw an answer that waits for the run to be resumed, and give this one
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The task [default: the whole run]
    pub(crate) task: Option<String>,
    /// Also what depends on the task
    #[arg(long, requires = "task")]
    pub(crate) downstream: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    #[command(flatten)]
    pub(crate) end: EndArgs,
    /// The result, JSON or a text, which of a command is its standard output; @FILE takes it from a file, @- from
    /// stdin
    /// [default: none; of a command, an empty output]
    #[arg(long, value_name = "VALUE")]
    pub(crate) output: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SkipArgs {
    #[command(flatten)]
    pub(crate) end: EndArgs,
}

/// The task that a person ends, and why.
#[derive(Debug, Args)]
pub(crate) struct EndArgs {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The task
    pub(crate) task: String,
    /// Why, to be stored with who does it
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Withdraw an end that waits for the run to be resumed, and give this one
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AmendArgs {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The plan of the run with other tasks in it, TOML, JSON or YAML; `-` reads from stdin
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    /// Take tasks that the plan does not have out of the run
    #[arg(long)]
    pub(crate) remove: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Refuse unless the run has been amended so many times
    #[arg(long, value_name = "N")]
    pub(crate) after: Option<u32>,
    /// Why, to be stored with who does it
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Withdraw changes that wait for the run to be resumed, and make these
    #[arg(long)]
    pub(crate) replace: bool,
}
