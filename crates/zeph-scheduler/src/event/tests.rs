//! Tests of the texts and durations of events.

use std::time::Duration;

use zeph_graph::{
    AnsweredBy, Attempt, Budget, ContentId, CutHow, Fault, Output, ReservationId, Spend, Task,
};

use super::*;

fn line(record: Record) -> String {
    let mut graph = TaskGraph::new();
    let first = graph.add_task("a\u{202E}b", []);
    graph.add_task(Task::new("work").action("run"), [first]);
    let entry = Entry {
        seq: Seq::FIRST,
        at: Timestamp::from_micros(500),
        record,
    };
    Event::from_entry(&entry, &graph).to_string()
}

#[test]
fn an_event_is_one_line_with_the_names_of_its_tasks() {
    let (first, work) = (TaskId::from_index(0), TaskId::from_index(1));
    let (output, log) = (Output::None, None);
    let completed = |task| Record::Completed { task, output, log };
    let skipped = SkipWhy::Upstream(first);
    let until = Timestamp::from_micros(2_500);
    let (reservation, content) = (ReservationId::FIRST, ContentId::FIRST);
    let most = Spend {
        tokens: 1_200,
        micro_usd: 3_000,
    };
    let (task, spent) = (work, Spend::ZERO);
    let budget = Budget::of_tokens(900);
    let unlimited = Budget::UNLIMITED;
    let unknown = TaskId::from_index(9);
    let lines = [
        (completed(first), r#"milestone "a\u{202e}b" is reached"#),
        (completed(work), r#"task "work" completed"#),
        (
            Record::Skipped { task, why: skipped },
            r#"task "work" is skipped: task "a\u{202e}b" did not complete"#,
        ),
        (
            Record::BackedOff { task, until },
            r#"task "work" backs off for 2ms"#,
        ),
        (
            Record::Ending {
                why: EndingWhy::Abort(work),
            },
            r#"the run is aborted: task "work" failed"#,
        ),
        (
            Record::Reserved {
                task,
                reservation,
                most,
            },
            r#"task "work" may spend up to 1200 tokens, 0.003 USD"#,
        ),
        (
            Record::Settled {
                task,
                reservation,
                spent,
            },
            r#"task "work" spent 0 tokens"#,
        ),
        (
            Record::Amended {
                task: Some(task),
                content,
                by: AnsweredBy::UNKNOWN,
            },
            r#"task "work" changed the graph"#,
        ),
        (
            Record::Budgeted { budget: unlimited },
            "the run has no budget limit",
        ),
        (
            Record::Budgeted { budget },
            "the budget of the run is 900 tokens",
        ),
        (Record::Readied { task: unknown }, r#"task "?" is ready"#),
    ];
    for (record, text) in lines {
        assert_eq!(line(record), text);
    }
}

fn events(records: &[(u64, Record)]) -> Vec<(Option<Duration>, u32)> {
    let mut graph = TaskGraph::new();
    graph.add_task(Task::new("work").action("run"), []);
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
