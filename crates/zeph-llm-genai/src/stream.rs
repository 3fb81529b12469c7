//! Streams: the events of a service, as they come, as pieces of an answer.

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

use crate::Wire;
use crate::answer::Reader;
use crate::fault::Origin;
use crate::provider::Prepared;

/// What a stream is asked with.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) wire: Wire,
    pub(crate) origin: Arc<Origin>,
    /// From the first byte to the last.
    pub(crate) limit: Duration,
    /// Between two bytes.
    pub(crate) idle: Duration,
}

/// The error of a call that took too long.
pub(crate) fn too_late(origin: &Origin, limit: Duration) -> LlmError {
    let limit = zeph_common::format_duration(limit);
    origin.error(ErrorKind::Timeout, &format!("no answer within {limit}"))
}

/// The pieces that end an answer: its tool calls, and all of it again.
fn end(answer: LlmResponse) -> impl Iterator<Item = StreamPart> {
    let calls = answer.tool_calls.clone().into_iter();
    calls
        .map(StreamPart::ToolCall)
        .chain([StreamPart::End(answer)])
}

/// A whole answer as a stream.
pub(crate) fn whole(answer: LlmResponse) -> LlmStream {
    let text = Some(answer.text.clone()).filter(|text| !text.is_empty());
    let parts = text.map(StreamPart::Text).into_iter().chain(end(answer));
    stream::iter(parts.map(Ok).collect::<Vec<_>>()).boxed()
}

/// Raw events, between genai that splits them and us who read them.
#[derive(Debug, Default)]
struct Frames(Mutex<VecDeque<String>>);

impl Frames {
    fn take(&self) -> VecDeque<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ChatFrameSink for Frames {
    fn on_frame(&self, _: &FrameCtx, frame: RawFrameRef<'_>) {
        // Comments and bare event names carry nothing.
        if !frame.data.is_empty() {
            let mut frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            frames.push_back(frame.data.to_owned());
        }
    }
}

/// A stream under way.
struct Flow {
    call: Call,
    genai: ChatStream,
    frames: Arc<Frames>,
    reader: Option<Reader>,
    parts: VecDeque<Result<StreamPart, LlmError>>,
    deadline: Option<Instant>,
}

/// What genai did.
enum Turn {
    /// It may have taken in events.
    Went,
    /// The transport broke.
    Broke(Box<genai::Error>),
    /// The service closed the stream.
    Closed,
}

impl Call {
    /// Sends the request, and waits for the beginning of the answer.
    pub(crate) async fn begin(
        self,
        client: &genai::Client,
        prepared: Prepared,
    ) -> Result<LlmStream, LlmError> {
        let frames = Arc::new(Frames::default());
        let Prepared {
            target,
            request,
            options,
        } = prepared;
        let mut options = options
            .with_stream_header_timeout(self.limit)
            .with_stream_read_timeout(self.idle);
        options.raw_frame_sink = Some(Arc::<Frames>::clone(&frames));
        let opened = client.exec_chat_stream(target, request, Some(&options));
        let opened = opened.with_subscriber(NoSubscriber::new()).await;
        let genai = opened.map_err(|error| self.origin.call(&error))?.stream;
        let mut flow = Flow {
            reader: Some(Reader::new(self.wire)),
            // A limit beyond what the clock can tell is none.
            deadline: Instant::now().checked_add(self.limit),
            call: self,
            genai,
            frames,
            parts: VecDeque::new(),
        };
        match flow.next().await {
            Some(Err(error)) => Err(error),
            Some(Ok(part)) => {
                flow.parts.push_front(Ok(part));
                let parts = stream::unfold(flow, |mut flow| async {
                    let part = flow.next().await?;
                    Some((part, flow))
                });
                Ok(parts.boxed())
            }
            None => Err(flow.cut()),
        }
    }
}

impl Flow {
    /// The next piece; after the end, or an error, none.
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
                return Some(Err(too_late(&self.call.origin, self.call.limit)));
            };
            self.read();
            if self.reader.is_some() {
                match turn {
                    Turn::Went => {}
                    Turn::Broke(error) => self.fail(self.call.origin.call(&error)),
                    Turn::Closed => self.fail(self.cut()),
                }
            }
        }
    }

    /// Reads what has arrived, up to the end of the answer.
    fn read(&mut self) {
        for frame in self.frames.take() {
            let Some(reader) = self.reader.as_mut() else {
                return;
            };
            match reader.event(&frame) {
                Ok(text) if text.is_empty() => {}
                Ok(text) => self.parts.push_back(Ok(StreamPart::Text(text))),
                Err(fault) => return self.fail(self.call.origin.fault(fault)),
            }
            if let Some(reader) = self.reader.take_if(|reader| reader.has_ended()) {
                match reader.finish() {
                    Ok(answer) => self.parts.extend(end(answer).map(Ok)),
                    Err(fault) => self.parts.push_back(Err(self.call.origin.fault(fault))),
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
        self.call.origin.error(ErrorKind::Cut, why)
    }
}

/// Lets genai take in more, and comes back as soon as there is something to read.
///
/// What genai makes of the events does not matter, for it would give up where we need not.
async fn turn(genai: &mut ChatStream, frames: &Frames) -> Turn {
    let polled = poll_fn(|cx| {
        // genai adds up counts of tokens unchecked; what it was given stands in `frames` all the same.
        let poll = AssertUnwindSafe(|| Pin::new(&mut *genai).poll_next(cx));
        let Ok(polled) = catch_unwind(poll) else {
            return Poll::Ready(Turn::Went);
        };
        let waiting = !frames
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_empty();
        match polled {
            Poll::Ready(Some(Err(error @ genai::Error::WebStream { .. }))) => {
                Poll::Ready(Turn::Broke(Box::new(error)))
            }
            Poll::Ready(Some(_)) => Poll::Ready(Turn::Went),
            Poll::Ready(None) => Poll::Ready(Turn::Closed),
            Poll::Pending if waiting => Poll::Ready(Turn::Went),
            Poll::Pending => Poll::Pending,
        }
    });
    polled.with_subscriber(NoSubscriber::new()).await
}
