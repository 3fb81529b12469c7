//! Control: sends a request to a run from any process, to its owner or to its inbox.

use zeph_graph::{EndingWhy, QuestionId, Record, RunId, Seq, Timestamp};
use zeph_memory::{Lease, RawGraphStore, RequestId, RunStatus};

use crate::actor::{Actor, is_for_people, is_in_task_of};
use crate::amend::read_patch;
use crate::driver;
use crate::error::RuntimeError;
use crate::lease;
use crate::owner::Owners;
use crate::request::{AttributedRequest, Request, changed};
use crate::socket::{Ask, NoReply, Reply, call_owner};
use crate::view::RunView;

/// The outcome of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The owner accepted the request, and its consequences are saved.
    Accepted,
    /// The request changed nothing, because its task, question or state has ended, or because the run is
    /// suspended already.
    Stale,
    /// The run has no owner: the request is in the inbox, and the next owner applies it first.
    Posted(RequestId),
}

/// Sends a request to a run: to its owner if the owner is alive, else to the inbox of the store. An owner with a lease
/// reads the inbox at once.
///
/// Before a request is put into the inbox it is checked: the run is open, the task exists, the
/// question is open and accepts the text. A suspension is not put there if `owners` tell that no process
/// works on the run. A living owner replies within 10 s or counts as unreachable.
/// If an owner ends before it replies, the journal tells whether it has saved the request.
///
/// # Errors
/// If the run does not exist or has ended, its owner does not reply, or the request does not fit the
/// run.
pub async fn ask(
    store: &dyn RawGraphStore,
    owners: Option<&Owners>,
    run: &RunId,
    request: &Request,
    now: Timestamp,
) -> Result<Delivery, RuntimeError> {
    send(store, owners, run, request, now, Earlier::Counts).await
}

/// Sends a request as [`ask`] does, and takes the place of one in the inbox: of another answer to the same
/// question, or of another end of the same task.
///
/// # Errors
/// As [`ask`]. A request that an owner has applied cannot be replaced.
pub async fn replace(
    store: &dyn RawGraphStore,
    owners: Option<&Owners>,
    run: &RunId,
    request: &Request,
    now: Timestamp,
) -> Result<Delivery, RuntimeError> {
    send(store, owners, run, request, now, Earlier::IsReplaced).await
}

/// What becomes of a request in the inbox when another one that decides the same is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Earlier {
    Counts,
    IsReplaced,
}

