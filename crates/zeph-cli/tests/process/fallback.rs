//! Fallbacks on the real binary: what people and programs see, kills, ends by hand, and retries.

use super::goal::json_of;
use super::support::{Scene, code};

/// `fetch` fails until there is a file `fixed`, and `mirror` runs in its place.
const PLAN: &str = r#"
    [tasks.fetch]
    shell = 'echo fetch >> log; test -e fixed || { echo "no route" >&2; exit 7; }; printf 1'
    on_failure = { fallback = "mirror" }
    [tasks.mirror]
    shell = 'echo mirror >> log; MIRROR; printf 2'
    on_failure = "skip"
    [tasks.save]
    needs = ["fetch"]
    run = ["printf", "saved %s", "${{ tasks.fetch.stdout }}"]
"#;

fn scene(mirror: &str) -> Scene {
    Scene::new(&PLAN.replace("MIRROR", mirror))
}

#[test]
fn a_fallback_gives_the_result_and_everything_says_so() {
    let scene = scene("true");
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 4, "{run:?}");
    assert_eq!(scene.log(), ["fetch", "mirror"]);
    assert!(
        run.out.contains("fallback fetch: mirror runs instead: "),
        "{run:?}"
    );
    let summed = "fallback fetch: mirror ran instead: ";
    assert!(run.out.contains(summed), "{run:?}");
    assert!(run.out.contains("no route"), "{run:?}");
    let counted = "(1 with the result of its fallback)";
    assert!(run.out.contains(counted), "{run:?}");
    assert!(!run.out.contains("zeph retry"), "{run:?}");
    let status = json_of(&scene.zeph(&["status", "one", "--json"]));
    assert_eq!(status["counts"]["by_fallback"], 1, "{status}");
    assert_eq!(status["counts"]["substituted"], 0, "{status}");
    let retry = scene.zeph(&["retry", "one"]);
    assert!(
        retry.err.contains("every task of run one has completed"),
        "{retry:?}"
    );
    let saved = scene.zeph(&["show", "one", "save"]);
    assert!(saved.out.contains("saved 2"), "{saved:?}");
    for (args, wanted) in [
        (
            &["why", "one", "fetch"][..],
            "It failed, and completed with the result of mirror.",
        ),
        (
            &["show", "one", "fetch"],
            "completed with the result of mirror",
        ),
        (&["show", "one", "fetch"], "no route"),
        (&["show", "one", "fetch"], "mirror runs in its place"),
        (&["show", "one", "mirror"], "it runs if fetch fails"),
        (
            &["junit", "one"],
            "completed with the result of mirror, after 1 failures",
        ),
        (&["graph", "one"], "mirror (if fetch fails)"),
        (&["graph", "plan.toml", "--format", "dot"], "style=dashed"),
        (&["explain", "falling_back"], "fallback"),
    ] {
        let shown = scene.zeph(args);
        assert!(shown.out.contains(wanted), "{args:?}: {shown:?}");
    }
    let events = scene.zeph(&["run", "plan.toml", "--json", "--name", "two"]);
    assert_eq!(code(&events), 4, "{events:?}");
    let fell = (events.out.lines())
        .find(|line| line.contains("task_falling_back"))
        .unwrap_or_else(|| panic!("{events:?}"));
    assert!(fell.contains(r#""because":"mirror""#), "{fell}");
    assert!(fell.contains("no route"), "{fell}");
    for run in ["one", "two"] {
        assert_eq!(code(&scene.zeph(&["verify", run])), 0);
        let replayed = scene.zeph(&["replay", run]);
        assert_eq!(code(&replayed), 0, "{replayed:?}");
    }
    let exported = scene.zeph(&["export", "one", "one.jsonl"]);
    assert_eq!(code(&exported), 0, "{exported:?}");
    assert_eq!(code(&scene.zeph(&["delete", "one"])), 0);
    let imported = scene.zeph(&["import", "one.jsonl"]);
    assert_eq!(code(&imported), 0, "{imported:?}");
}

#[test]
fn a_fallback_that_is_not_needed_is_not_reported() {
    let scene = scene("true");
    scene.file("fixed", "");
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 0, "{run:?}");
    assert_eq!(scene.log(), ["fetch"]);
    assert!(!run.out.contains("skipped mirror"), "{run:?}");
    let why = scene.zeph(&["why", "one", "mirror"]);
    let wanted = "It was skipped: it runs only if fetch fails, and fetch ended without it.";
    assert!(why.out.contains(wanted), "{why:?}");
}

