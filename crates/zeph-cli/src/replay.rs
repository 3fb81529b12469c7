//! `zeph replay`: repeats the decisions of a run and the work of its models from the journal, without a
//! network and without changing anything.

use serde_json::{Value, json};
use zeph_common::escape_terminal;
use zeph_memory_sqlite::SqliteStore;
use zeph_orchestration::Orchestrator;
use zeph_orchestration::plan::needs_model;
use zeph_orchestration::plan::{AttemptReplay, ReplayReport};
use zeph_planner::replay::ReplayOutcome;
use zeph_runtime::RunView;

use crate::args::RunRef;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::llm::{self, ModelConfig};
use crate::out::{self, Tone};
use crate::read::page::count;
use crate::read::pick;
use crate::run;

/// The attempts that are listed by name.
const SHOWN: usize = 20;

pub(crate) async fn run(cx: &AppContext, args: &RunRef) -> Result<Exit, CliError> {
    let store = cx.open_store_read_only().await?;
    let run = match &args.run {
        Some(text) => cx.find_run(&store, text).await?,
        None => pick::newest(&store, None).await?,
    };
    let view = RunView::load(&store, &run).await?;
    let (report, why_not) = replay(cx, &store, &view).await?;
    // If attempts could not be replayed, the run does not count as the same.
    let is_same = report.is_same() && why_not.is_none();
    let exit = if is_same {
        Exit::Completed
    } else {
        Exit::Failed
    };
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
    Ok(exit)
}

/// The report; and why attempts were not replayed, if the run's models, agents or prompts are missing.
async fn replay(
    cx: &AppContext,
    store: &SqliteStore,
    view: &RunView,
) -> Result<(ReplayReport, Option<CliError>), CliError> {
    let without_models =
        || Ok::<_, CliError>(llm::base_builder(cx).database(store.clone()).build()?);
    let (orchestrator, why_not) = if needs_model(view.graph(), |_| true) {
        match with_models(cx, store, view) {
            Ok(orchestrator) => (orchestrator, None),
            Err(error) => (without_models()?, Some(error)),
        }
    } else {
        (without_models()?, None)
    };
    Ok((orchestrator.replay(&view.run).await?, why_not))
}

fn with_models(
    cx: &AppContext,
    store: &SqliteStore,
    view: &RunView,
) -> Result<Orchestrator, CliError> {
    let models = ModelConfig {
        replayed: true,
        ..ModelConfig::stored(cx, view.graph())?
    };
    let builder = run::builder(cx, Some(&models), view.graph())?;
    Ok(builder.database(store.clone()).build()?)
}

fn render(report: &ReplayReport, why_not: Option<&CliError>) {
    let run = &report.run;
    let records = count(report.records as u64, "record");
    match &report.divergence {
        None => out::line(format!(
            "{} run {run}: {records}, decided again with the same result",
            Tone::Good.paint("ok")
        )),
        Some(first) => {
            let first = first.to_string();
            out::line(format!(
                "{} run {run}: {}",
                Tone::Bad.paint("differs"),
                escape_terminal(&first)
            ));
            out::line(format!(
                "  `zeph verify {run}` checks the journal for damage; if there is none, another version of zeph made these decisions"
            ));
        }
    }
    if let Some(error) = why_not {
        let message = error.message.lines().next().unwrap_or_default();
        out::line(format!(
            "{} the work of models was not replayed: {}",
            Tone::Warning.paint("skipped"),
            escape_terminal(message)
        ));
        return;
    }
    let of = |wanted: fn(&ReplayOutcome) -> bool| {
        let all = report.attempts.iter();
        all.filter(move |one| wanted(&one.outcome))
            .collect::<Vec<_>>()
    };
    let same = of(|outcome| matches!(outcome, ReplayOutcome::Same));
    if !same.is_empty() {
        out::line(format!(
            "{} {} of models, replayed from the recording with the same result",
            Tone::Good.paint("ok"),
            count(same.len() as u64, "attempt")
        ));
    }
    let rest = report.attempts.iter();
    let rest: Vec<&AttemptReplay> = rest
        .filter(|one| !matches!(one.outcome, ReplayOutcome::Same))
        .collect();
    for one in rest.iter().take(SHOWN) {
        let (word, text) = words(&one.outcome);
        let tone = if word == "differs" {
            Tone::Bad
        } else {
            Tone::Warning
        };
        out::line(format!(
            "{} {}, attempt {}: {}",
            tone.paint(word),
            escape_terminal(&one.task),
            one.attempt,
            escape_terminal(&text)
        ));
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
