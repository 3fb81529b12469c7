//! Cassettes: calls are recorded once, and replayed without a network, strictly.
//!
//! A [`Tape`] holds what was asked and what came of it. [`Recording`] writes on it, [`Replaying`] reads
//! from it. The key of a call is its request in canonical JSON (keys sorted, no time-out), redacted.

mod file;
mod nearest;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::scripted::capability_error;
use crate::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream, StreamPart,
};

pub use file::TapeError;

/// Recorded calls, in the order in which they ended.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use zeph_llm::{
///     Capabilities, ErrorKind, LlmProvider as _, LlmRequest, Recording, Replaying, Reply,
///     ScriptedProvider, Tape,
/// };
/// let tape = Arc::new(Tape::new().redacting(|text| text.replace("hunter2", "***")));
/// let service = ScriptedProvider::new("service").then(Reply::text("yes"));
/// let asked = LlmRequest::new("Is hunter2 safe?");
/// Recording::new(service, &tape).complete(&asked).await?;
/// assert!(!tape.to_text().contains("hunter2"));
///
/// let replay = Replaying::new("service", Capabilities::TEXT, &tape);
/// assert_eq!(replay.complete(&asked).await?.text, "yes");
/// let error = replay.complete(&LlmRequest::new("Is hunter3 safe?")).await.unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotRecorded);
/// assert!(error.message().contains("/messages/0/text"));
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Tape {
    redact: Option<Box<Redact>>,
    state: Mutex<State>,
}

type Redact = dyn Fn(&str) -> String + Send + Sync;

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    /// The calls of each key that nobody has replayed, the next one first.
    unused: BTreeMap<String, VecDeque<usize>>,
}

/// One recorded call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Call {
    request: Value,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Response(LlmResponse),
    Error(Failure),
}

/// An error as it is recorded: all but its cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Failure {
    kind: ErrorKind,
    provider: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    #[serde(default)]
    attempts: u32,
}

impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Tape");
        debug.field("calls", &self.len()).finish_non_exhaustive()
    }
}

impl Tape {
    /// An empty tape.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same tape, passing every text of requests, answers and errors through a function before it is
    /// kept or compared. What it takes out of a request does not tell requests apart.
    #[must_use]
    pub fn redacting(mut self, redact: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        self.redact = Some(Box::new(redact));
        let calls = std::mem::take(&mut *self.lock()).calls;
        for call in calls {
            let request = self.redacted(call.request);
            self.add(request, call.outcome);
        }
        self
    }

    /// How many calls are on it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().calls.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds a call and what came of it.
    pub fn record(&self, request: &LlmRequest, outcome: &Result<LlmResponse, LlmError>) {
        let outcome = match outcome {
            Ok(response) => Outcome::Response(response.clone()),
            Err(error) => Outcome::Error(Failure::of(error)),
        };
        self.add(self.key(request), outcome);
    }

