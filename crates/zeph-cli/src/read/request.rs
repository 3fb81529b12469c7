//! `zeph answer`, `cancel`, `pause`, `unpause` and `suspend`: changes of a run, from any process.

use std::sync::Arc;

use crate::store::Database;
use serde_json::json;
use zeph_common::escape_terminal_block;
use zeph_graph::{AskWhy, RunId};
use zeph_memory::RawGraphStore as _;
use zeph_orchestration::plan::{plan_in_view, plan_questions};
use zeph_runtime::{Delivery, Request, RunView, RuntimeError, ask, cancel_run, replace};

use super::page;
use crate::args::{AnswerArgs, CancelArgs, RunRef};
use crate::context::{AppContext, answer_at_terminal, command, command_with, find_run, now};
use crate::exit::{CliError, Exit};
use crate::goal::{self, shown};
use crate::llm;
use crate::orphans::{self, Orphan};
use crate::out::{self, Channel, Tone};
use crate::place;
use crate::run::end;
use crate::run::prompt::{self, Outcome};

pub(crate) async fn answer(cx: &AppContext, args: &AnswerArgs) -> Result<Exit, CliError> {
    let read = |text| place::read("the answer", text);
    let text = args
        .text
        .as_deref()
        .map(read)
        .transpose()?
        .map(|it| it.text);
    let (store, run) = open(cx, Some(&args.run)).await?;
    let question = number_of(&store, &run, &args.question).await?;
    let text = match text {
        Some(text) => text,
        None => match asked(&store, &run, question, args.replace).await? {
            Err(signal) => return Ok(signal),
            Ok(Outcome::Answer(text)) => text,
            Ok(Outcome::Later) => {
                let command = answer_at_terminal(run.as_str(), question);
                out::note_line(format!("{} → {command}", Tone::Question.paint("put off")));
                return Ok(Exit::Waiting);
            }
            Ok(Outcome::Broken(why)) => return Err(CliError::new(Exit::Internal, why)),
        },
    };
    check_plan(cx, &store, &run, (question, args), &text).await?;
    let text = llm::base_builder(cx).build()?.redacted(&text)?;
    let done = format!("question {question} of run {run} is answered");
    if args.replace {
        let owners = store.owners();
        let request = Request::Answer { question, text };
        let sent = replace(&store, owners.as_ref(), &run, &request, now()).await?;
        return Ok(report(cx, &run, sent, &done));
    }
    send(cx, &store, &run, &Request::Answer { question, text }, &done).await
}

/// The number of a question that is given by its number or by its task.
async fn number_of(store: &Database, run: &RunId, text: &str) -> Result<u32, CliError> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let view = RunView::load(store, run).await?;
    let task = view.graph().task(view.task(text)?).name();
    // A task has one open question.
    let mut open = view.questions().into_iter();
    if let Some(question) = open.find(|one| one.task == task) {
        return Ok(question.id);
    }
    let task = zeph_common::escape_terminal(task);
    let text = format!("task {task} of run {run} has no open question");
    let status = command(&["status", run.as_str()]);
    Err(CliError::new(Exit::Usage, text)
        .code("no_such_question")
        .help(format!("`{status}` shows the open questions")))
}

/// Refuses an unclear text, or a plan file with mistakes, as the answer to a question about a plan.
async fn check_plan(
    cx: &AppContext,
    store: &Database,
    run: &RunId,
    (question, args): (u32, &AnswerArgs),
    text: &str,
) -> Result<(), CliError> {
    let view = RunView::load(store, run).await?;
    let mut asked = view.questions().into_iter();
    let asked = asked.find(|one| one.id == question);
    let is_about_plan = asked.is_some_and(|one| plan_questions(view.graph()).contains(&one.task));
    if is_about_plan {
        let typed = args.text.as_deref().filter(|typed| typed.starts_with('@'));
        let words = ["answer", run.as_str(), &question.to_string()];
        let again = command_with(&words, &[typed.unwrap_or("@FILE")]);
        goal::check_answer(cx, view.graph(), text, &again)?;
    }
    Ok(())
}

/// The answer of the person at the terminal, or the signal that ended the prompt.
async fn asked(
    store: &Database,
    run: &RunId,
    number: u32,
    replaces: bool,
) -> Result<Result<Outcome, Exit>, CliError> {
    let view = RunView::load(store, run).await?;
    let question = view.open_question(store, number).await?;
    if let Some((id, first)) = view.posted_answer(number).filter(|_| !replaces) {
        return Err(CliError::from(RuntimeError::AlreadyAnswered {
            run: run.clone(),
            question: number,
            answer: first.to_owned(),
            posted: Some(id),
        }));
    }
    if !out::is_interactive() {
        let text = format!(
            "question {number} of run {run} is not answered: there is no text, and no terminal to ask at"
        );
        return Err(CliError::new(Exit::Usage, text)
            .code("no_answer")
            .help(format!(
                "write the answer behind the number: {}",
                question.accepts
            )));
    }
    let plan = plan_in_view(store, &view, &question.task).await?;
    let file = plan.as_ref().map(|plan| plan.plan_file.clone());
    if let Some(plan) = plan {
        out::note_line(shown::text(plan, Channel::default()));
    } else if question.text.lines().count() > 1 {
        // The prompt shows the beginning.
        out::note_line(escape_terminal_block(&question.text));
    }
    if let AskWhy::Failure(_) = question.about
        && let Some(id) = view
            .attempts(view.task(&question.task)?)
            .last()
            .and_then(|last| last.error)
        && let Some(error) = view.error(store, id).await?
    {
        out::note_line(escape_terminal_block(&error.message));
    }
    let mut question = question;
    let task = view.task(&question.task)?;
    if let Some(attempt) = view.scheduler.task(task).last_attempt() {
        let orphan = Orphan::of(store, &view, task, attempt).await?;
        orphans::tell(&mut question, orphan.as_slice());
    }
    prompt::ask(&question, file).await
}

