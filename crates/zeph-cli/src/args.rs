//! The command line: commands, flags and their help, in one place.

mod again;
mod control;
mod database;
#[cfg(test)]
mod documented;
mod models;
mod read;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub(crate) use again::{AgainArgs, DiffArgs, ForkArgs, RetryArgs};
pub(crate) use control::{AmendArgs, AnswerArgs, CancelArgs, CompleteArgs, EndArgs, SkipArgs};
pub(crate) use database::{
    BackupArgs, ConfigArgs, ConfigDo, DeleteArgs, ExportArgs, ImportArgs, PruneArgs,
};
pub(crate) use models::{
    BudgetArgs, FlagOverride, GroupArgs, LabelArgs, ModelArgs, ParamArgs, ReportArgs,
};
pub(crate) use read::{ArtifactArgs, ListArgs, LogsArgs, RunRef, TaskRef, WatchArgs};

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
    /// The run database: a file, or postgres://USER@HOST/DB [env: ZEPH_DB] [default: $XDG_STATE_HOME/zeph/runs.db]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) db: Option<PathBuf>,
    /// Print JSON on stdout: one object, or one line an event
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Log each decision to stderr, and show the causes of errors; -vv for more, -vvv for all libraries
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// How a new run is started.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Use made-up replies instead of a model
    #[arg(long, conflicts_with = "model")]
    pub(crate) scripted: bool,
    /// How many tasks may run at the same time [default: 8]
    #[arg(long, value_name = "N")]
    pub(crate) max_parallel: Option<String>,
    /// Store nothing on disk; the run cannot be resumed
    #[arg(long, conflicts_with = "db")]
    pub(crate) no_db: bool,
    /// Name the run [default: eight random characters]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) labels: LabelArgs,
    #[command(flatten)]
    pub(crate) group: GroupArgs,
    #[command(flatten)]
    pub(crate) reports: ReportArgs,
    #[command(flatten)]
    pub(crate) models: ModelArgs,
    #[command(flatten)]
    pub(crate) budget: BudgetArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reach a goal: plan it, confirm the plan, run it, combine the results
    Do(DoArgs),
    /// Plan a goal and show the plan; nothing is run
    Plan(PlanArgs),
    /// Run a plan file
    Run(RunArgs),
    /// Check a plan file and show what it would do
    Validate(ValidateArgs),
    /// Continue a run that is suspended or was interrupted
    Resume(ResumeArgs),
    /// Run what failed or changed again, in a new run that takes over the other results
    Retry(RetryArgs),
    /// Go on from a task of an ended run in a new run, with results given by hand
    Fork(ForkArgs),
    /// Compare two runs: their tasks, states and results
    Diff(DiffArgs),
    /// List runs, newest first
    List(ListArgs),
    /// Show the state of a run and what it waits for
    Status(RunRef),
    /// Show a run, or one of its tasks, in full
    Show(TaskRef),
    /// Watch a run that another process works on; Ctrl-C ends only the watching
    Watch(WatchArgs),
    /// Print what the attempts of a run, or of one task, logged; -f goes on with it
    Logs(LogsArgs),
    /// List the artifacts of a task, or write one into a file
    Artifact(ArtifactArgs),
    /// Answer an open question
    Answer(AnswerArgs),
    /// Give an unfinished task its result by hand
    Complete(CompleteArgs),
    /// Skip an unfinished task
    Skip(SkipArgs),
    /// Change the tasks of a run that has not ended to those of its edited plan
    Amend(AmendArgs),
    /// Cancel a run or a task
    Cancel(CancelArgs),
    /// Draw a plan file or a run
    Graph(GraphArgs),
    /// Print a run as JUnit XML, for CI services
    Junit(JunitArgs),
    /// Explain why a task is not running
    Why(WhyArgs),
    /// Check a run's journal and contents for damage
    Verify(VerifyArgs),
    /// Show what a run has spent, and show or set its budget
    Budget(BudgetRef),
    /// Repeat the decisions and the model calls of a run from its journal
    Replay(RunRef),
    /// List the agents, or check their definitions
    Agents(AgentsArgs),
    /// List the tools of the MCP servers in the settings, or serve runs to an assistant
    Mcp(McpArgs),
    /// Let the settings of the project run programs, name addresses and choose files
    Trust(TrustArgs),
    /// Start no new tasks in a run until `zeph unpause`
    Pause(RunRef),
    /// End a pause
    Unpause(RunRef),
    /// Suspend a run that another process works on; a second time ends the grace of running tasks
    Suspend(RunRef),
    /// Delete an ended run
    Delete(DeleteArgs),
    /// Delete ended runs by age, number and end
    Prune(PruneArgs),
    /// Copy the database into a file
    Backup(BackupArgs),
    /// Write an ended run as lines of JSON, for another database
    Export(ExportArgs),
    /// Store an exported run
    Import(ImportArgs),
    /// Show the settings that count, and where each one is set
    Config(ConfigArgs),
    /// Explain a code, a state, an event or an exit code
    Explain(ExplainArgs),
    /// Check the settings, the database and what else `zeph` needs; nothing is sent
    Doctor,
    /// Run a small built-in plan, offline, in a few seconds
    Demo(DemoArgs),
    /// Write a commented plan to begin with
    New(NewArgs),
    /// Print the JSON Schema of plan files, for editors
    Schema,
    /// Print a completion script for a shell; it completes runs, tasks, questions and parameters
    Completions(CompletionsArgs),
    /// Print the manual page, or write those of all commands into a folder
    Man(ManArgs),
}

