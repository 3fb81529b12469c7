//! `zeph plan`: a plan for a goal, shown or written to a file; nothing is run.

use std::io::{self, ErrorKind};
use std::path::Path;

use futures::StreamExt as _;
use serde_json::Value;
use zeph_diagnostics::Diagnostic;
use zeph_planner::plan::{PlanError, PlanEvent, PlanFailure, PlanFinding, PlanOutput, code};

use super::goal_of;
use super::shown::Proposal;
use crate::args::{Picture, PlanArgs};
use crate::context::{AppContext, command_with};
use crate::exit::{self, CliError, Exit};
use crate::llm::{self, ModelConfig};
use crate::out::{self, Channel, Tone};
use crate::read::page::Page;
use crate::{graph, run};

pub(crate) async fn run(cx: &AppContext, args: &PlanArgs) -> Result<Exit, CliError> {
    let goal = goal_of(&args.goal)?;
    let models = ModelConfig::from_settings(cx, args.scripted)?;
    if let Some(path) = args.output.as_deref().filter(|_| !args.force)
        && path.exists()
    {
        return Err(exit::may_force(path));
    }
    if let Some(path) = &args.output {
        // Checked before the model is called, so that no paid plan is lost.
        writable(path)?;
    }
    let channel = Channel::new(false, args.scripted);
    let folder = super::current_folder()?;
    let orchestrator = llm::planning(cx, &models, &folder)?.build()?;
    llm::warn_unredacted(&orchestrator, []);
    let stream = orchestrator.plan(goal, args.feedback.clone())?;
    let signals = run::listen()?;
    let making = make(stream, channel, out::is_watched());
    let output = tokio::select! {
        made = making => made?,
        exit = signals.first() => return Err(CliError::new(exit, "planning was stopped").code("stopped")),
    };
    let proposal = Proposal(output);
    if let Some(path) = &args.output {
        let text = proposal.0.plan_file.as_bytes();
        exit::write_file(path, text, args.force, |error| unwritable(path, error))?;
    }
    if cx.json() {
        let mut json = proposal.to_json(goal);
        json["output"] = args.output.as_ref().map_or(Value::Null, |path| {
            path.to_string_lossy().into_owned().into()
        });
        out::json(&channel.marked(json));
        return Ok(Exit::Completed);
    }
    show(args, &proposal, channel);
    Ok(Exit::Completed)
}

/// Follows the planner, and prints its progress on a terminal.
async fn make(
    mut stream: zeph_planner::plan::PlanStream,
    channel: Channel,
    watched: bool,
) -> Result<PlanOutput, CliError> {
    let mut cached = false;
    let render = |text: String| {
        if watched {
            let text = zeph_common::escape_terminal(&text).into_owned();
            out::note_line(channel.labelled(&Tone::Quiet.paint(text)));
        }
    };
    while let Some(event) = stream.next().await {
        match event {
            PlanEvent::Asked { provider, call } => {
                render(format!("asking {provider} for a plan (call {call})"));
            }
            PlanEvent::Proposed { name, .. } => render(format!("  {name}")),
            // Only the request of a run starts tasks.
            PlanEvent::Ready(_) | PlanEvent::Repaired(_) => {}
            PlanEvent::Rejected { diagnostics } => {
                let count = diagnostics.len();
                render(format!("the plan has {count} problems; asking again"));
            }
            PlanEvent::FellBack { why } => render(format!("falling back: {why}")),
            PlanEvent::Cached => cached = true,
            PlanEvent::Warned { what } => render(what),
            PlanEvent::Done(plan) => return Ok(PlanOutput::new(*plan, cached)),
            PlanEvent::Failed(error) => return Err(failed(&error)),
        }
    }
    Err(CliError::new(
        Exit::Internal,
        "the planner ended without a plan",
    ))
}

/// The error for a goal without a plan.
fn failed(error: &PlanError) -> CliError {
    let too_costly = |one: &Diagnostic| one.code == code::TOO_COSTLY;
    let too_costly = !error.diagnostics().is_empty() && error.diagnostics().iter().all(too_costly);
    let is_usage = matches!(
        error.failure,
        PlanFailure::Impossible | PlanFailure::BadPrompt
    );
    let exit = if too_costly || error.failure == PlanFailure::OverBudget {
        Exit::Budget
    } else if is_usage {
        Exit::Usage
    } else {
        Exit::Failed
    };
    let problems = error.diagnostics();
    let mut message = format!("planning failed: {}", error.message);
    for problem in problems.iter().take(20) {
        message.push_str(&format!("\n  {problem}"));
    }
    let mut failure = CliError::new(exit, message)
        .code(error.failure.word())
        .help(if too_costly {
            "allow more with --budget-tokens or --budget-usd, or ask for less"
        } else {
            error.failure.advice()
        });
    let problems = problems
        .iter()
        .map(|one| serde_json::json!(PlanFinding::from(one)));
    failure.diagnostics = problems.collect();
    failure
}

fn show(args: &PlanArgs, proposal: &Proposal, channel: Channel) {
    if args.format != Picture::Tree {
        // Programs read these formats, and a label would break them.
        if let Some(graph) = proposal.graph() {
            out::text(graph::draw(args.format, &graph, |_| None));
        }
        return;
    }
    let mut page = Page::behind(channel.label);
    proposal.render(&mut page);
    out::line(channel.labelled(page.into_text().trim_end()));
    let flags = flags(args);
    let with = |name: &'static str, more: &[&'static str], operand: &str| {
        let flags = flags.iter().map(String::as_str);
        let words: Vec<&str> = [name]
            .into_iter()
            .chain(flags)
            .chain(more.iter().copied())
            .collect();
        command_with(&words, &[operand])
    };
    channel.line("");
    if let Some(path) = &args.output {
        let path = path.to_string_lossy();
        let shown = zeph_common::escape_terminal(&path);
        channel.line(format!("Nothing was run; the plan is in {shown}. Next:"));
        let (run, validate) = (
            with("run", &[], &path),
            command_with(&["validate"], &[&path]),
        );
        channel.commands(&[
            (run, "run it as it is, or edited"),
            (validate, "check it after an edit"),
        ]);
    } else {
        channel.line("Nothing was run. Next:");
        let run = with("do", &[], &args.goal);
        let keep = with("plan", &["-o", "plan.toml"], &args.goal);
        channel.commands(&[
            (run, "plan, confirm and run"),
            (keep, "keep a plan in a file"),
        ]);
    }
}

/// The flags that select this model, for the suggested commands, which read the same variables and settings
/// files.
fn flags(args: &PlanArgs) -> Vec<String> {
    let mut flags = Vec::new();
    flags.extend(args.scripted.then(|| "--scripted".to_owned()));
    for (_, flag, text) in args.models.overrides() {
        if let Some(text) = text {
            flags.extend([format!("--{flag}"), text]);
        }
    }
    flags
}

/// Checks that the file is in an existing folder and is no folder itself.
fn writable(path: &Path) -> Result<(), CliError> {
    if path.is_dir() {
        return Err(unwritable(path, &ErrorKind::IsADirectory.into()));
    }
    // A bare file name is in the current folder.
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    match folder.map(std::fs::metadata).transpose() {
        Ok(Some(kind)) if !kind.is_dir() => Err(unwritable(path, &ErrorKind::NotADirectory.into())),
        Ok(_) => Ok(()),
        Err(error) => Err(unwritable(path, &error)),
    }
}

fn unwritable(path: &Path, error: &io::Error) -> CliError {
    let text = format!("the plan cannot be written to {}: {error}", path.display());
    CliError::new(Exit::Usage, text).code("unwritable_plan")
}
