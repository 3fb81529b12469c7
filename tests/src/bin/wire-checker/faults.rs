//! Faults: llmock injects every fault that it supports, and its verdict on our client must have no findings.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zeph_llm::{ErrorKind, LlmError, LlmResponse, StopReason, Usage};

use crate::control::{Control, Seen};
use crate::plans;
use crate::report::{Report, claim};
use crate::service::{CALLS, Family, IDLE, Service, question, weather};

/// Every case, for each family of services.
pub(crate) async fn check(report: &mut Report, url: &str) -> Result<(), String> {
    let control = Control::new(url);
    for family in Family::ALL {
        let service = Service::new(family, &family.base_at_llmock(url), "mock-model")?;
        let checker = Checker {
            control: &control,
            service: &service,
        };
        // The rate gate of a service keeps its state between cases: it opens slowly after a refusal, and
        // stays closed after a long `Retry-After`. Two cases therefore use a service of their own.
        let other = Service::new(family, &family.base_at_llmock(url), "mock-model")?;
        let apart = Checker {
            control: &control,
            service: &other,
        };
        let who = family.name();
        for recovery in recoveries() {
            let what = recovery.what;
            report.case(who, what, checker.recovers(recovery)).await;
        }
        for (status, code, kind) in [
            (400, None, ErrorKind::BadRequest),
            (401, None, ErrorKind::Unauthorized),
            (404, Some("model_not_found"), ErrorKind::UnknownModel),
        ] {
            let what = format!("{status} is not tried again");
            report
                .case(who, &what, checker.is_reported_at_once(status, code, kind))
                .await;
        }
        report
            .case(who, "503 for ever", checker.fails_finally(503))
            .await;
        report
            .case(who, "cut for ever", checker.gives_up_on_cuts())
            .await;
        report.case(who, "no answer", checker.times_out()).await;
        report
            .case(
                who,
                "more calls than a minute allows",
                apart.shares_the_wait(),
            )
            .await;
        report
            .case(who, "Retry-After of an hour", apart.declines_to_wait())
            .await;
        report
            .case(who, "a tool, its result, an answer", checker.uses_a_tool())
            .await;
        plans::check(report, family, &control, &service).await?;
    }
    Ok(())
}

/// Longer than any recovery takes; the length of a delay and of a stall.
const LONG: Duration = Duration::from_secs(30);

/// The rate limit that llmock is started with, in requests per minute.
const ALLOWED: usize = 120;

/// The number of concurrent calls beyond the rate limit.
const REFUSED: usize = 20;

/// How a case reads the answer: as a whole, or collected from a stream.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Whole,
    Pieces,
}

/// Transient faults, with the expected number of requests and the minimum duration of the call.
struct Recovery {
    what: &'static str,
    ask: Ask,
    requests: usize,
    at_least: Duration,
    faults: Vec<Value>,
}

fn row(what: &'static str, ask: Ask, requests: usize, ms: u64, faults: Vec<Value>) -> Recovery {
    Recovery {
        what,
        ask,
        requests,
        at_least: Duration::from_millis(ms),
        faults,
    }
}

fn recoveries() -> Vec<Recovery> {
    use Ask::{Pieces, Whole};
    let fault = |kind: &str| {
        let seconds = LONG.as_secs();
        json!({"type": "stream_fault", "kind": kind, "after_chunks": 3, "stall_seconds": seconds})
    };
    let fail = |status: u16| json!({"type": "fail", "status": status});
    let limit = || json!({"type": "fail", "status": 429, "retry_after": 1.5, "times": 2});
    let stalled = u64::try_from(IDLE.as_millis()).unwrap_or(u64::MAX);
    vec![
        row("no fault", Whole, 1, 0, vec![]),
        row("no fault, in pieces", Pieces, 1, 0, vec![]),
        row(
            "429 twice, Retry-After 1.5 s",
            Whole,
            3,
            3000,
            vec![limit()],
        ),
        row("429 twice, in pieces", Pieces, 3, 3000, vec![limit()]),
        row("500, then 503", Whole, 3, 2000, vec![fail(500), fail(503)]),
        row("529", Whole, 2, 1000, vec![fail(529)]),
        row(
            "connection dropped",
            Pieces,
            2,
            500,
            vec![fault("disconnect")],
        ),
        row("stream ends early", Pieces, 2, 500, vec![fault("truncate")]),
        row(
            "chunk that is not JSON",
            Pieces,
            2,
            500,
            vec![fault("malformed")],
        ),
        row("stream stalls", Pieces, 2, stalled, vec![fault("stall")]),
    ]
}

