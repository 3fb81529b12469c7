//! Agents that are programs: a shell script stands for a coding agent.

use std::fs;

use serde_json::Value;

use crate::goal::{KEY, honest, json_of};
use crate::service::{Asked, Service};
use crate::support::{Ended, Scene, code};

/// A coding agent: it keeps its prompt, counts its calls, and prints its answer and its tokens as JSON.
const CODER: &str = "#!/bin/sh\n\
    cat > prompt.txt\n\
    env > coder.env\n\
    echo call >> calls.txt\n\
    echo '{\"result\": \"It is done.\", \"usage\": {\"in\": 700.0, \"out\": 50}}'\n";

const AGENT: &str = "---\nname: coder\ndescription: Changes code\n\
    program:\n  command: [sh, coder.sh, --print]\n  result: $.result\n\
    \x20 usage: { input: $.usage.in, output: $.usage.out }\n  price_per_call: 0.05\n\
    \x20 pass_env: [CODER_TOKEN]\n  env: { MODE: quick }\n---\nYou change code.\n";

fn scene(agent: &str, script: &str, plan: &str) -> Scene {
    let scene = Scene::new(plan);
    scene.folder("agents");
    scene.file("agents/coder.md", agent);
    scene.file("coder.sh", script);
    scene
}

fn args<'a>(service: &'a Service, args: &[&'a str]) -> Vec<&'a str> {
    let model = ["--model", "openai::tiny", "--base-url", &service.url];
    [args, &model, &["--agents", "agents"]].concat()
}

fn zeph(scene: &Scene, args: &[&str]) -> Ended {
    let env = [
        ("OPENAI_API_KEY", KEY),
        ("CODER_TOKEN", "the-token-of-coder"),
        ("OTHER_SECRET", "of-another"),
        ("ZEPH_LLM_INPUT_USD", "0"),
        ("ZEPH_LLM_OUTPUT_USD", "0"),
    ];
    scene.start_with(args, &env).wait()
}

fn calls(scene: &Scene) -> usize {
    let text = fs::read_to_string(scene.path("calls.txt")).unwrap_or_default();
    text.lines().count()
}

/// As [`honest`], with the coding agent for the task.
fn plans_coder(asked: &Asked) -> Value {
    let mut said = honest(asked);
    let text = said["content"].as_str().unwrap_or_default();
    said["content"] = text.replace("\"agent\":null", "\"agent\":\"coder\"").into();
    said
}

#[test]
fn a_goal_is_reached_by_a_program_and_replayed_without_it() {
    let service = Service::new(plans_coder);
    let scene = scene(AGENT, CODER, "");
    let run = [
        "do",
        "Look around",
        "--yes",
        "--name",
        "g",
        "--budget-usd",
        "1",
    ];
    let done = zeph(&scene, &args(&service, &run));
    assert_eq!(code(&done), 0, "{done:?}");
    assert_eq!(done.out, "All is well [look].\n");
    assert_eq!(service.asked().len(), 2, "plan and answer");
    let answer = service.asked()[1].text();
    assert!(answer.contains("It is done."), "{answer}");
    let prompt = fs::read_to_string(scene.path("prompt.txt")).unwrap();
    assert!(
        prompt.contains("You change code.") && prompt.contains("Look around."),
        "{prompt}"
    );
    let env = fs::read_to_string(scene.path("coder.env")).unwrap();
    assert!(env.contains("CODER_TOKEN=the-token-of-coder") && env.contains("MODE=quick"));
    assert!(!env.contains("OTHER_SECRET") && !env.contains(KEY), "{env}");
    let show = json_of(&scene.zeph(&["show", "g", "look", "--json"]));
    assert_eq!(show["spent"]["tokens"], 750, "{show}");
    assert_eq!(show["spent"]["micro_usd"], 50_000, "{show}");
    let replay = zeph(&scene, &["replay", "g"]);
    assert_eq!(code(&replay), 0, "{replay:?}");
    assert_eq!(calls(&scene), 1, "a replay runs no program");
}

#[test]
fn a_program_without_a_price_is_refused_before_anything_runs_where_money_is_limited() {
    let service = Service::new(plans_coder);
    let agent = AGENT.replace("  price_per_call: 0.05\n", "");
    let plan = "[tasks.a]\nrun = ['touch', 'begun']\n\
        [tasks.b]\nneeds = ['a']\nagent = 'coder'\nprompt = 'Do it.'\n";
    let scene = scene(&agent, CODER, plan);
    let limit = ["--budget-usd", "1"];
    for first in [&["do", "Look around", "--yes"][..], &["run", "plan.toml"]] {
        let refused = zeph(&scene, &args(&service, &[first, &limit].concat()));
        assert_eq!(code(&refused), 2, "{refused:?}");
        let said = "the agent coder is a program without a price";
        assert!(refused.err.contains(said), "{refused:?}");
        assert!(refused.err.contains("`price_per_call`"), "{refused:?}");
    }
    assert!(service.asked().is_empty() && !scene.path("begun").exists());
    // Without a limit in dollars, and for tasks of others, no price is needed.
    let run = zeph(&scene, &args(&service, &["run", "plan.toml"]));
    assert_eq!(code(&run), 0, "{run:?}");
    scene.file("other.toml", "[tasks.a]\nrun = ['true']\n");
    let other = [&["run", "other.toml"][..], &limit].concat();
    let other = zeph(&scene, &args(&service, &other));
    assert_eq!(code(&other), 0, "{other:?}");
}

#[test]
fn a_program_that_fails_is_not_run_again_by_itself_and_its_words_are_the_reason() {
    let service = Service::new(honest);
    let script = "echo call >> calls.txt; echo 'no licence' >&2; exit 3";
    let plan = "[tasks.a]\nagent = 'coder'\nprompt = 'Do it.'\n";
    let scene = scene(AGENT, script, plan);
    let run = zeph(
        &scene,
        &args(&service, &["run", "plan.toml", "--name", "r"]),
    );
    assert_eq!(code(&run), 3, "{run:?}");
    assert!(run.out.contains("exit code 3: no licence"), "{run:?}");
    assert_eq!(calls(&scene), 1);
    // What it prints is no answer.
    scene.file("coder.sh", "echo call >> calls.txt; echo hello");
    let run = zeph(
        &scene,
        &args(&service, &["run", "plan.toml", "--name", "s"]),
    );
    assert_eq!(code(&run), 3, "{run:?}");
    assert!(run.out.contains("it printed no JSON"), "{run:?}");
    scene.file(
        "agents/coder.md",
        &AGENT.replace("sh, coder.sh", "no-such-coder"),
    );
    let run = zeph(
        &scene,
        &args(&service, &["run", "plan.toml", "--name", "t"]),
    );
    assert!(
        run.out.contains("no-such-coder") && run.out.contains("not found"),
        "{run:?}"
    );
    let doctor = scene
        .start_with(&["doctor"], &[("ZEPH_AGENTS", "agents")])
        .wait();
    for text in ["no-such-coder is not found", "CODER_TOKEN is not set"] {
        assert!(doctor.out.contains(text), "{text}: {doctor:?}");
    }
}

#[test]
fn a_prompt_comes_in_a_file_and_a_slow_program_is_killed() {
    let service = Service::new(honest);
    let agent = AGENT
        .replace("sh, coder.sh, --print", "sh, coder.sh, '{prompt_file}'")
        .replace("  result:", "  prompt: file\n  result:")
        .replace("---\nYou", "limits: { timeout: 200ms }\n---\nYou");
    let script = "cat \"$1\" > prompt.txt; echo $$ > pid; sleep 600 & wait";
    let plan = "[tasks.a]\nagent = 'coder'\nprompt = 'Do it.'\n";
    let scene = scene(&agent, script, plan);
    let run = zeph(
        &scene,
        &args(&service, &["run", "plan.toml", "--name", "r"]),
    );
    assert_eq!(code(&run), 3, "{run:?}");
    assert!(run.out.contains("did not answer within 200ms"), "{run:?}");
    let prompt = fs::read_to_string(scene.path("prompt.txt")).unwrap();
    assert!(prompt.contains("Do it."), "{prompt}");
    until_gone(&scene);
}

/// Waits until no process of the program is left.
fn until_gone(scene: &Scene) {
    let pid = fs::read_to_string(scene.path("pid")).unwrap();
    let group = format!("-{}", pid.trim());
    let is_alive = || {
        let mut kill = std::process::Command::new("kill");
        let kill = kill
            .args(["-0", "--", &group])
            .stderr(std::process::Stdio::null());
        kill.status().unwrap().success()
    };
    let began = std::time::Instant::now();
    while is_alive() {
        assert!(began.elapsed().as_secs() < 20, "a process is left");
        std::thread::yield_now();
    }
}

#[test]
fn killed_by_force_zeph_leaves_no_program_behind() {
    let service = Service::new(honest);
    // The process that watches over the program starts right after it.
    let script = "sleep 1; echo $$ > new; mv new pid; sleep 600 & wait";
    let plan = "[tasks.a]\nagent = 'coder'\nprompt = 'Do it.'\n";
    let scene = scene(AGENT, script, plan);
    let args = args(&service, &["run", "plan.toml", "--name", "r"]);
    let env = [
        ("OPENAI_API_KEY", KEY),
        ("CODER_TOKEN", "the-token-of-coder"),
    ];
    let mut killed = scene.start_with(&args, &env);
    while !scene.has("pid") {
        std::thread::yield_now();
    }
    killed.signal("KILL");
    killed.wait();
    until_gone(&scene);
}

#[test]
fn a_cloned_repository_runs_no_program_before_it_is_trusted() {
    let service = Service::new(honest);
    let plan = "[tasks.a]\nagent = 'coder'\nprompt = 'Do it.'\n";
    let scene = scene(AGENT, CODER, plan);
    scene.file("zeph.toml", "agents = 'agents'\n");
    let model = ["--model", "openai::tiny", "--base-url", &service.url];
    let run = |name: &str| {
        let args = [&["run", "plan.toml", "--name", name][..], &model].concat();
        zeph(&scene, &args)
    };
    let before = run("a");
    assert_ne!(code(&before), 0, "{before:?}");
    assert_eq!(calls(&scene), 0);
    let shown = scene.zeph(&["trust"]);
    assert!(shown.out.contains("agents/coder.md"), "{shown:?}");
    assert!(shown.out.contains("sh coder.sh --print"), "{shown:?}");
    assert_eq!(code(&scene.zeph(&["trust", "--yes"])), 0);
    let after = run("b");
    assert_eq!(code(&after), 0, "{after:?}");
    assert_eq!(calls(&scene), 1);
    // A run that waits.
    let waits = "[tasks.ask]\nask = 'Go?'\n[tasks.a]\nneeds = ['ask']\nagent = 'coder'\nprompt = 'Do it.'\n";
    scene.file("waits.toml", waits);
    let waiting = [&["run", "waits.toml", "--name", "w"][..], &model].concat();
    assert_eq!(code(&zeph(&scene, &waiting)), 5);
    assert_eq!(code(&scene.zeph(&["answer", "w", "1", "x"])), 0);
    scene.file("agents/coder.md", &AGENT.replace("--print", "--all"));
    assert_ne!(code(&run("c")), 0);
    // The stored run names the folder, which counted only as long as the project was trusted.
    let resumed = zeph(&scene, &["resume", "w"]);
    assert_eq!(code(&resumed), 2, "{resumed:?}");
    assert!(resumed.err.contains("is a program"), "{resumed:?}");
    assert_eq!(calls(&scene), 1);
}

#[test]
fn a_stored_run_of_somebody_else_runs_no_program() {
    let service = Service::new(honest);
    let plan = "[tasks.ask]\nask = 'Go?'\n[tasks.a]\nneeds = ['ask']\nagent = 'coder'\nprompt = 'Do it.'\n";
    let attacker = scene(AGENT, CODER, plan);
    let begun = zeph(
        &attacker,
        &args(
            &service,
            &["run", "plan.toml", "--name", "r", "--db", "r.db"],
        ),
    );
    assert_eq!(code(&begun), 5, "{begun:?}");
    assert_eq!(
        code(&attacker.zeph(&["answer", "r", "1", "x", "--db", "r.db"])),
        0
    );
    let victim = Scene::new("");
    let db = attacker.path("r.db").to_string_lossy().into_owned();
    let resumed = zeph(&victim, &["resume", "r", "--db", &db]);
    assert_eq!(code(&resumed), 2, "{resumed:?}");
    assert!(resumed.err.contains("is a program"), "{resumed:?}");
    assert_eq!(calls(&attacker), 0);
    let own = zeph(&attacker, &["resume", "r", "--db", &db]);
    assert_eq!(code(&own), 0, "{own:?}");
    assert_eq!(calls(&attacker), 1);
}

#[test]
fn the_example_of_the_manual_runs() {
    let manual = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/src/models.md");
    let manual = fs::read_to_string(manual).unwrap();
    let (_, section) = manual
        .split_once("\n## Agents that are programs\n")
        .unwrap();
    let (_, example) = section.split_once("```markdown\n").unwrap();
    let (agent, _) = example.split_once("```\n").unwrap();
    let service = Service::new(honest);
    let script = "#!/bin/sh\n[ \"$*\" = '--print --output-format json' ] || exit 9\ncat > prompt.txt\n\
        echo '{\"result\": \"Two files.\", \"usage\": {\"input_tokens\": 9, \"output_tokens\": 1}}'\n";
    let plan = "[tasks.a]\nagent = 'coder'\nprompt = 'Do it.'\n";
    let scene = scene(agent, script, plan);
    let path = scene.path("coder.sh");
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let run = zeph(
        &scene,
        &args(&service, &["run", "plan.toml", "--name", "r"]),
    );
    assert_eq!(code(&run), 0, "{run:?}");
    let show = json_of(&scene.zeph(&["show", "r", "a", "--json"]));
    assert_eq!(show["output"]["value"], "Two files.");
    assert_eq!(
        (&show["spent"]["tokens"], &show["spent"]["micro_usd"]),
        (&10.into(), &250_000.into())
    );
}