    /// The requests that were recorded and not replayed, as JSON, in the order of the tape. A test that
    /// ends with an empty list made every call that was recorded.
    #[must_use]
    pub fn unused(&self) -> Vec<Value> {
        let state = self.lock();
        let mut places: Vec<usize> = state.unused.values().flatten().copied().collect();
        places.sort_unstable();
        places
            .into_iter()
            .map(|place| state.calls[place].request.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request as it is compared: canonical, redacted.
    fn key(&self, request: &LlmRequest) -> Value {
        let mut value = serde_json::to_value(request).unwrap_or_default();
        if let Some(map) = value.as_object_mut() {
            map.remove("timeout");
        }
        self.redacted(value)
    }

    fn redacted(&self, mut value: Value) -> Value {
        if let Some(redact) = &self.redact {
            let mut todo = vec![&mut value];
            while let Some(value) = todo.pop() {
                match value {
                    Value::String(text) => *text = redact(text),
                    Value::Array(values) => todo.extend(values),
                    Value::Object(map) => todo.extend(map.values_mut()),
                    Value::Null | Value::Bool(_) | Value::Number(_) => {}
                }
            }
        }
        value.sort_all_objects();
        value
    }

    fn add(&self, request: Value, outcome: Outcome) {
        let outcome = match serde_json::to_value(&outcome).map(|value| self.redacted(value)) {
            Ok(value) => serde_json::from_value(value).unwrap_or(outcome),
            Err(_) => outcome,
        };
        let mut state = self.lock();
        let place = state.calls.len();
        state
            .unused
            .entry(digest(&request))
            .or_default()
            .push_back(place);
        state.calls.push(Call { request, outcome });
    }

    /// The next recorded outcome of a request.
    fn replay(&self, provider: &str, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let key = self.key(request);
        let mut state = self.lock();
        let place = state.unused.get_mut(&digest(&key)).map(VecDeque::pop_front);
        let message = match place {
            Some(Some(place)) => {
                return match &state.calls[place].outcome {
                    Outcome::Response(response) => Ok(response.clone()),
                    Outcome::Error(failure) => Err(failure.error()),
                };
            }
            Some(None) => "this request was recorded, but not as often as it is made".to_owned(),
            None => {
                let recorded = state.calls.iter().map(|call| &call.request);
                nearest::told(&key, recorded)
            }
        };
        Err(LlmError::new(ErrorKind::NotRecorded, provider, message))
    }
}

fn digest(request: &Value) -> String {
    blake3::hash(request.to_string().as_bytes())
        .to_hex()
        .to_string()
}

impl Failure {
    fn of(error: &LlmError) -> Self {
        let millis = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self {
            kind: error.kind(),
            provider: error.provider().to_owned(),
            message: error.message().to_owned(),
            status: error.status(),
            retry_after_ms: error.retry_after().map(millis),
            attempts: error.attempts(),
        }
    }

    fn error(&self) -> LlmError {
        let error = LlmError::new(self.kind, &self.provider, &self.message);
        let mut error = error.with_attempts(self.attempts);
        if let Some(status) = self.status {
            error = error.with_status(status);
        }
        if let Some(millis) = self.retry_after_ms {
            error = error.with_retry_after(Duration::from_millis(millis));
        }
        error
    }
}

/// A provider that writes what another one does on a tape, errors included.
///
/// A call that is dropped, and a stream that is not read to its end, leave nothing.
#[derive(Clone, Debug)]
pub struct Recording<P> {
    inner: P,
    tape: Arc<Tape>,
}

impl<P: LlmProvider> Recording<P> {
    /// Records what this provider does.
    ///
    /// Around a chain it hides the links from who meters them; [`around_links`](crate::around_links)
    /// puts one around each.
    #[must_use]
    pub fn new(inner: P, tape: &Arc<Tape>) -> Self {
        let tape = Arc::clone(tape);
        Self { inner, tape }
    }
}

#[async_trait]
impl<P: LlmProvider> LlmProvider for Recording<P> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let outcome = self.inner.complete(request).await;
        self.tape.record(request, &outcome);
        outcome
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        let stream = match self.inner.stream(request).await {
            Ok(stream) => stream,
            Err(error) => {
                self.tape.record(request, &Err(error.clone()));
                return Err(error);
            }
        };
        let (tape, request) = (Arc::clone(&self.tape), request.clone());
        let listen = move |part: &Result<StreamPart, LlmError>| match part {
            Ok(StreamPart::End(response)) => tape.record(&request, &Ok(response.clone())),
            Ok(StreamPart::Text(_) | StreamPart::ToolCall(_)) => {}
            Err(error) => tape.record(&request, &Err(error.clone())),
        };
        Ok(stream.inspect(listen).boxed())
    }
}

/// A provider that does what is on a tape, and nothing else.
///
/// Equal requests replay in the order in which they were recorded, each once. A request that is not on
/// the tape, or was made more often than recorded, is an error of kind `NotRecorded` that names the
/// nearest recorded request and the first difference.
#[derive(Clone, Debug)]
pub struct Replaying {
    name: String,
    capabilities: Capabilities,
    tape: Arc<Tape>,
}

impl Replaying {
    /// Replays a tape under the name and the capabilities of the provider that it was recorded from.
    #[must_use]
    pub fn new(name: impl Into<String>, capabilities: Capabilities, tape: &Arc<Tape>) -> Self {
        Self {
            name: name.into(),
            capabilities,
            tape: Arc::clone(tape),
        }
    }
}

#[async_trait]
impl LlmProvider for Replaying {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        if let Some(error) = capability_error(&self.name, request, &self.capabilities) {
            return Err(error);
        }
        self.tape.replay(&self.name, request)
    }
}

#[cfg(test)]
mod tests;
