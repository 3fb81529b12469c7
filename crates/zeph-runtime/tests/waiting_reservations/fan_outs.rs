//! Random fan-outs with crashes: never above a budget, and no refusal that waiting would have avoided.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use proptest::prelude::*;
use tokio::task::JoinSet;
use zeph_executor::double::Gate;
use zeph_executor::{
    ErrorClass, Executor, ReservationRequest, TaskContext, TaskError, TaskInput, TaskOutput,
    closure,
};
use zeph_graph::{Budget, OverBudget, RunId, Task};
use zeph_memory::MemoryStore;
use zeph_runtime::{RunView, RuntimeError};

use crate::support::{engine_on, graph_of, submission, tokens};

#[derive(Clone, Debug)]
struct Call {
    most: u32,
    least: u32,
    cost: u32,
    /// How often the call lets others run before it is settled.
    yields: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One call after the other.
    InTurn,
    /// All calls at once.
    AtOnce,
    /// Each call is made while the one before is open.
    Nested,
}

#[derive(Clone, Debug)]
struct Fan {
    form: Form,
    own: Option<u64>,
    calls: Vec<Call>,
}

fn call() -> impl Strategy<Value = Call> {
    (1u32..100, 0u32..=100, 0u32..=100, 0u32..12).prop_map(|(most, least, cost, yields)| Call {
        most,
        least: 1 + (most - 1) * least / 100,
        cost: most * cost / 100,
        yields,
    })
}

fn fan(form: impl Strategy<Value = Form>) -> impl Strategy<Value = Fan> {
    let own = prop_oneof![4 => Just(None), 1 => (0u64..300).prop_map(Some)];
    (form, own, prop::collection::vec(call(), 1..5)).prop_map(|(form, own, calls)| Fan {
        form,
        own,
        calls,
    })
}

/// What the calls did, by the calls themselves.
#[derive(Default)]
struct Seen {
    limit: u64,
    /// Held and spent by attempts that are known.
    taken: u64,
    /// Costs of calls that were not made, or only in part.
    missed: u64,
    refused: u32,
    shortened: u32,
    granted: u32,
}

#[derive(Clone)]
struct Bench {
    fans: Arc<Vec<Fan>>,
    seen: Arc<Mutex<Seen>>,
    /// Opened after this many reservations.
    crash: Option<(u32, Gate)>,
}

impl Bench {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn reserve(
        &self,
        cx: &TaskContext,
        call: &Call,
        is_independent: bool,
    ) -> Result<(zeph_graph::ReservationId, u32), TaskError> {
        let request = ReservationRequest {
            is_independent,
            ..ReservationRequest::new(tokens(call.most)).at_least(tokens(call.least))
        };
        let held = match cx.journal().reserve_up_to(request).await {
            Ok(held) => held,
            Err(error) => {
                let mut seen = self.seen();
                seen.missed += u64::from(call.cost);
                seen.refused += u32::from(error.class() == ErrorClass::OverBudget);
                return Err(error);
            }
        };
        let amount = held.amount.tokens;
        assert!((call.least..=call.most).contains(&amount));
        {
            let mut seen = self.seen();
            seen.taken += u64::from(amount);
            assert!(seen.taken <= seen.limit, "{} of {}", seen.taken, seen.limit);
            seen.shortened += u32::from(amount < call.most);
            seen.granted += 1;
            let granted = seen.granted;
            if let Some((_, gate)) = self.crash.as_ref().filter(|(at, _)| granted >= *at) {
                gate.open();
            }
        }
        for _ in 0..call.yields {
            tokio::task::yield_now().await;
        }
        Ok((held.id, amount))
    }

    async fn settle(
        &self,
        cx: &TaskContext,
        call: &Call,
        (id, amount): (zeph_graph::ReservationId, u32),
    ) -> Result<(), TaskError> {
        let cost = call.cost.min(amount);
        {
            // Before the engine may give it to another call.
            let mut seen = self.seen();
            seen.taken -= u64::from(amount - cost);
            seen.missed += u64::from(call.cost - cost);
        }
        cx.journal().settle(id, tokens(cost)).await
    }

