//! Ids, times, words: the small values.

use std::fmt::Debug;
use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{
    Attempt, CutHow, Effect, FailureAnswer, Fault, OverBudget, Params, RunEnd, RunId, Seq, TaskId,
    Timestamp, Trigger, UnknownWord,
};

#[test]
fn run_ids_are_safe_in_paths_and_commands() {
    let longest = "x".repeat(64);
    for fine in ["a", "7", "k7m2-x_9", longest.as_str()] {
        assert_eq!(fine.parse::<RunId>().unwrap().as_str(), fine);
    }
    let too_long = "x".repeat(65);
    for bad in [
        "",
        "-a",
        "_a",
        "A",
        "a b",
        "a/b",
        "..",
        "ä",
        "a\n",
        too_long.as_str(),
    ] {
        assert_eq!(bad.parse::<RunId>().unwrap_err().text, bad, "{bad:?}");
    }
}

#[test]
fn attempts_count_from_one_and_stop_at_the_end() {
    assert_eq!(Attempt::new(0), None);
    assert_eq!(Attempt::FIRST.next().get(), 2);
    let last = Attempt::new(u32::MAX).unwrap();
    assert_eq!(last.next(), last);
    assert_eq!(
        (format!("{last:?}"), Attempt::FIRST.to_string()),
        ("#4294967295".into(), "1".into())
    );
}

#[test]
fn task_ids_compare_by_position_whatever_their_graph() {
    let mut graph = crate::TaskGraph::new();
    let id = graph.add_task("a", []);
    assert_eq!(id, TaskId::from_index(0));
    assert!(id < TaskId::from_index(1));
    assert_eq!(format!("{id} {id:?}"), "t0 t0");
}

#[test]
fn sequence_numbers_have_no_gaps() {
    assert_eq!(Seq::FIRST.plus(2), Seq::new(3));
}

#[test]
fn time_rounds_up_and_never_overflows() {
    let start = Timestamp::from_micros(5);
    assert_eq!(start.after(Duration::from_nanos(1)).as_micros(), 6);
    assert_eq!(start.after(Duration::ZERO), start);
    assert_eq!(start.after(Duration::from_secs(u64::MAX)), Timestamp::MAX);
    assert_eq!(Timestamp::from_micros(u64::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::ZERO.since(start), Duration::ZERO);
    assert_eq!(start.since(Timestamp::ZERO), Duration::from_micros(5));
    assert_eq!(Timestamp::from_micros(1_000_002).to_string(), "1.000002");
}

#[test]
fn every_word_leads_back_to_its_value_also_in_json() {
    fn check<T>(all: &[T], words: &[&str])
    where
        T: FromStr<Err = UnknownWord> + Serialize + DeserializeOwned + PartialEq + Debug + Copy,
    {
        assert_eq!(all.len(), words.len());
        for (&value, &word) in all.iter().zip(words) {
            assert_eq!(word.parse::<T>().as_ref(), Ok(&value));
            assert_eq!(serde_json::to_value(value).unwrap(), word);
            assert_eq!(serde_json::from_value::<T>(word.into()).unwrap(), value);
        }
        let unknown = "Error".parse::<T>().unwrap_err();
        assert_eq!((unknown.word.as_str(), unknown.expected), ("Error", words));
    }
    check(Trigger::ALL, Trigger::WORDS);
    check(Effect::ALL, Effect::WORDS);
    check(FailureAnswer::ALL, FailureAnswer::WORDS);
    check(OverBudget::ALL, OverBudget::WORDS);
    check(Fault::ALL, Fault::WORDS);
    check(CutHow::ALL, CutHow::WORDS);
    check(RunEnd::ALL, RunEnd::WORDS);
}

#[test]
fn params_are_json_text() {
    assert_eq!(Params::from_json_text("null"), Params::none());
    assert!(Params::from_json_text("{oops").to_value().is_err());
    assert_eq!(format!("{:?}", Params::from_json_text("[1]")), "[1]");
}