impl Command {
    /// The flags of this command that override settings.
    pub(crate) fn overrides(&self) -> Vec<FlagOverride> {
        let parallel = |text: &Option<String>| vec![("max_parallel", "max-parallel", text.clone())];
        if let Self::Run(RunArgs { start, .. }) | Self::Do(DoArgs { start, .. }) = self {
            let (models, budget) = (start.models.overrides(), start.budget.overrides());
            return [parallel(&start.max_parallel), models, budget].concat();
        }
        if let Self::Plan(args) = self {
            return [args.models.overrides(), args.budget.overrides()].concat();
        }
        if let Self::Resume(ResumeArgs {
            max_parallel,
            models,
            ..
        })
        | Self::Retry(RetryArgs {
            again:
                AgainArgs {
                    max_parallel,
                    models,
                    ..
                },
            ..
        })
        | Self::Fork(ForkArgs {
            again:
                AgainArgs {
                    max_parallel,
                    models,
                    ..
                },
            ..
        }) = self
        {
            return [parallel(max_parallel), models.overrides()].concat();
        }
        if let Self::Agents(AgentsArgs { agents, .. })
        | Self::Validate(ValidateArgs { agents, .. }) = self
        {
            return vec![("agents", "agents", agents.clone())];
        }
        Vec::new()
    }
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The plan file, TOML, JSON or YAML; `-` reads from stdin
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    /// Show what would run, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Run the tasks with a `cache`, too; their new results are kept for later runs
    #[arg(long)]
    pub(crate) no_cache: bool,
    #[command(flatten)]
    pub(crate) start: StartArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DoArgs {
    /// The goal, in your words
    pub(crate) goal: String,
    /// Run the plan without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) start: StartArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The goal, in your words
    pub(crate) goal: String,
    /// Write the plan to this file, to be reviewed, edited and run
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write over the file if it is there
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// What to draw
    #[arg(long, value_enum, default_value_t = Picture::Tree)]
    pub(crate) format: Picture,
    /// Feedback, such as what was wrong with an earlier plan; may be repeated
    #[arg(long, value_name = "TEXT")]
    pub(crate) feedback: Vec<String>,
    /// Show a made-up plan instead of asking a model
    #[arg(long, conflicts_with = "model")]
    pub(crate) scripted: bool,
    #[command(flatten)]
    pub(crate) models: ModelArgs,
    #[command(flatten)]
    pub(crate) budget: BudgetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BudgetRef {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The tokens that the run may use in all, or none
    #[arg(long, value_name = "N")]
    pub(crate) tokens: Option<String>,
    /// The dollars that the run may cost in all, or none
    #[arg(long, value_name = "USD")]
    pub(crate) usd: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AgentsArgs {
    /// What to do with them
    #[arg(value_enum, default_value_t = AgentsDo::List)]
    pub(crate) what: AgentsDo,
    /// The folder of the definitions, *.md [env: ZEPH_AGENTS]
    #[arg(long, value_name = "DIR")]
    pub(crate) agents: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum AgentsDo {
    /// One line for each
    List,
    /// Only the problems in them
    Check,
}

#[derive(Debug, Args)]
pub(crate) struct McpArgs {
    /// What to do
    #[arg(value_enum, default_value_t = McpDo::Tools)]
    pub(crate) what: McpDo,
    /// One server [default: all]
    pub(crate) server: Option<String>,
    /// Serve: let the assistant answer the questions of runs, also those that approve something [default: a person
    /// answers with `zeph answer`]. A plan file as an answer needs --allow-plans, too
    #[arg(long)]
    pub(crate) allow_answers: bool,
    /// Serve: let the assistant run plan files and plans that it writes, which run any command [default: it starts
    /// goals]
    #[arg(long)]
    pub(crate) allow_plans: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum McpDo {
    /// Start the servers, and list their tools
    Tools,
    /// Be a server: tools to plan, start, follow and answer runs, over stdin and stdout
    Serve,
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The file, which must not exist; without an ending it gets `.toml`
    #[arg(default_value = "plan.toml")]
    pub(crate) name: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ValidateArgs {
    /// The plan file, TOML, JSON or YAML; `-` reads from stdin
    pub(crate) plan: PathBuf,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    /// The folder of the agents' definitions, *.md [env: ZEPH_AGENTS]
    #[arg(long, value_name = "DIR")]
    pub(crate) agents: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The run, or the beginning of its name [default: the newest that can be resumed]
    pub(crate) run: Option<String>,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    /// Run interrupted at-most-once tasks again without asking
    #[arg(long)]
    pub(crate) rerun_interrupted: bool,
    /// What happens to processes of interrupted attempts that are still alive
    /// [default: ask at the terminal, otherwise ignore]
    #[arg(long, value_name = "WHAT")]
    pub(crate) orphans: Option<OrphansDo>,
    /// End a pause of the run
    #[arg(long)]
    pub(crate) unpause: bool,
    #[command(flatten)]
    pub(crate) reports: ReportArgs,
    /// How many tasks of all runs may run at the same time
    #[arg(long, value_name = "N")]
    pub(crate) max_parallel: Option<String>,
    #[command(flatten)]
    pub(crate) models: ModelArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OrphansDo {
    /// Wait until they have ended
    Wait,
    /// End them: SIGTERM, and SIGKILL after the grace
    Kill,
    /// Go on beside them
    Ignore,
}

#[derive(Debug, Args)]
pub(crate) struct GraphArgs {
    /// A plan file, or a run or the beginning of its name
    pub(crate) target: String,
    /// What to draw
    #[arg(long, value_enum, default_value_t = Picture::Tree)]
    pub(crate) format: Picture,
    #[command(flatten)]
    pub(crate) params: ParamArgs,
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
pub(crate) struct JunitArgs {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The file [default: standard output]
    pub(crate) file: Option<PathBuf>,
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
    /// The head hash that was printed earlier
    #[arg(long, value_name = "HASH", requires = "run")]
    pub(crate) head: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// Trust without a question
    #[arg(short, long, conflicts_with_all = ["revoke", "list"])]
    pub(crate) yes: bool,
    /// Trust the project no longer
    #[arg(long, conflicts_with = "list")]
    pub(crate) revoke: bool,
    /// List the trusted projects and addresses
    #[arg(long)]
    pub(crate) list: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Kill the process half-way, to see `zeph resume` finish the run
    #[arg(long)]
    pub(crate) crash: bool,
    /// Run under this name, and kill this process half-way
    #[arg(long, hide = true, value_name = "NAME")]
    pub(crate) crash_half_way: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The code, such as unknown_key, failed or 8 [default: list all]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// The folder for zeph.1, zeph-run.1 and so on [default: print zeph.1]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}
