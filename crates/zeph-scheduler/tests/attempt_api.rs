//! Attempt API: reservations, notes and patches across a recovery, and in damaged journals.
#![allow(clippy::unwrap_used)]

use zeph_graph::wire::{GraphSpec, code};
use zeph_graph::{
    AnsweredBy, Attempt, Budget, ContentId, Entry, Header, Policy, Record, ReservationId, Seq,
    Spend, Task, TaskGraph, TaskId, Timestamp,
};
use zeph_scheduler::{
    Action, Amendment, Corrupt, Explanation, Input, InputOutcome, Patches, Proposer, Refusal,
    Scheduler,
};

const FIRST: Attempt = Attempt::FIRST;
const PLAN: TaskId = TaskId::from_index(0);
const PROPOSER: Proposer = Proposer {
    task: PLAN,
    attempt: FIRST,
    after: 0,
};

fn header() -> Header {
    let mut graph = TaskGraph::new();
    graph.add_lane("net", 1);
    graph.add_task(Task::new("plan").action("model"), []);
    let budget = Budget::of_tokens(1_000);
    Header {
        graph,
        policy: Policy {
            budget,
            ..Policy::default()
        },
    }
}

fn patch() -> GraphSpec {
    GraphSpec::from_json(
        r#"{"version":1,"tasks":[
            {"name":"look","needs":["plan"],"work":{"kind":"action","name":"grep"}},
            {"name":"see","needs":["look"],"lanes":[{"lane":"net"}]}
        ]}"#,
    )
    .unwrap()
}

fn tokens(tokens: u32) -> Spend {
    Spend {
        tokens,
        micro_usd: 0,
    }
}

/// A run whose first task is running.
fn started() -> (Scheduler, Vec<Entry>) {
    let Header { graph, policy } = header();
    let mut machine = Scheduler::new(graph, policy);
    machine.handle(Timestamp::ZERO, Input::Start);
    let mut journal = Vec::new();
    save(&mut machine, &mut journal);
    (machine, journal)
}

fn save(machine: &mut Scheduler, journal: &mut Vec<Entry>) -> Vec<Action> {
    let Some(batch) = machine.step() else {
        return Vec::new();
    };
    journal.extend_from_slice(batch.entries());
    machine.saved(batch)
}

/// A run with every kind of attempt record, and its patch.
fn busy() -> (Scheduler, Vec<Entry>, Patches) {
    let (mut machine, mut journal) = started();
    let now = Timestamp::from_micros(5);
    let note = ContentId::FIRST;
    let spent = machine.reserve(now, PLAN, FIRST, tokens(300)).unwrap();
    machine.reserve(now, PLAN, FIRST, tokens(500)).unwrap();
    let settled = machine.settle(now, PLAN, FIRST, spent, tokens(120));
    assert_eq!(settled, InputOutcome::Accepted);
    assert_eq!(machine.note(now, PLAN, FIRST, note), InputOutcome::Accepted);
    let content = note.next();
    let grown = machine.amend(now, PROPOSER, content, &patch());
    let first = TaskId::from_index(1);
    assert_eq!(grown, Ok(Amendment::Added { first, tasks: 2 }));
    let budget = Budget::of_tokens(2_000);
    machine.handle(now, Input::Budget(budget));
    save(&mut machine, &mut journal);
    let patches = Patches::from([(content, patch())]);
    (machine, journal, patches)
}

#[test]
fn a_recovered_machine_knows_what_was_spent_and_what_was_added() {
    let (machine, journal, patches) = busy();
    let recovered = Scheduler::recover(header(), journal.clone(), &patches).unwrap();
    assert_eq!(recovered.snapshot(), machine.snapshot());
    assert_eq!(recovered.graph().find("see"), Some(TaskId::from_index(2)));
    assert_eq!(recovered.spent().tokens, 120);
    assert_eq!(recovered.reserved().tokens, 500);
    assert_eq!(recovered.left(PLAN), Budget::of_tokens(2_000 - 620));
    assert_eq!(recovered.spent_by(PLAN).tokens, 120);
    assert_eq!(recovered.counts().total(), 3);

    // Reservations that were open at the crash count as spent.
    let mut machine = recovered;
    let now = Timestamp::from_micros(9);
    let late = machine.reserve(now, PLAN, FIRST, tokens(1));
    assert_eq!(late, Err(Refusal::Stale));
    machine.handle(now, Input::Resume);
    assert_eq!(machine.spent().tokens, 620);
    assert_eq!(machine.reserved().tokens, 0);
}

#[test]
fn a_new_task_is_explained_like_any_other() {
    let (machine, ..) = busy();
    let (look, see) = (TaskId::from_index(1), TaskId::from_index(2));
    let waits_for = |open| Explanation::Parents {
        open: vec![open],
        count: 1,
    };
    assert_eq!(machine.explain(look), waits_for(PLAN));
    assert_eq!(machine.explain(see), waits_for(look));
    assert_eq!(machine.children(PLAN), [look]);
}

