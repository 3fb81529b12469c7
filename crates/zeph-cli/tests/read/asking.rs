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
    let over = home.zeph(&["answer", "r", "1", "yes"]);
    assert_eq!(over.code, 2, "{over:?}");
    assert!(over.err.contains("has ended (completed)"), "{over:?}");
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
