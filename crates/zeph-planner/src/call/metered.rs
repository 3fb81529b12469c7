//! The meter: a provider that takes each call's cost from the budget, and notes request and reply.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use tokio::runtime::Handle;
use tokio::time::timeout;
use zeph_common::format_duration;
use zeph_executor::{ReservationId, Spend, TaskContext, TaskError};
use zeph_llm::{
    Capabilities, ErrorKind, Gate, LlmError, LlmProvider, LlmRequest, LlmResponse, Prices,
    RetryPolicy, Retrying, StopReason, StreamPart,
};

use super::client::AttemptSpend;
use super::cost::{self, CostReservation, DEFAULT_OUTPUT_TOKENS};
use super::error::{cost_nothing, from_journal};
use super::notes::{
    CallError, PromptNote, ReplyNote, ReservedCost, reply_hash, request_hash, response_hash,
};

/// A provider for one attempt. Each call is reserved, noted, made, settled, and its reply noted.
///
/// - The size of the request in bytes (an upper bound of its tokens) and the longest answer are reserved
///   in the budgets of run and task before the call. After it, only the real cost remains. So a provider
///   that honours `max_output_tokens` never exceeds a budget.
/// - The reservation waits while other calls hold budget that they can give back. So the length of an answer
///   does not depend on which of several calls comes first.
/// - Every call has a `max_output_tokens`: the request's, else 1,024, reduced to what the provider can do
///   and, when nothing can come back any more, to what the budget covers. If that is less than 64 tokens, or
///   256 for an answer to the goal, there is no call.
/// - An answer that reached a limit reduced by the budget is an error of kind `OverBudget`.
/// - A stream far beyond its limit is abandoned, and counts as cut off there.
/// - If the service does not report the cost of a call, it counts as the whole reservation.
/// - A failed call costs nothing if the service refused it, else the whole reservation. So does a
///   failure of several requests.
/// - A dropped call counts as the whole reservation, since the service may have made it.
///
/// The meter belongs inside the retry layer, so that each request is reserved.
pub(crate) struct Metered {
    inner: Arc<dyn LlmProvider>,
    cx: TaskContext,
    spend: Arc<AttemptSpend>,
    streaming: bool,
    call_timeout: Option<Duration>,
    idle_timeout: Option<Duration>,
}

impl Metered {
    /// A meter around a provider, for the attempt of that context. Meters of one attempt share its
    /// `spend`.
    ///
    /// With `streaming`, answers are streamed where the provider can, so that observers see them grow and
    /// a task with an idle time-out stays alive.
    pub(crate) fn new(
        inner: Arc<dyn LlmProvider>,
        cx: &TaskContext,
        spend: &Arc<AttemptSpend>,
        streaming: bool,
    ) -> Self {
        Self {
            inner,
            cx: cx.clone(),
            spend: Arc::clone(spend),
            streaming,
            call_timeout: None,
            idle_timeout: None,
        }
    }

    /// Adds the retry layer. The meter keeps the time limits itself, so that a call that takes too long
    /// is settled and noted like any other.
    pub(crate) fn retrying(mut self, mut policy: RetryPolicy, gate: &Gate) -> Arc<dyn LlmProvider> {
        if !self.inner.is_repeatable() {
            policy.max_calls = 1;
            policy.call_timeout = None;
            policy.total = None;
        }
        self.call_timeout = policy.call_timeout;
        self.idle_timeout = policy.idle_timeout;
        let (cx, name) = (self.cx.clone(), self.inner.name().to_owned());
        let most = policy.max_calls;
        let retrying = Retrying::new(self, policy)
            .gate(gate)
            .inner_enforces_timeouts();
        Arc::new(retrying.on_wait(move |error, wait, calls| {
            let (wait, why) = (format_duration(wait), error.kind().word());
            cx.progress(format!(
                "waiting {wait} to ask {name} again ({why}), call {} of {most}",
                calls + 1
            ));
        }))
    }

