//! Utilities for all layers: terminal escaping, truncation, durations, sizes, money, env files, patterns of
//! file names, results of conformance suites, processes, and the detection of command-line arguments that run
//! as code.

mod conformance;
mod control_sequence;
mod duration;
mod effort;
mod env_file;
mod escape_terminal;
mod file_pattern;
mod head_tail_buffer;
mod invisible;
mod money;
mod process;
mod run_as_code;
mod sequences;
mod size;
mod truncate;

pub use conformance::{Violation, Violations};
pub use duration::format_duration;
pub use effort::Effort;
pub use env_file::{BadLine, EnvFileCause, EnvFileError, env_file, read_env_file};
pub use escape_terminal::{PlainText, Removed, escape_terminal, escape_terminal_block, plain_text};
pub use file_pattern::{BadFilePattern, FilePattern, PatternState};
pub use head_tail_buffer::HeadTailBuffer;
pub use invisible::is_invisible;
pub use money::{MAX_MICRO_USD, format_usd, parse_usd};
pub use process::ProcessStat;
pub use run_as_code::{
    Argument, FoundInputs, Inserted, is_code_variable, may_be_options, run_as_code,
    script_runs_input,
};
pub use size::format_size;
pub use truncate::{Boundary, HeadTail, MAX_WORD_BYTES, Truncated, head_tail, truncate};
