//! Tests of the lines that events are told in.

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
    Event::of(&entry, &graph).to_string()
}

#[test]
fn an_event_tells_names_and_the_one_to_blame() {
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
        r#"task "work" tries again in 2ms"#
    );
    let why = EndingWhy::Abort(work);
    assert_eq!(
        line(Record::Ending { why }),
        r#"the run is aborted: task "work" failed"#
    );
}

#[test]
fn what_goes_through_a_door_is_told() {
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
        "the run has no budget any more"
    );
    let budget = Budget {
        tokens: 900,
        ..budget
    };
    assert_eq!(
        line(Record::Budgeted { budget }),
        "the run may cost 900 tokens"
    );
}

#[test]
fn an_unknown_task_has_no_name_and_does_not_panic() {
    let task = TaskId::from_index(9);
    assert_eq!(line(Record::Readied { task }), r#"task "?" is ready"#);
}