#[test]
fn a_patch_that_is_missing_or_damaged_is_named() {
    let (_, journal, _) = busy();
    let amended = |entry: &&Entry| matches!(entry.record, Record::Amended { .. });
    let seq = journal.iter().find(amended).unwrap().seq;
    let content = ContentId::FIRST.next();
    let missing = Scheduler::recover(header(), journal.clone(), &Patches::new());
    assert_eq!(missing.err(), Some(Corrupt::NoPatch { seq, content }));

    let mut spec = patch();
    spec.tasks[0].needs = vec!["plam".into()];
    let damaged = Scheduler::recover(header(), journal, &Patches::from([(content, spec)]));
    let Err(Corrupt::Patch { cause, .. }) = &damaged else {
        panic!("{damaged:?}");
    };
    assert_eq!(cause.as_slice()[0].code, code::UNKNOWN_DEPENDENCY);
    let text = damaged.unwrap_err().to_string();
    assert!(text.contains("did you mean \"plan\"?"), "{text}");
}

#[test]
fn a_refused_patch_says_why_and_changes_nothing() {
    let (mut machine, mut journal) = started();
    let before = machine.snapshot();
    let mut spec = patch();
    spec.tasks[1].lanes[0].weight = 2;
    spec.tasks[0].name = "plan".into();
    let now = Timestamp::ZERO;
    let found = machine
        .amend(now, PROPOSER, ContentId::FIRST, &spec)
        .unwrap_err();
    let codes: Vec<_> = found.iter().map(|one| one.code).collect();
    assert_eq!(
        codes,
        [
            code::DUPLICATE_NAME,
            code::SELF_DEPENDENCY,
            code::UNKNOWN_DEPENDENCY,
            code::BAD_WEIGHT
        ]
    );
    assert_eq!(machine.snapshot(), before);
    assert_eq!(machine.graph().len(), 1);
    assert_eq!(save(&mut machine, &mut journal), []);
}

#[test]
fn tasks_and_attempts_that_never_were_are_stale() {
    let (mut machine, _) = started();
    let now = Timestamp::ZERO;
    let (unknown, content) = (TaskId::from_index(7), ContentId::FIRST);
    for (task, attempt) in [(unknown, FIRST), (PLAN, FIRST.next())] {
        let reserved = machine.reserve(now, task, attempt, Spend::ZERO);
        assert_eq!(reserved, Err(Refusal::Stale));
        let settled = machine.settle(now, task, attempt, ReservationId::FIRST, Spend::ZERO);
        assert_eq!(settled, InputOutcome::Stale);
        assert_eq!(
            machine.note(now, task, attempt, content),
            InputOutcome::Stale
        );
        let amended = machine.amend(
            now,
            Proposer {
                task,
                attempt,
                after: 0,
            },
            content,
            &patch(),
        );
        assert_eq!(amended, Ok(Amendment::Stale));
    }
    let Header { graph, policy } = header();
    let mut new = Scheduler::new(graph, policy);
    let early = new.reserve(now, PLAN, FIRST, Spend::ZERO);
    assert_eq!(early, Err(Refusal::Stale));
    let early = new.handle(now, Input::Budget(Budget::UNLIMITED));
    assert_eq!(early, InputOutcome::Stale);
}

#[test]
fn impossible_records_of_attempts_are_refused() {
    let (_, journal, patches) = busy();
    let (reservation, most) = (ReservationId::FIRST, Spend::ZERO);
    let (task, content) = (PLAN, ContentId::FIRST.next());
    let later = TaskId::from_index(1);
    let budget = Budget::of_tokens(2_000);
    let impossible = [
        // With a number out of order, and of a task that does not run.
        Record::Reserved {
            task,
            reservation,
            most,
        },
        Record::Reserved {
            task: later,
            reservation: reservation.next().next(),
            most,
        },
        // Settled already, and of another task.
        Record::Settled {
            task,
            reservation,
            spent: most,
        },
        Record::Settled {
            task: later,
            reservation: reservation.next(),
            spent: most,
        },
        Record::Noted {
            task,
            attempt: FIRST.next(),
            content,
        },
        // Of a task that does not run.
        Record::Amended {
            task: Some(later),
            content,
            by: AnsweredBy::UNKNOWN,
        },
        Record::Budgeted { budget },
        Record::Readied {
            task: TaskId::from_index(3),
        },
    ];
    for record in impossible {
        let seq = Seq::FIRST.plus(journal.len() as u64);
        let at = Timestamp::from_micros(5);
        let more = journal.iter().copied().chain([Entry { seq, at, record }]);
        let refused = Scheduler::recover(header(), more, &patches).err();
        assert_eq!(refused, Some(Corrupt::Impossible { seq, record }));
    }
}
