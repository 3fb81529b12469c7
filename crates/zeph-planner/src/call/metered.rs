//! The meter: a provider that takes each call out of the budget and keeps what was said.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::time::timeout;
use zeph_common::format_duration;
use zeph_executor::{ErrorClass, Spend, TaskContext, TaskError};
use zeph_llm::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, OutputFormat, Prices,
    StopReason, StreamPart, TokenCounter,
};

use super::error::{cost_nothing, from_journal};
use super::notes::{CallError, PromptNote, ReplyNote};
use super::quote::{self, DEFAULT_OUTPUT_TOKENS, Quote, USEFUL_OUTPUT_TOKENS};

/// How often a reservation is tried when others take what was left in between.
const RESERVE_TRIES: u32 = 3;

/// A provider for one attempt: each call is reserved, kept, made, settled, and kept again.
///
/// - The request's bytes (no tokenizer makes more tokens of them) and the longest answer are taken
///   from the budgets of run and task before the call, and given back but for what it cost after it.
///   So a budget is never exceeded by a provider that honours `max_output_tokens`.
/// - Every call has a `max_output_tokens`: the request's, else
///   [`DEFAULT_OUTPUT_TOKENS`](crate::DEFAULT_OUTPUT_TOKENS), shortened to what the provider can and
///   the budget leaves. If not even a useful answer is covered, the model is not asked.
/// - An answer that reached a limit which the budget had shortened is an error of kind `OverBudget`: it
///   is paid for and kept, and more budget would have made it whole.
/// - A stream that goes on far beyond its limit is read no further, and counts as cut off there.
/// - Where a service does not say what a call cost, it counts as all that was reserved: an answer may
///   have been charged for more than can be seen of it.
/// - A failed call costs nothing if the service turned it away, else all that was reserved. So does one
///   behind which there were several: nobody knows what those before the last one cost.
/// - A provider with [links](LlmProvider::links) is refused, for one reservation does not cover several
///   calls; [`around_links`](zeph_llm::around_links) puts a meter around each.
/// - A call that is dropped in the middle stays reserved, and counts in full when its attempt ends.
///
/// It makes one call for one call, so it belongs inside a wrapper that repeats, and inside a
/// [`FallbackChain`](zeph_llm::FallbackChain).
pub struct Metered<P> {
    inner: P,
    cx: TaskContext,
    tally: Arc<Tally>,
    counter: Option<Arc<dyn TokenCounter>>,
    useful_output: u32,
    streaming: bool,
    call_timeout: Option<Duration>,
    idle_timeout: Option<Duration>,
}

/// What the calls of an attempt have cost so far.
#[derive(Debug, Default)]
pub struct Tally {
    calls: AtomicU32,
    tokens: AtomicU64,
    micro_usd: AtomicU64,
}

impl Tally {
    /// How many calls were made.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Tokens, in and out.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// Money, in millionths of a dollar.
    #[must_use]
    pub fn micro_usd(&self) -> u64 {
        self.micro_usd.load(Ordering::Relaxed)
    }

    fn begin(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn add(&self, spent: Spend) {
        self.tokens
            .fetch_add(spent.tokens.into(), Ordering::Relaxed);
        let money = spent.micro_usd.into();
        self.micro_usd.fetch_add(money, Ordering::Relaxed);
    }
}

impl<P: LlmProvider> Metered<P> {
    /// A meter around a provider, for the attempt of that context.
    #[must_use]
    pub fn new(inner: P, cx: &TaskContext) -> Self {
        Self {
            inner,
            cx: cx.clone(),
            tally: Arc::default(),
            counter: None,
            useful_output: USEFUL_OUTPUT_TOKENS,
            streaming: false,
            call_timeout: None,
            idle_timeout: None,
        }
    }

    /// Counts together with other meters of the attempt. Default: alone.
    #[must_use]
    pub fn tally(mut self, tally: &Arc<Tally>) -> Self {
        self.tally = Arc::clone(tally);
        self
    }

    /// Teaches a counter what the service reports. Default: none.
    #[must_use]
    pub fn counter(mut self, counter: &Arc<dyn TokenCounter>) -> Self {
        self.counter = Some(Arc::clone(counter));
        self
    }

    /// The shortest answer that is worth a call, in tokens. Default
    /// [`USEFUL_OUTPUT_TOKENS`](crate::USEFUL_OUTPUT_TOKENS).
    #[must_use]
    pub const fn useful_output(mut self, tokens: u32) -> Self {
        self.useful_output = tokens;
        self
    }

