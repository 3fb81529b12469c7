//! Ends by hand: `zeph complete` and `zeph skip`, of runs at work and of runs at rest.

use serde_json::{Value, json};

use super::support::{Scene, code};
use crate::goal::json_of;

const PLAN: &str = r#"
    [tasks.import]
    retry = 3
    shell = "echo import >> log; read line < gate-$ZEPH_ATTEMPT"
    [tasks.report]
    needs = ["import"]
    shell = 'echo "report $ROWS" >> log'
    env = { ROWS = "${{ tasks.import.stdout }}" }
    [tasks.where]
    ask = { text = "Where?", choices = ["live", "test"] }
    [tasks.publish]
    needs = ["where"]
    shell = "echo publish >> log"
    [tasks.mail]
    needs = ["publish"]
    after = "none_failed"
    shell = "echo mail >> log"
"#;

/// What a person gave, by task.
fn ends(scene: &Scene) -> Value {
    let status = json_of(&scene.zeph(&["status", "nightly", "--json"]));
    let ends = status["ends_by_hand"].as_array().unwrap().iter();
    ends.map(|end| json!([end["task"], end["end"], end["by"]["reason"]]))
        .collect()
}

#[test]
fn a_running_task_is_given_its_result_from_another_terminal() {
    let scene = Scene::new(PLAN);
    scene.gates(1);
    scene.file("rows.json", "42\n");
    let run = scene.start(&["run", "plan.toml", "--name", "nightly"]);
    let gate = scene.open_gate(1);
    let refused = scene.zeph(&["complete", "nightly", "where", "--output", "moon", "--json"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    assert_eq!(json_of(&refused)["error"]["code"], "refused", "{refused:?}");
    let unknown = scene.zeph(&["skip", "nightly", "imports"]);
    assert!(
        unknown.err.contains("did you mean \"import\""),
        "{unknown:?}"
    );
    let skip = ["skip", "nightly", "publish", "--reason", "not on a Friday"];
    let skipped = scene.zeph(&skip);
    assert_eq!(code(&skipped), 0, "{skipped:?}");
    let stale = scene.zeph(&skip);
    assert!(
        stale.out.contains("nothing has changed: publish"),
        "{stale:?}"
    );
    let answered = scene.zeph(&["complete", "nightly", "where", "--output", "test"]);
    assert_eq!(code(&answered), 0, "{answered:?}");
    let complete = ["complete", "nightly", "import", "--output", "@rows.json"];
    let complete = [&complete[..], &["--reason", "imported by hand"]].concat();
    let given = scene.zeph(&complete);
    assert_eq!(code(&given), 0, "{given:?}");
    assert!(given.out.contains("is completed by hand"), "{given:?}");
    let ended = run.wait();
    drop(gate);
    assert_eq!(code(&ended), 0, "{ended:?}");
    for line in [
        "given import: its result, by hand",
        "skipped publish: by hand",
    ] {
        assert!(ended.out.contains(line), "{line}: {ended:?}");
    }
    assert_eq!(scene.log(), ["import", "mail", "report 42"]);
    let wanted = json!([
        ["publish", "skip", "not on a Friday"],
        ["where", "complete", null],
        ["import", "complete", "imported by hand"]
    ]);
    assert_eq!(ends(&scene), wanted);
    let shown = scene.zeph(&["show", "nightly", "import"]);
    assert!(shown.out.contains("completed by hand"), "{shown:?}");
    assert!(
        shown.out.contains("gives task \"import\" its result by "),
        "{shown:?}"
    );
    assert!(shown.out.contains("\"imported by hand\""), "{shown:?}");
    let why = scene.zeph(&["why", "nightly", "publish"]);
    assert!(why.out.contains("It was skipped by hand."), "{why:?}");
    let replayed = json_of(&scene.zeph(&["replay", "nightly", "--json"]));
    assert_eq!(replayed["same"], true, "{replayed}");
    let late = scene.zeph(&["complete", "nightly", "mail"]);
    assert!(late.err.contains("has ended (completed)"), "{late:?}");
}

#[test]
fn the_end_of_a_task_of_a_run_at_rest_waits_and_can_be_replaced() {
    let scene = Scene::new(PLAN);
    scene.gates(1);
    let mut run = scene.start(&["run", "plan.toml", "--name", "nightly"]);
    let gate = scene.open_gate(1);
    run.signal("KILL");
    drop((run.wait(), gate));
    let bad = scene.zeph(&["complete", "nightly", "where", "--output", "moon", "--json"]);
    assert_eq!(json_of(&bad)["error"]["code"], "bad_result", "{bad:?}");
    let posted = scene.zeph(&["skip", "nightly", "import"]);
    assert!(
        posted.out.contains("`zeph resume nightly`") || posted.out.contains("zeph resume nightly"),
        "{posted:?}"
    );
    let complete = ["complete", "nightly", "import", "--output", "7", "--json"];
    let second = scene.zeph(&complete);
    assert_eq!(
        json_of(&second)["error"]["code"],
        "already_given",
        "{second:?}"
    );
    let second = json_of(&scene.zeph(&[&complete[..], &["--replace"]].concat()));
    assert_eq!(second["delivery"], "posted", "{second}");
    let again = json_of(&scene.zeph(&complete));
    assert_eq!(again["request"], second["request"], "the same is kept once");
    for args in [
        &["status", "nightly"][..],
        &["why", "nightly", "report"],
        &["list"],
    ] {
        let shown = scene.zeph(args);
        assert!(shown.out.contains("result of task import: "), "{shown:?}");
        assert!(!shown.out.contains("skip of task"), "{shown:?}");
    }
    let own = scene.start_with(&["skip", "nightly", "mail"], &[("ZEPH_RUN", "nightly")]);
    let own = own.wait();
    assert!(own.err.contains("in place of a person"), "{own:?}");
    let resumed = scene.zeph(&["resume", "nightly"]);
    assert_eq!(code(&resumed), 5, "{resumed:?}");
    assert_eq!(
        scene.log(),
        ["import", "report 7"],
        "import did not start again"
    );
    assert_eq!(ends(&scene), json!([["import", "complete", null]]));
    // An open question is closed by the end of its task.
    let skipped = scene.zeph(&["skip", "nightly", "where"]);
    assert_eq!(code(&skipped), 0, "{skipped:?}");
    assert_eq!(code(&scene.zeph(&["resume", "nightly"])), 0);
    // What depends on a skipped task is skipped, unless its trigger allows that.
    assert_eq!(scene.log(), ["import", "mail", "report 7"]);
}
