//! Amendments: a person changes the tasks of a run, at work and at rest.

use serde_json::json;

use super::support::{Scene, code};
use crate::goal::json_of;

const PLAN: &str = r#"
    [params]
    to = "team"
    [tasks.build]
    shell = "echo build >> log; read line < gate-$ZEPH_ATTEMPT"
    [tasks.last]
    needs = ["build"]
    shell = "echo last >> log"
"#;

const MAIL: &str = r#"
    [tasks.mail]
    needs = ["build"]
    shell = 'echo "mail $TO" >> log'
    env = { TO = "${{ params.to }}" }
    [tasks.check]
    shell = "echo check >> log"
"#;

#[test]
fn a_run_at_work_gets_the_new_tasks_of_its_plan() {
    let scene = Scene::new(PLAN);
    scene.gates(1);
    let run = ["run", "plan.toml", "--name", "weekly", "-p", "to=all"];
    let run = scene.start(&run);
    let gate = scene.open_gate(1);
    scene.file("more.toml", &format!("{PLAN}{MAIL}"));
    let dry = scene.zeph(&["amend", "weekly", "more.toml", "--dry-run"]);
    assert_eq!(code(&dry), 0, "{dry:?}");
    assert!(dry.out.contains("run weekly: 2 new"), "{dry:?}");
    assert!(dry.out.contains("new mail, after build: "), "{dry:?}");
    assert!(dry.out.contains("nothing has changed"), "{dry:?}");
    let more = PLAN.replace("[params]", "[params]\n    token = { secret = true }");
    let secret = MAIL.replace("params.to", "params.token");
    for (text, error) in [
        (PLAN.to_owned(), "nothing_to_amend"),
        (PLAN.replace("echo build", "echo first"), "bad_patch"),
        ("[tasks.build]\nrun = ['true']".to_owned(), "lacks_tasks"),
        (format!("{more}{secret}"), "other_values"),
    ] {
        scene.file("other.toml", &text);
        let refused = scene.zeph(&["amend", "weekly", "other.toml", "--json"]);
        assert_eq!(code(&refused), 2, "{error}: {refused:?}");
        assert_eq!(json_of(&refused)["error"]["code"], error, "{refused:?}");
    }
    let amend = ["amend", "weekly", "more.toml", "--reason", "they asked"];
    let outdated = scene.zeph(&[&amend[..], &["--after", "3"]].concat());
    assert_eq!(code(&outdated), 2, "{outdated:?}");
    for part in [
        "has 0 amendments, and the changes were made for the run with 3",
        "zeph amend weekly PLAN --dry-run",
    ] {
        assert!(outdated.err.contains(part), "{part}: {outdated:?}");
    }
    let added = scene.zeph(&amend);
    assert_eq!(code(&added), 0, "{added:?}");
    assert!(added.out.contains("run weekly is changed"), "{added:?}");
    scene.write(gate);
    let ended = run.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert!(
        ended.out.contains("plan accepted by hand: new mail, check"),
        "{ended:?}"
    );
    assert!(
        ended.out.contains("run weekly completed: 4 completed"),
        "{ended:?}"
    );
    assert_eq!(scene.log(), ["build", "check", "last", "mail all"]);
    for args in [
        &["replay", "weekly", "--json"][..],
        &["verify", "weekly", "--json"],
    ] {
        let checked = json_of(&scene.zeph(args));
        let is_fine = [&checked["same"], &checked["ok"]].contains(&&json!(true));
        assert!(is_fine, "{checked}");
    }
    let shown = scene.zeph(&["show", "weekly"]);
    assert!(shown.out.contains("new mail, check by "), "{shown:?}");
    assert!(shown.out.contains("\"they asked\""), "{shown:?}");
    let shown = json_of(&scene.zeph(&["show", "weekly", "--json"]));
    let amendment = &shown["amendments"][0];
    assert_eq!(amendment["added"], json!(["mail", "check"]), "{shown}");
    assert_eq!(amendment["by"]["reason"], "they asked", "{shown}");
    let late = scene.zeph(&["amend", "weekly", "more.toml"]);
    assert!(late.err.contains("has ended (completed)"), "{late:?}");
    let retry =
        json_of(&scene.zeph(&["retry", "weekly", "--from", "check", "--dry-run", "--json"]));
    assert_eq!(retry["kept"], 3, "{retry}");
}