#[test]
fn a_fallback_that_fails_leaves_the_task_failed_with_both_reasons() {
    let scene = scene("echo \"no disk\" >&2; exit 8");
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 4, "{run:?}");
    for wanted in ["no route", "no disk"] {
        assert!(run.out.contains(wanted), "{wanted}: {run:?}");
    }
    let why = json_of(&scene.zeph(&["why", "one", "save", "--json"]));
    let because: Vec<&str> = (why["because"].as_array().into_iter().flatten())
        .filter_map(|one| one["task"].as_str().or(one.as_str()))
        .collect();
    assert!(because.ends_with(&["fetch", "mirror"]), "{why}");
    // Both run again, and the fallback only if it must.
    let dry = scene.zeph(&["retry", "one", "--dry-run"]);
    let wanted = "again mirror: it runs if fetch fails";
    assert!(dry.out.contains(wanted), "{dry:?}");
    scene.file("fixed", "");
    let again = scene.zeph(&["retry", "one", "--name", "two"]);
    assert_eq!(code(&again), 0, "{again:?}");
    assert_eq!(scene.log(), ["fetch", "fetch", "mirror"]);
}

#[test]
fn a_killed_run_goes_on_with_the_fallback() {
    let scene = scene("test -e fixed || kill -9 $PPID");
    let killed = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&killed), -1, "{killed:?}");
    let status = scene.zeph(&["status", "one"]);
    let wanted = "for mirror, which runs in its place: fetch";
    assert!(status.out.contains(wanted), "{status:?}");
    let why = json_of(&scene.zeph(&["why", "one", "fetch", "--json"]));
    assert_eq!(why["reason"], "falling_back", "{why}");
    scene.file("fixed", "");
    let resumed = scene.zeph(&["resume", "one", "--orphans", "ignore"]);
    assert_eq!(code(&resumed), 4, "{resumed:?}");
    assert_eq!(scene.log(), ["fetch", "mirror", "mirror"]);
    let saved = scene.zeph(&["show", "one", "save"]);
    assert!(saved.out.contains("saved 2"), "{saved:?}");
}

#[test]
fn a_person_is_the_last_resort() {
    let scene = Scene::new(
        "[tasks.fetch]\nrun = ['false']\noutput = 'text'\non_failure = { fallback = 'ask' }\n[tasks.ask]\nask = 'What is the number?'\n[tasks.save]\nneeds = ['fetch']\nrun = ['true']\n",
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 5, "{run:?}");
    let why = scene.zeph(&["why", "one", "fetch"]);
    assert!(why.out.contains("ask runs in its place"), "{why:?}");
    let answered = scene.zeph(&["answer", "one", "ask", "7"]);
    assert_eq!(code(&answered), 0, "{answered:?}");
    let resumed = scene.zeph(&["resume", "one"]);
    assert_eq!(code(&resumed), 4, "{resumed:?}");
    let state = json_of(&scene.zeph(&["show", "one", "fetch", "--json"]));
    assert_eq!(state["state"], "completed", "{state}");
}

#[test]
fn a_wrong_name_is_reported_with_the_right_one() {
    let scene = Scene::new(&PLAN.replace("fallback = \"mirror\"", "fallback = \"miror\""));
    let checked = scene.zeph(&["validate", "plan.toml"]);
    assert_eq!(code(&checked), 2, "{checked:?}");
    for wanted in ["bad_fallback", "did you mean \"mirror\"?", "plan.toml:4"] {
        assert!(checked.err.contains(wanted), "{wanted}: {checked:?}");
    }
}
