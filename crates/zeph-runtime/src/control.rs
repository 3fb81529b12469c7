//! Control: asking something of a run from any process, whoever owns it.

use zeph_graph::{RunId, Timestamp};
use zeph_memory::{RawGraphStore, RequestId};

use crate::answer;
use crate::error::RuntimeError;
use crate::owner::Owners;
use crate::request::Request;
use crate::socket::{self, Reply};
use crate::view::RunView;

/// Where a request ended up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// The owner took it, and what it led to is saved.
    Accepted,
    /// The owner had nothing to change: it was about something that is over.
    Stale,
    /// Nobody owns the run: the next owner reads it first.
    Posted(RequestId),
}

/// Asks something of a run: of its owner if that is alive, else of its next one.
///
/// What can be checked without an owner is: the run is open, the task exists, the question is open
/// and the text answers it.
///
/// # Errors
/// If the run does not exist or has ended, or the request does not fit it.
pub async fn ask(
    store: &dyn RawGraphStore,
    owners: Option<&Owners>,
    run: &RunId,
    request: &Request,
    now: Timestamp,
) -> Result<Delivery, RuntimeError> {
    let row = store
        .get(run)
        .await
        .map_err(|error| RuntimeError::store(run, error))?;
    if !row.status.open {
        let state = row.status.state;
        return Err(RuntimeError::AlreadyEnded {
            run: run.clone(),
            state,
        });
    }
    if let Some(owners) = owners {
        match socket::reach(owners, row.epoch, run, Some(request)).await {
            Ok(Reply::Accepted) => return Ok(Delivery::Accepted),
            Ok(Reply::Stale) => return Ok(Delivery::Stale),
            Ok(Reply::Refused(reason)) => {
                return Err(RuntimeError::Refused {
                    run: run.clone(),
                    reason,
                });
            }
            // A living owner that does not reply would not read the inbox either.
            Err(Some(owner)) => {
                return Err(RuntimeError::Unreachable {
                    run: run.clone(),
                    owner,
                });
            }
            // The run is at rest there, or nobody holds it.
            Ok(Reply::NotHere) | Err(None) => {}
        }
    }
    check(&RunView::load(store, run).await?, request)?;
    if let Request::Answer { question, text } = request
        && let Some(delivery) = waiting(store, run, *question, text).await?
    {
        return Ok(delivery);
    }
    let body = serde_json::to_string(request).map_err(|error| RuntimeError::Refused {
        run: run.clone(),
        reason: error.to_string(),
    })?;
    let id = store
        .post(run, now, &body)
        .await
        .map_err(|error| RuntimeError::store(run, error))?;
    Ok(Delivery::Posted(id))
}

/// The same answer, if it waits already. Of two that differ the first would count, and the second be
/// lost without a word.
async fn waiting(
    store: &dyn RawGraphStore,
    run: &RunId,
    question: u32,
    text: &str,
) -> Result<Option<Delivery>, RuntimeError> {
    let inbox = store.inbox().await;
    let inbox = inbox.map_err(|error| RuntimeError::store(run, error))?;
    for posted in inbox.iter().filter(|posted| posted.run == *run) {
        let Ok(Request::Answer {
            question: of,
            text: first,
        }) = serde_json::from_str(&posted.body)
        else {
            continue;
        };
        if of == question && first == text {
            return Ok(Some(Delivery::Posted(posted.id)));
        }
        if of == question {
            let reason = format!(
                "another answer to question {question} waits already, and the first one counts; resume the run, or cancel it"
            );
            return Err(RuntimeError::Refused {
                run: run.clone(),
                reason,
            });
        }
    }
    Ok(None)
}

fn check(view: &RunView, request: &Request) -> Result<(), RuntimeError> {
    let run = view.run.clone();
    match request {
        Request::Answer { question, text } => {
            let question = *question;
            let open = view
                .scheduler
                .questions()
                .find(|open| open.id.get() == question);
            let open = open.ok_or_else(|| RuntimeError::NoSuchQuestion {
                run: run.clone(),
                question,
            })?;
            answer::read(&view.scheduler, &open, text)
                .map(drop)
                .map_err(|reason| RuntimeError::BadAnswer {
                    run,
                    question,
                    reason,
                })
        }
        Request::Cancel {
            task: Some(task), ..
        } => view.task(task).map(drop),
        Request::Cancel { task: None, .. }
        | Request::Pause
        | Request::Unpause
        | Request::Suspend
        | Request::Budget { .. } => Ok(()),
    }
}
