//! Damaged journals: recovery rejects them, or the recovered scheduler behaves and can be recovered again.

use zeph_graph::{
    AskWhy, EndingWhy, Entry, Fault, Header, Policy, Record, Retry, Seq, SkipWhy, Task, TaskGraph,
    TaskId, Timestamp,
};
use zeph_scheduler::{Action, Corrupt, Input, Patches, Scheduler};

fn header() -> Header {
    let mut graph = TaskGraph::new();
    let a = graph.add_task(Task::new("a").action("x").retry(Retry::times(2)), []);
    let b = graph.add_task(Task::new("b").action("x").approve("go?"), [a]);
    let c = graph.add_task(Task::new("c").action("x"), [a]);
    graph.add_task(Task::new("d"), [b, c]);
    Header {
        graph,
        policy: Policy::default(),
    }
}

/// A run with a failure, a retry and an answer.
fn journal(header: Header) -> Vec<Entry> {
    let mut machine = Scheduler::new(header.graph, header.policy);
    let mut journal = Vec::new();
    let mut now = Timestamp::ZERO;
    let mut failed = false;
    machine.handle(now, Input::Start);
    while machine.end().is_none() {
        while let Some(batch) = machine.step() {
            journal.extend_from_slice(batch.entries());
            for action in machine.saved(batch) {
                answer(&mut machine, now, action, &mut failed);
            }
        }
        if let Some(due) = machine.deadline() {
            now = due;
            machine.handle(now, Input::Tick);
        }
    }
    while let Some(batch) = machine.step() {
        journal.extend_from_slice(batch.entries());
        drop(machine.saved(batch));
    }
    journal
}

fn answer(machine: &mut Scheduler, now: Timestamp, action: Action, failed: &mut bool) {
    match action {
        Action::Start { task, attempt } if !std::mem::replace(failed, true) => {
            let fault = Fault::Error;
            let input = Input::Failed {
                task,
                attempt,
                fault,
                error: None,
                log: None,
                retry_after: None,
            };
            machine.handle(now, input);
        }
        Action::Start { task, attempt } => {
            let input = Input::Completed {
                task,
                attempt,
                output: None,
                log: None,
            };
            machine.handle(now, input);
        }
        Action::Ask { question, .. } => {
            let answer = zeph_graph::Answer::Yes;
            machine.handle(
                now,
                Input::Answered {
                    question,
                    answer,
                    by: None,
                },
            );
        }
        Action::Prepare { .. }
        | Action::Cancel { .. }
        | Action::Abandon { .. }
        | Action::Suspended
        | Action::Ended(_) => {}
    }
}

fn renumber(journal: &mut [Entry]) {
    for (at, entry) in journal.iter_mut().enumerate() {
        entry.seq = Seq::FIRST.plus(at as u64);
        entry.at = Timestamp::from_micros(at as u64);
    }
}

