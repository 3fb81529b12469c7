//! Calls that a test begins and ends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeph_executor::double::Gate;
use zeph_executor::{
    Executor, Registry, ReservationRequest, TaskContext, TaskError, TaskInput, TaskOutput, closure,
};
use zeph_graph::{Budget, OverBudget, Policy, Spend, Task, TaskGraph};
use zeph_memory::MemoryStore;
use zeph_runtime::{Engine, RunHandle, Submission};

pub(crate) fn tokens(tokens: u32) -> Spend {
    Spend {
        tokens,
        micro_usd: 0,
    }
}

pub(crate) async fn engine(executors: &[(&str, Arc<dyn Executor>)]) -> Engine {
    engine_on(&MemoryStore::new(), executors).await
}

pub(crate) async fn engine_on(
    store: &MemoryStore,
    executors: &[(&str, Arc<dyn Executor>)],
) -> Engine {
    let mut registry = Registry::new();
    for (name, executor) in executors {
        let registered = registry.register(*name, Arc::clone(executor));
        registered.expect("each name once");
    }
    let builder = Engine::builder(Arc::new(store.clone())).registry(registry);
    builder.start().await.expect("starts")
}

pub(crate) fn graph_of(tasks: impl IntoIterator<Item = Task>) -> TaskGraph {
    let mut graph = TaskGraph::new();
    for task in tasks {
        graph.add_task(task, []);
    }
    graph
}

pub(crate) fn submission(graph: TaskGraph, limit: u64, over_budget: OverBudget) -> Submission {
    limited(graph, Budget::of_tokens(limit), over_budget)
}

pub(crate) fn limited(graph: TaskGraph, budget: Budget, over_budget: OverBudget) -> Submission {
    Submission::new(graph).policy(Policy {
        budget,
        over_budget,
        ..Policy::default()
    })
}

/// Submits a graph with a budget in tokens.
pub(crate) async fn submit(
    engine: &Engine,
    graph: TaskGraph,
    limit: u64,
    over_budget: OverBudget,
) -> RunHandle {
    let submitted = engine.submit(submission(graph, limit, over_budget));
    submitted.await.expect("is saved")
}

/// What a call asks for, and what it costs.
#[derive(Clone, Copy)]
struct Plan {
    most: u32,
    least: u32,
    cost: u32,
}

#[derive(Default)]
struct State {
    plans: BTreeMap<String, Plan>,
    gates: BTreeMap<String, [Gate; 3]>,
    granted: Vec<(String, u32)>,
}

/// Calls by name: each reserves, waits until the test ends it, and settles.
#[derive(Clone)]
pub(crate) struct Calls {
    plan: Plan,
    state: Arc<Mutex<State>>,
    go: Gate,
}

impl Calls {
    pub(crate) fn new(most: u32, least: u32, cost: u32) -> Self {
        Self {
            plan: Plan { most, least, cost },
            state: Arc::default(),
            go: Gate::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The call of that name asks for exactly this much.
    pub(crate) fn set(&self, name: &str, most: u32, cost: u32) {
        let least = most;
        let plan = Plan { most, least, cost };
        self.state().plans.insert(name.to_owned(), plan);
    }

    fn gates(&self, name: &str) -> [Gate; 3] {
        let mut state = self.state();
        state.gates.entry(name.to_owned()).or_default().clone()
    }

    /// Lets the calls begin, once the test observes the run.
    pub(crate) fn go(&self) {
        self.go.open();
    }

    pub(crate) async fn started(&self) {
        self.go.opened().await;
    }

    /// Tells the test that the call has its reservation, and waits for the test to end it.
    pub(crate) async fn hold(&self, name: &str) {
        let [begun, end, _] = self.gates(name);
        begun.open();
        end.opened().await;
    }

    pub(crate) async fn begun(&self, name: &str) {
        self.gates(name)[0].opened().await;
    }

    pub(crate) fn end(&self, name: &str) {
        self.gates(name)[1].open();
    }

    pub(crate) async fn ended(&self, name: &str) {
        self.gates(name)[2].opened().await;
    }

    /// The calls in the order in which they got their reservations.
    pub(crate) fn order(&self) -> Vec<String> {
        let state = self.state();
        state.granted.iter().map(|(name, _)| name.clone()).collect()
    }

    /// What they got.
    pub(crate) fn amounts(&self) -> Vec<u32> {
        self.state().granted.iter().map(|(_, most)| *most).collect()
    }

    pub(crate) async fn perform(
        &self,
        cx: &TaskContext,
        name: &str,
        is_independent: bool,
    ) -> Result<(), TaskError> {
        self.started().await;
        let plan = self.state().plans.get(name).copied();
        let plan = plan.unwrap_or(self.plan);
        let request = ReservationRequest {
            is_independent,
            ..ReservationRequest::new(tokens(plan.most)).at_least(tokens(plan.least))
        };
        let held = cx.journal().reserve_up_to(request).await?;
        let amount = held.amount.tokens;
        self.state().granted.push((name.to_owned(), amount));
        self.hold(name).await;
        let cost = tokens(plan.cost.min(amount));
        cx.journal().settle(held.id, cost).await?;
        self.gates(name)[2].open();
        Ok(())
    }

    /// An executor of one call, with the name of the task.
    pub(crate) fn executor(&self) -> Arc<dyn Executor> {
        let calls = self.clone();
        closure::from_fn(move |cx: TaskContext, _: TaskInput| {
            let calls = calls.clone();
            async move {
                let name = cx.name().to_owned();
                calls.perform(&cx, &name, false).await?;
                Ok(TaskOutput::null())
            }
        })
    }
}
