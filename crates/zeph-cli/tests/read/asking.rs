//! `answer`, `cancel`, `pause`, `unpause` and `delete`: with an owner, without one, and refused.

use serde_json::json;
use zeph_graph::{RunEnd, RunState};

use crate::kit::{Home, asking, simple};

#[test]
fn without_an_owner_an_answer_is_noted_and_the_next_owner_takes_it_up() {
    let home = Home::new();
    home.run("r", "", asking());
    let status = home.zeph(&["status", "r"]);
    assert!(
        status.out.contains("     zeph answer r 1 yes\n"),
        "{status:?}"
    );
    let answer = home.zeph(&["answer", "r", "1", "yes"]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(
        answer.out,
        "kept: no process works on run r; it counts when the run is resumed: zeph resume r\n"
    );
    home.resume("r");
    assert_eq!(home.json(0, &["status", "r"])["state"], "completed");
    let show = home.zeph(&["show", "r", "publish"]);
    assert!(show.out.contains("is answered: \"yes\" by "), "{show:?}");
    let over = home.zeph(&["answer", "r", "1", "yes"]);
    assert_eq!(over.code, 2, "{over:?}");
    assert!(over.err.contains("has ended (completed)"), "{over:?}");
}

#[test]
fn what_was_asked_of_a_resting_run_is_shown_until_it_is_resumed() {
    let home = Home::new();
    home.run("r", "", asking());
    for args in [
        &["answer", "r", "1", "yes"][..],
        &["pause", "r"],
        &["budget", "r", "--tokens", "5000"],
        &["cancel", "r", "publish"],
    ] {
        assert_eq!(home.json(0, args)["delivery"], "posted", "{args:?}");
    }
    let asked = "Counts when the run is resumed";
    let budget = "budget: 5000 tokens, just now by ";
    let status = home.zeph(&["status", "r"]);
    for line in [
        "     answered \"yes\", just now by ",
        "     zeph answer r 1 --replace\n",
        asked,
        "  pause, just now by ",
        "  cancel of task publish, just now by ",
        budget,
    ] {
        assert!(status.out.contains(line), "{line}: {status:?}");
    }
    assert!(!status.out.contains("zeph answer r 1 yes"), "{status:?}");
    let why = home.zeph(&["why", "r", "publish"]);
    for line in [
        "question 1, asked just now; answered \"yes\", just now by ",
        "  pause, just now by ",
        "  zeph answer r 1 --replace\n",
    ] {
        assert!(why.out.contains(line), "{line}: {why:?}");
    }
    let shown = home.zeph(&["budget", "r"]);
    assert!(
        shown.out.contains(budget) && !shown.out.contains("pause"),
        "{shown:?}"
    );
    let list = home.zeph(&["list"]);
    assert!(
        list.out.contains(asked) && list.out.contains("  r: answer to question 1: \"yes\"\n"),
        "{list:?}"
    );
    let ops = |json: &serde_json::Value| -> Vec<String> {
        let requests = json["requests"].as_array().expect("a list");
        let op = |one: &serde_json::Value| one["op"].as_str().expect("a word").to_owned();
        requests.iter().map(op).collect()
    };
    let all = ["answer", "pause", "budget", "cancel"];
    assert_eq!(ops(&home.json(0, &["status", "r"])), all);
    assert_eq!(ops(&home.json(0, &["why", "r", "publish"])), all);
    assert_eq!(ops(&home.json(0, &["list"])[0]), all);
    assert_eq!(ops(&home.json(0, &["budget", "r"])), ["budget"]);
}

#[test]
fn an_answer_that_was_given_is_named_and_can_be_replaced_before_it_counts() {
    let home = Home::new();
    home.run("r", "", asking());
    home.json(0, &["answer", "r", "1", "no"]);
    for again in [&["answer", "r", "1", "yes"][..], &["answer", "r", "1"]] {
        let again = home.zeph(again);
        assert_eq!(again.code, 2, "{again:?}");
        assert!(
            again
                .err
                .contains("question 1 of run r was already answered: \"no\"")
                && again.err.contains("`zeph answer r 1 --replace`"),
            "{again:?}"
        );
    }
    home.json(0, &["answer", "r", "1", "yes", "--replace"]);
    let requests = home.json(0, &["status", "r"])["requests"].clone();
    assert_eq!(requests.as_array().map(Vec::len), Some(1), "{requests}");
    assert_eq!(requests[0]["text"], "yes");
    home.resume("r");
    let answers = home.json(0, &["status", "r"])["answers"].clone();
    assert_eq!(answers[0]["text"], "yes");
}

#[test]
fn a_living_owner_takes_requests_and_saves_them() {
    let home = Home::new();
    let alive = home.start("r", "", asking());
    alive.until(|snapshot| snapshot.counts.asking == 1);
    assert_eq!(home.json(0, &["pause", "r"])["delivery"], "accepted");
    alive.until(|snapshot| snapshot.state == RunState::Paused);
    assert_eq!(home.json(0, &["pause", "r"])["delivery"], "stale");
    let again = home.zeph(&["pause", "r"]);
    let unchanged = "nothing to change in run r: it has that state already\n";
    assert_eq!(again.out, unchanged, "{again:?}");
    assert_eq!(home.json(0, &["status", "r"])["next"][2], "zeph unpause r");
    let unpause = home.zeph(&["unpause"]);
    assert_eq!(unpause.out, "the pause of run r is over\n");
    let answer = home.zeph(&["answer", "r", "1", "yes"]);
    assert_eq!(
        answer.out, "question 1 of run r is answered\n",
        "{answer:?}"
    );
    alive.until(|snapshot| snapshot.state == RunState::Ended(RunEnd::Completed));
    let over = home.zeph(&["answer", "r", "1", "no", "--replace"]);
    assert!(over.err.contains("has ended (completed)"), "{over:?}");
    assert_eq!(
        home.json(0, &["show", "r", "publish"])["output"]["value"],
        "done"
    );
}

#[test]
fn a_task_is_cancelled_with_what_depends_on_it() {
    let home = Home::new();
    let alive = home.start("r", "", asking());
    alive.until(|snapshot| snapshot.counts.asking == 1);
    let cancel = home.zeph(&["cancel", "r", "publish", "--downstream"]);
    assert_eq!(cancel.code, 0, "{cancel:?}");
    alive.until(|snapshot| snapshot.state == RunState::Ended(RunEnd::Degraded));
    let why = home.json(0, &["why", "r", "publish"]);
    assert_eq!(
        (&why["state"], &why["reason"]),
        (&json!("canceled"), &json!("canceled"))
    );
    let again = home.zeph(&["cancel", "r"]);
    assert_eq!(again.code, 2, "{again:?}");
}

#[test]
fn what_does_not_answer_the_question_is_refused_with_what_would() {
    let home = Home::new();
    home.run("r", "", asking());
    let cases: &[(&[&str], &str)] = &[
        (&["answer", "r", "1", "perhaps"], "question 1"),
        (&["answer", "r", "7", "yes"], "`zeph status r`"),
        (&["cancel", "r", "publihs"], "did you mean \"publish\"?"),
        (&["delete", "r"], "`zeph cancel r`"),
    ];
    for (args, wanted) in cases {
        let ended = home.zeph(args);
        assert_eq!(ended.code, 2, "{args:?}: {ended:?}");
        assert!(ended.err.contains(wanted), "{args:?}: {ended:?}");
    }
    assert_eq!(
        home.json(0, &["status", "r"])["state"],
        "waiting",
        "nothing was changed"
    );
}

#[test]
fn an_ended_run_is_deleted_and_the_others_stay() {
    let home = Home::new();
    home.run("one", "", simple("1"));
    home.run("two", "", simple("2"));
    let deleted = home.zeph(&["delete", "one"]);
    assert_eq!(
        (deleted.code, deleted.out.as_str()),
        (0, "run one is deleted\n"),
        "{deleted:?}"
    );
    let left = home.json(0, &["list"]);
    assert_eq!(
        (left.as_array().map(Vec::len), &left[0]["run"]),
        (Some(1), &json!("two"))
    );
    assert_eq!(home.zeph(&["delete", "one"]).code, 2);
}

#[test]
fn ended_runs_are_deleted_by_age_and_state_and_open_ones_stay() {
    let home = Home::new();
    home.run("one", "First", simple("1"));
    home.run("two", "", simple("2"));
    home.run("waits", "", asking());
    let mut failing = zeph_graph::TaskGraph::new();
    failing.add_task(crate::kit::doing("bad", &json!({ "fail": "broken" })), []);
    home.run("bad", "", failing);
    let deleted = |args: &[&str]| {
        let json = home.json(0, &[&["prune"], args].concat());
        let runs = json["runs"].as_array().expect("a list").clone();
        let runs = runs
            .iter()
            .map(|run| run.as_str().expect("a name").to_owned());
        (runs.collect::<Vec<_>>(), json["deleted"] == true)
    };
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(deleted(&["--older-than", "1h"]), (names(&[]), true));
    let all = names(&["bad", "two", "one"]);
    assert_eq!(deleted(&["--keep", "0", "--dry-run"]), (all, false));
    let older = names(&["two", "one"]);
    assert_eq!(deleted(&["--keep", "1", "--dry-run"]), (older, false));
    let shown = home.zeph(&["prune", "--dry-run", "--state", "failed,timed_out"]);
    assert_eq!(
        shown.out, "would delete 1 run, and deletes nothing now:\n  bad  failed  just now\n",
        "{shown:?}"
    );
    assert_eq!(deleted(&["--state", "failed"]), (names(&["bad"]), true));
    let rest = home.zeph(&["prune", "--older-than", "1us"]);
    assert!(
        rest.out.starts_with("deleted 2 runs:\n  two  completed"),
        "{rest:?}"
    );
    let left = home.json(0, &["list"]);
    assert_eq!(
        (left.as_array().map(Vec::len), &left[0]["run"]),
        (Some(1), &json!("waits"))
    );
    for wrong in [
        &["delete"][..],
        &["prune"],
        &["prune", "--dry-run"],
        &["prune", "waits"],
        &["prune", "--older-than", "soon"],
        &["prune", "--state", "running"],
    ] {
        let refused = home.zeph(wrong);
        assert_eq!(refused.code, 2, "{wrong:?}: {refused:?}");
    }
    assert_eq!(home.json(0, &["list"]), left);
}
