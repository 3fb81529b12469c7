//! A day of an operator, from the first run to a database elsewhere. Each step prints JSON, which is checked.

use serde_json::Value;

use super::support::{Scene, code};

const PLAN: &str = r#"
    goal = "Nightly"
    [params]
    days = 7
    [tasks.fetch]
    shell = "echo fetch >> log; echo 12"
    [tasks.held]
    needs = ["fetch"]
    shell = "echo held >> log; read line < gate-$ZEPH_ATTEMPT"
    [tasks.where]
    needs = ["fetch"]
    ask = { text = "Where?", choices = ["live", "test"] }
    [tasks.publish]
    needs = ["held", "where"]
    approve = "Publish?"
    effect = "at_most_once"
    shell = "echo publish >> log"
    [tasks.build]
    needs = ["fetch"]
    on_failure = "skip"
    shell = "echo build >> log; test -e fixed"
    [tasks.test]
    needs = ["build", "fetch"]
    shell = 'echo "test $ROWS" >> log'
    env = { ROWS = "${{ tasks.fetch.stdout }}" }
    [tasks.branch]
    needs = ["where"]
    shell = "echo branch >> log"
    [tasks.leaf]
    needs = ["branch"]
    run = ["true"]
    [tasks.upload]
    needs = ["where"]
    shell = "echo upload >> log"
    [tasks.mirror]
    needs = ["upload"]
    shell = "echo mirror >> log"
    [tasks.notify]
    needs = ["upload", "mirror"]
    after = "none_failed"
    shell = 'echo "notify $SIZE" >> log'
    env = { SIZE = "${{ tasks.upload.stdout }}" }
"#;

/// The task that is added while the run is at rest.
const AUDIT: &str = r#"
    [tasks.audit]
    needs = ["fetch"]
    shell = "echo audit >> log"
"#;

/// The steps of the day, each a command with JSON.
struct Day {
    scene: Scene,
    steps: u32,
}

impl Day {
    /// A command that ends with that exit code. Returns the last line that it prints.
    fn step(&mut self, exit: i32, args: &[&str]) -> Value {
        self.steps += 1;
        let ended = self.scene.zeph(&[args, &["--json"]].concat());
        assert_eq!(code(&ended), exit, "{args:?}: {ended:?}");
        let mut lines = ended
            .out
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let last = lines
            .next_back()
            .unwrap_or_else(|| panic!("{args:?}: {ended:?}"));
        let is_refused = [2, 8].contains(&exit);
        assert_eq!(
            last["error"]["code"].is_string(),
            is_refused,
            "{args:?}: {last}"
        );
        last
    }

