//! Tests of the texts and durations of events.

use zeph_graph::Output;

use super::*;

fn line(record: Record) -> String {
    let mut graph = TaskGraph::new();
    let first = graph.add_task("a\u{202E}b", []);
    graph.add_task(zeph_graph::Task::new("work").action("run"), [first]);
    let entry = Entry {
        seq: Seq::FIRST,
        at: Timestamp::from_micros(500),
        record,
    };
    Event::from_entry(&entry, &graph).to_string()
}

#[test]
fn an_event_names_its_task_and_the_task_that_caused_it() {
    let (first, work) = (TaskId::from_index(0), TaskId::from_index(1));
    let completed = |task| Record::Completed {
        task,
        output: Output::None,
        log: None,
    };
    assert_eq!(
        line(completed(first)),
        r#"milestone "a\u{202e}b" is reached"#
    );
    assert_eq!(line(completed(work)), r#"task "work" completed"#);
    let why = SkipWhy::Upstream(first);
    assert_eq!(
        line(Record::Skipped { task: work, why }),
        r#"task "work" is skipped: task "a\u{202e}b" did not complete"#
    );
    let until = Timestamp::from_micros(2_500);
    assert_eq!(
        line(Record::BackedOff { task: work, until }),
        r#"task "work" backs off for 2ms"#
    );
    let why = EndingWhy::Abort(work);
    assert_eq!(
        line(Record::Ending { why }),
        r#"the run is aborted: task "work" failed"#
    );
}

#[test]
fn events_of_spending_patches_and_budgets_have_a_text() {
    let task = TaskId::from_index(1);
    let most = Spend {
        tokens: 1_200,
        micro_usd: 3_000,
    };
    let reservation = ReservationId::FIRST;
    let reserved = Record::Reserved {
        task,
        reservation,
        most,
    };
    assert_eq!(
        line(reserved),
        r#"task "work" may spend up to 1200 tokens, 0.003 USD"#
    );
    let settled = Record::Settled {
        task,
        reservation,
        spent: Spend::ZERO,
    };
    assert_eq!(line(settled), r#"task "work" spent 0 tokens"#);
    let content = ContentId::FIRST;
    assert_eq!(
        line(Record::Amended { task, content }),
        r#"task "work" added tasks to the graph"#
    );
    let budget = Budget::UNLIMITED;
    assert_eq!(
        line(Record::Budgeted { budget }),
        "the run has no budget limit"
    );
    let budget = Budget::of_tokens(900);
    assert_eq!(
        line(Record::Budgeted { budget }),
        "the budget of the run is 900 tokens"
    );
}

#[test]
fn an_unknown_task_has_no_name_and_does_not_panic() {
    let task = TaskId::from_index(9);
    assert_eq!(line(Record::Readied { task }), r#"task "?" is ready"#);
}

fn events(records: &[(u64, Record)]) -> Vec<(Option<Duration>, u32)> {
    let mut graph = TaskGraph::new();
    graph.add_task(zeph_graph::Task::new("work").action("run"), []);
    let mut log = EventLog::default();
    let entries = records.iter().map(|&(at, record)| Entry {
        seq: Seq::FIRST,
        at: Timestamp::from_micros(at),
        record,
    });
    let events = entries.map(|entry| log.event(&entry, &graph));
    events.map(|event| (event.took, event.attempts)).collect()
}

#[test]
fn the_end_of_an_attempt_and_of_its_task_carry_the_duration_and_the_attempts() {
    let (task, first) = (TaskId::from_index(0), Attempt::FIRST);
    let started = |attempt| Record::Started { task, attempt };
    let fault = Fault::Error;
    let failed = |attempt| Record::AttemptFailed {
        task,
        attempt,
        fault,
        error: None,
        log: None,
    };
    let until = Timestamp::from_micros(5);
    let took = |micros| Some(Duration::from_micros(micros));
    assert_eq!(
        events(&[
            (0, Record::Readied { task }),
            (1, started(first)),
            (4, failed(first)),
            (4, Record::BackedOff { task, until }),
            (5, started(first.next())),
            (9, failed(first.next())),
            // A person was asked in between; the attempt had ended.
            (90, Record::Failed { task, why: fault }),
        ]),
        [
            (None, 0),
            (None, 1),
            (took(3), 1),
            (None, 1),
            (None, 2),
            (took(4), 2),
            (took(4), 2),
        ]
    );
}

#[test]
fn a_lost_attempt_has_no_duration() {
    let (task, attempt) = (TaskId::from_index(0), Attempt::FIRST);
    let lost = Record::AttemptCut {
        task,
        attempt,
        how: CutHow::Lost,
        log: None,
    };
    let records = [(1, Record::Started { task, attempt }), (900, lost)];
    assert_eq!(events(&records), [(None, 1), (None, 1)]);
}
