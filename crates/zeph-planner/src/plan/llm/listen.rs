//! Listening to an answer while it is being received, below the layers that meter and repeat calls.

use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::channel::mpsc::UnboundedSender;
use zeph_llm::{
    Capabilities, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream, StopReason, StreamPart,
};

use super::preview::Preview;
use crate::plan::read::read_begun;
use crate::plan::{PlanEvent, PlanRequest};

/// The most tasks of an answer that may start before its end.
const MAX_READY: usize = 64;

/// A provider whose streamed answers become events. It is the innermost one, so a repeated call is another answer.
pub(super) struct Listening {
    inner: Arc<dyn LlmProvider>,
    request: Arc<PlanRequest>,
    events: UnboundedSender<PlanEvent>,
}

impl Listening {
    pub(super) fn new(
        inner: Arc<dyn LlmProvider>,
        request: &Arc<PlanRequest>,
        events: &UnboundedSender<PlanEvent>,
    ) -> Self {
        Self {
            inner,
            request: Arc::clone(request),
            events: events.clone(),
        }
    }
}

#[async_trait]
impl LlmProvider for Listening {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn is_repeatable(&self) -> bool {
        self.inner.is_repeatable()
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        self.inner.complete(request).await
    }

    /// Streams the answer. At the size limit of plans it counts as cut off there.
    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        let stream = self.inner.stream(request).await?;
        let max_bytes = self.request.limits.max_bytes;
        let mut answer = Answer::new(&self.request);
        let events = self.events.clone();
        let stream = stream.map(move |part| {
            if let Ok(StreamPart::Text(more)) = &part {
                for event in answer.add(more) {
                    events.unbounded_send(event).ok();
                }
                if answer.text.len() > max_bytes {
                    let cut = LlmResponse::text(std::mem::take(&mut answer.text));
                    return Ok(StreamPart::End(cut.stopped(StopReason::MaxTokens)));
                }
            }
            part
        });
        Ok(stream.boxed())
    }
}

/// The names of the tasks that may have started while this answer was being received. They depend on its text only,
/// so that a reply that is used again gives the same.
pub(super) fn begun(text: &str, request: &Arc<PlanRequest>) -> Vec<String> {
    let events = Answer::new(request).add(text);
    let mut names = Vec::new();
    for event in events {
        // The latest has all.
        if let PlanEvent::Ready(plan) = event {
            names = plan.tasks.into_iter().map(|task| task.name).collect();
        }
    }
    names
}

/// An answer that is being received.
struct Answer {
    request: Arc<PlanRequest>,
    preview: Preview,
    text: String,
    tasks: usize,
    /// Whether the tasks so far can start.
    starts: bool,
}

impl Answer {
    fn new(request: &Arc<PlanRequest>) -> Self {
        Self {
            request: Arc::clone(request),
            preview: Preview::default(),
            text: String::new(),
            tasks: 0,
            starts: request.start_early,
        }
    }

    /// Adds text. Returns what is new by it.
    fn add(&mut self, more: &str) -> Vec<PlanEvent> {
        let before = self.text.len();
        self.text.push_str(more);
        let mut events = Vec::new();
        for seen in self.preview.feed(more) {
            self.tasks += 1;
            events.push(PlanEvent::Proposed {
                number: self.tasks,
                name: seen.name,
                kind: seen.kind,
            });
            if !self.starts || self.tasks > MAX_READY {
                continue;
            }
            let begun = read_begun(&self.text[..before + seen.end], &self.request);
            // What follows a task that cannot start yet may depend on it without saying so.
            self.starts = begun.is_some();
            events.extend(begun.map(|plan| PlanEvent::Ready(Box::new(plan))));
        }
        events
    }
}