#[test]
fn the_new_tasks_of_a_run_at_rest_wait_for_its_resumption() {
    let scene = Scene::new(PLAN);
    scene.gates(2);
    let mut run = scene.start(&["run", "plan.toml", "--name", "weekly"]);
    let gate = scene.open_gate(1);
    run.signal("KILL");
    drop((run.wait(), gate));
    scene.file("more.toml", &format!("{PLAN}{MAIL}"));
    scene.file(
        "other.toml",
        &format!("{PLAN}{}", MAIL.replace("check", "audit")),
    );
    let posted = json_of(&scene.zeph(&["amend", "weekly", "other.toml", "--json"]));
    assert_eq!(posted["delivery"], "posted", "{posted}");
    let second = scene.zeph(&["amend", "weekly", "more.toml", "--json"]);
    assert_eq!(
        json_of(&second)["error"]["code"],
        "already_posted",
        "{second:?}"
    );
    let replaced = json_of(&scene.zeph(&["amend", "weekly", "more.toml", "--replace", "--json"]));
    assert_eq!(replaced["delivery"], "posted", "{replaced}");
    let status = scene.zeph(&["status", "weekly"]);
    assert!(status.out.contains("new tasks: mail, check"), "{status:?}");
    let resume = scene.start(&["resume", "weekly"]);
    scene.pass_gate(2);
    let ended = resume.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert_eq!(
        scene.log(),
        ["build", "build", "check", "last", "mail team"]
    );
}

const CHAIN: &str = r#"
    [tasks.build]
    shell = "echo build >> log; read line < gate-$ZEPH_ATTEMPT"
    [tasks.test]
    needs = ["build"]
    shell = "echo test >> log"
    [tasks.save]
    needs = ["test"]
    shell = "echo save >> log"
    [tasks.mail]
    needs = ["build"]
    shell = "echo mail >> log"
"#;

/// `test` is replaced, `save` has to follow it, `mail` waits for `save`, and `audit` is new.
fn edited() -> String {
    CHAIN.replace("echo test", "echo nextest").replace(
        "[tasks.mail]\n    needs = [\"build\"]",
        "[tasks.mail]\n    needs = [\"save\"]",
    ) + "[tasks.audit]\nneeds = [\"test\"]\nshell = 'echo audit >> log'\n"
}

