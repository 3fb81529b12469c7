//! Random graphs, specs and records for the property tests.

use std::num::NonZeroU32;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    Answer, AnsweredBy, Approval, AskFailure, AskWhy, Attempt, Budget, CancelWhy, ContentId,
    CutHow, CutWhy, Effect, EndingWhy, FailureAnswer, Fault, Foreach, ItemFailure, LaneId, LaneUse,
    ManualEnd, OnFailure, Output, OverBudget, Policy, Question, QuestionId, Record, ReservationId,
    Retry, RunEnd, SkipWhy, Spend, SuppliedWhy, Task, TaskGraph, TaskId, Timestamp, Trigger, Work,
};

/// JSON values, nested a little.
pub(super) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Whole microseconds, also very many, never zero.
pub(super) fn time() -> impl Strategy<Value = Duration> {
    prop_oneof![1..100u64, 1..u64::MAX, Just(u64::MAX)].prop_map(Duration::from_micros)
}

fn question() -> impl Strategy<Value = Question> {
    let text = any::<String>();
    let kinds = prop_oneof![
        (text, any::<String>()).prop_map(|(text, value)| (Question::text(text), json!(value))),
        (text, any::<bool>()).prop_map(|(text, value)| (Question::confirm(text), json!(value))),
        (text, Just(["left", "right"]))
            .prop_map(|(text, all)| (Question::choice(text, all), json!("left"))),
    ];
    (kinds, prop::option::of(time())).prop_map(|((question, value), wait)| match wait {
        Some(wait) => question.default_after(wait, value.into()),
        None => question,
    })
}

fn work() -> impl Strategy<Value = Work> {
    prop_oneof![
        Just(Work::Milestone),
        (any::<String>(), value()).prop_map(|(name, params)| Work::Action {
            name: name.into(),
            params: params.into()
        }),
        question().prop_map(|question| Work::Question(Box::new(question))),
    ]
}

fn failure_answer() -> impl Strategy<Value = FailureAnswer> {
    prop::sample::select(vec![
        FailureAnswer::Retry,
        FailureAnswer::Skip,
        FailureAnswer::Abort,
    ])
}

fn on_failure() -> impl Strategy<Value = OnFailure> {
    prop_oneof![
        Just(OnFailure::Abort),
        Just(OnFailure::Skip),
        prop::option::of((time(), failure_answer()))
            .prop_map(|fallback| OnFailure::Ask(AskFailure { fallback })),
        value().prop_map(|value| OnFailure::Value(value.into())),
    ]
}

fn retry() -> impl Strategy<Value = Retry> {
    (any::<u32>(), time(), time())
        .prop_map(|(times, a, b)| Retry::times(times).backoff(a.min(b), a.max(b)))
}

prop_compose! {
    /// A task of that name; it may use the two lanes of [`graph`].
    fn task(name: String)(
        work in work(),
        trigger in prop::sample::select(Trigger::ALL.to_vec()),
        retry in prop_oneof![Just(Retry::NEVER), retry()],
        on_failure in on_failure(),
        times in prop::array::uniform4(prop::option::of(time())),
        finally in any::<bool>(),
        foreach in prop::option::of((1..9u32, one_of(ItemFailure::ALL), any::<bool>())
            .prop_map(|(max, on_failure, prepare_items)| Foreach { max, on_failure, prepare_items })),
        effect in prop::sample::select(vec![Effect::Pure, Effect::Idempotent, Effect::AtMostOnce]),
        weights in (0..3u32, 0..2u32),
        priority in any::<i32>(),
        approve in prop::option::of((any::<String>(), prop::option::of((time(), any::<bool>())))),
        budget in budget(),
        metadata in prop::collection::btree_map(any::<String>(), any::<String>(), 0..2),
    ) -> Task {
        let mut task = Task::new(name.clone()).with_work(work);
        let rules = task.rules_mut();
        rules.trigger = trigger;
        rules.retry = retry;
        rules.on_failure = on_failure;
        [rules.attempt_timeout, rules.idle_timeout, rules.task_timeout, rules.hint] = times;
        rules.finally = finally;
        let is_action = matches!(task.work(), Work::Action { .. });
        let asks = matches!(task.rules().on_failure, OnFailure::Ask(_));
        let rules = task.rules_mut();
        rules.foreach = foreach.filter(|_| is_action && !asks);
        rules.effect = effect;
        rules.lanes = [(0, weights.0), (1, weights.1)].into_iter()
            .filter(|(_, weight)| *weight > 0)
            .map(|(lane, weight)| LaneUse { lane: LaneId::from_index(lane), weight })
            .collect();
        rules.priority = priority;
        rules.approve = approve.map(|(text, fallback)| Approval { fallback, ..text.into() });
        rules.budget = budget;
        rules.metadata = metadata;
        task
    }
}

