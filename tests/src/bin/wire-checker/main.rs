//! Checks our LLM client (adapter and retry layer, in the composition of users) against mock servers.
//!
//! `cargo xtask test-wire` and `cargo xtask test-llm` start the servers and this program.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool at a terminal: printing is its output"
)]

mod control;
mod faults;
mod fixtures;
mod model;
mod plans;
mod report;
mod rows;
mod service;

use std::process::ExitCode;

use crate::report::Report;

const USAGE: &str = "\
usage: wire-checker faults URL      against llmock
       wire-checker fixtures URL    against aimock
       wire-checker rows            against the scripted service, one row after the other
       wire-checker model URL NAME  against a model behind the OpenAI protocol";

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // Our build of reqwest has no TLS provider, and requires one even for plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut report = Report::default();
    let judged = match words.as_slice() {
        ["faults", url] => faults::check(&mut report, url).await,
        ["fixtures", url] => fixtures::check(&mut report, url).await,
        ["rows"] => rows::check(&mut report).await,
        ["model", url, name] => model::check(&mut report, url, name).await,
        _ => Err(USAGE.to_owned()),
    };
    if let Err(why) = judged {
        eprintln!("{why}");
        return ExitCode::from(2);
    }
    if report.close() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
