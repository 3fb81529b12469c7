//! `foreach`: a task runs once for each item of a list.

use super::goal::json_of;
use super::support::{Scene, code};

/// Each item but `bad` prints itself; `bad` fails until there is a file `fixed`.
const PLAN: &str = r#"
    [params]
    tail = { type = "list", default = ["d"] }
    [tasks.list]
    run = ["printf", 'a\nbad\nc\n']
    [tasks.fetch]
    needs = ["list"]
    foreach = { in = "${{ tasks.list.stdout|lines + params.tail }}", max_parallel = 2, on_failure = "FAILURE" }
    shell = 'echo "fetch $ITEM" >> log; { test "$ITEM" != bad || test -e fixed; } && printf "%s" "$ITEM"'
    env = { ITEM = "${{ item }}", AT = "${{ item_index }}" }
    [tasks.join]
    needs = ["fetch"]
    run = ["printf", "%s", "${{ tasks.fetch|map(attribute='stdout', default='-')|join(',') }}"]
"#;

fn scene(failure: &str) -> Scene {
    Scene::new(&PLAN.replace("FAILURE", failure))
}

#[test]
fn a_retry_keeps_the_result_of_the_fallback_of_a_list() {
    let fallback = "on_failure = { fallback = \"spare\" }\n    [tasks.join]";
    let spare = "[tasks.spare]\nrun = ['printf', 'spare']\n";
    let each = PLAN.replace("FAILURE", "finish");
    let each = each.replace("[tasks.join]", fallback);
    // The list has another form than the result of a command.
    let each = each
        .split("    run = [\"printf\", \"%s\"")
        .next()
        .unwrap_or_default();
    let each = format!("{each}    run = ['true']\n");
    let scene = Scene::new(&format!("{each}{spare}"));
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 4, "{run:?}");
    let retry = scene.zeph(&["retry", "one", "--dry-run"]);
    assert!(
        retry.err.contains("every task of run one has completed"),
        "{retry:?}"
    );
    let only = json_of(&scene.zeph(&["retry", "one", "--from", "join", "--dry-run", "--json"]));
    assert_eq!(only["again"].as_array().map(Vec::len), Some(1), "{only}");
}

#[test]
fn the_results_of_the_items_are_a_list_in_order() {
    let scene = scene("abort");
    scene.file("fixed", "");
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 0, "{run:?}");
    assert!(run.out.contains("[7/7] ok join"), "{run:?}");
    let joined = scene.zeph(&["show", "one", "join", "--json"]);
    assert!(joined.out.contains("a,bad,c,d"), "{joined:?}");
    let item = scene.zeph(&["show", "one", "fetch[1]"]);
    for wanted in ["1 of the list of fetch", "item: bad", "stdout: bad"] {
        assert!(item.out.contains(wanted), "{wanted}: {item:?}");
    }
    assert_eq!(code(&scene.zeph(&["verify", "one"])), 0);
    let replayed = scene.zeph(&["replay", "one"]);
    assert_eq!(code(&replayed), 0, "{replayed:?}");
    let exported = scene.zeph(&["export", "one", "one.jsonl"]);
    assert_eq!(code(&exported), 0, "{exported:?}");
    assert_eq!(code(&scene.zeph(&["delete", "one"])), 0);
    let imported = scene.zeph(&["import", "one.jsonl"]);
    assert_eq!(code(&imported), 0, "{imported:?}");
}

#[test]
fn an_item_that_may_fail_leaves_null_in_the_list() {
    let scene = scene("skip");
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 4, "{run:?}");
    let joined = scene.zeph(&["show", "one", "join", "--json"]);
    assert!(joined.out.contains("a,-,c,d"), "{joined:?}");
    // A retry runs what failed, although the task completed without it.
    scene.file("fixed", "");
    let again = scene.zeph(&["retry", "one", "--name", "two"]);
    assert_eq!(code(&again), 0, "{again:?}");
    assert_eq!(scene.log().len(), 5, "{:?}", scene.log());
    let joined = scene.zeph(&["show", "two", "join", "--json"]);
    assert!(joined.out.contains("a,bad,c,d"), "{joined:?}");
}

#[test]
fn a_retry_runs_the_items_without_a_result_alone() {
    let scene = scene("finish");
    let run = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&run), 3, "{run:?}");
    assert!(run.out.contains("1 of 4 items failed: fetch[1]"), "{run:?}");
    let why = scene.zeph(&["why", "one", "fetch"]);
    assert!(why.out.contains("fetch[1]"), "{why:?}");
    scene.file("fixed", "");
    let again = scene.zeph(&["retry", "one", "--name", "two"]);
    assert_eq!(code(&again), 0, "{again:?}");
    let fetched: Vec<String> = (scene.log().into_iter())
        .filter(|line| line.starts_with("fetch bad"))
        .collect();
    assert_eq!(fetched.len(), 2, "{fetched:?}");
    assert_eq!(
        scene.log().len(),
        5,
        "the other items are kept: {:?}",
        scene.log()
    );
    let joined = scene.zeph(&["show", "two", "join", "--json"]);
    assert!(joined.out.contains("a,bad,c,d"), "{joined:?}");
    // The new run is whole by itself.
    assert_eq!(code(&scene.zeph(&["delete", "one"])), 0);
    assert_eq!(code(&scene.zeph(&["verify", "two"])), 0);
    let replayed = scene.zeph(&["replay", "two"]);
    assert_eq!(code(&replayed), 0, "{replayed:?}");
    // One item alone, although the task has completed.
    let chosen = scene.zeph(&["retry", "two", "--from", "fetch[0]", "--name", "three"]);
    assert_eq!(code(&chosen), 0, "{chosen:?}");
    assert_eq!(scene.log().len(), 6, "{:?}", scene.log());
    let only = scene.zeph(&["retry", "three", "--only", "fetch[0]", "--dry-run"]);
    assert!(only.err.contains("fetch[0]"), "{only:?}");
}