async fn send(
    store: &dyn RawGraphStore,
    owners: Option<&Owners>,
    run: &RunId,
    request: &Request,
    now: Timestamp,
    earlier: Earlier,
) -> Result<Delivery, RuntimeError> {
    if is_for_people(request) && is_in_task_of(run) {
        return Err(RuntimeError::OwnTask { run: run.clone() });
    }
    let row = store
        .get(run)
        .await
        .map_err(|error| RuntimeError::store(run, error))?;
    check_open(run, row.status)?;
    if let Some(owners) = owners {
        match call_owner(owners, row.epoch, run, Ask::Request(request)).await {
            Ok(Reply::Accepted) => return Ok(Delivery::Accepted),
            Ok(Reply::Stale) => return Ok(Delivery::Stale),
            Ok(Reply::OwnTask) => return Err(RuntimeError::OwnTask { run: run.clone() }),
            Ok(Reply::Refused(reason)) => {
                if let Request::Answer { question, .. } = request {
                    let view = RunView::load(store, run).await?;
                    view.open_question(store, *question).await?;
                }
                return Err(RuntimeError::Refused {
                    run: run.clone(),
                    reason,
                });
            }
            // A living owner that does not reply would not read the inbox either.
            Err(NoReply::Unresponsive(owner)) => {
                return Err(RuntimeError::Unreachable {
                    run: run.clone(),
                    owner,
                });
            }
            // The run is not active there, or has no owner.
            Ok(Reply::NotActive) | Err(NoReply::NoOwner) => {}
        }
    }
    let view = RunView::load(store, run).await?;
    if is_saved(&view, row.last_seq, request) {
        return Ok(Delivery::Accepted);
    }
    check_open(run, view.status.clone())?;
    let lease = match owners {
        Some(_) => Lease::Lapsed,
        None => (store.lease(row.epoch).await).map_err(|error| RuntimeError::store(run, error))?,
    };
    if *request == Request::Suspend && lease == Lease::Lapsed {
        return Ok(Delivery::Stale);
    }
    if let Request::Answer { question, .. } = request {
        view.open_question(store, *question).await?;
    }
    check(&view, request)?;
    if is_stale(&view, request)? {
        return Ok(Delivery::Stale);
    }
    let replaces = match earlier_decision(&view, request) {
        Some(earlier) if earlier.is_same => return Ok(Delivery::Posted(earlier.id)),
        Some(of) if earlier == Earlier::Counts => return Err(of.error),
        of => of.map(|of| of.id),
    };
    let signed = AttributedRequest {
        request: request.clone(),
        by: Some(Actor {
            posted_at: Some(now),
            ..Actor::this_process()
        }),
        replaces,
    };
    let body = signed.to_json().map_err(|error| RuntimeError::Refused {
        run: run.clone(),
        reason: error.to_string(),
    })?;
    if let Lease::Held { .. } = lease {
        return lease::post(
            store,
            run,
            now,
            &body,
            request,
            Seq::new(view.entries.len() as u64),
        )
        .await;
    }
    let id = store
        .post(run, now, &body)
        .await
        .map_err(|error| RuntimeError::store(run, error))?;
    let applied = match owners {
        Some(owners) => applied_meanwhile(store, owners, run, id).await?,
        None => None,
    };
    Ok(applied.unwrap_or(Delivery::Posted(id)))
}

/// Whether the request comes too late to change anything.
fn is_stale(view: &RunView, request: &Request) -> Result<bool, RuntimeError> {
    if let Some(task) = request.ends_task() {
        return Ok(!view.scheduler.can_be_given_end(view.task(task)?));
    }
    let is_amendment = matches!(request, Request::Amend { .. });
    Ok(is_amendment && !view.scheduler.takes_amendments())
}

/// A request in the inbox that decides what a new one decides, too.
struct EarlierDecision {
    id: RequestId,
    is_same: bool,
    error: RuntimeError,
}

fn earlier_decision(view: &RunView, request: &Request) -> Option<EarlierDecision> {
    let run = view.run.clone();
    if let Request::Answer { question, text } = request {
        let (id, first) = view.posted_answer(*question)?;
        return Some(EarlierDecision {
            id,
            is_same: text == first,
            error: RuntimeError::AlreadyAnswered {
                run,
                question: *question,
                answer: first.to_owned(),
                posted: Some(id),
            },
        });
    }
    if let Request::Amend { .. } = request {
        let mut posted = view.requests.iter().filter_map(|posted| {
            let first = &posted.request.as_ref().ok()?.request;
            matches!(first, Request::Amend { .. }).then_some((posted.id, first))
        });
        let (id, first) = posted.next()?;
        return Some(EarlierDecision {
            id,
            is_same: request == first,
            error: RuntimeError::AlreadyPosted { run },
        });
    }
    let task = request.ends_task()?;
    let (id, first) = view.posted_end(task)?;
    Some(EarlierDecision {
        id,
        is_same: request == first,
        error: RuntimeError::AlreadyGiven {
            run,
            task: task.to_owned(),
            request: first.to_string(),
        },
    })
}

