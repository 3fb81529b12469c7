//! The arguments of the commands that care for the database and the settings.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args};
use zeph_graph::RunEnd;

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The run, in full
    pub(crate) run: String,
    /// Cancel the run first if it has not ended
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("which").required(true).multiple(true))]
pub(crate) struct PruneArgs {
    /// Delete runs that ended so long ago, such as 30d
    #[arg(long, group = "which", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(crate) older_than: Option<Duration>,
    /// Keep so many, the newest ones
    #[arg(long, group = "which", value_name = "N")]
    pub(crate) keep: Option<usize>,
    /// Delete only runs with these ends, separated by commas
    #[arg(long, group = "which", value_name = "STATE", value_delimiter = ',', value_parser = PossibleValuesParser::new(RunEnd::WORDS))]
    pub(crate) state: Vec<String>,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The new file
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The ended run, or the beginning of its name
    pub(crate) run: String,
    /// The new file [default: standard output]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file of `zeph export`; `-` reads from stdin
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// What to do with them
    #[arg(value_enum, default_value_t = ConfigDo::Show)]
    pub(crate) what: ConfigDo,
    /// Also show where each one is set
    #[arg(long)]
    pub(crate) origin: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ConfigDo {
    /// All settings with their values
    Show,
}