/// For each task the positions that it depends on, all below its own.
pub(super) fn needs(most: usize) -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        0..most,
    )
    .prop_map(|all| {
        let below = |(i, picks): (usize, Vec<prop::sample::Index>)| {
            let picks = picks.into_iter().filter(|_| i > 0);
            picks.map(|pick| pick.index(i)).collect()
        };
        all.into_iter().enumerate().map(below).collect()
    })
}

/// A graph of bare tasks `t0`, `t1`…
pub(super) fn bare(needs: &[Vec<usize>]) -> TaskGraph {
    let mut graph = TaskGraph::new();
    let mut ids: Vec<TaskId> = Vec::new();
    for (i, needs) in needs.iter().enumerate() {
        let parents: Vec<TaskId> = needs.iter().map(|&need| ids[need]).collect();
        ids.push(graph.add_task(format!("t{i}"), parents));
    }
    graph
}

/// A graph that uses every feature.
pub(super) fn graph() -> impl Strategy<Value = TaskGraph> {
    let tasks = needs(12).prop_flat_map(|needs| {
        let tasks: Vec<_> = (0..needs.len())
            .map(|i| task(format!("task {i}")))
            .collect();
        (Just(needs), tasks)
    });
    let metadata = prop::collection::btree_map(any::<String>(), any::<String>(), 0..2);
    let fallbacks = prop::collection::vec(any::<bool>(), 12);
    (tasks, metadata, fallbacks).prop_map(|((needs, tasks), metadata, fallbacks)| {
        let mut graph = TaskGraph::new();
        graph.add_lane("disk", 2);
        graph.add_lane("network", 1);
        *graph.metadata_mut() = metadata;
        let mut ids: Vec<TaskId> = Vec::new();
        for ((task, needs), has_fallback) in tasks.into_iter().zip(needs).zip(fallbacks) {
            let parents: Vec<TaskId> = needs.iter().map(|&need| ids[need]).collect();
            // What depends on a finalizer is one.
            let finally = |parent: &&TaskId| graph.task(**parent).rules().finally;
            let mut task = match parents.iter().find(finally) {
                Some(_) => task.finally(),
                None => task,
            };
            if has_fallback && !matches!(task.work(), Work::Question(_)) {
                let other = Task::new(format!("in place of {}", task.name()));
                let other = if task.rules().finally {
                    other.finally()
                } else {
                    other
                };
                let other = graph.add_task(other, []);
                task = task.on_failure(OnFailure::Fallback(other));
            }
            ids.push(graph.add_task(task, parents));
        }
        graph
    })
}

fn budget() -> impl Strategy<Value = Budget> {
    let limit = || prop::option::of(any::<u64>());
    (limit(), limit()).prop_map(|(tokens, micro_usd)| Budget::new(tokens, micro_usd))
}

pub(super) fn policy() -> impl Strategy<Value = Policy> {
    let max_parallel = any::<NonZeroU32>();
    let times = (prop::option::of(time()), time(), time());
    let over = prop::sample::select(vec![OverBudget::Ask, OverBudget::Partial]);
    (max_parallel, any::<u64>(), times, budget(), over).prop_map(
        |(max_parallel, seed, times, budget, over_budget)| Policy {
            max_parallel,
            seed,
            run_timeout: times.0,
            cancel_grace: times.1,
            suspend_grace: times.2,
            budget,
            over_budget,
        },
    )
}

fn one_of<T: Copy + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

fn output() -> impl Strategy<Value = Output> {
    prop_oneof![
        Just(Output::None),
        any::<NonZeroU32>().prop_map(|id| Output::Content(id.into())),
        Just(Output::Definition),
    ]
}

fn cancel_why() -> impl Strategy<Value = CancelWhy> {
    prop_oneof![
        Just(CancelWhy::Task),
        Just(CancelWhy::Item),
        any::<u32>().prop_map(CancelWhy::Downstream),
        Just(CancelWhy::Run),
        Just(CancelWhy::Abort),
        Just(CancelWhy::RunTimeout),
    ]
}

