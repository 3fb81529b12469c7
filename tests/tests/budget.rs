//! Budgets under fan-out and crashes: never exceeded, and a partial answer is delivered.
//!
//! A run calls a model from many tasks at once. The provider double respects its limits, fails now and then,
//! and keeps its own ledger of the actual spending, including calls whose process crashed before the reply.
//! The process crashes at random moments and is resumed. `ZEPH_CASES` is the number of runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use zeph_executor::Registry;
use zeph_executor::double::Gate;
use zeph_graph::{
    Budget, Fault, OverBudget, Params, Policy, RunEnd, RunId, RunState, Spent, Task, TaskGraph,
    TaskState, Trigger,
};
use zeph_llm::{
    Capabilities, ErrorKind, LlmError, LlmRequest, LlmResponse, Prices, Usage, provider_fn,
};
use zeph_memory::MemoryStore;
use zeph_planner::LlmContext;
use zeph_planner::agent::AgentExecutor;
use zeph_planner::answer::{Answer, AnswerExecutor, LlmAggregator};
use zeph_runtime::{Engine, RunReport, RunView, Submission, TaskReport};
use zeph_tests::rng::Rng;

const PRICES: Prices = Prices {
    input: 3_000_000,
    output: 15_000_000,
    ..Prices::FREE
};

/// The simulated service: its actual spending, and the call at which the process crashes.
struct World {
    rng: Rng,
    spent: Spent,
    /// The spending by the part that a request was about; the final answer is about none.
    of_part: BTreeMap<u64, Spent>,
    calls: u64,
    /// The call at which the process crashes, and whether the service answered it before.
    death: Option<(u64, bool)>,
    dies: Gate,
}

type Shared = Arc<Mutex<World>>;

fn with<T>(world: &Shared, act: impl FnOnce(&mut World) -> T) -> T {
    act(&mut world.lock().unwrap_or_else(PoisonError::into_inner))
}

impl World {
    /// The reply of the service to one call; `None` if the process crashes during the call.
    fn serve(&mut self, request: &LlmRequest) -> Option<Result<LlmResponse, LlmError>> {
        self.calls += 1;
        let death = self.death.filter(|(call, _)| *call == self.calls);
        if let Some((_, false)) = death {
            self.dies.open();
            return None;
        }
        if self.rng.percent(8) {
            let kinds = [ErrorKind::RateLimited, ErrorKind::Unauthorized];
            let kind = *self.rng.pick(&kinds).unwrap_or(&ErrorKind::RateLimited);
            return Some(Err(LlmError::new(kind, "service", "not now")));
        }
        let text: usize = request.messages.iter().map(|m| m.text().len()).sum();
        let input = u32::try_from(text / 3).unwrap_or(u32::MAX);
        let most = request.max_output_tokens.unwrap_or(u32::MAX);
        let output = u32::try_from(self.rng.below(u64::from(most) + 1)).unwrap_or(most);
        let usage = Usage {
            input_tokens: Some(input),
            output_tokens: Some(output),
        };
        let part = part(request).map(|part| self.of_part.entry(part).or_default());
        for ledger in part.into_iter().chain([&mut self.spent]) {
            *ledger = Spent {
                tokens: ledger.tokens + u64::from(input) + u64::from(output),
                micro_usd: ledger.micro_usd + PRICES.cost(input, output),
            };
        }
        if death.is_some() {
            self.dies.open();
            return None;
        }
        if self.rng.percent(8) {
            return Some(Err(LlmError::new(ErrorKind::Cut, "service", "broke off")));
        }
        let mut response = LlmResponse::text("word ".repeat(output.min(40) as usize + 1));
        if self.rng.percent(80) {
            response.usage = usage;
        }
        Some(Ok(response))
    }
}

/// The part that a task's prompt names.
fn part(request: &LlmRequest) -> Option<u64> {
    let mut texts = request.messages.iter().map(zeph_llm::Message::text);
    let rest = texts.find_map(|text| text.split_once("Look at part "))?.1;
    let number = rest.split_once(' ')?.0;
    number.parse().ok()
}

