//! llmock breaks answers in every way it knows; its verdict must find nothing to say of us.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use zeph_llm::{ErrorKind, LlmError, LlmRequest, LlmResponse, StopReason, Usage};

use crate::control::{Control, Seen};
use crate::plans;
use crate::report::{Report, claim};
use crate::service::{Family, IDLE, RETRIES, Service, question, weather};

/// Every case, for each family of services.
pub(crate) async fn judge(report: &mut Report, url: &str) -> Result<(), String> {
    let control = Control::new(url);
    for family in Family::ALL {
        let service = Service::new(family, &family.base_at_llmock(url), "mock-model")?;
        let bench = Bench {
            control: &control,
            service: &service,
        };
        let who = family.name();
        for (what, behaviours, ask, expect) in recoveries() {
            let work = bench.recovers(behaviours, ask, expect);
            report.case(who, what, work).await;
        }
        for (status, code, kind) in [
            (400, None, ErrorKind::BadRequest),
            (401, None, ErrorKind::Unauthorized),
            (404, Some("model_not_found"), ErrorKind::UnknownModel),
        ] {
            let what = format!("{status} is not tried again");
            report
                .case(who, &what, bench.is_told_at_once(status, code, kind))
                .await;
        }
        report.case(who, "503 for ever", bench.gives_up(503)).await;
        report
            .case(who, "cut for ever", bench.gives_up_on_cuts())
            .await;
        report
            .case(who, "Retry-After of an hour", bench.declines_to_wait())
            .await;
        report.case(who, "no answer", bench.times_out()).await;
        report
            .case(who, "20 calls refused at once", bench.shares_the_wait())
            .await;
        report
            .case(who, "a tool, its result, an answer", bench.uses_a_tool())
            .await;
        plans::judge(report, family, &control, &service).await?;
    }
    Ok(())
}

/// How a case asks: for the whole answer, or for its pieces.
#[derive(Clone, Copy, Debug)]
enum Ask {
    Whole,
    Pieces,
}

/// How many requests a recovered call takes, and the shortest time that it may take.
#[derive(Clone, Copy, Debug)]
struct Expect {
    requests: usize,
    at_least: Duration,
    at_most: Duration,
}

const fn expect(requests: usize, at_least_ms: u64) -> Expect {
    Expect {
        requests,
        at_least: Duration::from_millis(at_least_ms),
        at_most: Duration::from_secs(20),
    }
}

/// Faults that end, and after which the call succeeds.
fn recoveries() -> Vec<(&'static str, Vec<Value>, Ask, Expect)> {
    let fault = |kind: &str| json!({"type": "stream_fault", "kind": kind, "after_chunks": 3});
    let stall = json!({
        "type": "stream_fault", "kind": "stall", "after_chunks": 3, "stall_seconds": 60,
    });
    let limited = json!({"type": "fail", "status": 429, "retry_after": 1.5, "times": 2});
    let failed = |status: u16| json!({"type": "fail", "status": status});
    vec![
        ("no fault", vec![], Ask::Whole, expect(1, 0)),
        ("no fault, streamed", vec![], Ask::Pieces, expect(1, 0)),
        (
            "429 twice, Retry-After 1.5 s",
            vec![limited.clone()],
            Ask::Whole,
            expect(3, 3000),
        ),
        (
            "429 twice, streamed",
            vec![limited],
            Ask::Pieces,
            expect(3, 3000),
        ),
        (
            "500, then 503",
            vec![failed(500), failed(503)],
            Ask::Whole,
            expect(3, 0),
        ),
        ("529", vec![failed(529)], Ask::Whole, expect(2, 0)),
        (
            "connection dropped",
            vec![fault("disconnect")],
            Ask::Pieces,
            expect(2, 0),
        ),
        (
            "stream ends early",
            vec![fault("truncate")],
            Ask::Pieces,
            expect(2, 0),
        ),
        (
            "a chunk that is not JSON",
            vec![fault("malformed")],
            Ask::Pieces,
            expect(2, 0),
        ),
        (
            "stream stalls",
            vec![stall],
            Ask::Pieces,
            Expect {
                at_least: IDLE,
                ..expect(2, 0)
            },
        ),
    ]
}

/// One service and the judge on its other side.
struct Bench<'a> {
    control: &'a Control,
    service: &'a Service,
}

