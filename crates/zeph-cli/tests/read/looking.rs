//! `list`, `status`, `show` and `why`: their output, also without runs.

use serde_json::json;
use zeph_graph::{OnFailure, TaskGraph};

use crate::kit::{Home, asking, doing, simple};

/// One completed, one failed for good, one skipped for it.
fn degraded() -> TaskGraph {
    let mut graph = TaskGraph::new();
    let fetch = graph.add_task(doing("fetch", &json!({ "value": { "n": 41 } })), []);
    let broken = doing("broken", &json!({ "fail": "no such page" })).on_failure(OnFailure::Skip);
    let broken = graph.add_task(broken, [fetch]);
    graph.add_task(doing("after", &json!({})), [broken]);
    graph
}

#[test]
fn a_list_shows_the_newest_first_and_as_many_as_asked_for() {
    let home = Home::new();
    home.run("r-one", "First", simple("1"));
    home.run("r-two", "Second", asking());
    let list = home.zeph(&["list"]);
    assert_eq!(list.code, 0, "{list:?}");
    let lines: Vec<&str> = list.out.lines().collect();
    assert!(
        lines[0].starts_with("RUN    STATE      TASKS  STARTED"),
        "{list:?}"
    );
    assert!(
        lines[1].starts_with("r-two  waiting    1/2    "),
        "{list:?}"
    );
    assert!(
        lines[2].starts_with("r-one  completed  1/1    "),
        "{list:?}"
    );
    assert!(lines[2].ends_with("  First"), "{list:?}");
    assert!(list.out.contains("`zeph resume r-two`"), "{list:?}");

    let open = home.json(0, &["list", "--open"]);
    assert_eq!(
        (open.as_array().map(Vec::len), &open[0]["run"]),
        (Some(1), &json!("r-two"))
    );
    let one = home.json(0, &["list", "-n", "1"]);
    assert_eq!(one.as_array().map(Vec::len), Some(1));
    let all = home.json(0, &["list"]);
    assert_eq!(
        (&all[1]["counts"]["completed"], &all[1]["open"]),
        (&json!(1), &json!(false))
    );
}

