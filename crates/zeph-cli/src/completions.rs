//! `zeph completions`: the completion script for a shell.

use clap::CommandFactory as _;

use crate::args::{Cli, CompletionsArgs};
use crate::exit::Exit;
use crate::out;

pub(crate) fn print(args: &CompletionsArgs) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "zeph", &mut script);
    out::text(String::from_utf8_lossy(&script));
    Exit::Completed
}