fn cut_why() -> impl Strategy<Value = CutWhy> {
    prop_oneof![
        cancel_why().prop_map(CutWhy::Cancel),
        Just(CutWhy::AttemptTimeout),
        Just(CutWhy::IdleTimeout),
        Just(CutWhy::TaskTimeout),
        Just(CutWhy::Suspend),
        Just(CutWhy::Override),
    ]
}

fn ask_why() -> impl Strategy<Value = AskWhy> {
    prop_oneof![
        Just(AskWhy::Work),
        Just(AskWhy::Approve),
        one_of(Fault::ALL).prop_map(AskWhy::Failure),
    ]
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        Just(Answer::Yes),
        Just(Answer::No),
        failure_answer().prop_map(Answer::Failure),
        output().prop_map(Answer::Value),
    ]
}

fn ending_why() -> impl Strategy<Value = EndingWhy> {
    prop_oneof![
        any::<u32>().prop_map(|task| EndingWhy::Abort(TaskId::from_index(task))),
        Just(EndingWhy::Cancel),
        Just(EndingWhy::Timeout),
    ]
}

fn skip_why() -> impl Strategy<Value = SkipWhy> {
    let upstream = any::<u32>().prop_map(|task| SkipWhy::Upstream(TaskId::from_index(task)));
    prop_oneof![
        upstream,
        Just(SkipWhy::NoFailure),
        Just(SkipWhy::Declined),
        Just(SkipWhy::Executor),
        Just(SkipWhy::Override),
        Just(SkipWhy::Withdrawn),
        Just(SkipWhy::NotNeeded),
    ]
}

prop_compose! {
    /// Every kind of record.
    pub(super) fn record()(
        kind in 0..31usize,
        (task, time, by_default) in any::<(u32, u64, bool)>(),
        (attempt, question, reservation) in any::<(NonZeroU32, NonZeroU32, NonZeroU32)>(),
        contents in any::<(NonZeroU32, Option<NonZeroU32>, Option<NonZeroU32>)>(),
        (tokens, micro_usd) in any::<(u32, u32)>(),
        (fault, how, end) in (one_of(Fault::ALL), one_of(CutHow::ALL), one_of(RunEnd::ALL)),
        (output, answer, budget) in (output(), answer(), budget()),
        (ask, cut, cancel) in (ask_why(), cut_why(), cancel_why()),
        (skip, ending, supplied) in (skip_why(), ending_why(), one_of(SuppliedWhy::ALL)),
    ) -> Record {
        let (task, attempt) = (TaskId::from_index(task), Attempt::from(attempt));
        let (question, reservation) = (QuestionId::from(question), ReservationId::from(reservation));
        let until = Timestamp::from_micros(time);
        let content = ContentId::from(contents.0);
        let (error, log) = (contents.1.map(ContentId::from), contents.2.map(ContentId::from));
        let by = if by_default { AnsweredBy::DEFAULT } else { log.into() };
        let spend = Spend { tokens, micro_usd };
        let all: [Record; 32] = [
            Record::Opened,
            Record::Readied { task },
            Record::Started { task, attempt },
            Record::Completed { task, output, log },
            Record::Supplied { task, output, why: supplied, from: log },
            Record::AttemptFailed { task, attempt, fault, error, log },
            Record::AttemptCut { task, attempt, how, log },
            Record::BackedOff { task, until },
            Record::FellBack { task, to: TaskId::from_index(time as u32), why: fault },
            Record::Asked { task, question, why: ask },
            Record::Answered { task, question, answer, by },
            Record::Overridden { task, end: ManualEnd::Complete(output), by },
            Record::Overridden { task, end: ManualEnd::Skip, by },
            Record::Overridden { task, end: ManualEnd::Withdraw, by },
            Record::CancelRequested { task, attempt, why: cut },
            Record::Failed { task, why: fault },
            Record::Skipped { task, why: skip },
            Record::Canceled { task, why: cancel },
            Record::Ending { why: ending },
            Record::Paused,
            Record::Unpaused,
            Record::Suspending,
            Record::Suspended,
            Record::Resumed,
            Record::Reserved { task, reservation, most: spend },
            Record::Settled { task, reservation, spent: spend },
            Record::Noted { task, attempt, content },
            Record::Amended { task: Some(task), content, by: AnsweredBy::UNKNOWN },
            Record::Amended { task: None, content, by },
            Record::Expanded { task, attempt: (!by_default).then_some(attempt), list: content, count: time as u32 },
            Record::Budgeted { budget },
            Record::Ended { end },
        ];
        all[kind]
    }
}
