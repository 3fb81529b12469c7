//! The gate: every check of this repository, one line a step.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a tool at a terminal: printing is its output"
)]

mod args;
mod gate;
mod llm;
mod long;
mod setup;
mod steps;

mod book;
mod budgets;
mod guarantees;
mod laws;
mod layering;
mod tidy;

mod finding;
mod markdown;
mod source;
mod tally;
mod tool;
mod tree;
mod workspace;

use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let command = match args::parse(&words) {
        Ok(command) => command,
        Err(why) => {
            eprintln!("error: {why}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match perform(command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well; an error is something that kept the command from running at all.
fn perform(command: Command) -> Result<bool, String> {
    match command {
        Command::Help => {
            println!("{}", args::USAGE);
            Ok(true)
        }
        Command::List => {
            gate::list();
            Ok(true)
        }
        Command::TestAll(choice) => gate::run(&choice),
        Command::CrashLoop { kills } => long::crash_loop(kills),
        Command::Soak => long::soak(),
        Command::Bench => long::bench(),
        Command::TestWire => llm::test_wire(),
        Command::TestLlm => llm::test_llm(),
        Command::Setup => setup::run(),
        Command::Budgets => budgets::print(),
    }
}
