//! The arguments of the commands that start a new run of an ended one, or compare two.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::{GroupArgs, LabelArgs, ModelArgs, ParamArgs, ReportArgs};

#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// The ended run, or the beginning of its name [default: the newest that has ended]
    pub(crate) run: Option<String>,
    /// Run this task again although it completed, and what depends on it
    #[arg(long, value_name = "TASK")]
    pub(crate) from: Vec<String>,
    /// Run only this task, with the results that it needs; the others are left out of the new run
    #[arg(long, value_name = "TASK", conflicts_with_all = ["from", "plan"])]
    pub(crate) only: Vec<String>,
    /// Take the tasks from this plan file; tasks are matched by name
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) again: AgainArgs,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").required(true).multiple(true))]
pub(crate) struct ForkArgs {
    /// The ended run, or the beginning of its name
    pub(crate) run: String,
    /// Run this task again, and what depends on it; or go on from what had completed at this record of the journal,
    /// which is a number as `zeph show RUN TASK` prints it
    #[arg(long, group = "where", value_name = "TASK|SEQ")]
    pub(crate) at: Vec<String>,
    /// Give this task a result, and run again what depends on it; VALUE is JSON or a text, @FILE and @- read it
    #[arg(long, group = "where", value_name = "TASK=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) again: AgainArgs,
}

/// How a new run of an ended one is started.
#[derive(Debug, Args)]
pub(crate) struct AgainArgs {
    #[command(flatten)]
    pub(crate) params: ParamArgs,
    /// Run at-most-once tasks again that took effect, or may have
    #[arg(long)]
    pub(crate) rerun_interrupted: bool,
    /// Show what would be kept and what would run, and run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Run the tasks with a `cache`, too; their new results are kept for later runs
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Name the new run [default: eight random characters]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) labels: LabelArgs,
    #[command(flatten)]
    pub(crate) group: GroupArgs,
    #[command(flatten)]
    pub(crate) reports: ReportArgs,
    /// How many tasks may run at the same time
    #[arg(long, value_name = "N")]
    pub(crate) max_parallel: Option<String>,
    #[command(flatten)]
    pub(crate) models: ModelArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// A run, or the beginning of its name
    pub(crate) before: String,
    /// The other run
    pub(crate) after: String,
}