    /// Reserves the highest possible cost of a call, or what is left. Waits for other calls of the run.
    async fn reserve(
        &self,
        request: &LlmRequest,
    ) -> Result<(CostReservation, ReservationId), LlmError> {
        let (name, journal) = (self.inner.name(), self.cx.journal());
        let can = self.capabilities_for(request);
        if can.prices.is_none() {
            let left = journal.left().await;
            let left = left.map_err(|error| from_journal(name, error))?;
            if left.micro_usd().is_some() {
                return Err(cost::unknown_price(name));
            }
        }
        let bounds = cost::bounds(name, can, request)?;
        let reservation = journal.reserve_up_to(bounds.request());
        let granted = self.spend.waiting(reservation).await;
        let granted = granted.map_err(|error| from_journal(name, error))?;
        Ok((bounds.within(granted), granted.id))
    }

    /// The capabilities for a request. The price of another model than the provider's own is unknown,
    /// unless the provider is free.
    fn capabilities_for(&self, request: &LlmRequest) -> Capabilities {
        let can = self.inner.capabilities();
        let prices = can
            .prices
            .filter(|prices| request.model.is_none() || *prices == Prices::FREE);
        Capabilities { prices, ..can }
    }

    /// One call, streamed if wanted.
    async fn call(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        if !self.streaming || !self.inner.capabilities().streaming {
            return self.inner.complete(request).await;
        }
        let mut stream = self.inner.stream(request).await?;
        let tokens = request.max_output_tokens.unwrap_or(u32::MAX) as usize;
        let most = tokens.saturating_mul(MAX_TOKEN_BYTES);
        let mut answer = String::new();
        while let Some(part) = self.within(self.idle_timeout, stream.next()).await? {
            match part? {
                StreamPart::Text(text) => {
                    let before = answer.len() / PROGRESS_BYTES;
                    answer.push_str(&text);
                    let bytes = answer.len();
                    if bytes > most {
                        return Ok(LlmResponse::text(answer).stopped(StopReason::MaxTokens));
                    }
                    if bytes / PROGRESS_BYTES > before {
                        let name = self.inner.name();
                        self.cx.progress(format!("{name}: {bytes} bytes received"));
                    } else {
                        self.cx.heartbeat();
                    }
                }
                StreamPart::End(response) => return Ok(response),
                StreamPart::ToolCall(_) => self.cx.heartbeat(),
            }
        }
        let message = "the stream ended before the answer was complete";
        Err(LlmError::new(ErrorKind::Cut, self.inner.name(), message))
    }

    /// Runs work with a time limit.
    async fn within<T>(
        &self,
        limit: Option<Duration>,
        work: impl Future<Output = T>,
    ) -> Result<T, LlmError> {
        let Some(limit) = limit else {
            return Ok(work.await);
        };
        timeout(limit, work).await.map_err(|_| {
            let message = format!("no response within {}", format_duration(limit));
            LlmError::new(ErrorKind::Timeout, self.inner.name(), message)
        })
    }

    /// The real cost of a call.
    fn spent(
        can: Capabilities,
        reservation: CostReservation,
        outcome: &Result<LlmResponse, LlmError>,
    ) -> Spend {
        let response = match outcome {
            Ok(response) => response,
            Err(error)
                if (error.is_refusal() || cost_nothing(error.kind())) && error.attempts() <= 1 =>
            {
                return Spend::ZERO;
            }
            Err(_) => return reservation.reserved,
        };
        let usage = response.usage;
        let input = usage.input_tokens.unwrap_or(reservation.input_tokens);
        // The length of the visible answer does not show the reasoning that was charged with it.
        let output = usage.output_tokens;
        let output = output.unwrap_or(reservation.max_output_tokens);
        let prices = can.prices.unwrap_or(Prices::FREE);
        cost::spend(prices, input, output).unwrap_or(Spend {
            tokens: input.saturating_add(output),
            micro_usd: u32::try_from(prices.cost(input, output)).unwrap_or(u32::MAX),
        })
    }
}