pub(crate) async fn cancel(cx: &AppContext, args: &CancelArgs) -> Result<Exit, CliError> {
    let (store, run) = open(cx, Some(&args.run)).await?;
    let task = args.task.as_ref().map(|task| format!("{task} of "));
    let more = if args.downstream {
        ", with what depends on it"
    } else {
        ""
    };
    let done = format!(
        "{}run {run} is being canceled{more}",
        task.unwrap_or_default()
    );
    if args.task.is_none() {
        let delivery = cancel_whole(cx, &store, &run).await?;
        return Ok(report(cx, &run, delivery, &done));
    }
    let request = Request::Cancel {
        task: args.task.clone(),
        downstream: args.downstream,
    };
    send(cx, &store, &run, &request, &done).await
}

/// Cancels a run. If no process works on it, it ends here, so its hooks are called here.
pub(crate) async fn cancel_whole(
    cx: &AppContext,
    store: &Database,
    run: &RunId,
) -> Result<Delivery, CliError> {
    let is_at_rest = cx.owner_of(store, run).await?.is_none();
    let delivery = cancel_run(Arc::new(store.clone()), store.owners(), run, now()).await?;
    if is_at_rest && delivery == Delivery::Accepted && !store.get(run).await?.status.open {
        end::call_hooks_of(cx, store, run).await?;
    }
    Ok(delivery)
}

pub(crate) async fn pause(cx: &AppContext, args: &RunRef) -> Result<Exit, CliError> {
    let (store, run) = open(cx, args.run.as_deref()).await?;
    let done = format!(
        "run {run} is paused: running tasks continue, nothing new starts; `{}` ends the pause",
        command(&["unpause", run.as_str()])
    );
    send(cx, &store, &run, &Request::Pause, &done).await
}

pub(crate) async fn unpause(cx: &AppContext, args: &RunRef) -> Result<Exit, CliError> {
    let (store, run) = open(cx, args.run.as_deref()).await?;
    let done = format!("the pause of run {run} is over");
    send(cx, &store, &run, &Request::Unpause, &done).await
}

pub(crate) async fn suspend(cx: &AppContext, args: &RunRef) -> Result<Exit, CliError> {
    let (store, run) = open(cx, args.run.as_deref()).await?;
    let owners = store.owners();
    let delivery = ask(&store, owners.as_ref(), &run, &Request::Suspend, now()).await?;
    let resume = command(&["resume", run.as_str()]);
    let text = match delivery {
        Delivery::Stale if cx.owner_of(&store, &run).await?.is_some() => {
            format!("run {run} is being suspended already: its running tasks are stopped now")
        }
        Delivery::Stale => {
            format!("run {run} is suspended already: no process works on it; `{resume}` continues")
        }
        Delivery::Accepted | Delivery::Posted(_) => format!(
            "run {run} is being suspended: running tasks have their grace to end, the same command again stops them; `{resume}` continues"
        ),
    };
    Ok(print(cx, &run, delivery, text))
}

/// Opens the database and finds the run; without a name, the newest run that is open.
pub(crate) async fn open(
    cx: &AppContext,
    run: Option<&str>,
) -> Result<(Database, RunId), CliError> {
    let store = cx.open_existing_store().await?;
    let run = find_run(&store, run, Some(true)).await?;
    Ok((store, run))
}

/// Sends a request and prints the delivery. `done` is printed when the request was applied.
pub(super) async fn send(
    cx: &AppContext,
    store: &Database,
    run: &RunId,
    request: &Request,
    done: &str,
) -> Result<Exit, CliError> {
    let delivery = ask(store, store.owners().as_ref(), run, request, now()).await?;
    Ok(report(cx, run, delivery, done))
}

fn report(cx: &AppContext, run: &RunId, delivery: Delivery, done: &str) -> Exit {
    if delivery == Delivery::Stale {
        let text = format!("nothing to change in run {run}: it has that state already");
        return print(cx, run, delivery, text);
    }
    report_with(cx, run, delivery, done)
}

/// Prints the delivery, with that text unless the request waits for the run to be resumed.
pub(super) fn report_with(cx: &AppContext, run: &RunId, delivery: Delivery, text: &str) -> Exit {
    let text = match delivery {
        Delivery::Accepted | Delivery::Stale => text.to_owned(),
        Delivery::Posted(_) => format!(
            "kept: no process works on run {run}; it counts when the run is resumed: {}",
            command(&["resume", run.as_str()])
        ),
    };
    print(cx, run, delivery, text)
}

fn print(cx: &AppContext, run: &RunId, delivery: Delivery, text: String) -> Exit {
    let (word, id) = match delivery {
        Delivery::Accepted => ("accepted", None),
        Delivery::Stale => ("stale", None),
        Delivery::Posted(id) => ("posted", Some(id.get())),
    };
    let json = || json!({ "run": run.as_str(), "delivery": word, "request": id });
    page::print(cx, json, |page| page.line(text))
}
