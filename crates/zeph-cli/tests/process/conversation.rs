//! Conversations of agents across processes: killed in the middle of a turn, and continued.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::goal::KEY;
use crate::service::{Asked, Service};
use crate::support::{Scene, code};

/// Whether the fourth turn was asked for once.
static HAS_HUNG: AtomicBool = AtomicBool::new(false);

/// Reads one file in each of three turns, does not answer in the fourth one at first, and then answers.
fn reads(asked: &Asked) -> Value {
    let messages = asked.body["messages"].as_array().cloned();
    let messages = messages.unwrap_or_default();
    let results = messages.iter().filter(|one| one["role"] == "tool").count();
    if results == 3 {
        if !HAS_HUNG.swap(true, Ordering::Relaxed) {
            // The thread ends with the test.
            loop {
                std::thread::park();
            }
        }
        return json!({ "role": "assistant", "content": "Three files." });
    }
    let path = json!({ "path": format!("{results}.txt") }).to_string();
    json!({ "role": "assistant", "content": null, "tool_calls": [{
        "index": 0, "id": format!("call-{results}"), "type": "function",
        "function": { "name": "read_file", "arguments": path },
    }] })
}

#[test]
fn killed_in_the_fourth_turn_a_conversation_goes_on_there() {
    let service = Service::new(reads);
    let scene =
        Scene::new("[tasks.read]\nagent = \"reader\"\nprompt = \"Read the three files.\"\n");
    scene.folder("agents");
    scene.file(
        "agents/reader.md",
        "---\nname: reader\ndescription: Reads files\ntools: [read_file]\n---\nYou read.\n",
    );
    for index in 0..3 {
        scene.file(&format!("{index}.txt"), "some text\n");
    }
    let model = ["--model", "openai::tiny", "--base-url", &service.url];
    let agents = ["--agents", "agents"];
    let env = [("OPENAI_API_KEY", KEY)];
    let args = [&["run", "plan.toml", "--name", "r"][..], &model, &agents].concat();
    let mut killed = scene.start_with(&args, &env);
    while !HAS_HUNG.load(Ordering::Relaxed) {
        std::thread::yield_now();
    }
    killed.signal("KILL");
    killed.wait();
    assert_eq!(service.asked().len(), 4);
    let args = [&["resume", "r"][..], &model, &agents].concat();
    let done = scene.start_with(&args, &env).wait();
    assert_eq!(code(&done), 0, "{done:?}");
    let asked = service.asked();
    assert_eq!(asked.len(), 5, "only the fourth turn is asked for again");
    assert_eq!(asked[3].body["messages"], asked[4].body["messages"]);
    let shown = scene.zeph(&["show", "r", "read"]);
    assert!(
        shown.out.contains("from before the interruption"),
        "{shown:?}"
    );
    assert!(shown.out.contains("Three files."), "{shown:?}");
    let replayed = scene.zeph(&["replay", "r"]);
    assert_eq!(code(&replayed), 0, "{replayed:?}");
}
