//! The JSON form of records: stable, strict, and the same after a round trip.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::any;
use crate::Record;
use crate::wire::{decode, encode};

/// Records of every kind as journals store them, and their meaning.
const STORED: &[(&str, &str)] = &[
    (r#"{"type":"opened"}"#, "Opened"),
    (r#"{"type":"readied","task":3}"#, "Readied { task: t3 }"),
    (
        r#"{"type":"started","task":3,"attempt":1}"#,
        "Started { task: t3, attempt: #1 }",
    ),
    (
        r#"{"type":"completed","task":3,"output":{"content":1},"log":8}"#,
        "Completed { task: t3, output: Content(c1), log: Some(c8) }",
    ),
    (
        r#"{"type":"completed","task":3}"#,
        "Completed { task: t3, output: None, log: None }",
    ),
    (
        r#"{"type":"completed","task":3,"output":"definition"}"#,
        "Completed { task: t3, output: Definition, log: None }",
    ),
    (
        r#"{"type":"attempt_failed","task":3,"attempt":1,"fault":"panicked","error":7,"log":8}"#,
        "AttemptFailed { task: t3, attempt: #1, fault: Panicked, error: Some(c7), log: Some(c8) }",
    ),
    (
        r#"{"type":"attempt_cut","task":3,"attempt":1,"how":"lost"}"#,
        "AttemptCut { task: t3, attempt: #1, how: Lost, log: None }",
    ),
    (
        r#"{"type":"backed_off","task":3,"until":1500}"#,
        "BackedOff { task: t3, until: Timestamp(1500) }",
    ),
    (
        r#"{"type":"fell_back","task":3,"to":2,"why":"permanent"}"#,
        "FellBack { task: t3, to: t2, why: Permanent }",
    ),
    (
        r#"{"type":"asked","task":3,"question":2,"why":"work"}"#,
        "Asked { task: t3, question: q2, why: Work }",
    ),
    (
        r#"{"type":"asked","task":3,"question":2,"why":"approve"}"#,
        "Asked { task: t3, question: q2, why: Approve }",
    ),
    (
        r#"{"type":"asked","task":3,"question":2,"why":{"failure":"error"}}"#,
        "Asked { task: t3, question: q2, why: Failure(Error) }",
    ),
    (
        r#"{"type":"answered","task":3,"question":2,"answer":"yes"}"#,
        "Answered { task: t3, question: q2, answer: Yes, by: Unknown }",
    ),
    (
        r#"{"type":"answered","task":3,"question":2,"answer":"no","by":"default"}"#,
        "Answered { task: t3, question: q2, answer: No, by: Default }",
    ),
    (
        r#"{"type":"answered","task":3,"question":2,"answer":"yes","by":{"content":4}}"#,
        "Answered { task: t3, question: q2, answer: Yes, by: Content(c4) }",
    ),
    (
        r#"{"type":"answered","task":3,"question":2,"answer":{"failure":"retry"}}"#,
        "Answered { task: t3, question: q2, answer: Failure(Retry), by: Unknown }",
    ),
    (
        r#"{"type":"answered","task":3,"question":2,"answer":{"value":{"content":1}}}"#,
        "Answered { task: t3, question: q2, answer: Value(Content(c1)), by: Unknown }",
    ),
    (
        r#"{"type":"overridden","task":3,"end":{"complete":{"content":4}},"by":{"content":5}}"#,
        "Overridden { task: t3, end: Complete(Content(c4)), by: Content(c5) }",
    ),
    (
        r#"{"type":"overridden","task":3,"end":{"complete":"none"}}"#,
        "Overridden { task: t3, end: Complete(None), by: Unknown }",
    ),
    (
        r#"{"type":"overridden","task":3,"end":"skip"}"#,
        "Overridden { task: t3, end: Skip, by: Unknown }",
    ),
    (
        r#"{"type":"cancel_requested","task":3,"attempt":1,"why":"override"}"#,
        "CancelRequested { task: t3, attempt: #1, why: Override }",
    ),
    (
        r#"{"type":"skipped","task":3,"why":"override"}"#,
        "Skipped { task: t3, why: Override }",
    ),
    (
        r#"{"type":"cancel_requested","task":3,"attempt":1,"why":"suspend"}"#,
        "CancelRequested { task: t3, attempt: #1, why: Suspend }",
    ),
    (
        r#"{"type":"cancel_requested","task":3,"attempt":1,"why":{"cancel":"run"}}"#,
        "CancelRequested { task: t3, attempt: #1, why: Cancel(Run) }",
    ),
    (
        r#"{"type":"failed","task":3,"why":"task_timeout"}"#,
        "Failed { task: t3, why: TaskTimeout }",
    ),
    (
        r#"{"type":"skipped","task":3,"why":{"upstream":0}}"#,
        "Skipped { task: t3, why: Upstream(t0) }",
    ),
    (
        r#"{"type":"skipped","task":3,"why":"declined"}"#,
        "Skipped { task: t3, why: Declined }",
    ),
    (
        r#"{"type":"cancel_requested","task":3,"attempt":1,"why":{"cancel":{"downstream":2}}}"#,
        "CancelRequested { task: t3, attempt: #1, why: Cancel(Downstream(2)) }",
    ),
    (
        r#"{"type":"canceled","task":3,"why":{"downstream":2}}"#,
        "Canceled { task: t3, why: Downstream(2) }",
    ),
    (
        r#"{"type":"canceled","task":3,"why":"run_timeout"}"#,
        "Canceled { task: t3, why: RunTimeout }",
    ),
    (
        r#"{"type":"ending","why":{"abort":3}}"#,
        "Ending { why: Abort(t3) }",
    ),
    (
        r#"{"type":"ending","why":"cancel"}"#,
        "Ending { why: Cancel }",
    ),
    (
        r#"{"type":"ending","why":"timeout"}"#,
        "Ending { why: Timeout }",
    ),
    (r#"{"type":"paused"}"#, "Paused"),
    (r#"{"type":"unpaused"}"#, "Unpaused"),
    (r#"{"type":"suspending"}"#, "Suspending"),
    (r#"{"type":"suspended"}"#, "Suspended"),
    (r#"{"type":"resumed"}"#, "Resumed"),
    (
        r#"{"type":"reserved","task":3,"reservation":2,"most":{"tokens":1200,"micro_usd":3000}}"#,
        "Reserved { task: t3, reservation: b2, most: Spend { tokens: 1200, micro_usd: 3000 } }",
    ),
    (
        r#"{"type":"settled","task":3,"reservation":2,"spent":{"tokens":800,"micro_usd":0}}"#,
        "Settled { task: t3, reservation: b2, spent: Spend { tokens: 800, micro_usd: 0 } }",
    ),
    (
        r#"{"type":"noted","task":3,"attempt":1,"content":9}"#,
        "Noted { task: t3, attempt: #1, content: c9 }",
    ),
    (
        r#"{"type":"amended","task":3,"content":7}"#,
        "Amended { task: Some(t3), content: c7, by: Unknown }",
    ),
    (
        r#"{"type":"amended","content":7,"by":{"content":8}}"#,
        "Amended { task: None, content: c7, by: Content(c8) }",
    ),
    (
        r#"{"type":"budgeted","budget":{"tokens":5000}}"#,
        "Budgeted { budget: Budget { tokens: Some(5000), micro_usd: None } }",
    ),
    (
        r#"{"type":"budgeted","budget":{}}"#,
        "Budgeted { budget: Budget { tokens: None, micro_usd: None } }",
    ),
    (
        r#"{"type":"ended","end":"timed_out"}"#,
        "Ended { end: TimedOut }",
    ),
];

#[test]
fn the_texts_in_journals_are_these() {
    for (text, meaning) in STORED {
        let record = decode(text).unwrap();
        assert_eq!(format!("{record:?}"), *meaning);
        assert_eq!(encode(&record), *text);
    }
    let kinds: BTreeSet<&str> = (STORED.iter())
        .filter_map(|(text, _)| text.split('"').nth(3))
        .collect();
    assert_eq!(kinds.len(), 27, "{kinds:?}");
}

#[test]
fn the_views_divide_the_kinds_of_records() {
    let kinds = |has_view: fn(&Record) -> bool| -> BTreeSet<&str> {
        let kind = |text: &'static str| text.split('"').nth(3);
        let with_view = |(text, _): &(&'static str, _)| has_view(&decode(text).unwrap());
        (STORED.iter().filter(|one| with_view(one)))
            .filter_map(|(text, _)| kind(text))
            .collect()
    };
    assert_eq!(
        kinds(|record| record.attempt_end().is_some()),
        BTreeSet::from(["completed", "attempt_failed", "attempt_cut"])
    );
    assert_eq!(
        kinds(|record| record.task_end().is_some()),
        BTreeSet::from(["completed", "failed", "skipped", "canceled"])
    );
    assert_eq!(
        kinds(|record| record.run_change().is_some()),
        kinds(|record| record.task().is_none())
    );
}

#[test]
fn an_unknown_type_is_named() {
    let error = decode(r#"{"type":"prepared","task":1}"#).unwrap_err();
    assert!(
        error.to_string().contains("unknown variant `prepared`"),
        "{error}"
    );
}

#[test]
fn anything_but_a_record_is_refused() {
    for text in [
        "",
        "{}",
        "null",
        r#"{"type":"paused","task":1}"#,
        r#"{"type":"paused"}x"#,
        r#"{"type":"readied"}"#,
        r#"{"type":"readied","task":-1}"#,
        r#"{"type":"readied","task":4294967296}"#,
        r#"{"type":"readied","task":1,"task":1}"#,
        r#"{"type":"started","task":1,"attempt":0}"#,
        r#"{"type":"started","task":1,"attempt":1,"log":1}"#,
        r#"{"type":"failed","task":1,"why":"tired"}"#,
        r#"{"type":"completed","task":1,"output":"somewhere"}"#,
        r#"{"type":"completed","task":1,"output":{"content":0}}"#,
        r#"{"type":"asked","task":1,"question":1,"why":"failure"}"#,
        r#"{"type":"skipped","task":1,"why":{"upstream":1,"declined":null}}"#,
    ] {
        assert!(decode(text).is_err(), "{text}");
    }
    let long = decode(&"é".repeat(10_000)).unwrap_err();
    assert_eq!(long.text.chars().count(), 200);
}

proptest! {
    #[test]
    fn a_view_names_the_task_and_the_contents_of_its_record(record in any::record()) {
        if let Some(end) = record.attempt_end() {
            prop_assert_eq!(Some(end.task), record.task());
            prop_assert!(end.log.is_none() || record.contents().last() == end.log);
        }
        if let Some(end) = record.task_end() {
            prop_assert_eq!(Some(end.task), record.task());
        }
    }

    #[test]
    fn a_record_comes_back(record in any::record()) {
        let text = encode(&record);
        prop_assert_eq!(decode(&text).unwrap(), record);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert!(value.is_object());
    }

    #[test]
    fn a_damaged_record_is_refused_with_its_text_or_is_another_record(
        record in any::record(),
        place in any::<prop::sample::Index>(),
        insert in ".{0,3}",
    ) {
        let text = encode(&record);
        let at = place.index(text.len());
        let damaged = format!("{}{insert}{}", &text[..at], &text[at + 1..]);
        match decode(&damaged) {
            Ok(other) => prop_assert_eq!(decode(&encode(&other)).unwrap(), other),
            Err(error) => {
                prop_assert!(damaged.starts_with(&error.text));
                prop_assert!(error.cause.column() <= damaged.len(), "{}", error.cause);
            }
        }
    }

    #[test]
    fn a_cut_record_is_refused(record in any::record(), cut in any::<prop::sample::Index>()) {
        let text = encode(&record);
        prop_assert!(decode(&text[..cut.index(text.len())]).is_err());
    }
}
