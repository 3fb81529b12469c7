//! Amendments: tasks that a person adds to a run, at work and at rest.

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
    assert!(dry.out.contains("run weekly: 2 tasks to add"), "{dry:?}");
    assert!(dry.out.contains("new mail, after build: "), "{dry:?}");
    assert!(dry.out.contains("nothing has changed"), "{dry:?}");
    let more = PLAN.replace("[params]", "[params]\n    token = { secret = true }");
    let secret = MAIL.replace("params.to", "params.token");
    for (text, error) in [
        (PLAN.to_owned(), "nothing_to_amend"),
        (PLAN.replace("echo last", "echo first"), "not_only_new"),
        ("[tasks.build]\nrun = ['true']".to_owned(), "not_only_new"),
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
    assert!(outdated.err.contains("was amended 0 times"), "{outdated:?}");
    let added = scene.zeph(&amend);
    assert_eq!(code(&added), 0, "{added:?}");
    assert!(added.out.contains("added to run weekly"), "{added:?}");
    scene.write(gate);
    let ended = run.wait();
    assert_eq!(code(&ended), 0, "{ended:?}");
    assert!(
        ended.out.contains("plan accepted: 2 tasks by hand"),
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
    assert!(shown.out.contains("mail, check by "), "{shown:?}");
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