    /// Whether answers are taken in pieces, where the provider can, so that observers see them
    /// grow and a task with an idle time-out stays alive. Default: no.
    #[must_use]
    pub const fn streaming(mut self, on: bool) -> Self {
        self.streaming = on;
        self
    }

    /// The longest that a call may take, and the longest silence of a stream. Default: for ever.
    ///
    /// A call that is late is an error of kind `Timeout`, and costs all that was reserved. A request
    /// whose own [`timeout`](LlmRequest::timeout) is shorter has that.
    #[must_use]
    pub const fn time_limits(mut self, call: Option<Duration>, idle: Option<Duration>) -> Self {
        self.call_timeout = call;
        self.idle_timeout = idle;
        self
    }

    /// Takes the most that the call may cost out of the budget.
    async fn reserve(
        &self,
        request: &LlmRequest,
    ) -> Result<(Quote, zeph_executor::ReservationId), LlmError> {
        let name = self.inner.name();
        let journal = self.cx.journal();
        let mut tries = RESERVE_TRIES;
        loop {
            let left = journal.left().await;
            let left = left.map_err(|error| from_journal(name, error))?;
            let can = self.can(request);
            let quote = quote::quote(name, can, request, self.useful_output, left)?;
            tries -= 1;
            match journal.reserve(quote.most).await {
                Ok(id) => return Ok((quote, id)),
                // Another task took of what was left; the next quote is smaller, or refused.
                Err(error) if tries > 0 && error.class() == ErrorClass::OverBudget => {}
                Err(error) => return Err(from_journal(name, error)),
            }
        }
    }

    /// What can be done for a request. What another model than the provider's own costs is not known,
    /// unless nothing costs anything there.
    fn can(&self, request: &LlmRequest) -> Capabilities {
        let can = self.inner.capabilities();
        let prices = can
            .prices
            .filter(|prices| request.model.is_none() || *prices == Prices::FREE);
        Capabilities { prices, ..can }
    }

    /// One call, in pieces if wanted.
    async fn call(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        if !self.streaming || !self.inner.capabilities().streaming {
            return self.inner.complete(request).await;
        }
        let mut stream = self.inner.stream(request).await?;
        let tokens = request.max_output_tokens.unwrap_or(u32::MAX) as usize;
        let most = tokens.saturating_mul(TOKEN_BYTES);
        let mut said = String::new();
        while let Some(part) = self.within(self.idle_timeout, stream.next()).await? {
            match part? {
                StreamPart::Text(text) => {
                    let told = said.len() / PROGRESS_BYTES;
                    said.push_str(&text);
                    let bytes = said.len();
                    if bytes > most {
                        return Ok(LlmResponse::text(said).stopped(StopReason::MaxTokens));
                    }
                    if bytes / PROGRESS_BYTES > told {
                        let name = self.inner.name();
                        self.cx.progress(format!("{name} has said {bytes} bytes…"));
                    } else {
                        self.cx.heartbeat();
                    }
                }
                StreamPart::End(response) => return Ok(response),
                StreamPart::ToolCall(_) | _ => self.cx.heartbeat(),
            }
        }
        let message = "the stream ended before the answer did";
        Err(LlmError::new(ErrorKind::Cut, self.inner.name(), message))
    }

    /// Work within a time.
    async fn within<T>(
        &self,
        limit: Option<Duration>,
        work: impl Future<Output = T>,
    ) -> Result<T, LlmError> {
        let Some(limit) = limit else {
            return Ok(work.await);
        };
        timeout(limit, work).await.map_err(|_| {
            let message = format!("nothing came within {}", format_duration(limit));
            LlmError::new(ErrorKind::Timeout, self.inner.name(), message)
        })
    }

    /// Tells the counter what the service made of the request's texts.
    fn teach(&self, request: &LlmRequest, outcome: &Result<LlmResponse, LlmError>) {
        /// What services put around a message, and around all of them.
        const BESIDE: (u32, u32) = (4, 3);
        let reported = outcome.as_ref().ok();
        let reported = reported.and_then(|response| response.usage.input_tokens);
        let (Some(counter), Some(reported)) = (&self.counter, reported) else {
            return;
        };
        // Tools and schemas are rewritten by services, so only plain conversations teach anything.
        if !request.tools.is_empty() || request.output != OutputFormat::Text {
            return;
        }
        let texts = request.messages.iter().map(zeph_llm::Message::text);
        let text = texts.collect::<Vec<_>>().join("\n");
        let messages = u32::try_from(request.messages.len()).unwrap_or(u32::MAX);
        let beside = BESIDE.0.saturating_mul(messages).saturating_add(BESIDE.1);
        counter.observe(&text, reported.saturating_sub(beside));
    }