impl Bench<'_> {
    async fn recovers(
        &self,
        behaviours: Vec<Value>,
        ask: Ask,
        expect: Expect,
    ) -> Result<String, String> {
        self.control.script(behaviours).await?;
        let begin = Instant::now();
        let answer = self
            .ask(ask, &question("Name a colour."), expect.requests)
            .await;
        let took = begin.elapsed();
        let answer = answer.map_err(|err| err.to_string())?;
        claim(!answer.text.is_empty(), || "an empty answer".to_owned())?;
        claim(answer.stop == StopReason::End, || {
            format!("stop {:?}", answer.stop)
        })?;
        claim(is_counted(answer.usage), || {
            format!("usage {:?}", answer.usage)
        })?;
        claim(took >= expect.at_least, || format!("only {took:?}"))?;
        claim(took <= expect.at_most, || format!("took {took:?}"))?;
        let seen = self.seen(expect.requests).await?;
        self.control.verdict(&[]).await?;
        Ok(format!("answered, {}", waits(&seen)))
    }

    /// A stream that breaks off after its first piece is the caller's to ask for again: only it
    /// knows what it has done with the pieces.
    async fn ask(
        &self,
        ask: Ask,
        request: &LlmRequest,
        most: usize,
    ) -> Result<LlmResponse, LlmError> {
        match ask {
            Ask::Whole => self.service.complete(request).await,
            Ask::Pieces => {
                let mut tries = 1;
                loop {
                    match self.service.pieces(request).await {
                        Err(error) if error.is_retryable() && tries < most => tries += 1,
                        ended => return ended,
                    }
                }
            }
        }
    }

    async fn is_told_at_once(
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

    async fn gives_up(&self, status: u16) -> Result<String, String> {
        self.control
            .script(vec![
                json!({"type": "fail", "status": status, "times": null}),
            ])
            .await?;
        let error = self.fails().await?;
        claim(error.kind() == ErrorKind::Unavailable, || {
            format!("{:?}", error.kind())
        })?;
        self.exhausted(&error, &[]).await
    }

    async fn gives_up_on_cuts(&self) -> Result<String, String> {
        let cut = json!({
            "type": "stream_fault", "kind": "disconnect", "after_chunks": 0, "times": null,
        });
        self.control.script(vec![cut]).await?;
        let asked = self.service.pieces(&question("Name a colour.")).await;
        let error = asked.err().ok_or("an answer from a stream that was cut")?;
        let is_cut = matches!(error.kind(), ErrorKind::Cut | ErrorKind::Network);
        claim(is_cut, || format!("{:?}", error.kind()))?;
        // Full jitter may shrink by chance, which llmock takes for no back-off.
        self.exhausted(&error, &["no_backoff"]).await
    }

    async fn exhausted(&self, error: &LlmError, expected: &[&str]) -> Result<String, String> {
        let attempts = RETRIES + 1;
        claim(error.attempts() == attempts, || {
            format!("{} calls", error.attempts())
        })?;
        let seen = self.seen(attempts as usize).await?;
        self.control.verdict(expected).await?;
        Ok(format!("{error}, {}", waits(&seen)))
    }

    async fn declines_to_wait(&self) -> Result<String, String> {
        let hour = json!({"type": "fail", "status": 429, "retry_after": 3600, "times": null});
        self.control.script(vec![hour]).await?;
        let error = self.fails().await?;
        claim(error.kind() == ErrorKind::RateLimited, || {
            format!("{:?}", error.kind())
        })?;
        let told = error.retry_after();
        claim(told == Some(Duration::from_secs(3600)), || {
            format!("{told:?}")
        })?;
        self.seen(1).await?;
        // Not waiting an hour is on purpose: the caller is told how long it would be.
        self.control.verdict(&["gave_up"]).await?;
        Ok(error.to_string())
    }

    async fn times_out(&self) -> Result<String, String> {
        self.control
            .script(vec![json!({"type": "delay", "seconds": 30})])
            .await?;
        let request = question("Name a colour.").timeout(Duration::from_secs(1));
        let answer = self.service.complete(&request).await;
        let answer = answer.map_err(|err| err.to_string())?;
        claim(!answer.text.is_empty(), || "an empty answer".to_owned())?;
        Ok("asked again after the time-out, answered".to_owned())
    }

    async fn shares_the_wait(&self) -> Result<String, String> {
        const CALLS: usize = 20;
        let limited = json!({"type": "fail", "status": 429, "retry_after": 1, "times": CALLS});
        self.control.script(vec![limited]).await?;
        let calls = (0..CALLS).map(|number| async move {
            let request = question(&format!("Name colour number {number}."));
            self.service.complete(&request).await
        });
        let answers = futures::future::join_all(calls).await;
        let failed = answers.iter().filter_map(|answer| answer.as_ref().err());
        let failed: Vec<String> = failed.map(ToString::to_string).collect();
        claim(failed.is_empty(), || failed.join("; "))?;
        let seen = self.control.seen().await?;
        self.control.verdict(&[]).await?;
        Ok(format!("{} requests for {CALLS} answers", seen.len()))
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

/// How many requests there were, and how long the client waited between them.
fn waits(seen: &[Seen]) -> String {
    let gaps = seen.windows(2).map(|pair| pair[1].started - pair[0].ended);
    let gaps: Vec<String> = gaps.map(|gap| format!("{gap:.2}")).collect();
    let requests = seen.len();
    if gaps.is_empty() {
        return format!("{requests} request");
    }
    format!("{requests} requests, waits {} s", gaps.join(" "))
}