/// One service and the control interface of the llmock behind it.
struct Checker<'a> {
    control: &'a Control,
    service: &'a Service,
}

impl Checker<'_> {
    async fn recovers(&self, recovery: Recovery) -> Result<String, String> {
        self.control.script(recovery.faults).await?;
        let begin = Instant::now();
        let answer = self
            .ask(recovery.ask)
            .await
            .map_err(|err| err.to_string())?;
        let took = begin.elapsed();
        claim(!answer.text.is_empty(), || "an empty answer".to_owned())?;
        claim(answer.stop == StopReason::End, || {
            format!("stop {:?}", answer.stop)
        })?;
        claim(is_counted(answer.usage), || {
            format!("usage {:?}", answer.usage)
        })?;
        claim(took >= recovery.at_least, || format!("only {took:?}"))?;
        claim(took < LONG, || format!("took {took:?}"))?;
        let seen = self.seen(recovery.requests).await?;
        self.control.verdict(&[]).await?;
        Ok(format!("answered, {}", waits(&seen)))
    }

    async fn ask(&self, ask: Ask) -> Result<LlmResponse, LlmError> {
        let request = question("Name a colour.");
        match ask {
            Ask::Whole => self.service.complete(&request).await,
            Ask::Pieces => self.service.collect(&request).await,
        }
    }

    async fn is_reported_at_once(
        &self,
        status: u16,
        code: Option<&str>,
        kind: ErrorKind,
    ) -> Result<String, String> {
        let fault = json!({"type": "fail", "status": status, "code": code, "times": null});
        self.control.script(vec![fault]).await?;
        let error = self.fails().await?;
        claim(error.kind() == kind, || {
            format!("{:?} instead of {kind:?}", error.kind())
        })?;
        claim(error.status() == Some(status), || {
            format!("status {:?}", error.status())
        })?;
        self.seen(1).await?;
        self.control.verdict(&[]).await?;
        Ok(error.to_string())
    }

    async fn fails_finally(&self, status: u16) -> Result<String, String> {
        self.control
            .script(vec![
                json!({"type": "fail", "status": status, "times": null}),
            ])
            .await?;
        let error = self.fails().await?;
        claim(error.kind() == ErrorKind::Unavailable, || {
            format!("{:?}", error.kind())
        })?;
        self.exhausted(&error).await
    }

    async fn gives_up_on_cuts(&self) -> Result<String, String> {
        let cut = json!({
            "type": "stream_fault", "kind": "disconnect", "after_chunks": 0, "times": null,
        });
        self.control.script(vec![cut]).await?;
        let asked = self.ask(Ask::Pieces).await;
        let error = asked.err().ok_or("an answer from a stream that was cut")?;
        let is_cut = matches!(error.kind(), ErrorKind::Cut | ErrorKind::Network);
        claim(is_cut, || format!("{:?}", error.kind()))?;
        self.exhausted(&error).await
    }

    async fn exhausted(&self, error: &LlmError) -> Result<String, String> {
        claim(error.attempts() == CALLS, || {
            format!("{} calls", error.attempts())
        })?;
        let seen = self.seen(CALLS as usize).await?;
        self.control.verdict(&[]).await?;
        Ok(format!("{error}, {}", waits(&seen)))
    }

    async fn declines_to_wait(&self) -> Result<String, String> {
        let hour = json!({"type": "fail", "status": 429, "retry_after": 3600, "times": null});
        self.control.script(vec![hour]).await?;
        let error = self.fails().await?;
        claim(error.kind() == ErrorKind::RateLimited, || {
            format!("{:?}", error.kind())
        })?;
        let wait = error.retry_after();
        claim(wait == Some(Duration::from_secs(3600)), || {
            format!("{wait:?}")
        })?;
        self.seen(1).await?;
        // `gave_up` is intended: instead of a wait of one hour the caller gets an error with `retry_after`.
        self.control.verdict(&["gave_up"]).await?;
        Ok(error.to_string())
    }

    async fn times_out(&self) -> Result<String, String> {
        self.control
            .script(vec![json!({"type": "delay", "seconds": LONG.as_secs()})])
            .await?;
        let request = question("Name a colour.").timeout(Duration::from_secs(1));
        let answer = self.service.complete(&request).await;
        let answer = answer.map_err(|err| err.to_string())?;
        claim(!answer.text.is_empty(), || "an empty answer".to_owned())?;
        Ok("asked again after the time-out, answered".to_owned())
    }

    /// llmock enforces its rate limit: refused calls must wait, and must not all retry at the same moment.
    async fn shares_the_wait(&self) -> Result<String, String> {
        self.control.script(vec![]).await?;
        let calls = (0..ALLOWED + REFUSED).map(|number| async move {
            let request = question(&format!("Name colour number {number}."));
            self.service.complete(&request).await
        });
        let answers = futures::future::join_all(calls).await;
        let failed = answers.iter().filter_map(|answer| answer.as_ref().err());
        let failed: Vec<String> = failed.map(ToString::to_string).collect();
        claim(failed.is_empty(), || failed.join("; "))?;
        let seen = self.control.seen().await?;
        claim(seen.len() > answers.len(), || "none was refused".to_owned())?;
        self.control.verdict(&[]).await?;
        Ok(format!(
            "{} answers, {} requests",
            answers.len(),
            seen.len()
        ))
    }

    async fn uses_a_tool(&self) -> Result<String, String> {
        self.control.script(vec![]).await?;
        let request = question("What is the weather in Oslo?").tool(weather());
        let asked = self
            .service
            .complete(&request)
            .await
            .map_err(|err| err.to_string())?;
        let [call] = asked.tool_calls.as_slice() else {
            return Err(format!("{} calls of tools", asked.tool_calls.len()));
        };
        claim(call.name == "get_weather", || {
            format!("a call of {}", call.name)
        })?;
        claim(call.arguments["city"].is_string(), || {
            format!("arguments {}", call.arguments)
        })?;
        let mut next = request.clone();
        next.messages.push(asked.message());
        next.messages
            .push(zeph_llm::Message::tool(call, "7 degrees"));
        let answer = self
            .service
            .complete(&next)
            .await
            .map_err(|err| err.to_string())?;
        claim(answer.tool_calls.is_empty(), || "a second call".to_owned())?;
        claim(!answer.text.is_empty(), || "an empty answer".to_owned())?;
        self.seen(2).await?;
        self.control.verdict(&[]).await?;
        Ok(format!("{}({})", call.name, call.arguments))
    }

    async fn fails(&self) -> Result<LlmError, String> {
        let answer = self.service.complete(&question("Name a colour.")).await;
        answer
            .err()
            .ok_or_else(|| "an answer instead of an error".to_owned())
    }

    async fn seen(&self, requests: usize) -> Result<Vec<Seen>, String> {
        let seen = self.control.seen().await?;
        claim(seen.len() == requests, || {
            format!(
                "{} requests instead of {requests}, {}",
                seen.len(),
                waits(&seen)
            )
        })?;
        Ok(seen)
    }
}

fn is_counted(usage: Usage) -> bool {
    usage.input_tokens.is_some() && usage.output_tokens.is_some()
}

/// The number of requests, and the waits of the client between them.
fn waits(seen: &[Seen]) -> String {
    let gaps = seen.windows(2).map(|pair| pair[1].started - pair[0].ended);
    let gaps: Vec<String> = gaps.map(|gap| format!("{gap:.2}")).collect();
    let requests = seen.len();
    if gaps.is_empty() {
        return format!("{requests} request");
    }
    format!("{requests} requests, waits {} s", gaps.join(" "))
}
