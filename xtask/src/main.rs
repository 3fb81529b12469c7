//! The gate: every check of this repository, one line a step.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a tool at a terminal: printing is its output"
)]

mod args;
mod gate;
mod steps;

mod book;
mod budgets;
mod deny;
mod guarantees;
mod layering;
mod llm;
mod long;
mod mcp;
mod mutants;
mod tidy;

mod cargo;
mod finding;
mod markdown;
mod process;
mod rust;
mod tally;
mod tree;
mod workspace;

use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let command = match args::parse(&args) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("error: {message}\n\n{}", args::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether the command's checks passed; an error is a command that could not run.
fn run(command: Command) -> Result<bool, String> {
    match command {
        Command::Help => {
            println!("{}", args::USAGE);
            Ok(true)
        }
        Command::List => {
            gate::list();
            Ok(true)
        }
        Command::TestAll(selection) => gate::run(&selection),
        Command::Mutants { runs, numbers } => mutants::run(runs, &numbers),
        Command::CrashLoop { kills } => long::crash_loop(kills),
        Command::Soak => long::soak(),
        Command::Bench => long::bench(),
        Command::TestWire => llm::test_wire(),
        Command::TestLlm => llm::test_llm(),
        Command::TestMcp => mcp::test_mcp(),
        Command::Setup => deny::setup(),
        Command::Budgets => budgets::print(),
    }
}