    async fn perform(&self, cx: &TaskContext) -> Result<(), TaskError> {
        let fan = &self.fans[cx.task().index()];
        match fan.form {
            Form::InTurn => {
                for (index, call) in fan.calls.iter().enumerate() {
                    let held = self.reserve(cx, call, index % 2 == 0).await;
                    let held = held.inspect_err(|_| {
                        let rest = fan.calls[index + 1..].iter();
                        self.seen().missed += rest.map(|call| u64::from(call.cost)).sum::<u64>();
                    })?;
                    self.settle(cx, call, held).await?;
                }
            }
            Form::AtOnce => {
                let mut calls = JoinSet::new();
                for call in fan.calls.clone() {
                    let (bench, cx) = (self.clone(), cx.clone());
                    calls.spawn(async move {
                        let held = bench.reserve(&cx, &call, true).await?;
                        bench.settle(&cx, &call, held).await
                    });
                }
                let outcomes = calls.join_all().await;
                outcomes.into_iter().collect::<Result<(), TaskError>>()?;
            }
            Form::Nested => {
                let mut open = Vec::new();
                for call in &fan.calls {
                    match self.reserve(cx, call, false).await {
                        Ok(held) => open.push((call, held)),
                        Err(error) if error.class() == ErrorClass::OverBudget => break,
                        Err(error) => return Err(error),
                    }
                }
                for (call, held) in open {
                    self.settle(cx, call, held).await?;
                }
            }
        }
        Ok(())
    }

    fn executor(&self) -> Arc<dyn Executor> {
        let bench = self.clone();
        closure::from_fn(move |cx: TaskContext, _: TaskInput| {
            let bench = bench.clone();
            async move {
                bench.perform(&cx).await?;
                Ok(TaskOutput::null())
            }
        })
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("starts")
}

/// Runs the fans, with a crash after that many reservations; returns what was spent and what was seen.
fn run(fans: Vec<Fan>, limit: u64, crash: Option<u32>) -> (u64, Seen) {
    let store = MemoryStore::new();
    let name: RunId = "fan".parse().expect("a name");
    let tasks = fans.iter().enumerate().map(|(index, fan)| {
        let task = Task::new(format!("t{index}")).action("call");
        match fan.own {
            Some(own) => task.budget(Budget::of_tokens(own)),
            None => task,
        }
    });
    let submission = submission(graph_of(tasks), limit, OverBudget::Partial).name(name.clone());
    let gate = Gate::new();
    let mut bench = Bench {
        fans: Arc::new(fans),
        seen: Arc::new(Mutex::new(Seen {
            limit,
            ..Seen::default()
        })),
        crash: crash.map(|at| (at, gate.clone())),
    };
    let first = runtime();
    let report = first.block_on(async {
        let engine = engine_on(&store, &[("call", bench.executor())]).await;
        let run = engine.submit(submission).await.expect("is saved");
        tokio::select! {
            biased;
            () = gate.opened() => None,
            report = run.wait() => Some(report.expect("ends")),
        }
    });
    drop(first);
    if let Some(report) = report {
        return (report.spent.tokens, std::mem::take(&mut *bench.seen()));
    }
    // The process has died: the attempts are repeated, and what they held is spent.
    bench.crash = None;
    let spent = runtime().block_on(async {
        let engine = engine_on(&store, &[("call", bench.executor())]).await;
        match engine.resume(&name).await {
            Ok(run) => run.wait().await.expect("ends").spent,
            // It had ended just before.
            Err(RuntimeError::AlreadyEnded { .. }) => {
                let view = RunView::load(&store, &name).await.expect("readable");
                view.scheduler.spent()
            }
            Err(error) => panic!("{error}"),
        }
    });
    (spent.tokens, std::mem::take(&mut *bench.seen()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_fan_out_exceeds_its_budget_or_is_refused_what_comes_back(
        fans in prop::collection::vec(
            fan(prop_oneof![3 => Just(Form::InTurn), 2 => Just(Form::AtOnce), 1 => Just(Form::Nested)]),
            1..7,
        ),
        limit in 0u64..900,
        crash in prop::option::of(1u32..12),
    ) {
        let nested = fans.iter().any(|fan| fan.form == Form::Nested);
        let largest = fans.iter().flat_map(|fan| &fan.calls).map(|call| call.most).max();
        let largest = u64::from(largest.unwrap_or_default());
        let has_own = fans.iter().any(|fan| fan.own.is_some());
        let (spent, seen) = run(fans, limit, crash);
        prop_assert!(spent <= limit, "{spent} of {limit}");
        // What all calls would have cost, those that were lost in the crash included.
        let all = spent + seen.missed;
        if !nested && !has_own && all + largest <= limit {
            prop_assert_eq!((seen.refused, seen.shortened), (0, 0), "{} of {}", all, limit);
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_budget_for_all_calls_and_the_largest_reservation_refuses_none(
        fans in prop::collection::vec(
            fan(prop_oneof![Just(Form::InTurn), Just(Form::AtOnce)])
                .prop_map(|fan| Fan { own: None, ..fan }),
            1..7,
        ),
    ) {
        let calls = || fans.iter().flat_map(|fan| &fan.calls);
        let all: u64 = calls().map(|call| u64::from(call.cost)).sum();
        let largest = u64::from(calls().map(|call| call.most).max().unwrap_or_default());
        let (spent, seen) = run(fans.clone(), all + largest, None);
        prop_assert_eq!((spent, seen.refused, seen.shortened), (all, 0, 0));
    }
}