#[test]
fn a_list_is_narrowed_by_state_time_and_text() {
    let home = Home::new();
    home.run("r-one", "Weekly report", simple("1"));
    home.run("r-two", "Second", asking());
    home.run("r-three", "Third", degraded());
    let runs = |args: &[&str]| {
        let list = home.json(0, &[&["list"], args].concat());
        let runs = list.as_array().unwrap().iter();
        let runs: Vec<String> = runs
            .map(|run| run["run"].as_str().unwrap().into())
            .collect();
        runs.join(" ")
    };
    for (args, wanted) in [
        (&["--state", "waiting"][..], "r-two"),
        (
            &["--state", "completed", "--state", "degraded"],
            "r-three r-one",
        ),
        (&["--since", "1h"], "r-three r-two r-one"),
        (&["--since", "0s"], ""),
        (&["WEEKLY"], "r-one"),
        (&["r-t", "-n", "1"], "r-three"),
    ] {
        assert_eq!(runs(args), wanted, "{args:?}");
    }
    let list = home.zeph(&["list", "-n", "1"]);
    let three = "1/3, 1 failed, 1 skipped";
    assert!(list.out.contains(three), "{list:?}");
    assert!(
        list.out.contains("… and 2 more; -n N shows N runs"),
        "{list:?}"
    );
    let none = home.zeph(&["list", "nothing"]);
    assert!(
        none.err.contains("no run matches; `zeph list` shows all"),
        "{none:?}"
    );
    let wrong = home.zeph(&["list", "--state", "fialed"]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
    assert!(wrong.err.contains("timed_out"), "{wrong:?}");
    let verbose = home.zeph(&["list", "-v"]);
    assert_eq!(verbose.code, 0, "{verbose:?}");
}

#[test]
fn a_run_is_reported_in_words_and_as_json() {
    let home = Home::new();
    home.run("r", "A goal", degraded());
    let show = home.zeph(&["show", "r"]);
    assert_eq!(show.code, 0, "{show:?}");
    for line in [
        "run r: degraded",
        "goal         A goal",
        "    no such page [broken]",
        "      caused by: a deeper cause",
    ] {
        assert!(
            show.out.lines().any(|found| found == line),
            "{line}: {show:?}"
        );
    }
    let show = home.json(0, &["show", "r"]);
    assert_eq!(show["counts"]["skipped"], 1);
    assert_eq!(show["failures"], json!(["broken"]));
    let task = home.json(0, &["show", "r", "fetch"]);
    assert_eq!(
        (&task["output"]["value"]["n"], &task["attempts"][0]["end"]),
        (&json!(41), &json!("completed"))
    );
    let why = home.json(0, &["why", "r", "after"]);
    assert_eq!(
        (&why["because"][2], &why["reason"]),
        (&serde_json::Value::Null, &json!("skipped"))
    );
    assert_eq!(why["error"]["message"], "no such page");
    let status = home.json(0, &["status"]);
    assert_eq!(
        (&status["run"], &status["next"]),
        (&json!("r"), &json!(["zeph show r"]))
    );
}

#[test]
fn who_owns_a_run_is_reported_from_who_left_it() {
    let home = Home::new();
    let mut graph = TaskGraph::new();
    graph.add_task(doing("long", &json!({ "hang": true })), []);
    let alive = home.start("r", "", graph);
    alive.until(|snapshot| snapshot.counts.running == 1);
    let status = home.json(0, &["status", "r"]);
    let pid = format!("pid {}", std::process::id());
    assert_eq!(
        (&status["owner"], &status["interrupted"]),
        (&json!(pid), &json!(false))
    );
    assert_eq!(home.json(0, &["list"])[0]["interrupted"], false);
    assert_eq!(home.json(0, &["why", "r", "long"])["reason"], "running");
    drop(alive);
    let status = home.json(0, &["status", "r"]);
    assert_eq!(
        (&status["owner"], &status["interrupted"]),
        (&json!(null), &json!(true))
    );
    assert_eq!(status["next"], json!(["zeph resume r"]));
    assert_eq!(home.json(0, &["list"])[0]["interrupted"], true);
    assert_eq!(home.json(0, &["why", "r", "long"])["reason"], "interrupted");
}

#[test]
fn what_is_not_there_is_a_usage_error_that_says_what_to_type() {
    let home = Home::new();
    home.run("run-one", "", simple("1"));
    home.run("run-two", "", simple("2"));
    let cases: &[(&[&str], &str)] = &[
        (&["status", "nope"], "`zeph list`"),
        (&["show", "run-"], "type more of the name"),
        (&["show", "run-one", "onyl"], "did you mean \"only\"?"),
        (&["why", "run-one", "zzz"], "has no task"),
        (
            &["logs", "run-one", "only", "--attempt", "9"],
            "`zeph show run-one`",
        ),
        (
            &["verify", "run-one", "--head", "12"],
            "64 hexadecimal digits",
        ),
        (&["delete", "run-"], "there is no run run-"),
        (&["delete", "Nasty\x1b[2J"], "is not the name of a run"),
        (&["pause"], "no run is open"),
    ];
    for (args, wanted) in cases {
        let ended = home.zeph(args);
        assert_eq!(ended.code, 2, "{args:?}: {ended:?}");
        assert!(ended.err.contains(wanted), "{args:?}: {ended:?}");
        assert!(
            ended.out.is_empty() && !ended.err.contains('\x1b'),
            "{args:?}: {ended:?}"
        );
        let ended = home.zeph(&[args, &["--json"][..]].concat());
        assert!(
            ended.json()["error"]["code"].is_string(),
            "{args:?}: {ended:?}"
        );
    }
}

#[test]
fn a_whole_name_goes_before_the_names_that_begin_with_it() {
    let home = Home::new();
    for run in ["r", "r-one", "r-two"] {
        home.run(run, "", simple("1"));
    }
    let name = |text: &str| home.json(0, &["show", text])["run"].clone();
    assert_eq!(name("r"), "r");
    assert_eq!(name("r-t"), "r-two");
    for (text, code, named) in [
        ("r-", "ambiguous_run", ["r-one", "r-two"]),
        ("r-one-more", "no_such_run", ["", "r-one-more"]),
        ("", "no_such_run", ["", ""]),
        ("R", "no_such_run", ["", "R"]),
    ] {
        let error = &home.json(2, &["show", text])["error"];
        assert_eq!(error["code"], code, "{text:?}: {error}");
        let message = error["message"].as_str().unwrap();
        assert!(named.iter().all(|name| message.contains(name)), "{error}");
    }
}