/// A reservation until it is settled. If the call is dropped before, another task of this process settles it: with
/// nothing before the call began, else with the most that it can cost. So other calls do not wait for it.
struct OpenCall<'a> {
    cx: &'a TaskContext,
    id: Option<ReservationId>,
    most: Spend,
}

impl<'a> OpenCall<'a> {
    const fn new(cx: &'a TaskContext, id: ReservationId) -> Self {
        Self {
            cx,
            id: Some(id),
            most: Spend::ZERO,
        }
    }

    async fn settle(&mut self, spent: Spend) -> Result<(), TaskError> {
        let Some(id) = self.id else {
            return Ok(());
        };
        self.most = spent;
        let settled = self.cx.journal().settle(id, spent).await;
        self.id = None;
        settled
    }
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        // The end of a stopped attempt settles what it holds.
        let id = self.id.take().filter(|_| !self.cx.is_cancelled());
        let (Some(id), Ok(runtime)) = (id, Handle::try_current()) else {
            return;
        };
        let (cx, most) = (self.cx.clone(), self.most);
        runtime.spawn(async move {
            if let Err(error) = cx.journal().settle(id, most).await {
                tracing::debug!(%error, "the reservation of a dropped call is settled by the end of its attempt");
            }
        });
    }
}

/// The most bytes of one token: the longest entries of public vocabularies are runs of 128 blanks. A
/// stream with more bytes per token ignores its limit.
const MAX_TOKEN_BYTES: usize = 128;
/// Observers get a progress message after this many bytes of an answer.
const PROGRESS_BYTES: usize = 256;

#[async_trait]
impl LlmProvider for Metered {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let name = self.inner.name();
        let journal = |error: TaskError| from_journal(name, error);
        let mut request = request.clone();
        // The limit is part of the request's size, so it is set before the size is measured.
        let wanted = request.max_output_tokens;
        request.max_output_tokens = Some(wanted.unwrap_or(DEFAULT_OUTPUT_TOKENS));
        let (reservation, id) = self.reserve(&request).await?;
        request.max_output_tokens = Some(reservation.max_output_tokens);
        let (call, hash) = (self.spend.next_call(), request_hash(&request));
        let prompt = PromptNote {
            call,
            provider: name.to_owned(),
            hash: hash.clone(),
            request: Some(request.clone()),
            reserved: ReservedCost {
                tokens: reservation.reserved.tokens,
                micro_usd: reservation.reserved.micro_usd,
            },
            left: reservation.left,
            cut: None,
        };
        let mut open = OpenCall::new(&self.cx, id);
        let noted = async { self.cx.journal().note(prompt.note()?).await };
        noted.await.map_err(journal)?;
        open.most = reservation.reserved;
        let limits = self.call_timeout.into_iter().chain(request.timeout);
        let outcome = self.within(limits.min(), self.call(&request)).await;
        let outcome = outcome.and_then(|answer| answer);
        let can = self.capabilities_for(&request);
        let spent = Self::spent(can, reservation, &outcome);
        let reply = ReplyNote {
            call,
            provider: name.to_owned(),
            hash: hash.clone(),
            response_hash: outcome.as_ref().ok().map(response_hash),
            response: outcome.as_ref().ok().cloned(),
            error: outcome.as_ref().err().map(CallError::from),
            tokens: spent.tokens,
            micro_usd: spent.micro_usd,
            cut: None,
            reused: false,
        };
        // Both become a part of the same commit, so that no interruption loses a reply that is paid.
        let noted = async { self.cx.journal().note(reply.note()?).await };
        let (settled, noted) = futures::join!(open.settle(spent), noted);
        settled.and(noted).map_err(journal)?;
        self.spend.add(spent);
        if let Ok(response) = &outcome {
            self.spend.set_latest(reply_hash(&hash, response), false);
        }
        let is_cut = |reply: &LlmResponse| reply.stop == StopReason::MaxTokens;
        if outcome.as_ref().is_ok_and(is_cut)
            && let Some(error) = reservation.cut_by_budget(name, can)
        {
            return Err(error);
        }
        outcome
    }
}