    /// What the call did cost.
    fn spent(
        &self,
        can: Capabilities,
        quote: Quote,
        outcome: &Result<LlmResponse, LlmError>,
    ) -> Spend {
        let response = match outcome {
            Ok(response) => response,
            Err(error) if cost_nothing(error.kind()) && error.attempts() <= 1 => {
                return Spend::ZERO;
            }
            Err(_) => return quote.most,
        };
        let usage = response.usage;
        let input = usage.input_tokens.unwrap_or(quote.input_tokens);
        // What can be seen of an answer says nothing of the reasoning that was charged with it.
        let output = usage.output_tokens.unwrap_or(quote.max_output_tokens);
        let prices = can.prices.unwrap_or(Prices::FREE);
        quote::spend(prices, input, output).unwrap_or(Spend {
            tokens: input.saturating_add(output),
            micro_usd: u32::try_from(prices.cost(input, output)).unwrap_or(u32::MAX),
        })
    }
}

/// The most bytes of one token: the longest of public vocabularies are runs of 128 blanks. A stream
/// with more for each token that it may have does not keep its limit.
const TOKEN_BYTES: usize = 128;
/// So many bytes of an answer are told to observers at a time.
const PROGRESS_BYTES: usize = 256;

#[async_trait]
impl<P: LlmProvider> LlmProvider for Metered<P> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let name = self.inner.name();
        if !self.inner.links().is_empty() {
            let message = "several calls cannot be metered as one; put the meter around each link";
            return Err(LlmError::new(ErrorKind::Unsupported, name, message));
        }
        let journal = |error: TaskError| from_journal(name, error);
        let mut request = request.clone();
        // Set before the request is measured: what goes out has it, too.
        let wanted = request.max_output_tokens;
        request.max_output_tokens = Some(wanted.unwrap_or(DEFAULT_OUTPUT_TOKENS));
        let (quote, reservation) = self.reserve(&request).await?;
        request.max_output_tokens = Some(quote.max_output_tokens);
        let number = self.tally.begin();
        let prompt = PromptNote {
            call: number,
            provider: name.to_owned(),
            request: Some(request.clone()),
            cut: None,
        };
        let kept = async { self.cx.journal().note(prompt.note()?).await };
        if let Err(error) = kept.await {
            // The call is not made, so it costs nothing; what cannot be settled counts in full.
            let given_back = self.cx.journal().settle(reservation, Spend::ZERO).await;
            given_back.map_err(journal)?;
            return Err(journal(error));
        }
        let limits = self.call_timeout.into_iter().chain(request.timeout);
        let outcome = self.within(limits.min(), self.call(&request)).await;
        let outcome = outcome.and_then(|answer| answer);
        let can = self.can(&request);
        let spent = self.spent(can, quote, &outcome);
        self.teach(&request, &outcome);
        let settled = self.cx.journal().settle(reservation, spent).await;
        settled.map_err(journal)?;
        self.tally.add(spent);
        let reply = ReplyNote {
            call: number,
            provider: name.to_owned(),
            response: outcome.as_ref().ok().cloned(),
            error: outcome.as_ref().err().map(CallError::from),
            tokens: spent.tokens,
            micro_usd: spent.micro_usd,
            cut: None,
        };
        let kept = async { self.cx.journal().note(reply.note()?).await };
        kept.await.map_err(journal)?;
        let is_cut = |reply: &LlmResponse| reply.stop == StopReason::MaxTokens;
        if outcome.as_ref().is_ok_and(is_cut)
            && let Some(error) = quote::cut_by_budget(name, can, quote)
        {
            return Err(error);
        }
        outcome
    }
}

impl<P: LlmProvider> std::fmt::Debug for Metered<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metered")
            .field("provider", &self.inner.name())
            .field("attempt", &self.cx)
            .field("tally", &self.tally)
            .finish_non_exhaustive()
    }
}
