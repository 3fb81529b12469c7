//! Checks of results: what is not accepted is tried again with the reason, and shown.

use super::goal::json_of;
use super::support::{Scene, code};

const PLAN: &str = r#"
    [params]
    wanted = "2"
    [tasks.count]
    shell = 'echo run >> log; wc -l < log'
    retry = { max = 2, base = "1ms" }
    check = "${{ result.stdout|trim == params.wanted }}"
    [tasks.list]
    needs = ["count"]
    run = ["echo", "[1, \"two\"]"]
    output = "json"
    on_failure = "skip"
    check = { schema = { type = "array", items = { type = "integer" } } }
    [tasks.say]
    prompt = "Say something"
    check = { that = "${{ result.value|length > 3 }}", judge = "Does it name the ${{ params.wanted }} sources?" }
"#;

#[test]
fn a_result_that_is_not_accepted_is_tried_again_and_explained() {
    let scene = Scene::new(PLAN);
    let ended = scene.zeph(&["run", "plan.toml", "--name", "one", "--scripted"]);
    // `list` fails, and may.
    assert_eq!(code(&ended), 4, "{ended:?}");
    assert_eq!(scene.log(), ["run", "run"]);
    let text = format!("{}{}", ended.out, ended.err);
    for wanted in [
        "the result was not accepted: ${{ result.stdout|trim == params.wanted }} is false",
        "FAILED list",
        "[scripted] ",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let shown = scene.zeph(&["show", "one", "say"]);
    let text = shown.out;
    assert!(text.contains("accepted by `judge` of its check"), "{text}");
    assert!(
        text.contains("Question: Does it name the 2 sources?"),
        "{text}"
    );
    let list = json_of(&scene.zeph(&["show", "one", "list", "--json"]));
    let list = list.to_string();
    assert!(
        list.contains("check_failed") && list.contains("\"by\":\"schema\""),
        "{list}"
    );
    assert_eq!(code(&scene.zeph(&["replay", "one"])), 0);
    assert_eq!(code(&scene.zeph(&["verify", "one"])), 0);
}

#[test]
fn a_check_is_checked_before_the_run() {
    let scene = Scene::new(
        r#"
        [tasks.a]
        run = ["true"]
        check = "${{ result.json == 1 }}"
        [tasks.b]
        run = ["true"]
        check = { that = "yes", schema = "x", judge = " " }
        [tasks.c]
        ask = "Sure?"
        check = "${{ result.value }}"
        "#,
    );
    let ended = scene.zeph(&["validate", "plan.toml"]);
    assert_eq!(code(&ended), 2, "{ended:?}");
    let text = format!("{}{}", ended.out, ended.err);
    for wanted in [
        "has no \"json\"",
        "`that` must be one expression",
        "`schema` must be a JSON Schema: a table",
        "`judge` is empty",
        "`check` has no meaning on a task that asks a person",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
}