    fn state_of(&mut self, run: &str, task: &str) -> String {
        let shown = self.step(0, &["show", run, task]);
        shown["state"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_day_of_an_operator_in_json() {
    let scene = Scene::new(PLAN);
    scene.gates(2);
    let mut day = Day { scene, steps: 0 };
    day.step(0, &["doctor"]);
    day.step(0, &["config", "show"]);
    assert_eq!(day.step(0, &["validate", "plan.toml"])["tasks"], 11);
    day.step(0, &["graph", "plan.toml"]);
    day.step(0, &["run", "plan.toml", "--dry-run"]);
    crash(&mut day);
    answers(&mut day);
    again(&mut day);
    elsewhere(&mut day);
    let steps = day.steps;
    assert!(steps >= 50, "{steps} steps");
}

/// A run is killed in the middle, and resumed.
fn crash(day: &mut Day) {
    let run = [
        "run",
        "plan.toml",
        "--name",
        "one",
        "--label",
        "kind=nightly",
    ];
    let mut killed = day.scene.start(&run);
    let gate = day.scene.open_gate(1);
    let status = day.step(0, &["status", "one"]);
    assert_eq!(status["running"][0]["task"], "held", "{status}");
    assert_eq!(day.step(0, &["pause", "one"])["delivery"], "accepted");
    assert_eq!(day.step(0, &["unpause", "one"])["delivery"], "accepted");
    killed.signal("KILL");
    drop((killed.wait(), gate));
    let list = day.step(0, &["list", "--label", "kind=nightly"]);
    assert_eq!(list[0]["interrupted"], true, "{list}");
    assert_eq!(day.step(0, &["why", "one", "publish"])["state"], "pending");
    let resumed = day.scene.start(&["resume", "one"]);
    let gate = day.scene.open_gate(2);
    assert_eq!(
        day.step(8, &["resume", "one"])["error"]["code"],
        "owned_elsewhere"
    );
    day.step(0, &["suspend", "one"]);
    drop(gate);
    assert_eq!(code(&resumed.wait()), 5);
}

/// Two questions are answered from other processes; one of them is not open yet.
fn answers(day: &mut Day) {
    let questions = day.step(0, &["status", "one"])["questions"].clone();
    assert_eq!(questions[0]["task"], "where", "{questions}");
    let id = questions[0]["id"].to_string();
    assert_eq!(
        day.step(2, &["answer", "one", &id, "moon"])["error"]["code"],
        "bad_answer"
    );
    assert_eq!(
        day.step(0, &["answer", "one", &id, "test"])["delivery"],
        "posted"
    );
    assert_eq!(
        day.step(0, &["answer", "one", &id, "live", "--replace"])["delivery"],
        "posted"
    );
    assert_eq!(
        day.step(0, &["cancel", "one", "branch", "--downstream"])["delivery"],
        "posted"
    );
    let complete = ["complete", "one", "upload", "--output", "12 MB"];
    let complete = [&complete[..], &["--reason", "copied by hand"]].concat();
    assert_eq!(day.step(0, &complete)["delivery"], "posted");
    assert_eq!(
        day.step(0, &["complete", "one", "mirror"])["delivery"],
        "posted"
    );
    assert_eq!(
        day.step(2, &["skip", "one", "mirror"])["error"]["code"],
        "already_given"
    );
    assert_eq!(
        day.step(0, &["skip", "one", "mirror", "--replace"])["delivery"],
        "posted"
    );
    day.scene.file("amended.toml", &format!("{PLAN}{AUDIT}"));
    let amend = ["amend", "one", "amended.toml"];
    let dry = day.step(0, &[&amend[..], &["--dry-run"]].concat());
    assert_eq!(dry["added"][0]["task"], "audit", "{dry}");
    assert_eq!(day.step(0, &amend)["delivery"], "posted");
    let status = day.step(0, &["status", "one"]);
    assert_eq!(
        status["requests"].as_array().map(Vec::len),
        Some(5),
        "{status}"
    );
    // The gate of the third attempt is open already.
    day.scene.file("gate-3", "go\n");
    assert_eq!(day.step(5, &["resume", "one"])["state"], "suspended");
    let questions = day.step(0, &["status", "one"])["questions"].clone();
    assert_eq!(questions[0]["about"], "approve", "{questions}");
    let id = questions[0]["id"].to_string();
    day.step(0, &["answer", "one", &id, "yes"]);
    let ended = day.step(4, &["resume", "one", "--junit", "one.xml"]);
    assert_eq!(ended["failures"][0]["task"], "build", "{ended}");
    assert!(day.scene.has("one.xml"));
    assert_eq!(day.state_of("one", "leaf"), "canceled");
    assert_eq!(day.state_of("one", "publish"), "completed");
    assert_eq!(day.state_of("one", "test"), "skipped");
    assert_eq!(day.state_of("one", "audit"), "completed");
    assert_eq!(day.state_of("one", "mirror"), "skipped");
    assert_eq!(day.state_of("one", "notify"), "completed");
    let status = day.step(0, &["status", "one"]);
    let ends = &status["ends_by_hand"];
    assert_eq!(
        (&ends[0]["task"], &ends[0]["end"], &ends[1]["end"]),
        (&"upload".into(), &"complete".into(), &"skip".into())
    );
    assert_eq!(ends[0]["by"]["reason"], "copied by hand", "{ends}");
    day.step(0, &["logs", "one", "fetch"]);
    day.step(0, &["verify", "one"]);
    assert_eq!(day.step(0, &["replay", "one"])["same"], true);
    assert_eq!(
        day.step(2, &["resume", "one"])["error"]["code"],
        "already_ended"
    );
}

/// What failed is retried under a changed plan, and forked with a result by hand.
fn again(day: &mut Day) {
    let changed = format!("{PLAN}{AUDIT}").replace("test -e fixed", "true");
    day.scene.file("changed.toml", &changed);
    let retry = ["retry", "one", "--plan", "changed.toml"];
    let dry = day.step(0, &[&retry[..], &["--dry-run"]].concat());
    assert_eq!(dry["kept"], 6, "{dry}");
    assert_eq!(dry["gone"], Value::from(Vec::<String>::new()), "{dry}");
    let retried = day.step(0, &[&retry[..], &["--name", "two"]].concat());
    assert_eq!(retried["state"], "completed", "{retried}");
    let only = day.step(0, &["retry", "two", "--only", "test", "--name", "alone"]);
    assert_eq!(only["counts"]["total"], 3, "{only}");
    let fork = [
        "fork",
        "two",
        "--at",
        "test",
        "--set",
        "build=by hand",
        "--name",
        "three",
    ];
    assert_eq!(day.step(0, &fork)["state"], "completed");
    let shown = day.step(0, &["show", "three", "build"]);
    assert_eq!(shown["output"]["value"]["stdout"], "by hand", "{shown}");
    let diff = day.step(0, &["diff", "one", "two"]);
    let tasks = diff["tasks"].as_array().unwrap();
    let build = tasks.iter().find(|task| task["task"] == "build").unwrap();
    assert_eq!(
        (&build["before"]["state"], &build["after"]["state"]),
        (&"failed".into(), &"completed".into())
    );
    day.step(0, &["graph", "two"]);
    day.step(0, &["show", "two"]);
    assert_eq!(day.step(0, &["watch", "two"])["exit"], 0);
    day.step(0, &["budget", "two"]);
    assert_eq!(day.step(0, &["explain", "degraded"])["code"], "degraded");
}

/// Elsewhere, and away.
fn elsewhere(day: &mut Day) {
    let exported = day.step(0, &["export", "two", "two.jsonl"]);
    let imported = day.step(0, &["import", "two.jsonl", "--db", "other.db"]);
    assert_eq!(exported, imported);
    let verified = day.step(0, &["verify", "two", "--db", "other.db"]);
    assert_eq!(verified["head"], exported["head"]);
    day.step(0, &["backup", "copy.db"]);
    let pruned = day.step(0, &["prune", "--keep", "1"]);
    assert_eq!(
        pruned["runs"],
        serde_json::json!(["alone", "two", "one"]),
        "{pruned}"
    );
    assert_eq!(
        day.step(2, &["show", "one"])["error"]["code"],
        "no_such_run"
    );
    assert_eq!(day.state_of("three", "test"), "completed");
    day.step(0, &["show", "one", "--db", "copy.db"]);
    day.step(0, &["verify"]);
    assert_eq!(day.step(0, &["doctor"])["ok"], true);
    day.step(0, &["delete", "three"]);
    assert_eq!(day.step(0, &["list"]), serde_json::json!([]));
    let log = day.scene.log();
    let count = |word: &str| log.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!([count("fetch"), count("publish")], [1, 1], "{log:?}");
}
