//! `zeph replay`: repeats the decisions of a run and the work of its models from the journal, without a
//! network and without changing anything.

use crate::store::Database;
use serde_json::{Value, json};
use zeph_common::escape_terminal;
use zeph_orchestration::Orchestrator;
use zeph_orchestration::plan::{AttemptReplay, ReplayReport, needs_model};
use zeph_planner::replay::ReplayOutcome;
use zeph_runtime::RunView;

use crate::args::RunRef;
use crate::context::{AppContext, command};
use crate::exit::{CliError, Exit};
use crate::llm::{self, ModelConfig};
use crate::out::{self, Tone};
use crate::read::page::count;
use crate::run;

/// The attempts that are listed by name.
const SHOWN: usize = 20;

pub(crate) async fn run(cx: &AppContext, args: &RunRef) -> Result<Exit, CliError> {
    let (store, view) = cx.load_run(args.run.as_deref()).await?;
    let run = &view.run;
    let models = match needs_model(view.graph(), |_| true) {
        true => Some(with_models(cx, &store, &view).await),
        false => None,
    };
    let (orchestrator, why_not) = match models {
        Some(Ok(orchestrator)) => (orchestrator, None),
        // The run's model, agents or prompts are missing: only the decisions are replayed.
        missing => {
            let builder = store.of(llm::base_builder(cx));
            (builder.build()?, missing.and_then(Result::err))
        }
    };
    let report = orchestrator.replay(run).await?;
    // If attempts could not be replayed, the run does not count as the same.
    let is_same = report.is_same() && why_not.is_none();
    if cx.json() {
        let attempts = report.attempts.iter().map(attempt_json);
        out::json(&json!({
            "run": run.as_str(),
            "records": report.records,
            "same": is_same,
            "first_difference": report.divergence.as_ref().map(ToString::to_string),
            "attempts": attempts.collect::<Vec<_>>(),
            "attempts_not_replayed": why_not.map(|error| error.message),
        }));
    } else {
        render(&report, why_not.as_ref());
    }
    Ok(if is_same {
        Exit::Completed
    } else {
        Exit::Failed
    })
}

async fn with_models(
    cx: &AppContext,
    store: &Database,
    view: &RunView,
) -> Result<Orchestrator, CliError> {
    let models = ModelConfig {
        replayed: true,
        ..ModelConfig::stored(cx, view.graph())?
    };
    let builder = run::builder(cx, Some(&models), view.graph()).await?;
    Ok(store.of(builder).build()?)
}

fn line(tone: Tone, word: &str, text: &str) {
    out::line(format!("{} {}", tone.paint(word), escape_terminal(text)));
}

fn render(report: &ReplayReport, why_not: Option<&CliError>) {
    let run = &report.run;
    match &report.divergence {
        None => {
            let records = count(report.records as u64, "record");
            let text = format!("run {run}: {records}, decided again with the same result");
            line(Tone::Good, "ok", &text);
        }
        Some(first) => {
            line(Tone::Bad, "differs", &format!("run {run}: {first}"));
            out::line(format!(
                "  `{}` checks the journal for damage; if there is none, another version of zeph made these decisions",
                command(&["verify", run.as_str()])
            ));
        }
    }
    if let Some(error) = why_not {
        let message = error.message.lines().next().unwrap_or_default();
        let text = format!("the work of models was not replayed: {message}");
        line(Tone::Warning, "skipped", &text);
        return;
    }
    let is_same = |one: &&AttemptReplay| matches!(one.outcome, ReplayOutcome::Same);
    let (same, rest): (Vec<_>, Vec<_>) = report.attempts.iter().partition(is_same);
    if !same.is_empty() {
        let attempts = count(same.len() as u64, "attempt");
        let text =
            format!("{attempts} of models, replayed from the recording with the same result");
        line(Tone::Good, "ok", &text);
    }
    for one in rest.iter().take(SHOWN) {
        let (word, text) = words(&one.outcome);
        let tone = match one.outcome {
            ReplayOutcome::Differs(_) => Tone::Bad,
            ReplayOutcome::Same | ReplayOutcome::Skipped(_) => Tone::Warning,
        };
        line(
            tone,
            word,
            &format!("{}, attempt {}: {text}", one.task, one.attempt),
        );
    }
    if rest.len() > SHOWN {
        out::line(format!("… and {} more", rest.len() - SHOWN));
    }
}

fn words(outcome: &ReplayOutcome) -> (&'static str, String) {
    match outcome {
        ReplayOutcome::Same => ("same", String::new()),
        ReplayOutcome::Differs(difference) => ("differs", difference.to_string()),
        ReplayOutcome::Skipped(why) => ("skipped", why.clone()),
    }
}

fn attempt_json(one: &AttemptReplay) -> Value {
    let (outcome, text) = words(&one.outcome);
    json!({
        "task": &*one.task,
        "action": &*one.action,
        "attempt": one.attempt.get(),
        "outcome": outcome,
        "text": text,
    })
}
