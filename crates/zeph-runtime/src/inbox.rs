//! The inbox of a run: requests that were posted while no process owned it.

use std::collections::BTreeSet;

use zeph_graph::{RunId, Timestamp};
use zeph_memory::{RawGraphStore, RequestId};

use crate::error::RuntimeError;
use crate::request::{AttributedRequest, Request};

/// A request in the inbox of a run. The next owner of the run applies it first.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PostedRequest {
    /// Its number.
    pub id: RequestId,
    /// When it was posted.
    pub at: Timestamp,
    /// The request, or why it cannot be applied.
    pub request: Result<AttributedRequest, BadRequest>,
}

/// Why a request in the inbox cannot be applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// Its hash does not match.
    #[error("is not as it was posted")]
    Damaged,
    /// It has a form that this version does not know.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

impl PostedRequest {
    /// The question that it answers, and the text of the answer.
    #[must_use]
    pub fn answer(&self) -> Option<(u32, &str)> {
        match self.request.as_ref().ok().map(|signed| &signed.request) {
            Some(Request::Answer { question, text }) => Some((*question, text)),
            Some(_) | None => None,
        }
    }

    /// The request, if it gives this task its end.
    #[must_use]
    pub fn end_of(&self, task: &str) -> Option<&Request> {
        let request = &self.request.as_ref().ok()?.request;
        (request.ends_task() == Some(task)).then_some(request)
    }
}

/// The requests that the next owner of a run will apply, oldest first.
///
/// # Errors
/// If the store cannot be read.
pub async fn posted_requests(
    store: &dyn RawGraphStore,
    run: &RunId,
) -> Result<Vec<PostedRequest>, RuntimeError> {
    let mut requests = read_inbox(store, run).await?;
    let replaced = replaced(&requests);
    requests.retain(|posted| !replaced.contains(&posted.id));
    Ok(requests)
}

/// All requests in the inbox of a run, oldest first.
pub(crate) async fn read_inbox(
    store: &dyn RawGraphStore,
    run: &RunId,
) -> Result<Vec<PostedRequest>, RuntimeError> {
    let inbox = store.inbox(run).await;
    let inbox = inbox.map_err(|error| RuntimeError::store(run, error))?;
    let read = inbox.into_iter().map(|posted| PostedRequest {
        id: posted.id,
        at: posted.at,
        request: posted.body.ok_or(BadRequest::Damaged).and_then(|body| {
            AttributedRequest::from_json(&body)
                .map_err(|error| BadRequest::Unreadable(error.to_string()))
        }),
    });
    Ok(read.collect())
}

/// The requests that later ones take the place of.
pub(crate) fn replaced(requests: &[PostedRequest]) -> BTreeSet<RequestId> {
    let signed = requests
        .iter()
        .filter_map(|posted| posted.request.as_ref().ok());
    signed.filter_map(|signed| signed.replaces).collect()
}
