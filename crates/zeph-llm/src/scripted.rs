//! A provider that answers by a script, for tests and demonstrations.
//!
//! A [`ScriptedProvider`] answers by rule or in sequence, late, with errors, cut off or stalled. It records
//! the requests, and rejects every request that some service rejects.

mod check;
mod reply;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{
    Capabilities, ErrorKind, EstimatingCounter, LlmError, LlmProvider, LlmRequest, LlmResponse,
    LlmStream, Purpose,
};

use check::request_errors;
pub use reply::Reply;

/// Answers by a script.
///
/// The first rule that matches and has replies left answers, else the next reply of the sequence. Without
/// one the call is an error of kind `NotRecorded`.
///
/// Usage is counted by an [`EstimatingCounter`] unless the reply says otherwise. An answer that is
/// longer than `max_output_tokens` is cut there, ends with
/// [`MaxTokens`](crate::StopReason::MaxTokens), and its usage is within the limit.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), zeph_llm::LlmError> {
/// use zeph_llm::{LlmProvider as _, LlmRequest, Reply, ScriptedProvider};
///
/// let provider = ScriptedProvider::new("script")
///     .when("capital", Reply::text("Paris"))
///     .then(Reply::text("first"))
///     .then(Reply::refusal("no"));
/// assert_eq!(provider.complete(&LlmRequest::new("Which capital?")).await?.text, "Paris");
/// assert_eq!(provider.complete(&LlmRequest::new("And?")).await?.text, "first");
/// assert_eq!(provider.requests().len(), 2);
/// assert!(provider.violations().is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ScriptedProvider {
    name: String,
    capabilities: Capabilities,
    counter: Arc<EstimatingCounter>,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    rules: Vec<Rule>,
    sequence: VecDeque<Reply>,
    requests: Vec<LlmRequest>,
    violations: Vec<String>,
}

struct Rule {
    matches: Box<dyn Fn(&LlmRequest) -> bool + Send>,
    reply: Reply,
    left: Option<u32>,
}

impl fmt::Debug for ScriptedProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("ScriptedProvider");
        debug.field("name", &self.name).finish_non_exhaustive()
    }
}

impl ScriptedProvider {
    /// A provider with an empty script. It supports tools and streams; schemas as
    /// [`SchemaSupport::Prompt`](crate::SchemaSupport::Prompt).
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            capabilities: Capabilities {
                tools: true,
                streaming: true,
                ..Capabilities::TEXT
            },
            counter: Arc::new(EstimatingCounter),
            script: Arc::default(),
        }
    }

    /// The same script under other capabilities.
    #[must_use]
    pub fn with_capabilities(mut self, capabilities: Capabilities) -> Self {
        self.capabilities = capabilities;
        self
    }

    /// Adds a reply to the end of the sequence. It is returned once.
    #[must_use]
    pub fn then(self, reply: Reply) -> Self {
        self.lock().sequence.push_back(reply);
        self
    }

    /// Adds a rule: any number of requests with that purpose get this reply.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), zeph_llm::LlmError> {
    /// use zeph_llm::{LlmProvider as _, LlmRequest, Purpose, Reply, ScriptedProvider};
    ///
    /// let provider = ScriptedProvider::new("script")
    ///     .for_purpose(Purpose::Answer, Reply::text("It rains."))
    ///     .then(Reply::text("anything else"));
    /// let request = LlmRequest::new("Write the answer.").purpose(Purpose::Answer);
    /// assert_eq!(provider.complete(&request).await?.text, "It rains.");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn for_purpose(self, purpose: Purpose, reply: Reply) -> Self {
        self.rule(move |request| request.purpose == purpose, None, reply)
    }

    /// Adds a rule: any number of requests with a message that contains a text get this reply.
    #[must_use]
    pub fn when(self, text: impl Into<String>, reply: Reply) -> Self {
        let text = text.into();
        self.rule(
            move |request| {
                let mut messages = request.messages.iter();
                messages.any(|message| message.text().contains(&text))
            },
            None,
            reply,
        )
    }

    /// Adds a rule: requests that match get this reply, at most `times` times; `None` is no limit.
    #[must_use]
    pub fn rule(
        self,
        matches: impl Fn(&LlmRequest) -> bool + Send + 'static,
        times: Option<u32>,
        reply: Reply,
    ) -> Self {
        self.lock().rules.push(Rule {
            matches: Box::new(matches),
            reply,
            left: times,
        });
        self
    }

    /// All requests so far, oldest first, including rejected ones.
    #[must_use]
    pub fn requests(&self) -> Vec<LlmRequest> {
        self.lock().requests.clone()
    }

    /// Why requests so far were rejected.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.lock().violations.clone()
    }

    /// The number of replies of the sequence that are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.lock().sequence.len()
    }

    fn lock(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reply(&self, request: &LlmRequest) -> Result<Reply, LlmError> {
        let mut script = self.lock();
        script.requests.push(request.clone());
        let errors = request_errors(&self.name, request, &self.capabilities);
        let messages = errors.iter().map(|error| error.message().to_owned());
        script.violations.extend(messages);
        if let Some(first) = errors.into_iter().next() {
            return Err(first);
        }
        for rule in &mut script.rules {
            if rule.left != Some(0) && (rule.matches)(request) {
                rule.left = rule.left.map(|left| left - 1);
                return Ok(rule.reply.clone());
            }
        }
        script.sequence.pop_front().ok_or_else(|| {
            let message = "the script has no reply to this request";
            LlmError::new(ErrorKind::NotRecorded, &self.name, message)
        })
    }
}

#[async_trait]
impl LlmProvider for ScriptedProvider {
    fn name(&self) -> &str {
        &self.name
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let reply = self.reply(request)?;
        reply.whole(&self.name, request, &self.counter).await
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        let reply = self.reply(request)?;
        reply.pieces(&self.name, request, &self.counter).await
    }
}

#[cfg(test)]
mod tests;
