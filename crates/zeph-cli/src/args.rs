//! The command line: commands, flags and their help, in one place.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Run work as a graph of tasks: in parallel, under limits, across crashes.
#[derive(Debug, Parser)]
#[command(
    name = "zeph",
    version,
    about,
    propagate_version = true,
    disable_help_subcommand = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// The run database [env: ZEPH_DB] [default: $XDG_STATE_HOME/zeph/runs.db]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
    /// Print JSON on stdout: one object, or one line an event
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more on stderr; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a plan file
    Run(RunArgs),
    /// Check a plan file and show what it would do
    Validate(ValidateArgs),
    /// Go on with a run that is at rest or was interrupted
    Resume(ResumeArgs),
    /// List runs, newest first
    List(ListArgs),
    /// Show how a run stands and what it waits for
    Status(RunRef),
    /// Show a run, or one of its tasks, in full
    Show(TaskRef),
    /// Print what the attempts of a run, or of one task, logged
    Logs(LogsArgs),
    /// Answer an open question
    Answer(AnswerArgs),
    /// Cancel a run or a task
    Cancel(CancelArgs),
    /// Draw a plan file or a run
    Graph(GraphArgs),
    /// Explain why a task is not running
    Why(WhyArgs),
    /// Check a run's journal and contents for damage
    Verify(VerifyArgs),
    /// Start nothing new in a run until `zeph unpause`
    Pause(RunRef),
    /// End a pause
    Unpause(RunRef),
    /// Delete an ended run
    Delete(DeleteArgs),
    /// See it work: offline, in a few seconds
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Asks a person one question, for a run in the parent process
    #[command(name = "__prompt", hide = true)]
    Prompt,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The plan file, TOML or JSON; `-` reads from stdin
    pub(crate) plan: PathBuf,
    /// A parameter of the plan
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// Show what would run, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How many tasks may run at the same time [default: 8]
    #[arg(long, value_name = "N")]
    pub(crate) max_parallel: Option<String>,
    /// Keep nothing on disk; the run cannot be resumed
    #[arg(long, conflicts_with = "db")]
    pub(crate) no_db: bool,
    /// Name the run [default: eight random characters]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// The plan file, TOML or JSON; `-` reads from stdin
    pub(crate) plan: PathBuf,
    /// A parameter of the plan
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The run, or the beginning of its name [default: the newest that can be resumed]
    pub(crate) run: Option<String>,
    /// A secret parameter of the plan; secrets are not stored
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
    /// Run interrupted at-most-once tasks again without asking
    #[arg(long)]
    pub(crate) rerun_interrupted: bool,
    /// How many tasks of all runs may run at the same time
    #[arg(long, value_name = "N")]
    pub(crate) max_parallel: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// How many
    #[arg(short = 'n', long, default_value_t = 20)]
    pub(crate) limit: u32,
    /// Only runs that have not ended
    #[arg(long)]
    pub(crate) open: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunRef {
    /// The run, or the beginning of its name [default: the newest]
    pub(crate) run: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TaskRef {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The task
    pub(crate) task: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The task
    pub(crate) task: Option<String>,
    /// Only this attempt
    #[arg(long, value_name = "N")]
    pub(crate) attempt: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct AnswerArgs {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The question's number, as `zeph status` shows it
    pub(crate) question: u32,
    /// The answer
    pub(crate) text: String,
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
pub(crate) struct GraphArgs {
    /// A plan file, or a run or the beginning of its name
    pub(crate) target: String,
    /// What to draw
    #[arg(long, value_enum, default_value_t = Picture::Tree)]
    pub(crate) format: Picture,
    /// A parameter of the plan
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    pub(crate) param: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Picture {
    /// An indented tree of text
    Tree,
    /// A Mermaid flowchart
    Mermaid,
    /// Graphviz DOT
    Dot,
}

#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The task
    pub(crate) task: String,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The run, or the beginning of its name [default: all runs]
    pub(crate) run: Option<String>,
    /// The head hash that was noted down earlier
    #[arg(long, value_name = "HASH", requires = "run")]
    pub(crate) head: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The run, in full
    pub(crate) run: String,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Kill the process half-way, to see `zeph resume` finish the run
    #[arg(long)]
    pub(crate) crash: bool,
    /// The process that dies half-way
    #[arg(long, hide = true, value_name = "NAME")]
    pub(crate) die: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}
