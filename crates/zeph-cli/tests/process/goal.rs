//! Goals and agents: plans, confirmations from other processes, and a local model service.

use serde_json::{Value, json};
use zeph_planner::prompts::PromptName;

use crate::service::{Asked, Service};
use crate::support::{Ended, Scene, code};

pub(crate) const KEY: &str = "sk-test-0123456789abcdefghij";

pub(crate) fn json_of(ended: &Ended) -> Value {
    let last = ended.out.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// Whether a request has the built-in prompt of that name: a service sees only the text.
fn has_prompt(text: &str, name: PromptName) -> bool {
    let template = name.built_in().split_once("-#}\n");
    let first = template.and_then(|(_, prompt)| prompt.lines().next());
    first.is_some_and(|first| text.contains(first))
}

/// Plans one task, performs it, and cites it.
pub(crate) fn honest(asked: &Asked) -> Value {
    let text = asked.text();
    let said = if has_prompt(&text, PromptName::Plan) {
        json!({ "reasoning": "One step.", "tasks": [{
            "name": "look", "needs": [], "kind": "agent", "agent": null,
            "prompt": "Look around.", "tools": null, "command": null, "arguments": null,
            "trigger": null, "on_failure": null, "expected_tokens": null,
        }] })
        .to_string()
    } else if has_prompt(&text, PromptName::Answer) {
        "All is well [look].".to_owned()
    } else {
        "Nothing is wrong.".to_owned()
    };
    json!({ "role": "assistant", "content": said })
}

#[test]
fn a_goal_becomes_an_answer_on_stdout_and_nothing_else() {
    let service = Service::new(honest);
    let scene = Scene::new("");
    let args = [
        "do",
        "Look around",
        "--yes",
        "--name",
        "g",
        "--model",
        "openai::tiny",
        "--base-url",
        &service.url,
    ];
    let done = scene.start_with(&args, &[("OPENAI_API_KEY", KEY)]).wait();
    assert_eq!(code(&done), 0, "{done:?}");
    assert_eq!(done.out, "All is well [look].\n");
    assert!(done.err.contains("[4/4] ok answer"), "{done:?}");
    let asked = service.asked();
    assert_eq!(asked.len(), 3, "plan, look, answer");
    let bearer = format!("Bearer {KEY}");
    assert!(asked.iter().all(|one| one.key == bearer));

    let show = scene.zeph(&["show", "g", "look", "--json"]);
    let json = json_of(&show);
    let kinds: Vec<&str> = (json["attempts"][0]["notes"].as_array().unwrap().iter())
        .filter_map(|note| note["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["route", "prompt", "reply"]);
    assert_eq!(json["spent"]["tokens"], 70);
    // A replay needs no key: no service is called.
    let replay = scene.zeph(&["replay", "g"]);
    assert_eq!(code(&replay), 0, "{replay:?}");
    assert!(replay.out.contains("ok 4 attempts of models"), "{replay:?}");
    assert_eq!(service.asked().len(), 3, "a replay calls no service");
}

/// Plans, and does nothing else.
fn idle(asked: &Asked) -> Value {
    if has_prompt(&asked.text(), PromptName::Plan) {
        return honest(asked);
    }
    json!({ "error": { "message": "no agents today" } })
}

#[test]
fn a_goal_without_any_result_fails_with_the_reason_of_its_task_first() {
    let service = Service::new(idle);
    let scene = Scene::new("");
    let model = ["--model", "openai::tiny", "--base-url", &service.url];
    let args = [&["do", "Look around", "--yes", "--name", "g"][..], &model].concat();
    let done = scene.start_with(&args, &[("OPENAI_API_KEY", KEY)]).wait();
    assert_eq!(code(&done), 3, "{done:?}");
    assert_eq!(done.out, "");
    let at = |text: &str| done.err.rfind(text).unwrap_or_else(|| panic!("{done:?}"));
    let task = at("FAILED look (attempt 1): ");
    assert!(done.err[task..].contains("no agents today"), "{done:?}");
    assert!(task < at("FAILED answer"), "{done:?}");
    assert!(at("FAILED answer") < at("no task has a result"), "{done:?}");
}

#[test]
fn a_goal_is_resumed_without_saying_the_model_again() {
    let service = Service::new(honest);
    let scene = Scene::new("");
    let args = [
        "do",
        "Look around",
        "--name",
        "g",
        "--model",
        "openai::tiny",
    ];
    let args = [&args[..], &["--base-url", &service.url]].concat();
    let env = [("OPENAI_API_KEY", KEY)];
    let begun = scene.start_with(&args, &env).wait();
    assert_eq!(code(&begun), 5, "{begun:?}");
    assert!(
        begun.err.contains("look: any agent\n      Look around."),
        "{begun:?}"
    );
    let budget = scene.zeph(&["budget", "g"]);
    assert!(
        budget.out.contains("no limit")
            && budget
                .out
                .contains("zeph budget g --tokens 20070` sets a limit"),
        "{budget:?}"
    );
    assert_eq!(code(&scene.zeph(&["answer", "g", "1", "approve"])), 0);
    let end = scene.start_with(&["resume", "g"], &env).wait();
    assert_eq!(code(&end), 0, "{end:?}");
    assert_eq!(end.out, "All is well [look].\n");
    let plan = scene.zeph(&["show", "g", "plan"]);
    assert!(
        plan.out.contains("[tasks.look]"),
        "the plan file can be read: {plan:?}"
    );
}

/// Refuses, and says the key back, as some services do.
fn leaky(_: &Asked) -> Value {
    json!({ "error": { "message": format!("Incorrect API key provided: {KEY}.") } })
}

#[test]
fn a_key_that_a_service_says_back_is_nowhere() {
    let service = Service::new(leaky);
    let scene = Scene::new("[tasks.look]\nprompt = 'Look.'\n");
    let args = [
        "run",
        "plan.toml",
        "--name",
        "r",
        "--json",
        "--model",
        "openai::tiny",
    ];
    let args = [&args[..], &["--base-url", &service.url, "-vvv"]].concat();
    let env = [("OPENAI_API_KEY", KEY)];
    let run = scene.start_with(&args, &env).wait();
    assert_eq!(code(&run), 3, "{run:?}");
    assert!(run.out.contains("Incorrect API key provided"), "{run:?}");
    let show = scene.zeph(&["show", "r", "look", "--json"]);
    assert!(show.out.contains("Incorrect API key provided"), "{show:?}");
    for text in [&run.out, &run.err, &show.out] {
        assert!(!text.contains(&KEY[8..]), "{text}");
    }
    let kept = scene.bytes_below(".local/state");
    assert!(kept.len() > 10_000, "the database was looked at");
    let key = &KEY.as_bytes()[8..];
    assert!(!kept.windows(key.len()).any(|bytes| bytes == key));
}

#[test]
fn the_key_of_a_model_that_only_an_agent_names_is_taken_out_as_well() {
    let service = Service::new(honest);
    let scene = Scene::new(
        "[params]\nk = { secret = true }\n[tasks.print]\nrun = ['sh', '-c', 'echo key $OPENAI_API_KEY $K']\nenv = { K = '${{ params.k }}' }\n[tasks.look]\nneeds = ['print']\nprompt = 'Look at ${{ tasks.print.stdout }}'\n",
    );
    let agent = "---\nname: other\ndescription: Looks.\nmodel: openai::other\n---\nYou look.\n";
    scene.file("other.md", agent);
    let args = ["run", "plan.toml", "--name", "r", "--agents", "."];
    let args = [&args[..], &["-p", "k=@env:OPENAI_API_KEY"]].concat();
    let args = [&args[..], &["--model", "ollama::tiny"]].concat();
    let args = [&args[..], &["--base-url", &service.url]].concat();
    let env = [("OPENAI_API_KEY", KEY)];
    let run = scene.start_with(&args, &env).wait();
    let logs = scene.zeph(&["logs", "r"]);
    // The command has no key of its own, only the one that the plan gives it.
    assert!(logs.out.contains("key ‹redacted"), "{run:?} {logs:?}");
    let shown = scene.zeph(&["show", "r", "print"]);
    assert!(
        shown.out.contains("key ‹redacted") && !shown.out.contains(KEY),
        "{shown:?}"
    );
    assert!(service.asked().iter().all(|one| !one.text().contains(KEY)));
}

#[test]
fn the_address_of_one_service_is_not_that_of_another_model() {
    let service = Service::new(honest);
    let scene = Scene::new("");
    let args = ["do", "Look around", "--name", "g", "--base-url"];
    let args = [&args[..], &[&service.url, "--model", "openai::tiny"]].concat();
    let begun = scene.start_with(&args, &[("OPENAI_API_KEY", KEY)]).wait();
    assert_eq!(code(&begun), 5, "{begun:?}");
    let asked = service.asked().len();
    assert_eq!(code(&scene.zeph(&["answer", "g", "1", "approve"])), 0);
    // The named service requires a key. The stored address belongs to another service, and would not.
    let end = scene.zeph(&["resume", "g", "--model", "anthropic::tiny"]);
    assert_eq!(code(&end), 2, "{end:?}");
    assert!(end.err.contains("ANTHROPIC_API_KEY"), "{end:?}");
    assert_eq!(service.asked().len(), asked);
}

#[test]
fn what_to_type_behind_a_plan_names_its_model() {
    let service = Service::new(honest);
    let scene = Scene::new("");
    let args = ["plan", "g", "--model", "ollama::tiny", "--base-url"];
    let args = [&args[..], &[&service.url]].concat();
    let flags = format!("--model ollama::tiny --base-url {}", service.url);
    let shown = scene.zeph(&args);
    assert!(
        shown.out.contains(&format!("zeph do {flags} g")),
        "{shown:?}"
    );
    let kept = scene.zeph(&[&args[..], &["-o", "kept.toml"]].concat());
    let run = format!("zeph run {flags} kept.toml");
    assert!(kept.out.contains(&run), "{kept:?}");
}

#[test]
fn a_plan_that_could_not_be_kept_is_not_asked_for() {
    let service = Service::new(honest);
    let scene = Scene::new("");
    scene.folder("folder");
    scene.file("file", "");
    for place in ["nowhere/plan.toml", "file/plan.toml", "folder"] {
        let args = ["plan", "g", "--model", "ollama::tiny", "--force", "-o"];
        let args = [&args[..], &[place, "--base-url", &service.url]].concat();
        let refused = scene.zeph(&args);
        assert_eq!(code(&refused), 2, "{refused:?}");
        assert!(refused.err.contains("cannot be written"), "{refused:?}");
    }
    assert_eq!(service.asked().len(), 0);
}

#[test]
fn a_plan_is_rejected_and_edited_from_other_processes() {
    let scene = Scene::new("[tasks.only]\nprompt = 'Write one line.'\n");
    let begun = scene.zeph(&["do", "Report", "--scripted", "--name", "g"]);
    assert_eq!(code(&begun), 5, "{begun:?}");
    assert_eq!(begun.out, "");
    assert!(
        begun.err.lines().all(|line| line.starts_with("[scripted]")),
        "{begun:?}"
    );
    assert!(
        begun
            .err
            .contains("zeph answer g 1                    # edit the plan"),
        "{begun:?}"
    );
    let no = scene.zeph(&["answer", "g", "1", "reject: make it smaller"]);
    assert_eq!(code(&no), 0, "{no:?}");
    let again = scene.zeph(&["resume", "g"]);
    assert_eq!(code(&again), 5, "{again:?}");
    assert!(
        !again.err.contains("risks"),
        "the second plan is smaller: {again:?}"
    );

    let status = scene.zeph(&["status", "g"]);
    assert!(status.out.contains("zeph answer g 2 approve"), "{status:?}");
    assert_eq!(code(&scene.zeph(&["answer", "g", "2", "@nothing.toml"])), 2);
    assert_eq!(code(&scene.zeph(&["answer", "g", "2", "@plan.toml"])), 0);
    let end = scene.zeph(&["resume", "g"]);
    assert_eq!(code(&end), 0, "{end:?}");
    assert!(
        end.out.contains("- only ended as completed [only]."),
        "{end:?}"
    );
    assert!(
        end.out.lines().all(|line| line.starts_with("[scripted]")),
        "{end:?}"
    );
    let replay = scene.zeph(&["replay", "g", "--json"]);
    assert_eq!(json_of(&replay)["same"], true, "{replay:?}");
}

#[test]
fn a_budget_stops_a_run_which_goes_on_with_more() {
    let scene = Scene::new("");
    let args = [
        "do",
        "Report",
        "--scripted",
        "--yes",
        "--name",
        "b",
        "--json",
    ];
    let limited = [&args[..], &["--budget-tokens", "3000"]].concat();
    let stopped = scene.zeph(&limited);
    assert_eq!(code(&stopped), 6, "{stopped:?}");
    let summary = json_of(&stopped);
    let next = summary["next"].to_string();
    assert!(next.contains("zeph budget b --tokens 2"), "{next}");
    assert!(summary["spent"]["tokens"].as_u64().unwrap() <= 3000);
    let question = summary["questions"][0]["id"].to_string();
    assert_eq!(code(&scene.zeph(&["budget", "b", "--tokens", "many"])), 2);
    let more = scene.zeph(&["budget", "b", "--tokens", "100000"]);
    assert_eq!(code(&more), 0, "{more:?}");
    assert_eq!(code(&scene.zeph(&["answer", "b", &question, "retry"])), 0);
    // Other tasks that the budget stopped ask as well.
    let mut end = scene.zeph(&["resume", "b", "--json"]);
    while code(&end) == 6 {
        let question = json_of(&end)["questions"][0]["id"].to_string();
        assert_eq!(code(&scene.zeph(&["answer", "b", &question, "retry"])), 0);
        end = scene.zeph(&["resume", "b", "--json"]);
    }
    assert_eq!(code(&end), 0, "{end:?}");
    assert!(json_of(&end)["answer"]["text"].is_string());
    let budget = scene.zeph(&["budget", "b", "--json"]);
    assert_eq!(json_of(&budget)["budget"]["tokens"], 100_000);
}

#[test]
fn at_its_limit_a_run_may_answer_with_what_there_is() {
    let scene = Scene::new("");
    let args = ["do", "Report", "--name", "b", "--scripted"];
    let limits = ["--budget-tokens", "100000", "--over-budget", "partial"];
    let planned = scene.zeph(&[&args[..], &limits].concat());
    assert_eq!(code(&planned), 5, "{planned:?}");
    let spent = json_of(&scene.zeph(&["budget", "b", "--json"]))["spent"]["tokens"].clone();
    // Enough for some of the calls, and not for all.
    let most = (spent.as_u64().unwrap() + 1_000).to_string();
    assert_eq!(code(&scene.zeph(&["budget", "b", "--tokens", &most])), 0);
    assert_eq!(code(&scene.zeph(&["answer", "b", "1", "approve"])), 0);
    let partial = scene.zeph(&["resume", "b"]);
    assert_eq!(code(&partial), 6, "{partial:?}");
    assert!(!partial.out.is_empty(), "{partial:?}");
    assert!(partial.err.contains("budget"), "{partial:?}");
}

#[test]
fn what_cannot_be_begun_says_what_to_do() {
    let scene = Scene::new("[tasks.a]\nprompt = 'x'\n");
    let service = Service::new(honest);
    let table: [(&[&str], &str, &str); 6] = [
        (&["do", "x"], "no_model", "--model"),
        (&["run", "plan.toml"], "no_model", "llm.model"),
        (&["do", " ", "--scripted"], "no_goal", "describe the goal"),
        (&["do", "x", "--model", "tiny"], "bad_model", "--model"),
        (
            &["do", "x", "--model", "openai::tiny"],
            "bad_model",
            "OPENAI_API_KEY",
        ),
        (
            &[
                "do",
                "x",
                "--model",
                "openai::t",
                "--base-url",
                &service.url,
                "--budget-usd",
                "1",
            ],
            "unknown_price",
            "llm.input_usd",
        ),
    ];
    for (args, wanted, help) in table {
        let ended = scene.zeph(&[args, &["--json"]].concat());
        assert_eq!(code(&ended), 2, "{args:?}: {ended:?}");
        let error = &json_of(&ended)["error"];
        assert_eq!(error["code"], wanted, "{args:?}: {ended:?}");
        assert!(error["help"].as_str().unwrap().contains(help), "{ended:?}");
    }
    assert!(service.asked().is_empty());
}

/// Reads a file first, and then says what was in it.
fn reader(asked: &Asked) -> Value {
    let messages = asked.body["messages"].as_array().unwrap();
    let result = messages.iter().rev().find(|one| one["role"] == "tool");
    match result {
        None => json!({ "role": "assistant", "content": null, "tool_calls": [{
            "index": 0, "id": "call-1", "type": "function",
            "function": { "name": "read_file", "arguments": "{\"path\":\"facts.txt\"}" },
        }] }),
        Some(result) => {
            json!({ "role": "assistant", "content": format!("It says: {}", result["content"]) })
        }
    }
}

#[test]
fn an_agent_of_a_plan_file_reads_the_project_with_its_tools() {
    let service = Service::new(reader);
    let scene = Scene::new("[tasks.tell]\nagent = 'reader'\nprompt = 'What does facts.txt say?'\n");
    scene.folder("agents");
    scene.file(
        "agents/reader.md",
        "---\nname: reader\ndescription: Reads files\ntools: [read_file]\n---\nYou read.\n",
    );
    scene.file("facts.txt", "the sky is green\n");
    let run = scene.zeph(&[
        "run",
        "plan.toml",
        "--name",
        "r",
        "--agents",
        "agents",
        "--model",
        "openai::tiny",
        "--base-url",
        &service.url,
    ]);
    assert_eq!(code(&run), 0, "{run:?}");
    let show = scene.zeph(&["show", "r", "tell"]).out;
    for line in [
        "done by reader",
        "calls read_file {\"path\":\"facts.txt\"}",
        "tool read_file",
        "the sky is green",
        "It says:",
        "spent        140 tokens",
    ] {
        assert!(show.contains(line), "{line}: {show}");
    }
    let agents = scene.zeph(&["agents", "--agents", "agents"]);
    assert!(agents.out.contains("reader"), "{agents:?}");
    scene.file(
        "agents/bad.md",
        "---\nname: Bad Name\ntools: [read_fil]\n---\n",
    );
    let check = scene.zeph(&["agents", "check", "--agents", "agents", "--json"]);
    assert_eq!(code(&check), 2, "{check:?}");
    let problems = json_of(&check)["error"]["diagnostics"]
        .as_array()
        .unwrap()
        .len();
    assert!(problems >= 3, "all at once: {check:?}");
}

#[test]
fn what_a_plan_leaves_open_is_done_by_the_hosts_agents_and_replays_only_with_them() {
    let scene = Scene::new("[tasks.a]\n");
    scene.folder("agents");
    let agent = "---\nname: helper\ndescription: Does things\n---\nYou help.\n";
    scene.file("agents/helper.md", agent);
    let args = [
        "do",
        "--scripted",
        "--yes",
        "--name",
        "g",
        "--agents",
        "agents",
        "a goal",
    ];
    let run = scene.zeph(&args);
    assert_eq!(code(&run), 0, "{run:?}");
    let replay = scene.zeph(&["replay", "g", "--json"]);
    assert_eq!(
        (code(&replay), &json_of(&replay)["same"]),
        (0, &true.into())
    );
    // Without the agents no attempt can be replayed, so the run does not count as the same.
    scene.file("agents/helper.md", "gone");
    let replay = scene.zeph(&["replay", "g", "--json"]);
    assert_eq!(
        (code(&replay), &json_of(&replay)["same"]),
        (3, &false.into())
    );
}

#[test]
fn a_plan_that_costs_too_much_is_a_matter_of_the_budget() {
    let scene = Scene::new("[tasks.a]\n");
    let plan = scene.zeph(&["plan", "--scripted", "--budget-tokens", "100", "a goal"]);
    assert_eq!(code(&plan), 6, "{plan:?}");
    assert!(plan.err.contains("--budget-tokens"), "{plan:?}");
}