/// A fan-out, in which some tasks have a dependant, and the answer that depends on all of them.
///
/// Also returns the budgets of the parts that have one.
fn graph(rng: &mut Rng) -> (TaskGraph, BTreeMap<u64, Budget>) {
    let mut budgets = BTreeMap::new();
    let mut graph = TaskGraph::new();
    let width = 1 + rng.below(16);
    let mut all = Vec::new();
    for n in 0..width {
        let prompt = serde_json::json!({ "prompt": format!("Look at part {n} of {width}.") });
        let params = Params::from(prompt);
        let task = Task::new(format!("part-{n}")).action_with("agent", params);
        let limit = 200 + rng.below(3_000);
        let task = if rng.percent(20) {
            let budget = Budget::of_tokens(limit);
            budgets.insert(n, budget);
            task.budget(budget)
        } else {
            task
        };
        let above = rng.percent(30).then(|| rng.pick(&all).copied()).flatten();
        all.push(graph.add_task(task.on_failure(zeph_graph::OnFailure::Skip), above));
    }
    let params = Params::from(serde_json::json!({ "goal": "All parts" }));
    let answer = Task::new("answer").action_with("answer", params);
    graph.add_task(answer.trigger(Trigger::AllDone), all);
    (graph, budgets)
}

async fn engine(store: &MemoryStore, world: &Shared) -> Engine {
    let world = Arc::clone(world);
    let service = provider_fn("service", move |request: LlmRequest| {
        let served = with(&world, |world| world.serve(&request));
        async move {
            // Yields to other tasks, so that calls overlap.
            tokio::task::yield_now().await;
            match served {
                Some(outcome) => outcome,
                None => std::future::pending().await,
            }
        }
    });
    let service = service.with_capabilities(Capabilities {
        prices: Some(PRICES),
        ..Capabilities::TEXT
    });
    let llm_context = Arc::new(
        LlmContext::builder(Arc::new(service))
            .build()
            .expect("is whole"),
    );
    let mut registry = Registry::new();
    let agent = Arc::new(AgentExecutor::new(Arc::clone(&llm_context)));
    registry.register("agent", agent).expect("first");
    let answer = Arc::new(AnswerExecutor::new(Arc::new(LlmAggregator::new(
        llm_context,
    ))));
    registry.register("answer", answer).expect("first");
    let builder = Engine::builder(Arc::new(store.clone())).registry(registry);
    builder.start().await.expect("starts")
}

/// Runs until the run has ended or the process crashes.
fn live(
    store: &MemoryStore,
    world: &Shared,
    new: Option<Submission>,
    run: &RunId,
) -> Option<RunReport> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("starts");
    let dies = with(world, |world| world.dies.clone());
    runtime.block_on(async {
        let engine = engine(store, world).await;
        let handle = match new {
            Some(new) => engine.submit(new).await.expect("is saved"),
            None => engine.resume(run).await.expect("goes on"),
        };
        tokio::select! {
            report = handle.wait() => Some(RunReport::clone(&*report.expect("ends"))),
            () = dies.opened() => None,
        }
    })
}

/// The result of one case.
struct Outcome {
    budget: Budget,
    /// The budgets of the parts that have one.
    budgets: BTreeMap<u64, Budget>,
    world: Shared,
    store: MemoryStore,
    run: RunId,
    report: RunReport,
    deaths: u32,
}

fn play(seed: u64) -> Outcome {
    let mut rng = Rng::new(seed);
    let (graph, budgets) = graph(&mut rng);
    let tokens = [Some(600), Some(8_000), Some(40_000), None, None];
    let money = [Some(30_000), Some(300_000), None, None];
    let tokens = *rng.pick(&tokens).expect("is not empty");
    let budget = Budget::new(tokens, *rng.pick(&money).expect("is not empty"));
    let world = Arc::new(Mutex::new(World {
        rng: Rng::new(seed ^ 0x5eed),
        spent: Spent::default(),
        of_part: BTreeMap::new(),
        calls: 0,
        death: None,
        dies: Gate::new(),
    }));
    let store = MemoryStore::new();
    let run: RunId = "fan".parse().expect("a name");
    let policy = Policy {
        budget,
        over_budget: OverBudget::Partial,
        seed,
        ..Policy::default()
    };
    let mut new = Some(Submission::new(graph).policy(policy).name(run.clone()));
    let mut deaths = 0;
    loop {
        let doomed = deaths < 3 && rng.percent(60);
        let (after, heard) = (1 + rng.below(5), rng.percent(50));
        with(&world, |world| {
            world.death = doomed.then(|| (world.calls + after, heard));
            world.dies = Gate::new();
        });
        match live(&store, &world, new.take(), &run) {
            Some(report) => {
                return Outcome {
                    budget,
                    budgets,
                    world,
                    store,
                    run,
                    report,
                    deaths,
                };
            }
            None => deaths += 1,
        }
    }
}

