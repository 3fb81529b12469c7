//! Streams: converts the events of a service to the parts of an answer.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures::future::poll_fn;
use futures::{Stream as _, StreamExt as _, stream};
use genai::chat::{ChatFrameSink, ChatStream, FrameCtx, RawFrameRef};
use tokio::time::{Instant, timeout_at};
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;
use zeph_llm::{ErrorKind, LlmError, LlmResponse, LlmStream, StreamPart};

use crate::answer::Reader;
use crate::error_context::ErrorContext;
use crate::request::Prepared;
use crate::wire::Wire;

/// The settings of a streamed call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) wire: Wire,
    pub(crate) errors: Arc<ErrorContext>,
    /// The time limit from the first byte to the last.
    pub(crate) limit: Duration,
    /// The longest time between two bytes.
    pub(crate) idle: Duration,
}

/// The error of a call that exceeded its time limit.
pub(crate) fn too_late(errors: &ErrorContext, limit: Duration) -> LlmError {
    let limit = zeph_common::format_duration(limit);
    errors.error(ErrorKind::Timeout, &format!("no answer within {limit}"))
}

/// The last parts of an answer: its tool calls, and the whole answer.
fn end(answer: LlmResponse) -> impl Iterator<Item = StreamPart> {
    let calls = answer.tool_calls.clone().into_iter();
    calls
        .map(StreamPart::ToolCall)
        .chain([StreamPart::End(answer)])
}

/// Raw events, which genai splits and this module reads.
#[derive(Debug, Default)]
struct Frames(Mutex<VecDeque<String>>);

impl Frames {
    fn take(&self) -> VecDeque<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ChatFrameSink for Frames {
    fn on_frame(&self, _: &FrameCtx, frame: RawFrameRef<'_>) {
        // Comments and event names have no data.
        if !frame.data.is_empty() {
            let mut frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            frames.push_back(frame.data.to_owned());
        }
    }
}

/// A stream in progress.
struct Progress {
    call: Call,
    genai: ChatStream,
    frames: Arc<Frames>,
    reader: Option<Reader>,
    parts: VecDeque<Result<StreamPart, LlmError>>,
    deadline: Option<Instant>,
}

/// The result of polling genai.
enum Turn {
    /// It may have received events.
    Received,
    /// The transport failed.
    Failed(Box<genai::Error>),
    /// The service closed the stream.
    Closed,
}

impl Call {
    /// Sends the request, and waits for the start of the answer.
    pub(crate) async fn begin(
        self,
        client: &genai::Client,
        prepared: Prepared,
    ) -> Result<LlmStream, LlmError> {
        let frames = Arc::new(Frames::default());
        let mut options = prepared
            .options
            .with_stream_header_timeout(self.limit)
            .with_stream_read_timeout(self.idle);
        options.raw_frame_sink = Some(Arc::<Frames>::clone(&frames));
        let opened = client.exec_chat_stream(prepared.target, prepared.request, Some(&options));
        let opened = opened.with_subscriber(NoSubscriber::new()).await;
        let genai = opened.map_err(|error| self.errors.call(&error))?.stream;
        let mut progress = Progress {
            reader: Some(Reader::new(self.wire)),
            // A limit beyond the range of the clock is no limit.
            deadline: Instant::now().checked_add(self.limit),
            call: self,
            genai,
            frames,
            parts: VecDeque::new(),
        };
        match progress.next().await {
            Some(Err(error)) => Err(error),
            Some(Ok(part)) => {
                progress.parts.push_front(Ok(part));
                let parts = stream::unfold(progress, |mut progress| async {
                    let part = progress.next().await?;
                    Some((part, progress))
                });
                Ok(parts.boxed())
            }
            None => Err(progress.cut()),
        }
    }
}

impl Progress {
    /// The next part; `None` after the end or an error.
    async fn next(&mut self) -> Option<Result<StreamPart, LlmError>> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Some(part);
            }
            self.reader.as_ref()?;
            let turn = match self.deadline {
                Some(deadline) => timeout_at(deadline, turn(&mut self.genai, &self.frames)).await,
                None => Ok(turn(&mut self.genai, &self.frames).await),
            };
            let Ok(turn) = turn else {
                self.reader = None;
                return Some(Err(too_late(&self.call.errors, self.call.limit)));
            };
            self.read();
            if self.reader.is_some() {
                match turn {
                    Turn::Received => {}
                    Turn::Failed(error) => self.fail(self.call.errors.call(&error)),
                    Turn::Closed => self.fail(self.cut()),
                }
            }
        }
    }

    /// Reads the received events, up to the end of the answer.
    fn read(&mut self) {
        for frame in self.frames.take() {
            let Some(reader) = self.reader.as_mut() else {
                return;
            };
            match reader.event(&frame) {
                Ok(text) if text.is_empty() => {}
                Ok(text) => self.parts.push_back(Ok(StreamPart::Text(text))),
                Err(fault) => return self.fail(self.call.errors.fault(fault)),
            }
            if let Some(reader) = self.reader.take_if(|reader| reader.has_ended()) {
                match reader.finish() {
                    Ok(answer) => self.parts.extend(end(answer).map(Ok)),
                    Err(fault) => self.parts.push_back(Err(self.call.errors.fault(fault))),
                }
            }
        }
    }

    fn fail(&mut self, error: LlmError) {
        self.reader = None;
        self.parts.push_back(Err(error));
    }

    fn cut(&self) -> LlmError {
        let why = "the stream ended before the answer did";
        self.call.errors.error(ErrorKind::Cut, why)
    }
}

/// Polls genai until there are events to read.
///
/// The events that genai returns are ignored, because it aborts in cases that can be handled.
async fn turn(genai: &mut ChatStream, frames: &Frames) -> Turn {
    let polled = poll_fn(|cx| {
        // genai may panic when token counts overflow; `frames` has the event in any case.
        let poll = AssertUnwindSafe(|| Pin::new(&mut *genai).poll_next(cx));
        let Ok(polled) = catch_unwind(poll) else {
            return Poll::Ready(Turn::Received);
        };
        let waiting = !frames
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty();
        match polled {
            Poll::Ready(Some(Err(error @ genai::Error::WebStream { .. }))) => {
                Poll::Ready(Turn::Failed(Box::new(error)))
            }
            Poll::Ready(Some(_)) => Poll::Ready(Turn::Received),
            Poll::Ready(None) => Poll::Ready(Turn::Closed),
            Poll::Pending if waiting => Poll::Ready(Turn::Received),
            Poll::Pending => Poll::Pending,
        }
    });
    polled.with_subscriber(NoSubscriber::new()).await
}
