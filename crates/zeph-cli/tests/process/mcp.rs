//! Tools of MCP servers and of the box, for agents; and `zeph mcp serve`, which is the server here.

use serde_json::{Value, json};

use super::goal::{KEY, json_of};
use super::service::{Asked, Service};
use super::support::{Ended, Scene, code};

const WORKER: &str = "---\nname: worker\ndescription: Works\ntools: [TOOLS]\n---\nYou work.\n";

/// A scene with an agent, user settings and a model service.
pub(super) fn scene(tools: &str, settings: &str, service: &Service) -> Scene {
    let scene = Scene::new("[tasks.work]\nagent = 'worker'\nprompt = 'Do it.'\n");
    scene.folder("agents");
    scene.file("agents/worker.md", &WORKER.replace("TOOLS", tools));
    scene.folder(".config");
    scene.folder(".config/zeph");
    let url = &service.url;
    let llm =
        format!("agents = '../../agents'\n[llm]\nmodel = 'openai::tiny'\nbase_url = '{url}'\n");
    scene.file(".config/zeph/config.toml", &format!("{llm}{settings}"));
    scene
}

pub(super) fn zeph(scene: &Scene, args: &[&str]) -> Ended {
    scene.start_with(args, &[("OPENAI_API_KEY", KEY)]).wait()
}

fn call(id: &str, name: &str, arguments: &Value) -> Value {
    let arguments = arguments.to_string();
    json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

fn calls(calls: &[Value]) -> Value {
    json!({ "role": "assistant", "content": null, "tool_calls": calls })
}

fn says(text: &str) -> Value {
    json!({ "role": "assistant", "content": text })
}

fn has_results(asked: &Asked) -> bool {
    asked.body["messages"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["role"] == "tool"))
}

/// The outcomes and the texts of the tool calls of a task.
fn tool_notes(scene: &Scene, run: &str, task: &str) -> Vec<(String, String)> {
    let show = json_of(&scene.zeph(&["show", run, task, "--json"]));
    let attempts = show["attempts"].as_array().unwrap();
    let notes = attempts.iter().filter_map(|one| one["notes"].as_array());
    let notes = notes.flatten().filter(|note| note["kind"] == "tool");
    let text = |note: &Value, key: &str| {
        let body = note.get("note").or(note.get("body")).unwrap_or(note);
        let body: Value = match body.as_str() {
            Some(text) => serde_json::from_str(text).unwrap(),
            None => body.clone(),
        };
        body[key].as_str().unwrap_or_default().to_owned()
    };
    notes
        .map(|note| (text(note, "outcome"), text(note, "text")))
        .collect()
}

/// Lists runs and starts one, side by side, then says what it saw.
pub(super) fn drives(asked: &Asked) -> Value {
    if has_results(asked) {
        return says("Both were called.");
    }
    let plan = "[tasks.a]\nrun = ['echo', 'hi']\n";
    calls(&[
        call("1", "zeph__list", &json!({})),
        call("2", "zeph__run", &json!({ "plan": plan, "name": "inner" })),
    ])
}