/// Recovery rejects the journal at a record of it, or makes a scheduler whose own records extend the
/// journal: recovering both together gives the same state.
fn survives(header: &Header, mut journal: Vec<Entry>) {
    let recovered = Scheduler::recover(header.clone(), journal.clone(), &Patches::new());
    let mut machine = match recovered {
        Ok(machine) => machine,
        Err(Corrupt::Gap { found: seq, .. } | Corrupt::Impossible { seq, .. }) => {
            assert!(journal.iter().any(|entry| entry.seq == seq), "{seq}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    machine.handle(Timestamp::MAX, Input::Resume);
    for id in header.graph.ids() {
        let _ = machine.explain(id);
    }
    while let Some(batch) = machine.step() {
        journal.extend_from_slice(batch.entries());
        drop(machine.saved(batch));
    }
    let _ = (machine.stuck(), machine.deadline());
    let again = Scheduler::recover(header.clone(), journal, &Patches::new());
    let again = again.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again.snapshot(), machine.snapshot());
}

#[test]
fn every_prefix_and_every_gap_is_rejected_or_recovers() {
    let header = header();
    let journal = journal(header.clone());
    assert!(journal.len() > 15);
    for at in 0..journal.len() {
        survives(&header, journal[..at].to_vec());
        let mut gap = journal.clone();
        gap.remove(at);
        if at + 1 < journal.len() {
            assert!(matches!(
                Scheduler::recover(header.clone(), gap.clone(), &Patches::new()),
                Err(Corrupt::Gap { .. })
            ));
        }
        renumber(&mut gap);
        survives(&header, gap);
    }
}

#[test]
fn every_swap_and_every_repetition_is_rejected_or_recovers() {
    let header = header();
    let journal = journal(header.clone());
    for a in 0..journal.len() {
        for b in 0..journal.len() {
            let mut swapped = journal.clone();
            swapped.swap(a, b);
            renumber(&mut swapped);
            survives(&header, swapped);
            let mut repeated = journal.clone();
            repeated.insert(b, journal[a]);
            renumber(&mut repeated);
            survives(&header, repeated);
        }
    }
}

#[test]
fn a_record_of_a_task_that_is_not_there_is_impossible() {
    let header = header();
    let mut journal = journal(header.clone());
    journal.truncate(1);
    let task = zeph_graph::TaskId::from_index(99);
    journal.push(Entry {
        seq: Seq::FIRST.plus(1),
        at: Timestamp::ZERO,
        record: Record::Readied { task },
    });
    assert!(matches!(
        Scheduler::recover(header.clone(), journal, &Patches::new()),
        Err(Corrupt::Impossible { .. })
    ));
}

#[test]
fn a_record_with_an_earlier_time_than_the_last_one_is_reported() {
    let header = header();
    let mut journal = journal(header.clone());
    journal[0].at = Timestamp::MAX;
    assert!(matches!(
        Scheduler::recover(header.clone(), journal, &Patches::new()),
        Err(Corrupt::Backwards { .. })
    ));
}

/// Recovers the first `keep` records of a sound journal and one more.
fn with(header: &Header, keep: usize, record: Record) -> Result<Scheduler, Corrupt> {
    let mut journal = journal(header.clone());
    journal.truncate(keep);
    let at = journal[keep - 1].at;
    journal.push(Entry {
        seq: Seq::FIRST.plus(keep as u64),
        at,
        record,
    });
    Scheduler::recover(header.clone(), journal, &Patches::new())
}

#[test]
fn a_task_that_is_skipped_because_of_no_parent_of_its_is_impossible() {
    let header = header();
    for upstream in [1, 3, 99] {
        let skipped = Record::Skipped {
            task: TaskId::from_index(1),
            why: SkipWhy::Upstream(TaskId::from_index(upstream)),
        };
        assert!(with(&header, 1, skipped).is_err());
    }
}

#[test]
fn a_run_that_is_aborted_by_no_task_of_its_is_impossible() {
    let why = EndingWhy::Abort(TaskId::from_index(99));
    assert!(with(&header(), 1, Record::Ending { why }).is_err());
}

#[test]
fn a_start_in_a_full_lane_is_impossible() {
    let mut graph = TaskGraph::new();
    let lane = graph.add_lane("net", 1);
    let ids: Vec<TaskId> = (0..2)
        .map(|at| graph.add_task(Task::new(format!("t{at}")).action("x").lane(lane), []))
        .collect();
    let header = Header {
        graph,
        policy: Policy::default(),
    };
    let attempt = zeph_graph::Attempt::FIRST;
    let mut records = vec![Record::Opened];
    records.extend(ids.iter().map(|&task| Record::Readied { task }));
    records.extend(ids.iter().map(|&task| Record::Started { task, attempt }));
    let mut journal: Vec<Entry> = records
        .into_iter()
        .map(|record| Entry {
            seq: Seq::FIRST,
            at: Timestamp::ZERO,
            record,
        })
        .collect();
    renumber(&mut journal);
    let refused = Scheduler::recover(header, journal, &Patches::new());
    assert!(matches!(
        refused,
        Err(Corrupt::Impossible { seq, .. }) if seq == Seq::new(5)
    ));
}

#[test]
fn a_question_about_nothing_is_impossible() {
    let header = header();
    let question = zeph_graph::QuestionId::FIRST;
    // Task d is a milestone without approval that has never run.
    let task = TaskId::from_index(3);
    let about = [AskWhy::Work, AskWhy::Approve, AskWhy::Failure(Fault::Error)];
    for why in about {
        let asked = Record::Asked {
            task,
            question,
            why,
        };
        assert!(with(&header, 1, asked).is_err());
    }
}