/// A process that resumes the run may have read the inbox just before the request was posted: it is asked to
/// read it again. `None` if no process has the run; the next one reads the inbox after it has taken the run.
async fn applied_meanwhile(
    store: &dyn RawGraphStore,
    owners: &Owners,
    run: &RunId,
    posted: RequestId,
) -> Result<Option<Delivery>, RuntimeError> {
    let row = store.get(run).await;
    let row = row.map_err(|error| RuntimeError::store(run, error))?;
    match call_owner(owners, row.epoch, run, Ask::Posted(posted)).await {
        Ok(Reply::Accepted) => Ok(Some(Delivery::Accepted)),
        Ok(Reply::Stale) => Ok(Some(Delivery::Stale)),
        Ok(Reply::OwnTask) => Err(RuntimeError::OwnTask { run: run.clone() }),
        Ok(Reply::Refused(reason)) => Err(RuntimeError::Refused {
            run: run.clone(),
            reason,
        }),
        Ok(Reply::NotActive) | Err(NoReply::NoOwner | NoReply::Unresponsive(_)) => Ok(None),
    }
}

fn check_open(run: &RunId, status: RunStatus) -> Result<(), RuntimeError> {
    if status.open {
        return Ok(());
    }
    Err(RuntimeError::AlreadyEnded {
        run: run.clone(),
        state: status.state,
    })
}

/// Whether a record after `since` is what the request asks for. The owner may have saved it and ended
/// before it replied.
pub(crate) fn is_saved(view: &RunView, since: Seq, request: &Request) -> bool {
    let later = view.entries.iter().filter(|entry| entry.seq > since);
    let mut records = later.map(|entry| entry.record);
    records.any(|record| match request {
        Request::Answer { question, .. } => {
            matches!(record, Record::Answered { question: answered, by, .. }
                if answered.get() == *question && !by.is_default())
        }
        Request::Complete { task: name, .. } | Request::Skip { task: name, .. } => {
            matches!(record, Record::Overridden { task, .. }
                if view.graph().task(task).name() == name)
        }
        Request::Amend { after, .. } => {
            matches!(record, Record::Amended { task: None, .. })
                && view.scheduler.amendments() > *after
        }
        Request::Cancel { task: None, .. } => {
            let why = EndingWhy::Cancel;
            record == Record::Ending { why }
        }
        Request::Cancel {
            task: Some(name), ..
        } => {
            matches!(record, Record::Canceled { task, .. } | Record::CancelRequested { task, .. }
                if view.graph().task(task).name() == name)
        }
        Request::Pause => record == Record::Paused,
        Request::Unpause => record == Record::Unpaused,
        Request::Suspend => record == Record::Suspending,
        Request::Budget { tokens, micro_usd } => {
            matches!(record, Record::Budgeted { budget }
                if budget == changed(budget, *tokens, *micro_usd))
        }
    })
}

fn check(view: &RunView, request: &Request) -> Result<(), RuntimeError> {
    let run = view.run.clone();
    match request {
        Request::Answer { question, text } => {
            let id = QuestionId::new(*question).ok_or(driver::AnswerError::NotOpen);
            id.and_then(|id| driver::check_answer(&view.scheduler, id, text))
                .map_err(|error| RuntimeError::answer(run, *question, error))
        }
        Request::Complete { task, output, .. } => {
            let id = view.task(task)?;
            driver::check_result(&view.scheduler, id, output).map_err(|error| {
                RuntimeError::BadResult {
                    run,
                    task: task.clone(),
                    reason: error.0,
                }
            })
        }
        Request::Amend { patch, after, .. } => {
            let amendments = view.scheduler.amendments();
            if *after != amendments {
                return Err(RuntimeError::Outdated {
                    run,
                    after: *after,
                    amendments,
                });
            }
            let patch = read_patch(patch);
            let grown = patch.and_then(|patch| {
                let checked = view.scheduler.check_amendment(&patch);
                checked.map_err(|problems| problems.to_string())
            });
            grown.map_err(|reason| RuntimeError::BadPatch { run, reason })
        }
        Request::Skip { task, .. }
        | Request::Cancel {
            task: Some(task), ..
        } => view.task(task).map(drop),
        Request::Cancel { task: None, .. }
        | Request::Pause
        | Request::Unpause
        | Request::Suspend
        | Request::Budget { .. } => Ok(()),
    }
}