#[test]
fn a_killed_run_goes_on_with_the_items_that_are_left() {
    let plan = PLAN.replace("FAILURE", "abort").replace(
        "test \"$ITEM\" != bad || test -e fixed",
        "test \"$ITEM\" != c || test -e fixed || kill -9 $PPID",
    );
    let scene = Scene::new(&plan);
    let killed = scene.zeph(&["run", "plan.toml", "--name", "one"]);
    assert_eq!(code(&killed), -1, "{killed:?}");
    scene.file("fixed", "");
    let resumed = scene.zeph(&["resume", "one"]);
    assert_eq!(code(&resumed), 0, "{resumed:?}");
    let count = |item: &str| {
        let line = format!("fetch {item}");
        scene.log().iter().filter(|one| **one == line).count()
    };
    assert_eq!((count("a"), count("c")), (1, 2), "{:?}", scene.log());
}

#[test]
fn a_value_that_is_no_list_and_a_list_that_is_too_long_fail_the_task() {
    for (list, wanted) in [
        ("\"${{ tasks.list.stdout }}\"", "its list is a text"),
        (
            "{ in = \"${{ tasks.list.stdout|lines }}\", max = 2 }",
            "the list has 3 items, and the most are 2",
        ),
    ] {
        let plan = format!(
            "[tasks.list]\nrun = ['printf', 'a\\nb\\nc\\n']\n[tasks.fetch]\nneeds = ['list']\nforeach = {list}\nrun = ['true']\n"
        );
        let scene = Scene::new(&plan);
        let run = scene.zeph(&["run", "plan.toml", "--name", "one", "--json"]);
        assert_eq!(code(&run), 3, "{run:?}");
        assert!(run.out.contains(wanted), "{wanted}: {run:?}");
        let codes = ["not_a_list", "too_many_items"];
        let code = json_of(&run)["failures"][0]["error"]["code"].clone();
        assert!(codes.iter().any(|known| code == *known), "{run:?}");
    }
}

/// `pay` fails for `b` until there is a file `fixed`; it must not happen twice.
const ONCE: &str = r#"
    [tasks.list]
    run = ["printf", 'a\nb\n']
    [tasks.pay]
    needs = ["list"]
    foreach = { in = "${{ tasks.list.stdout|lines }}", on_failure = "finish" }
    effect = "at_most_once"
    shell = 'echo "pay $ITEM" >> log; test "$ITEM" != b || test -e fixed'
    env = { ITEM = "${{ item }}" }
"#;

#[test]
fn an_effect_of_an_item_is_not_repeated_by_a_list_that_is_made_anew() {
    let scene = Scene::new(ONCE);
    assert_eq!(code(&scene.zeph(&["run", "plan.toml", "--name", "one"])), 3);
    assert_eq!(scene.log(), ["pay a", "pay b"]);
    scene.file("fixed", "");
    for words in [
        &["retry", "one", "--from", "list"][..],
        &["fork", "one", "--set", "list=@new"],
    ] {
        scene.file("new", "{\"stdout\":\"a\\nb\\n\"}");
        let refused = scene.zeph(words);
        assert_eq!(code(&refused), 2, "{refused:?}");
        assert!(refused.err.contains("pay"), "{refused:?}");
    }
    assert_eq!(scene.log(), ["pay a", "pay b"], "nothing ran");
    let again = scene.zeph(&["retry", "one"]);
    assert_eq!(code(&again), 0, "{again:?}");
    assert_eq!(scene.log(), ["pay a", "pay b", "pay b"]);
}

#[test]
fn a_fork_with_another_list_runs_its_items() {
    let scene = scene("finish");
    assert_eq!(code(&scene.zeph(&["run", "plan.toml", "--name", "one"])), 3);
    scene.file("new", "{\"stdout\":\"x\\n\"}");
    let fork = ["fork", "one", "--set", "list=@new", "--name", "two"];
    let forked = scene.zeph(&fork);
    assert_eq!(code(&forked), 0, "{forked:?}");
    let joined = scene.zeph(&["show", "two", "join", "--json"]);
    assert!(joined.out.contains("x,d"), "{joined:?}");
    // The results of all items by hand.
    let given = "fetch=[{\"stdout\":\"p\"},{\"stdout\":\"q\"}]";
    let forked = scene.zeph(&["fork", "one", "--set", given, "--name", "three"]);
    assert_eq!(code(&forked), 0, "{forked:?}");
    let joined = scene.zeph(&["show", "three", "join", "--json"]);
    assert!(joined.out.contains("p,q"), "{joined:?}");
    let refused = scene.zeph(&["fork", "one", "--set", "fetch=text"]);
    assert!(refused.err.contains("is a list"), "{refused:?}");
}

#[test]
fn a_prompt_may_have_a_condition_and_items() {
    let plan =
        "[tasks.a]\nforeach = ['x', 'y']\nwhen = \"${{ 1 == 1 }}\"\nprompt = 'Say ${{ item }}.'\n";
    let scene = Scene::new(plan);
    let checked = scene.zeph(&["validate", "plan.toml"]);
    assert_eq!(code(&checked), 0, "{checked:?}");
}
