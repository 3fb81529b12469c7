//! An answer while it arrives: reads what came, whatever was asked for, and makes the parts of a stream.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, stream};
use reqwest::header::CONTENT_TYPE;
use tokio::time::{Instant, timeout_at};
use zeph_llm::{ErrorKind, LlmError, LlmResponse, LlmStream, StreamPart};

use crate::answer::{self, AnswerFault, Reader};
use crate::error_context::ErrorContext;
use crate::events::{Decoder, Event, Form};
use crate::lenient;
use crate::wire::Wire;

/// The longest wait for the usage and the last marker after a reason to stop.
const END_GRACE: Duration = Duration::from_secs(5);

/// The time limits of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of the whole call.
    pub(crate) call: Duration,
    /// When it ends; `None` is beyond the range of the clock.
    pub(crate) end: Option<Instant>,
    /// Between two bytes; `None` for an answer in one piece.
    pub(crate) idle: Option<Duration>,
}

impl Limits {
    /// Runs work until the end of the call.
    pub(crate) async fn within<F: Future>(
        &self,
        errors: &ErrorContext,
        work: F,
    ) -> Result<F::Output, LlmError> {
        let Some(end) = self.end else {
            return Ok(work.await);
        };
        timeout_at(end, work)
            .await
            .map_err(|_| self.too_late(errors))
    }

    fn too_late(&self, errors: &ErrorContext) -> LlmError {
        let limit = zeph_common::format_duration(self.call);
        let what = format!("no answer within {limit} from {}", errors.address());
        errors.error(ErrorKind::Timeout, &what)
    }
}

/// The last parts of an answer: its tool calls, and the whole answer.
fn end(answer: LlmResponse) -> impl Iterator<Item = StreamPart> {
    let calls = answer.tool_calls.clone().into_iter();
    calls
        .map(StreamPart::ToolCall)
        .chain([StreamPart::End(answer)])
}

/// A whole answer as parts.
fn parts(answer: LlmResponse) -> impl Iterator<Item = StreamPart> {
    let text = Some(answer.text.clone()).filter(|text| !text.is_empty());
    text.map(StreamPart::Text).into_iter().chain(end(answer))
}

/// An answer in progress.
#[derive(Debug)]
pub(crate) struct Answering {
    wire: Wire,
    errors: Arc<ErrorContext>,
    limits: Limits,
    response: reqwest::Response,
    content_type: String,
    decoder: Decoder,
    /// `None` after the end or an error.
    reader: Option<Reader>,
    parts: VecDeque<Result<StreamPart, LlmError>>,
    /// Whether a part of the answer came.
    has_begun: bool,
}

/// Why no more bytes come.
enum Stop {
    Closed,
    TooLate,
    Idle(Duration),
    Broken(reqwest::Error),
}