#[test]
fn tasks_that_have_not_started_are_replaced_rewired_and_removed() {
    let scene = Scene::new(CHAIN);
    scene.gates(1);
    let run = scene.start(&["run", "plan.toml", "--name", "weekly"]);
    let gate = scene.open_gate(1);
    scene.file("edited.toml", &edited());
    let dry = scene.zeph(&["amend", "weekly", "edited.toml", "--dry-run"]);
    for part in [
        "run weekly: 1 new, 1 replaced, 2 re-wired",
        "  new audit, after test: ",
        "  replaced test, after build: ",
        "  re-wired save, after test: ",
        "  re-wired mail, after save: ",
    ] {
        assert!(dry.out.contains(part), "{part}: {dry:?}");
    }
    let amended = json_of(&scene.zeph(&["amend", "weekly", "edited.toml", "--json"]));
    assert_eq!(amended["delivery"], "accepted", "{amended}");
    // The second edit takes a task out, which needs a word.
    let fewer = edited().replace("[tasks.audit]", "[tasks.check]");
    scene.file("fewer.toml", &fewer);
    let refused = scene.zeph(&["amend", "weekly", "fewer.toml"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    assert!(
        refused.err.contains("lacks tasks of run weekly: audit"),
        "{refused:?}"
    );
    let removed = json_of(&scene.zeph(&["amend", "weekly", "fewer.toml", "--remove", "--json"]));
    assert_eq!(removed["removed"], json!(["audit"]), "{removed}");
    assert_eq!(removed["added"][0]["task"], "check", "{removed}");
    // What has started stays as it is.
    scene.file("late.toml", &fewer.replace("echo build", "echo other"));
    let late = scene.zeph(&["amend", "weekly", "late.toml"]);
    assert!(late.err.contains("task \"build\" has started"), "{late:?}");
    assert!(
        late.err.contains("zeph retry weekly --plan FILE"),
        "{late:?}"
    );
    scene.write(gate);
    let ended = run.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert_eq!(scene.log(), ["audit", "build", "mail", "nextest", "save"]);
    for line in [
        "plan accepted by hand: new audit; replaced test, save, mail",
        "plan accepted by hand: new check; removed audit",
    ] {
        assert!(ended.out.contains(line), "{line}: {ended:?}");
    }
    for args in [
        &["replay", "weekly", "--json"][..],
        &["verify", "weekly", "--json"],
    ] {
        let checked = json_of(&scene.zeph(args));
        let is_fine = [&checked["same"], &checked["ok"]].contains(&&json!(true));
        assert!(is_fine, "{checked}");
    }
    let shown = scene.zeph(&["show", "weekly"]);
    assert!(
        shown
            .out
            .contains("new audit; replaced test, save, mail by "),
        "{shown:?}"
    );
    let why = scene.zeph(&["why", "weekly", "audit (removed)"]);
    assert!(why.out.contains("an amendment removed it"), "{why:?}");
    let again = json_of(&scene.zeph(&["retry", "weekly", "--from", "save", "--dry-run", "--json"]));
    assert_eq!(again["kept"], 3, "{again}");
    assert_eq!(again["again"][0]["task"], "save", "{again}");
    assert_eq!(again["gone"], json!([]), "{again}");
    let same = scene.zeph(&["retry", "weekly", "--from", "mail", "--plan", "fewer.toml"]);
    assert_eq!(code(&same), 0, "{same:?}");
}

#[test]
fn a_run_at_rest_is_changed_when_it_is_resumed() {
    let scene = Scene::new(CHAIN);
    scene.gates(2);
    let mut run = scene.start(&["run", "plan.toml", "--name", "weekly"]);
    let gate = scene.open_gate(1);
    run.signal("KILL");
    drop((run.wait(), gate));
    scene.file("edited.toml", &edited());
    let posted = json_of(&scene.zeph(&["amend", "weekly", "edited.toml", "--json"]));
    assert_eq!(posted["delivery"], "posted", "{posted}");
    let status = scene.zeph(&["status", "weekly"]);
    assert!(
        status
            .out
            .contains("new tasks: audit; replaced: test, save, mail"),
        "{status:?}"
    );
    let resume = scene.start(&["resume", "weekly"]);
    scene.pass_gate(2);
    assert_eq!(code(&resume.wait()), 0);
    assert_eq!(
        scene.log(),
        ["audit", "build", "build", "mail", "nextest", "save"]
    );
}

const LIMITED: &str = r#"
    goal = "Weekly report"
    timeout = "1h"
    [params]
    to = "team"
    [lanes]
    db = 1
    [tasks.go]
    ask = "Go?"
    [tasks.each]
    needs = ["go"]
    foreach = { in = ["x", "y"], max_parallel = 1 }
    run = ["echo", "${{ item }}"]
    lanes = ["db"]
"#;

#[test]
fn a_plan_that_the_run_would_not_follow_is_refused_and_the_limits_that_it_keeps_are_said() {
    let scene = Scene::new(LIMITED);
    let run = ["run", "plan.toml", "--name", "weekly", "-p", "to=all"];
    assert_eq!(code(&scene.zeph(&run)), 5);
    let ask = "[tasks.ask]\nask = 'Mail to ${{ params.to }}?'\n";
    let when = "[tasks.log]\nwhen = \"${{ params.to == 'team' }}\"\nrun = ['true']\n";
    for (plan, params, wanted) in [
        (
            format!("{LIMITED}{ask}"),
            &["-p", "to=team"][..],
            "the parameter \"to\" is \"all\", not \"team\"",
        ),
        (
            format!("{LIMITED}{when}"),
            &["-p", "to=team"],
            "the parameter \"to\" is \"all\", not \"team\"",
        ),
        (
            LIMITED.replace("[lanes]", "from = \"me\"\n[lanes]"),
            &[],
            "it has no parameter \"from\"",
        ),
        (
            LIMITED.replace("db = 1", "db = 5"),
            &[],
            "the lane db has 1, not 5",
        ),
        (
            LIMITED.replace("max_parallel = 1", "max_parallel = 4"),
            &[],
            " has 1, not 4",
        ),
        (
            LIMITED.replace("Weekly", "Daily"),
            &[],
            "the goal is \"Weekly report\", not \"Daily report\"",
        ),
    ] {
        scene.file("other.toml", &plan);
        let amend = [&["amend", "weekly", "other.toml", "--json"], params].concat();
        let refused = scene.zeph(&amend);
        assert_eq!(code(&refused), 2, "{wanted}: {refused:?}");
        let error = json_of(&refused)["error"].clone();
        assert_eq!(error["code"], "other_values", "{error}");
        let text = error["message"].as_str().unwrap_or_default();
        assert!(text.contains(wanted), "{wanted}: {error}");
    }
    // The value of the run is no other value.
    scene.file("other.toml", &format!("{LIMITED}{ask}"));
    for params in [&[][..], &["-p", "to=all"]] {
        let amend = [&["amend", "weekly", "other.toml", "--dry-run"], params].concat();
        let dry = scene.zeph(&amend);
        assert!(dry.out.contains("Mail to all?"), "{dry:?}");
    }
    let longer = LIMITED.replace("1h", "2h");
    scene.file("longer.toml", &longer);
    let alone = scene.zeph(&["amend", "weekly", "longer.toml"]);
    assert!(
        alone.err.contains("keeps its timeout 1h, not 2h"),
        "{alone:?}"
    );
    scene.file("longer.toml", &format!("{longer}{ask}"));
    let amend = ["amend", "weekly", "longer.toml"];
    let dry = scene.zeph(&[&amend[..], &["--dry-run"]].concat());
    assert!(dry.out.contains("kept timeout 1h, not 2h"), "{dry:?}");
    let posted = json_of(&scene.zeph(&[&amend[..], &["--json"]].concat()));
    let kept = json!([{ "key": "timeout", "run": "1h", "plan": "2h" }]);
    assert_eq!(posted["kept"], kept, "{posted}");
}

#[test]
fn items_of_a_run_are_no_tasks_that_its_plan_lacks() {
    const EACH: &str = r#"
        [tasks.each]
        foreach = ["x", "y"]
        run = ["sh", "-c", "echo \"each $0\" >> log", "${{ item }}"]
        [tasks.go]
        needs = ["each"]
        ask = "Go?"
    "#;
    let scene = Scene::new(EACH);
    let run = scene.zeph(&["run", "plan.toml", "--name", "weekly"]);
    assert_eq!(code(&run), 5, "{run:?}");
    let more = "[tasks.after]\nneeds = [\"each\", \"go\"]\nshell = \"echo after >> log\"\n";
    scene.file("more.toml", &format!("{EACH}\n{more}"));
    let added = scene.zeph(&["amend", "weekly", "more.toml"]);
    assert_eq!(code(&added), 0, "{added:?}");
    let complete = ["complete", "weekly", "go", "--output", "yes"];
    assert_eq!(code(&scene.zeph(&complete)), 0);
    let resumed = scene.zeph(&["resume", "weekly"]);
    assert_eq!(code(&resumed), 0, "{resumed:?}");
    assert_eq!(scene.log(), ["after", "each x", "each y"]);
}