#[test]
fn an_agent_uses_the_tools_of_a_server_after_a_person_approved_those_that_write() {
    let service = Service::new(drives);
    let settings = format!(
        "[mcp.zeph]\ncommand = ['{}', 'mcp', 'serve', '--allow-plans', '--db', 'inner.db']\nread_only = ['list']\n",
        env!("CARGO_BIN_EXE_zeph")
    );
    let scene = scene("zeph__list, zeph__run", &settings, &service);
    scene.file("first.toml", "[tasks.a]\nrun = ['true']\n");
    let first = scene.zeph(&["run", "first.toml", "--db", "inner.db"]);
    assert_eq!(code(&first), 0, "{first:?}");
    let run = zeph(&scene, &["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 5, "{run:?}");
    assert_eq!(
        service.asked().len(),
        0,
        "nothing is asked before the approval"
    );
    let status = json_of(&scene.zeph(&["status", "r", "--json"]));
    let question = status["questions"][0]["text"].as_str().unwrap();
    assert!(
        question.contains("change something: zeph__run"),
        "{question}"
    );
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    let end = zeph(&scene, &["resume", "r"]);
    assert_eq!(code(&end), 0, "{end:?}");
    let notes = tool_notes(&scene, "r", "work");
    let outcomes: Vec<&str> = notes.iter().map(|(outcome, _)| outcome.as_str()).collect();
    assert_eq!(outcomes, ["done", "done"], "{notes:?}");
    assert!(notes[1].1.contains("completed"), "{notes:?}");
    // The server did its work in a database of its own.
    let inner = scene.zeph(&["show", "inner", "--db", "inner.db"]);
    assert_eq!(code(&inner), 0, "{inner:?}");
    let replay = scene.zeph(&["replay", "r"]);
    assert!(
        replay.err.contains("starts no server") || replay.out.contains("starts no server"),
        "{replay:?}"
    );
}

#[test]
fn what_is_missing_of_a_server_is_named_before_money_is_spent() {
    let service = Service::new(drives);
    let zeph_bin = env!("CARGO_BIN_EXE_zeph");
    let settings = format!(
        "[mcp.gone]\ncommand = ['no-such-program']\n[mcp.zeph]\ncommand = ['{zeph_bin}', 'mcp', 'serve', '--db', 'inner.db']\n"
    );
    let scene = scene("zeph__fly", &settings, &service);
    let tools = scene.zeph(&["mcp", "tools"]);
    assert_eq!(code(&tools), 3, "{tools:?}");
    for text in [
        "zeph__plan",
        "no-such-program",
        "zeph__fly, which no server has",
    ] {
        assert!(tools.out.contains(text), "{text}: {tools:?}");
    }
    let doctor = scene.zeph(&["doctor"]);
    assert!(
        doctor.out.contains("no-such-program is not found"),
        "{doctor:?}"
    );
    let run = zeph(&scene, &["run", "plan.toml"]);
    assert_eq!(code(&run), 2, "{run:?}");
    assert!(
        run.err.contains("zeph__fly") && run.err.contains("zeph mcp tools"),
        "{run:?}"
    );
    scene.file(
        "agents/worker.md",
        &WORKER.replace("TOOLS", "web__get, write_file"),
    );
    let check = scene.zeph(&["agents", "check"]);
    assert_eq!(code(&check), 2, "{check:?}");
    assert!(
        check.err.contains("[mcp.web]") && check.err.contains("tools.write"),
        "{check:?}"
    );
    assert_eq!(service.asked().len(), 0);
}

/// Writes, edits, runs a command, and tries to leave its folder.
fn writes(asked: &Asked) -> Value {
    if has_results(asked) {
        return says("Done.");
    }
    calls(&[
        call(
            "1",
            "write_file",
            &json!({ "path": "notes/a.txt", "text": "one two" }),
        ),
        call(
            "2",
            "write_file",
            &json!({ "path": "../plan.toml", "text": "x" }),
        ),
        call(
            "3",
            "run_command",
            &json!({ "command": "say", "arguments": { "word": "hello" } }),
        ),
        call(
            "4",
            "run_command",
            &json!({ "command": "say", "arguments": { "word": "--help" } }),
        ),
        call(
            "5",
            "http_get",
            &json!({ "url": "http://169.254.169.254/latest" }),
        ),
    ])
}

#[test]
fn tools_in_the_box_do_more_than_read_only_with_a_right() {
    let service = Service::new(writes);
    let settings = "[tools]\nwrite = '../../out'\nrun = ['say']\nhttp = ['example.com']\n\
        [commands.say]\nabout = 'Says a word'\nrun = ['echo', '{word}']\nargs.word = { about = 'the word', text = 20 }\n";
    let scene = scene("write_file, run_command, http_get", settings, &service);
    scene.folder("out");
    let run = zeph(&scene, &["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 0, "{run:?}");
    let notes = tool_notes(&scene, "r", "work");
    let outcomes: Vec<&str> = notes.iter().map(|(outcome, _)| outcome.as_str()).collect();
    assert_eq!(
        outcomes,
        ["done", "failed", "done", "failed", "failed"],
        "{notes:?}"
    );
    assert!(notes[2].1.contains("hello"), "{notes:?}");
    assert!(notes[4].1.contains("is not allowed"), "{notes:?}");
    let written = std::fs::read_to_string(scene.path("out/notes/a.txt")).unwrap();
    assert_eq!(written, "one two");
}

const SERVE: &str = "mcp.zeph";

/// Settings with this program as the server, whose tool `run` asks unless it is trusted.
fn served(approve: &str) -> String {
    format!(
        "[{SERVE}]\ncommand = ['{}', 'mcp', 'serve', '--allow-plans', '--db', 'inner.db']\n\
         read_only = ['list']\napprove = '{approve}'\n",
        env!("CARGO_BIN_EXE_zeph")
    )
}

/// Lets the settings ask or not, and keeps the rest.
fn approve(scene: &Scene, settings: &str) {
    let path = scene.path(".config/zeph/config.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let (llm, _) = text.split_once(&format!("[{SERVE}]")).unwrap();
    scene.file(".config/zeph/config.toml", &format!("{llm}{settings}"));
}

fn questions(scene: &Scene, run: &str) -> Vec<String> {
    let status = json_of(&scene.zeph(&["status", run, "--json"]));
    let questions = status["questions"].as_array().unwrap();
    let tasks = questions.iter().map(|one| one["task"].as_str().unwrap());
    let mut tasks: Vec<String> = tasks.map(str::to_owned).collect();
    tasks.sort();
    tasks
}

#[test]
fn a_person_approves_also_the_tasks_that_an_amendment_or_a_retry_adds() {
    let service = Service::new(drives);
    let scene = scene("zeph__list, zeph__run", &served("ask"), &service);
    let run = zeph(&scene, &["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 5, "{run:?}");
    assert_eq!(questions(&scene, "r"), ["work"]);
    let more = "[tasks.work]\nagent = 'worker'\nprompt = 'Do it.'\n\
        [tasks.more]\nagent = 'worker'\nprompt = 'Do more.'\n";
    scene.file("more.toml", more);
    let amend = scene.zeph(&["amend", "r", "more.toml", "--json"]);
    assert_eq!(code(&amend), 0, "{amend:?}");
    let shown = json_of(&amend);
    assert_eq!(shown["added"].as_array().unwrap().len(), 1, "{shown}");
    assert_eq!(shown["replaced"], json!([]), "the approval is no change");
    let resumed = zeph(&scene, &["resume", "r"]);
    assert_eq!(code(&resumed), 5, "{resumed:?}");
    assert_eq!(questions(&scene, "r"), ["more", "work"]);
    assert_eq!(service.asked().len(), 0, "nothing is asked before");

    // A run that needed no approval is retried under settings that want one.
    approve(&scene, &served("never"));
    let free = zeph(&scene, &["run", "plan.toml", "--name", "free"]);
    assert_eq!(code(&free), 0, "{free:?}");
    let asked = service.asked().len();
    approve(&scene, &served("ask"));
    let again = zeph(
        &scene,
        &["retry", "free", "--from", "work", "--name", "again"],
    );
    assert_eq!(code(&again), 5, "{again:?}");
    assert_eq!(questions(&scene, "again"), ["work"]);
    assert_eq!(service.asked().len(), asked);
}

#[test]
fn an_approval_that_names_no_tool_allows_none() {
    let service = Service::new(drives);
    let scene = scene("zeph__list, zeph__run", &served("never"), &service);
    let plan = "[tasks.work]\napprove = 'Go?'\nagent = 'worker'\nprompt = 'Do it.'\n";
    scene.file("plan.toml", plan);
    let run = zeph(&scene, &["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 5, "{run:?}");
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    // The person said yes when the question named no tool.
    approve(&scene, &served("ask"));
    let end = zeph(&scene, &["resume", "r"]);
    assert_eq!(code(&end), 0, "{end:?}");
    let notes = tool_notes(&scene, "r", "work");
    let outcomes: Vec<&str> = notes.iter().map(|(outcome, _)| outcome.as_str()).collect();
    assert_eq!(outcomes[1], "refused", "{notes:?}");
    assert!(
        notes[1].1.contains("`zeph retry r --from work`"),
        "{notes:?}"
    );
}

/// The messages of a client that lists the tools and calls some, and the answers of `zeph mcp serve`.
pub(super) fn serve(scene: &Scene, flags: &[&str], calls: &[(&str, Value)]) -> Vec<Value> {
    let begin = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": { "name": "test", "version": "1" } } });
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    let calls = (3..).zip(calls).map(|(id, (name, arguments))| {
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
            "params": { "name": name, "arguments": arguments } })
    });
    let messages: Vec<Value> = [begin, ready, list].into_iter().chain(calls).collect();
    let text = messages.iter().map(|message| format!("{message}\n"));
    let mut child = scene.command(&[&["mcp", "serve"], flags].concat());
    child.stdin(std::process::Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, text.collect::<String>().as_bytes()).unwrap();
    let mut answers = Vec::new();
    let stdout = std::io::BufReader::new(child.stdout.take().unwrap());
    for line in std::io::BufRead::lines(stdout) {
        let answer: Value = serde_json::from_str(&line.unwrap()).unwrap();
        assert_eq!(answer["jsonrpc"], "2.0");
        answers.push(answer);
        if answers.len() == messages.len() - 1 {
            break;
        }
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
    answers.sort_by_key(|answer| answer["id"].as_u64());
    answers
}

fn names(answers: &[Value], only_reading: bool) -> Vec<&str> {
    let tools = answers[1]["result"]["tools"].as_array().unwrap().iter();
    let wanted = tools.filter(|tool| !only_reading || tool["annotations"]["readOnlyHint"] == true);
    wanted.filter_map(|tool| tool["name"].as_str()).collect()
}

#[test]
fn nothing_but_the_protocol_is_on_stdout() {
    let scene = Scene::new("");
    let plan = json!({ "plan": "[tasks.a]\nrun = ['echo', 'loud']\n" });
    let answers = serve(&scene, &["--allow-plans"], &[("run", plan)]);
    assert_eq!(names(&answers, true), ["status", "show", "why", "list"]);
    let text = answers[2]["result"]["content"][0]["text"].as_str().unwrap();
    let summary: Value = serde_json::from_str(text).unwrap();
    assert_eq!(summary["state"], "completed", "{summary}");
}

#[test]
fn an_assistant_runs_plans_and_answers_only_with_a_flag() {
    let scene = Scene::new("[tasks.a]\napprove = 'Go?'\nrun = ['touch', 'done']\n");
    let waits = scene.zeph(&["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&waits), 5, "{waits:?}");
    let answer = (
        "answer",
        json!({ "run": "r", "question": "1", "text": "yes" }),
    );
    let plan = (
        "run",
        json!({ "plan": "[tasks.a]\nrun = ['touch', 'done']\n" }),
    );
    let file = ("run", json!({ "plan_file": "plan.toml" }));
    let calls = [
        answer.clone(),
        plan,
        file,
        ("resume", json!({ "run": "r" })),
    ];
    let answers = serve(&scene, &[], &calls);
    let basic = [
        "status", "show", "why", "list", "plan", "run", "resume", "cancel",
    ];
    assert_eq!(names(&answers, false), basic);
    assert!(!answers[1].to_string().contains("plan_file"));
    assert!(answers[2]["error"].is_object(), "{}", answers[2]);
    for refused in &answers[3..5] {
        let is_error = refused["error"].is_object() || refused["result"]["isError"] == true;
        assert!(is_error, "{refused}");
    }
    assert!(
        answers[5].to_string().contains("suspended"),
        "{}",
        answers[5]
    );
    assert!(!scene.path("done").exists());
    let answers = serve(&scene, &["--allow-answers"], &[answer]);
    assert!(names(&answers, false).contains(&"answer"));
    assert!(scene.path("done").exists());

    let equals = json!({ "plan": "[params]\na = { type = 'string' }\n[tasks.a]\nrun = ['true']\n",
        "params": { "a=b": "c" } });
    let answers = serve(&scene, &["--allow-plans"], &[("run", equals)]);
    assert!(
        answers[2].to_string().contains("no parameter"),
        "{}",
        answers[2]
    );
}

/// Runs the command that shows its environment.
fn shows_env(asked: &Asked) -> Value {
    if has_results(asked) {
        return says("Done.");
    }
    calls(&[call("1", "run_command", &json!({ "command": "env" }))])
}

#[test]
fn servers_and_commands_of_agents_get_no_variable_that_is_not_theirs() {
    let service = Service::new(shows_env);
    let zeph_bin = env!("CARGO_BIN_EXE_zeph");
    let server = |name: &str, env: &str| {
        let script = format!("env > {name}.env; exec {zeph_bin} mcp serve --db inner.db");
        format!("[mcp.{name}]\ncommand = ['sh', '-c', '{script}']\napprove = 'never'\n{env}\n")
    };
    let settings = [
        "pass_env = ['FOR_ALL', 'OPENAI_API_KEY']\n".to_owned(),
        server("one", "pass_env = ['ONE_TOKEN']\nenv = { MODE = 'fast' }"),
        server("two", "pass_env = ['TWO_TOKEN']"),
        "[tools]\nrun = ['env']\n[commands.env]\nabout = 'Shows'\nrun = ['env']\n".to_owned(),
    ];
    let (first, rest) = settings.split_first().unwrap();
    let scene = scene(
        "one__list, two__list, run_command",
        &rest.concat(),
        &service,
    );
    let path = ".config/zeph/config.toml";
    let text = std::fs::read_to_string(scene.path(path)).unwrap();
    scene.file(path, &format!("{first}{text}"));
    let plan = "[tasks.work]\nagent = 'worker'\nprompt = 'Do it.'\n[tasks.shell]\nrun = ['sh', '-c', 'env > shell.env']\n";
    scene.file("plan.toml", plan);
    let variables = [
        ("OPENAI_API_KEY", KEY),
        ("ONE_TOKEN", "token-of-one"),
        ("TWO_TOKEN", "token-of-two"),
        ("FOR_ALL", "for-all"),
        ("AWS_SECRET_ACCESS_KEY", "another-secret"),
    ];
    let run = scene.start_with(&["run", "plan.toml", "--name", "r"], &variables);
    let run = run.wait();
    assert_eq!(code(&run), 0, "{run:?}");
    let names = |text: &str| -> Vec<String> {
        let names = text
            .lines()
            .filter_map(|line| Some(line.split_once('=')?.0));
        let of_interest =
            |name: &&str| variables.iter().any(|(one, _)| one == name) || *name == "MODE";
        let mut names: Vec<String> = names.filter(of_interest).map(str::to_owned).collect();
        names.sort();
        names
    };
    let file = |name: &str| names(&std::fs::read_to_string(scene.path(name)).unwrap());
    assert_eq!(file("one.env"), ["MODE", "ONE_TOKEN"]);
    assert_eq!(file("two.env"), ["TWO_TOKEN"]);
    let notes = tool_notes(&scene, "r", "work");
    assert_eq!(names(&notes[0].1), ["FOR_ALL"], "{notes:?}");
    assert!(notes[0].1.contains("PATH="), "{notes:?}");
    // A task of a plan inherits what belongs to no server, and what the settings pass on.
    let shell = file("shell.env");
    assert!(
        shell.contains(&"AWS_SECRET_ACCESS_KEY".to_owned()),
        "{shell:?}"
    );
    assert!(
        !shell.iter().any(|name| name.ends_with("_TOKEN")),
        "{shell:?}"
    );
}

#[test]
fn a_server_gets_no_key_of_a_model_and_a_missing_token_is_named() {
    let service = Service::new(drives);
    let settings = "[mcp.thief]\ncommand = ['true']\npass_env = ['OPENAI_API_KEY']\n\
        [mcp.web]\nurl = 'https://127.0.0.1:9/mcp?key=abc'\ntoken_env = 'NO_SUCH_TOKEN'\n";
    let scene = scene("thief__a", settings, &service);
    let run = zeph(&scene, &["run", "plan.toml"]);
    assert_eq!(code(&run), 2, "{run:?}");
    assert!(run.err.contains("the key of a model service"), "{run:?}");
    let web = scene.zeph(&["mcp", "tools", "web"]);
    assert!(
        web.out.contains("NO_SUCH_TOKEN, which is not set"),
        "{web:?}"
    );
    assert!(!web.out.contains("abc"), "{web:?}");
}