impl Answering {
    pub(crate) fn new(
        wire: Wire,
        errors: &Arc<ErrorContext>,
        limits: Limits,
        response: reqwest::Response,
    ) -> Self {
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|kind| kind.to_str().ok());
        Self {
            wire,
            errors: Arc::clone(errors),
            limits,
            content_type: content_type.unwrap_or_default().to_owned(),
            response,
            decoder: Decoder::new(),
            reader: Some(Reader::new(wire)),
            parts: VecDeque::new(),
            has_begun: false,
        }
    }

    /// Waits for the first part, so that an answer which is an error is the error of the call.
    pub(crate) async fn begin(mut self) -> Result<Self, LlmError> {
        match self.next().await {
            Some(Ok(part)) => {
                self.parts.push_front(Ok(part));
                Ok(self)
            }
            Some(Err(error)) => Err(error),
            None => Err(self.cut()),
        }
    }

    /// The whole answer.
    pub(crate) async fn collect(mut self) -> Result<LlmResponse, LlmError> {
        while let Some(part) = self.next().await {
            if let StreamPart::End(answer) = part? {
                return Ok(answer);
            }
        }
        Err(self.cut())
    }

    pub(crate) fn stream(self) -> LlmStream {
        let parts = stream::unfold(self, |mut answering| async {
            let part = answering.next().await?;
            Some((part, answering))
        });
        parts.boxed()
    }

    /// The next part; `None` after the end or an error.
    async fn next(&mut self) -> Option<Result<StreamPart, LlmError>> {
        loop {
            if let Some(part) = self.parts.pop_front() {
                return Some(part);
            }
            let is_whole = self.reader.as_ref()?.is_whole();
            match self.receive(is_whole).await {
                Ok(bytes) => match self.decoder.push(&bytes) {
                    Ok(events) => events.iter().for_each(|event| self.event(event)),
                    Err(_) => self.fail(
                        self.errors
                            .error(ErrorKind::Garbled, "the answer is too long"),
                    ),
                },
                Err(stop) => self.close(stop),
            }
        }
    }

    /// The next bytes. After the reason to stop only the usage and the last marker are missing.
    async fn receive(&mut self, is_whole: bool) -> Result<Vec<u8>, Stop> {
        let idle = if is_whole {
            Some(self.limits.idle.unwrap_or(END_GRACE).min(END_GRACE))
        } else {
            self.limits.idle
        };
        let pause = idle.and_then(|idle| Instant::now().checked_add(idle));
        let first = [self.limits.end, pause].into_iter().flatten().min();
        let chunk = self.response.chunk();
        let chunk = match first {
            Some(first) => timeout_at(first, chunk).await,
            None => Ok(chunk.await),
        };
        match chunk {
            Ok(Ok(Some(bytes))) => Ok(bytes.to_vec()),
            Ok(Ok(None)) => Err(Stop::Closed),
            Ok(Err(error)) => Err(Stop::Broken(error)),
            Err(_) if first == self.limits.end => Err(Stop::TooLate),
            Err(_) => Err(Stop::Idle(idle.unwrap_or_default())),
        }
    }

    /// Reads an event, up to the end of the answer.
    fn event(&mut self, event: &Event) {
        let Some(reader) = self.reader.as_mut() else {
            return;
        };
        let read = reader.event(event);
        self.read(read);
    }

    fn read(&mut self, read: Result<String, AnswerFault>) {
        match read {
            Ok(text) => self.say(text),
            Err(fault) => return self.fail(self.errors.fault(fault, !self.has_begun)),
        }
        if self.reader.as_ref().is_some_and(Reader::has_ended) {
            self.end();
        }
    }

    fn say(&mut self, text: String) {
        if !text.is_empty() {
            self.has_begun = true;
            self.parts.push_back(Ok(StreamPart::Text(text)));
        }
    }

    /// Ends the answer.
    fn end(&mut self) {
        let Some(mut reader) = self.reader.take() else {
            return;
        };
        self.say(reader.flush());
        match reader.finish() {
            Ok(answer) => self.parts.extend(end(answer).map(Ok)),
            Err(fault) => self.fail(self.errors.fault(fault, false)),
        }
    }

    /// Reads the rest of the body. An answer with its reason to stop is whole, however the stream ended.
    fn close(&mut self, stop: Stop) {
        let is_closed = matches!(stop, Stop::Closed);
        match self.decoder.form() {
            Form::Json if is_closed || matches!(stop, Stop::Idle(_)) => {
                return self.document(&stop);
            }
            Form::Page if is_closed => return self.fail(self.foreign(ErrorKind::BadRequest)),
            Form::Events if is_closed => {
                for event in self.decoder.finish() {
                    if lenient::parse(&event.data).is_err_and(|error| error.is_eof()) {
                        return self.fail(self.cut());
                    }
                    self.event(&event);
                }
            }
            Form::Empty | Form::Events | Form::Json | Form::Page => {}
        }
        let Some(reader) = &self.reader else {
            return;
        };
        if reader.is_whole() {
            self.end();
        } else if is_closed && self.decoder.is_foreign() {
            self.fail(self.foreign(ErrorKind::Garbled));
        } else {
            self.fail(self.stopped(stop));
        }
    }

    fn stopped(&self, stop: Stop) -> LlmError {
        match stop {
            Stop::Closed => self.cut(),
            Stop::TooLate => self.limits.too_late(&self.errors),
            Stop::Broken(error) => self.errors.transport(&error),
            Stop::Idle(idle) => {
                let idle = zeph_common::format_duration(idle);
                let what = format!("no more data within {idle} from {}", self.errors.address());
                self.errors.error(ErrorKind::Timeout, &what)
            }
        }
    }

    /// Reads the JSON in place of a stream: a whole answer, or events without their frame.
    fn document(&mut self, stop: &Stop) {
        let text = self.decoder.document();
        let values = match answer::document(self.wire, &text) {
            Ok(values) => values,
            Err(_) if !matches!(stop, Stop::Closed) => {
                return self.fail(
                    self.errors
                        .error(ErrorKind::Timeout, "the answer stopped in its middle"),
                );
            }
            Err(fault) => return self.fail(self.errors.fault(fault, false)),
        };
        if let [value] = values.as_slice() {
            self.reader = None;
            match answer::whole(self.wire, value) {
                Ok(answer) => self.parts.extend(parts(answer).map(Ok)),
                Err(fault) => self.fail(self.errors.fault(fault, true)),
            }
            return;
        }
        for value in &values {
            let Some(reader) = self.reader.as_mut() else {
                return;
            };
            let read = reader.value(value);
            self.read(read);
        }
        match &self.reader {
            Some(reader) if reader.is_whole() => self.end(),
            Some(_) => self.fail(self.cut()),
            None => {}
        }
    }

    fn fail(&mut self, error: LlmError) {
        self.reader = None;
        self.parts.push_back(Err(error));
    }

    fn cut(&self) -> LlmError {
        let what = format!(
            "the answer from {} ended before it was complete",
            self.errors.address()
        );
        self.errors.error(ErrorKind::Cut, &what)
    }

    fn foreign(&self, kind: ErrorKind) -> LlmError {
        self.errors
            .foreign(kind, &self.content_type, &self.decoder.head())
    }
}
