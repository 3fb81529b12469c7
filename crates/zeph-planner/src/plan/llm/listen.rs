//! Listening to an answer while it is being received, below the layers that meter and repeat calls.

use std::sync::{Arc, Mutex, PoisonError};

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
    /// The names of the tasks of the latest answer that may have started.
    ready: Arc<Mutex<Vec<String>>>,
}

impl Listening {
    pub(super) fn new(
        inner: Arc<dyn LlmProvider>,
        request: &PlanRequest,
        events: &UnboundedSender<PlanEvent>,
    ) -> Self {
        Self {
            inner,
            request: Arc::new(request.clone()),
            events: events.clone(),
            ready: Arc::default(),
        }
    }

    /// The names of the tasks of the latest answer that may have started, as they are now and later.
    pub(super) fn ready(&self) -> Arc<Mutex<Vec<String>>> {
        Arc::clone(&self.ready)
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
        let mut answer = Answer::new(self);
        let stream = stream.map(move |part| {
            if let Ok(StreamPart::Text(more)) = &part {
                answer.add(more);
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

/// An answer that is being received.
struct Answer {
    request: Arc<PlanRequest>,
    events: UnboundedSender<PlanEvent>,
    ready: Arc<Mutex<Vec<String>>>,
    preview: Preview,
    text: String,
    tasks: usize,
    /// Whether the tasks so far can start.
    starts: bool,
}

impl Answer {
    fn new(listening: &Listening) -> Self {
        let mut ready = listening
            .ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        ready.clear();
        Self {
            request: Arc::clone(&listening.request),
            events: listening.events.clone(),
            ready: Arc::clone(&listening.ready),
            preview: Preview::default(),
            text: String::new(),
            tasks: 0,
            starts: listening.request.start_early,
        }
    }

    fn add(&mut self, more: &str) {
        let before = self.text.len();
        self.text.push_str(more);
        for seen in self.preview.feed(more) {
            self.tasks += 1;
            let proposed = PlanEvent::Proposed {
                number: self.tasks,
                name: seen.name,
                kind: seen.kind,
            };
            self.events.unbounded_send(proposed).ok();
            if !self.starts || self.tasks > MAX_READY {
                continue;
            }
            let begun = read_begun(&self.text[..before + seen.end], &self.request);
            // What follows a task that cannot start yet may depend on it without saying so.
            self.starts = begun.is_some();
            if let Some(plan) = begun {
                let names = plan.tasks.iter().map(|task| task.name.clone());
                *self.ready.lock().unwrap_or_else(PoisonError::into_inner) = names.collect();
                self.events
                    .unbounded_send(PlanEvent::Ready(Box::new(plan)))
                    .ok();
            }
        }
    }
}