/// Whether no part has a result; then the answer fails without a call.
fn is_without_results(report: &RunReport) -> bool {
    let is_answer = |task: &&TaskReport| &*task.name == "answer";
    let mut parts = report.tasks.iter().filter(|task| !is_answer(task));
    let is_empty = parts.all(|task| !task.state.is_completed());
    if is_empty {
        let answer = report.tasks.iter().find(is_answer).expect("is there");
        let why = Fault::Permanent;
        assert_eq!(answer.state, TaskState::Failed { why });
    }
    is_empty
}

#[test]
fn no_budget_is_exceeded_and_a_partial_answer_is_delivered() {
    let cases = std::env::var("ZEPH_CASES");
    let cases: u64 = cases.map_or(Ok(1_000), |n| n.parse()).expect("a number");
    let (mut deaths, mut limited, mut partial, mut near, mut empty) = (0, 0, 0, 0, 0);
    let reader = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("starts");
    for seed in 0..cases {
        let outcome = play(seed);
        let Outcome {
            budget,
            ref budgets,
            ref world,
            ref store,
            ref run,
            ref report,
            ..
        } = outcome;
        let real = with(world, |world| world.spent);
        assert!(budget.covers(real), "seed {seed}: {real} of {budget}");
        assert!(
            budget.covers(report.spent),
            "seed {seed}: booked {} of {budget}",
            report.spent
        );
        let of_part = with(world, |world| world.of_part.clone());
        for (part, budget) in budgets {
            let real = of_part.get(part).copied().unwrap_or_default();
            assert!(
                budget.covers(real),
                "seed {seed}: part-{part} really spent {real} of {budget}"
            );
            // The spending must come close to the budget: otherwise the test would not show that the budget
            // is the limit.
            near += u32::from(budget.tokens().is_some_and(|limit| real.tokens * 2 > limit));
        }
        let booked = report.spent.tokens >= real.tokens && report.spent.micro_usd >= real.micro_usd;
        assert!(
            booked,
            "seed {seed}: booked {}, really {real}",
            report.spent
        );
        if is_without_results(report) {
            empty += 1;
            continue;
        }
        let ended = matches!(
            report.state,
            RunState::Ended(RunEnd::Completed | RunEnd::Degraded)
        );
        assert!(ended, "seed {seed}: {:?}", report.state);

        let answer = reader.block_on(async {
            let view = RunView::load(store, run).await.expect("readable");
            let task = view.task("answer").expect("is there");
            view.output(store, task).await.expect("readable")
        });
        let answer = answer.unwrap_or_else(|| panic!("seed {seed}: no answer"));
        let answer: Answer = serde_json::from_value(answer.value.clone()).expect("an answer");
        assert!(
            !answer.text.trim().is_empty(),
            "seed {seed}: an empty answer"
        );
        let lacking = report
            .tasks
            .iter()
            .filter(|task| !task.state.is_completed());
        for task in lacking {
            let reported = answer.missing.iter().any(|one| *one.task == *task.name);
            assert!(
                reported,
                "seed {seed}: {} is missing, and the answer does not say so",
                task.name
            );
            partial += 1;
        }
        let stopped = |state| matches!(state, TaskState::Failed { why: Fault::Budget });
        limited += u32::from(report.tasks.iter().any(|task| stopped(task.state)));
        deaths += outcome.deaths;
    }
    println!(
        "{cases} runs: {deaths} deaths, {limited} at their limit, {partial} results missing and reported, {near} tasks near their own limit, {empty} runs without any result"
    );
    if cases >= 100 {
        let cases = u32::try_from(cases).unwrap_or(u32::MAX);
        assert!(deaths > cases / 4, "only {deaths} deaths");
        assert!(
            near > cases / 10,
            "only {near} tasks near their own limit, {empty} runs without any result"
        );
        assert!(limited > cases / 10, "only {limited} runs at their limit");
    }
}
