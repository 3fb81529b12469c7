//! Retries in paused time: calls, waits and the gate.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::{Gate, RetryPolicy, Retrying};
use crate::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, Reply,
    ScriptedProvider, StreamPart, async_trait, collect, provider_fn,
};

const SECOND: Duration = Duration::from_secs(1);

/// Takes that much time of the paused clock.
async fn takes(time: Duration) {
    let _ = timeout(time, std::future::pending::<()>()).await;
}

fn ask() -> LlmRequest {
    LlmRequest::new("Well?")
}

fn retrying(service: &ScriptedProvider) -> Retrying<ScriptedProvider> {
    Retrying::new(service.clone(), RetryPolicy::default())
}

fn limited(wait: Duration) -> LlmError {
    LlmError::new(ErrorKind::RateLimited, "s", "slow down")
        .with_status(429)
        .with_retry_after(wait)
}

#[tokio::test(start_paused = true)]
async fn only_temporary_errors_are_followed_by_a_call() {
    let kinds = [
        (ErrorKind::RateLimited, 4),
        (ErrorKind::Unavailable, 4),
        (ErrorKind::Network, 4),
        (ErrorKind::Timeout, 4),
        (ErrorKind::Cut, 4),
        (ErrorKind::Garbled, 4),
        (ErrorKind::Unauthorized, 1),
        (ErrorKind::UnknownModel, 1),
        (ErrorKind::ContextTooLong, 1),
        (ErrorKind::SchemaRejected, 1),
        (ErrorKind::BadRequest, 1),
        (ErrorKind::NoCredit, 1),
        (ErrorKind::Unsupported, 1),
        (ErrorKind::NotRecorded, 1),
        (ErrorKind::OverBudget, 1),
        (ErrorKind::Stopped, 1),
    ];
    for (kind, calls) in kinds {
        let service = ScriptedProvider::new("s").when("Well", Reply::error(kind, "no"));
        let provider = retrying(&service);
        let error = provider.complete(&ask()).await.unwrap_err();
        assert_eq!((error.kind(), error.attempts()), (kind, calls));
        assert_eq!(service.requests().len(), calls as usize, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn waits_lie_between_base_and_cap_and_follow_the_seed() {
    let policy = RetryPolicy {
        max_calls: 9,
        base: SECOND,
        cap: 10 * SECOND,
        ..RetryPolicy::default()
    };
    let waits = |seed, draw| -> Vec<Duration> {
        RetryPolicy { seed, ..policy }.waits(draw).take(8).collect()
    };
    for draw in 0..200 {
        let drawn = waits(7, draw);
        assert!(
            drawn
                .iter()
                .all(|wait| (SECOND..=10 * SECOND).contains(wait)),
            "{drawn:?}"
        );
        assert!(
            drawn[0] <= 2 * SECOND && drawn[7] >= 5 * SECOND,
            "{drawn:?}"
        );
    }
    assert_eq!(waits(7, 1), waits(7, 1));
    assert_ne!(waits(7, 1), waits(8, 1));
    assert_ne!(waits(7, 1), waits(7, 2));
    // The last waits of many callers are spread over half the cap.
    let mut last: Vec<u128> = (0..100).map(|draw| waits(7, draw)[7].as_millis()).collect();
    last.sort_unstable();
    assert!(last[90] - last[10] > 2_000, "{last:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_a_floor_and_may_be_too_long() {
    let service = ScriptedProvider::new("s")
        .then(Reply::failure(limited(40 * SECOND)))
        .then(Reply::text("x"));
    let begun = Instant::now();
    retrying(&service).complete(&ask()).await.unwrap();
    assert!(begun.elapsed() >= 40 * SECOND && begun.elapsed() <= 41 * SECOND);

    for wait in [301 * SECOND, Duration::MAX] {
        let service = ScriptedProvider::new("s").then(Reply::failure(limited(wait)));
        let begun = Instant::now();
        let provider = retrying(&service);
        let error = provider.complete(&ask()).await.unwrap_err();
        assert_eq!((error.attempts(), error.retry_after()), (1, Some(wait)));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_at_a_gate_that_stays_closed_for_too_long_fails_at_once() {
    let hour = 3_600 * SECOND;
    let service = ScriptedProvider::new("s")
        .then(Reply::failure(limited(10 * hour)))
        .then(Reply::text("x"));
    let gate = Gate::new();
    let provider = || retrying(&service).gate(&gate);
    let begun = Instant::now();
    let first = provider().complete(&ask()).await.unwrap_err();
    assert_eq!(first.retry_after(), Some(10 * hour));
    let second = provider().complete(&ask()).await.unwrap_err();
    assert_eq!(second.kind(), ErrorKind::RateLimited);
    // No call was made and no caller waited; after an hour a caller tries again.
    assert_eq!((second.attempts(), second.retry_after()), (0, Some(hour)));
    assert_eq!(
        (begun.elapsed(), service.requests().len()),
        (Duration::ZERO, 1)
    );
    tokio::time::advance(hour).await;
    assert_eq!(provider().complete(&ask()).await.unwrap().text, "x");
}

#[tokio::test(start_paused = true)]
async fn each_call_and_all_calls_together_have_a_time_limit() {
    let stall = Reply::text("x").stalled_after(0);
    let service = ScriptedProvider::new("s").when("Well", stall);
    let policy = RetryPolicy {
        call_timeout: Some(10 * SECOND),
        total: Some(25 * SECOND),
        ..RetryPolicy::default()
    };
    let begun = Instant::now();
    let error = Retrying::new(service.clone(), policy)
        .complete(&ask())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(begun.elapsed() <= 25 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(error.attempts() as usize, service.requests().len());
    assert!(service.requests().len() >= 2);

    // A wait that would end after the total time is not started.
    let service = ScriptedProvider::new("s").then(Reply::failure(limited(30 * SECOND)));
    let begun = Instant::now();
    let error = Retrying::new(service, policy)
        .complete(&ask())
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), begun.elapsed()),
        (ErrorKind::RateLimited, Duration::ZERO)
    );
}

#[tokio::test(start_paused = true)]
async fn an_inner_provider_that_enforces_timeouts_gets_the_limit_and_is_not_dropped() {
    let seen: Arc<Mutex<Vec<Option<Duration>>>> = Arc::default();
    let record = Arc::clone(&seen);
    let keeper = provider_fn("keeper", move |request: LlmRequest| {
        record.lock().unwrap().push(request.timeout);
        async move {
            takes(request.timeout.unwrap_or(10 * SECOND)).await;
            // Continues after its time limit, as a meter does to settle a call.
            takes(SECOND).await;
            Err::<String, _>(LlmError::new(ErrorKind::Timeout, "keeper", "late"))
        }
    });
    let policy = RetryPolicy {
        call_timeout: Some(10 * SECOND),
        total: Some(15 * SECOND),
        base: SECOND / 2,
        cap: SECOND,
        ..RetryPolicy::default()
    };
    let provider = Retrying::new(keeper, policy).inner_enforces_timeouts();
    let error = provider.complete(&ask()).await.unwrap_err();
    assert_eq!((error.message(), error.attempts()), ("late", 2));
    let seen = seen.lock().unwrap();
    assert_eq!(seen[0], None);
    assert!(seen[1].is_some_and(|left| left < 4 * SECOND), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_repeated_until_its_first_part() {
    let text = "0123456789abcdef";
    let service = ScriptedProvider::new("s")
        .then(Reply::error(ErrorKind::Unavailable, "no"))
        .then(Reply::text(text).cut_after(0))
        .then(Reply::text(text).stalled_after(0))
        .then(Reply::text(text));
    let provider = retrying(&service);
    let stream = provider.stream(&ask()).await.unwrap();
    assert_eq!(collect("s", stream).await.unwrap().text, text);
    assert_eq!(service.requests().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_started_stream_ends_with_its_error() {
    for (reply, kind) in [
        (Reply::text("0123456789abcdef").cut_after(8), ErrorKind::Cut),
        (
            Reply::text("0123456789abcdef").stalled_after(8),
            ErrorKind::Timeout,
        ),
    ] {
        let service = ScriptedProvider::new("s").then(reply);
        let provider = retrying(&service);
        let begun = Instant::now();
        let parts: Vec<_> = provider.stream(&ask()).await.unwrap().collect().await;
        assert_eq!(parts.len(), 2);
        assert_eq!(
            parts[0].as_ref().unwrap(),
            &StreamPart::Text("01234567".into())
        );
        assert_eq!(parts[1].as_ref().unwrap_err().kind(), kind);
        assert!(begun.elapsed() <= 60 * SECOND);
        assert_eq!(service.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_cancels_calls_and_waits() {
    let service = ScriptedProvider::new("s").when("Well", Reply::error(ErrorKind::Network, "no"));
    let provider = retrying(&service);
    assert!(
        timeout(Duration::from_millis(100), provider.complete(&ask()))
            .await
            .is_err()
    );
    tokio::time::advance(100 * SECOND).await;
    assert_eq!(service.requests().len(), 1);
}

/// A service that rejects all calls until a time, and counts them.
struct Busy {
    opens: Instant,
    wait: Duration,
    latency: Duration,
    log: Mutex<Vec<(Instant, bool)>>,
    in_flight: AtomicU32,
    most: AtomicU32,
}

#[async_trait]
impl LlmProvider for Busy {
    fn name(&self) -> &str {
        "busy"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::TEXT
    }

    async fn complete(&self, _: &LlmRequest) -> Result<LlmResponse, LlmError> {
        let is_open = Instant::now() >= self.opens;
        self.log.lock().unwrap().push((Instant::now(), is_open));
        if !is_open {
            takes(Duration::from_millis(5)).await;
            return Err(limited(self.wait));
        }
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        takes(self.latency).await;
        self.in_flight.fetch_sub(1, Ordering::SeqCst);
        Ok(LlmResponse::text("x"))
    }
}

#[tokio::test(start_paused = true)]
async fn five_hundred_limited_callers_wait_and_return_step_by_step() {
    let begun = Instant::now();
    let service = Arc::new(Busy {
        opens: begun + 3 * SECOND,
        wait: 3 * SECOND,
        latency: Duration::from_millis(100),
        log: Mutex::default(),
        in_flight: AtomicU32::new(0),
        most: AtomicU32::new(0),
    });
    let gate = Gate::new();
    let mut callers = JoinSet::new();
    for _ in 0..500 {
        let provider = Retrying::new(Arc::clone(&service), RetryPolicy::default()).gate(&gate);
        callers.spawn(async move { provider.complete(&ask()).await.map(|answer| answer.text) });
    }
    let mut answers = 0;
    while let Some(answer) = callers.join_next().await {
        assert_eq!(answer.unwrap().unwrap(), "x");
        answers += 1;
    }
    assert_eq!(answers, 500);
    let log = service.log.lock().unwrap().clone();
    // 500 rejections, then 500 answers: no call was made while the gate was closed.
    assert_eq!(log.len(), 1_000);
    assert!(
        log[..500]
            .iter()
            .all(|(at, is_open)| *at == begun && !is_open)
    );
    assert!(
        log[500..]
            .iter()
            .all(|(at, is_open)| *at >= begun + 3 * SECOND && *is_open)
    );
    // One call first; then at most twice as many in each round.
    let mut rounds = std::collections::BTreeMap::new();
    for (at, _) in &log[500..] {
        let round = (*at - log[500].0).as_millis() / 100;
        *rounds.entry(round).or_insert(0u32) += 1;
    }
    let sizes: Vec<u32> = rounds.values().copied().collect();
    assert_eq!(sizes[0], 1, "{sizes:?}");
    assert!(
        sizes.windows(2).take(7).all(|pair| pair[1] <= 2 * pair[0]),
        "{sizes:?}"
    );
    assert!(begun.elapsed() < 6 * SECOND, "{:?}", begun.elapsed());
    assert_eq!(gate.closed_for(), None);
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_pauses_other_callers() {
    let gate = Gate::new();
    let busy = ScriptedProvider::new("s")
        .then(Reply::failure(limited(20 * SECOND)))
        .when("other", Reply::text("y"))
        .then(Reply::text("x"));
    let policy = RetryPolicy::default();
    let one = Retrying::new(busy.clone(), policy).gate(&gate);
    let two = Retrying::new(busy.clone(), policy).gate(&gate);
    let begun = Instant::now();
    let request = ask();
    let (first, second) = tokio::join!(one.complete(&request), async {
        takes(SECOND).await;
        let answer = two.complete(&LlmRequest::new("other")).await;
        assert!(begun.elapsed() >= 20 * SECOND);
        answer
    });
    assert_eq!(
        (first.unwrap().text, second.unwrap().text),
        ("x".into(), "y".into())
    );
    // A caller with a shorter time limit than that fails at once.
    gate.close(60 * SECOND);
    let hasty = RetryPolicy {
        total: Some(SECOND),
        ..policy
    };
    let error = Retrying::new(busy, hasty)
        .gate(&gate)
        .complete(&ask())
        .await
        .unwrap_err();
    assert_eq!((error.kind(), error.attempts()), (ErrorKind::Timeout, 0));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_caller_returns_its_permit() {
    let gate = Gate::new();
    gate.close(SECOND);
    let slow = provider_fn("slow", |_| async {
        takes(SECOND).await;
        Ok::<_, LlmError>("x")
    });
    let provider = Retrying::new(slow, RetryPolicy::default()).gate(&gate);
    for _ in 0..5 {
        let dropped = timeout(Duration::from_millis(1_500), provider.complete(&ask())).await;
        drop(dropped);
    }
    let answer = timeout(3 * SECOND, provider.complete(&ask())).await;
    assert_eq!(answer.unwrap().unwrap().text, "x");
}

#[tokio::test(start_paused = true)]
async fn an_observer_gets_the_reason_of_a_wait() {
    let service = ScriptedProvider::new("s")
        .then(Reply::failure(limited(2 * SECOND)))
        .then(Reply::error(ErrorKind::Unavailable, "overloaded"))
        .then(Reply::text("here"));
    let reported = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&reported);
    let provider = Retrying::new(service, RetryPolicy::default()).on_wait(
        move |error: &LlmError, wait, calls| {
            let asked = error.retry_after().unwrap_or_default();
            assert!(wait > asked, "{wait:?}");
            seen.lock().unwrap().push((error.kind(), calls));
        },
    );
    assert_eq!(provider.complete(&ask()).await.unwrap().text, "here");
    let reported = reported.lock().unwrap().clone();
    assert_eq!(
        reported,
        [(ErrorKind::RateLimited, 1), (ErrorKind::Unavailable, 2)]
    );
}

#[test]
fn an_error_names_the_wait() {
    let error = limited(2 * 86_400 * SECOND);
    assert_eq!(
        error.to_string(),
        "s: slow down (rate_limited, HTTP 429, asks to wait 2d)"
    );
}
