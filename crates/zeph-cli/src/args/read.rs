//! The arguments of the commands that show runs.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// The states that a list shows.
const LIST_STATES: [&str; 11] = [
    "running",
    "paused",
    "waiting",
    "suspending",
    "suspended",
    "interrupted",
    "completed",
    "degraded",
    "failed",
    "canceled",
    "timed_out",
];

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only runs with this text in their name or goal
    pub(crate) text: Option<String>,
    /// Only runs in these states, separated by commas
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = LIST_STATES)]
    pub(crate) state: Vec<String>,
    /// Only runs that were started within this time, such as 90m or 2days
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) since: Option<Duration>,
    /// Only runs with this label, or with any value of that name; may be repeated
    #[arg(long, value_name = "NAME[=VALUE]")]
    pub(crate) label: Vec<String>,
    /// Only runs of this group
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
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
pub(crate) struct WatchArgs {
    /// The run, or the beginning of its name [default: the newest that has not ended]
    pub(crate) run: Option<String>,
    /// Also show what happened before
    #[arg(long)]
    pub(crate) from_start: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TaskRef {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The task
    pub(crate) task: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ArtifactArgs {
    /// The run, or the beginning of its name
    pub(crate) run: String,
    /// The task
    pub(crate) task: String,
    /// The artifact [default: list them]
    pub(crate) artifact: Option<String>,
    /// The file; `-` is standard output [default: the last part of the name, in the current folder]
    #[arg(short, long, value_name = "FILE", requires = "artifact")]
    pub(crate) output: Option<PathBuf>,
    /// Write over the file if it is there
    #[arg(long, requires = "artifact")]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) of: TaskRef,
    /// Only this attempt
    #[arg(long, value_name = "N")]
    pub(crate) attempt: Option<u32>,
    /// Go on until the task or the run has ended
    #[arg(short, long)]
    pub(crate) follow: bool,
}
