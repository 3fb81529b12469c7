//! Owners of runs in a store that knows itself who lives: it keeps a lease for each epoch.

use std::time::Duration;

use zeph_graph::{RunId, Seq, Timestamp};
use zeph_memory::{Lease, News, RawGraphStore, RequestId};

use crate::control::{Delivery, is_saved};
use crate::error::RuntimeError;
use crate::owner::Owners;
use crate::request::Request;
use crate::view::RunView;

/// How long a caller waits for an owner to handle its request.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// How often it looks, if no news come.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The process that holds an epoch, as text for people; `None` if it has ended, or if neither the folder of owners nor
/// the store knows.
///
/// # Errors
/// If the store cannot be read.
pub async fn owner_of(
    store: &dyn RawGraphStore,
    owners: Option<&Owners>,
    run: &RunId,
    epoch: u64,
) -> Result<Option<String>, RuntimeError> {
    match owners {
        Some(owners) => Ok(owners.holder(epoch)),
        None => holder(store, run, epoch).await,
    }
}

/// The owner of an epoch that has a lease.
pub(crate) async fn holder(
    store: &dyn RawGraphStore,
    run: &RunId,
    epoch: u64,
) -> Result<Option<String>, RuntimeError> {
    let lease = store.lease(epoch).await;
    match lease.map_err(|error| RuntimeError::store(run, error))? {
        Lease::Held { owner, left } => Ok(Some(describe(&owner, left))),
        Lease::Lapsed | Lease::Unknown => Ok(None),
    }
}

pub(crate) fn describe(owner: &str, left: Duration) -> String {
    let seconds = left.as_millis().div_ceil(1_000);
    format!("{owner}, with a lease of {seconds} s more unless it is renewed")
}

/// Posts a request to a run whose owner has a lease, and waits until it has handled the request: the owner gets it
/// as news, and removes it from the inbox with what follows from it.
///
/// The request stays in the inbox if that takes longer than 10 s; the owner, or the next one, applies it.
pub(crate) async fn post(
    store: &dyn RawGraphStore,
    run: &RunId,
    at: Timestamp,
    body: &str,
    request: &Request,
    since: Seq,
) -> Result<Delivery, RuntimeError> {
    let failed = |error| RuntimeError::store(run, error);
    let mut news = store.news().await.map_err(failed)?;
    let id = store.post(run, at, body).await.map_err(failed)?;
    let handled = async {
        loop {
            if !is_waiting(store, run, id).await? {
                let view = RunView::load(store, run).await?;
                let is_saved = is_saved(&view, since, request);
                return Ok(if is_saved {
                    Delivery::Accepted
                } else {
                    Delivery::Stale
                });
            }
            let growth = async {
                while let Some(news) = news.recv().await {
                    match news {
                        News::Grown(grown) if grown == *run => return,
                        News::Missed => return,
                        News::Grown(_) | News::Posted(..) => {}
                    }
                }
                std::future::pending::<()>().await;
            };
            // A request without any effect leaves the inbox without a word.
            let _ = tokio::time::timeout(LOOK_EVERY, growth).await;
        }
    };
    let handled = tokio::time::timeout(REPLY_TIMEOUT, handled).await;
    handled.unwrap_or(Ok(Delivery::Posted(id)))
}

async fn is_waiting(
    store: &dyn RawGraphStore,
    run: &RunId,
    id: RequestId,
) -> Result<bool, RuntimeError> {
    let inbox = store.inbox(run).await;
    let inbox = inbox.map_err(|error| RuntimeError::store(run, error))?;
    Ok(inbox.iter().any(|request| request.id == id))
}
