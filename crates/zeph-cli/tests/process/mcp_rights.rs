//! What an assistant may answer, and what the programs of MCP servers may show.

use serde_json::json;

use super::goal::{KEY, honest, json_of};
use super::mcp::{drives, scene, serve, zeph};
use super::service::Service;
use super::support::{Scene, code};

#[test]
fn a_plan_as_an_answer_needs_the_right_to_run_plans() {
    let service = Service::new(honest);
    let scene = Scene::new("");
    let model = ["--model", "openai::tiny", "--base-url", &service.url];
    let asks = zeph(
        &scene,
        &[&["do", "Look around", "--name", "g"][..], &model].concat(),
    );
    assert_eq!(code(&asks), 5, "{asks:?}");
    let status = || json_of(&scene.zeph(&["status", "g", "--json"]));
    let before = status()["questions"].clone();
    let plan = "[tasks.a]\nrun = ['touch', 'done']\n";
    for text in [plan, &format!("reject: no\n{plan}"), "{\"tasks\": {}}"] {
        let answer = (
            "answer",
            json!({ "run": "g", "question": "1", "text": text }),
        );
        let answers = serve(&scene, &["--allow-answers"], &[answer]);
        let refused = answers[2].to_string();
        assert!(refused.contains("only with --allow-plans"), "{refused}");
        assert!(!answers[1].to_string().contains("whole plan file"));
    }
    assert_eq!(status()["questions"], before);
    let answer = (
        "answer",
        json!({ "run": "g", "question": "1", "text": plan }),
    );
    let answers = serve(&scene, &["--allow-answers", "--allow-plans"], &[answer]);
    assert!(answers[1].to_string().contains("whole plan file"));
    assert!(!answers[2].to_string().contains("--allow-plans"));
    assert_ne!(status()["questions"], before);
}

#[test]
fn what_a_server_writes_at_its_start_shows_no_secret_of_it() {
    let service = Service::new(drives);
    let script = "printf \"%280s bad key $ONE_TOKEN\\n\" x >&2; exit 1";
    let settings =
        format!("[mcp.one]\ncommand = ['sh', '-c', '{script}']\npass_env = ['ONE_TOKEN']\n");
    let scene = scene("one__list", &settings, &service);
    let secret = [
        ("ONE_TOKEN", "token-of-one-0123456789"),
        ("OPENAI_API_KEY", KEY),
    ];
    for args in [
        &["mcp", "tools"][..],
        &["mcp", "tools", "--json"],
        &["run", "plan.toml"],
    ] {
        let tried = scene.start_with(args, &secret).wait();
        let all = format!("{}{}", tried.out, tried.err);
        assert!(all.contains("bad key"), "{tried:?}");
        assert!(!all.contains("token-of"), "{tried:?}");
    }
}
