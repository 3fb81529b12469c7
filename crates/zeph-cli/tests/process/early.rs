//! Mistakes that are reported before any work begins: agents, tools, models, questions without a store, edited
//! plans.

use super::support::{Scene, code};

const ANALYST: &str =
    "---\nname: analyst\ndescription: Groups things\ntools: [read_file]\n---\nYou group.";

#[test]
fn unknown_agents_tools_and_models_are_reported_before_the_run() {
    let scene = Scene::new(
        r#"
        [tasks.first]
        shell = "echo began >> log"
        [tasks.groups]
        needs = ["first"]
        prompt = "Group them"
        agent = "analist"
        [tasks.files]
        prompt = "Read them"
        agent = "analyst"
        tools = ["search_text", "read_fil"]
        "#,
    );
    scene.folder("agents");
    scene.file("agents/analyst.md", ANALYST);
    let commands: [&[&str]; 4] = [
        &["validate", "plan.toml", "--agents", "agents"],
        &["run", "plan.toml", "--dry-run", "--agents", "agents"],
        &["run", "plan.toml", "--scripted", "--agents", "agents"],
        &[
            "run",
            "plan.toml",
            "--model",
            "ollama::m",
            "--agents",
            "agents",
        ],
    ];
    for command in commands {
        let refused = scene.zeph(command);
        assert_eq!(code(&refused), 2, "{refused:?}");
        for wanted in [
            "[unknown_agent]",
            "did you mean \"analyst\"?",
            "[tool_not_allowed]",
            "[unknown_tool]",
            "did you mean \"read_file\"?",
            "plan.toml:7:17",
        ] {
            assert!(refused.err.contains(wanted), "{wanted}: {refused:?}");
        }
    }
    let none = scene.zeph(&["validate", "plan.toml"]);
    assert!(none.err.contains("no agents are defined"), "{none:?}");
    assert!(scene.log().is_empty(), "nothing was started");
    assert!(!scene.has("runs.db"));
}

#[test]
fn a_model_of_an_agent_that_no_service_has_is_reported_by_validate() {
    let scene = Scene::new("[tasks.a]\nprompt = 'x'\nagent = 'analyst'\n");
    scene.folder("agents");
    let agent = ANALYST.replace("tools:", "model: nowhere::m\ntools:");
    scene.file("agents/analyst.md", &agent);
    let commands: [&[&str]; 4] = [
        &["validate", "plan.toml"],
        &["run", "plan.toml", "--scripted"],
        &["do", "Count words", "--scripted"],
        &["do", "Count words", "--model", "ollama::m"],
    ];
    for command in commands {
        let refused = scene.zeph(&[command, &["--agents", "agents"]].concat());
        assert_eq!(code(&refused), 2, "{refused:?}");
        assert!(refused.err.contains("[bad_model]"), "{refused:?}");
        assert!(refused.err.contains("nowhere"), "{refused:?}");
    }
}

#[test]
fn without_a_store_a_budget_that_may_ask_is_refused_at_the_start() {
    let scene = Scene::new("[tasks.a]\nprompt = 'Count'\nbudget = 100000\n");
    scene.file(
        "whole.toml",
        "budget = 100000\n[tasks.a]\nprompt = 'Count'\n",
    );
    scene.file("free.toml", "budget = 100000\n[tasks.a]\nrun = ['true']\n");
    let scripted = ["--no-db", "--scripted"];
    let commands: [&[&str]; 4] = [
        &["run", "plan.toml"],
        &["run", "whole.toml"],
        &["do", "Count words", "--yes", "--budget-tokens", "100000"],
        &["run", "free.toml"],
    ];
    for command in commands {
        let asks = scene.zeph(&[command, &scripted].concat());
        if command.contains(&"free.toml") {
            assert_eq!(code(&asks), 0, "{asks:?}");
            continue;
        }
        assert_eq!(code(&asks), 2, "{asks:?}");
        assert!(asks.err.contains("--over-budget partial"), "{asks:?}");
        let partial = [command, &scripted, &["--over-budget", "partial"]].concat();
        let run = scene.zeph(&partial);
        assert_eq!(code(&run), 0, "{run:?}");
    }
}

#[test]
fn a_removed_agent_is_reported_by_resume_before_a_model_is_asked() {
    let scene = Scene::new(
        "[tasks.go]\nask = 'Go?'\n[tasks.a]\nneeds = ['go']\nprompt = 'x'\nagent = 'analyst'\n",
    );
    scene.folder("agents");
    scene.file("agents/analyst.md", ANALYST);
    let run = scene.zeph(&[
        "run",
        "plan.toml",
        "--name",
        "r",
        "--scripted",
        "--agents",
        "agents",
    ]);
    assert_eq!(code(&run), 5, "{run:?}");
    let renamed = ANALYST.replace("name: analyst", "name: analyzer");
    scene.rename("agents/analyst.md", "agents/analyzer.md");
    scene.file("agents/analyzer.md", &renamed);
    let resume = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&resume), 2, "{resume:?}");
    assert!(resume.err.contains("known are `analyzer`"), "{resume:?}");
    let status = scene.zeph(&["list", "--open"]);
    assert!(status.out.contains('r'), "the run is kept: {status:?}");
}

#[test]
fn without_a_store_a_plan_that_may_ask_is_refused_at_the_start() {
    let first = "[tasks.first]\nshell = 'echo began >> log'\n[tasks.b]\n";
    for (task, why) in [
        ("ask = 'Go?'", "b (ask)"),
        ("approve = 'Go?'\nrun = ['true']", "b (approve)"),
        ("run = ['true']\non_failure = 'ask'", "b (on_failure"),
        ("run = ['true']\neffect = 'at_most_once'", "b (effect"),
    ] {
        let scene = Scene::new(&format!("{first}{task}"));
        let refused = scene.zeph(&["run", "plan.toml", "--no-db"]);
        assert_eq!(code(&refused), 2, "{refused:?}");
        assert!(refused.err.contains(why), "{why}: {refused:?}");
        assert!(refused.err.contains("leave out --no-db"), "{refused:?}");
        assert!(scene.log().is_empty(), "{task}");
    }
    for task in [
        "ask = { text = 'Go?', default = 'yes', after = '1ms' }",
        "approve = { text = 'Go?', default = 'yes', after = '1ms' }\nrun = ['true']",
        "run = ['true']\non_failure = { ask = { default = 'skip', after = '1ms' } }",
    ] {
        let scene = Scene::new(&format!("{first}{task}"));
        let run = scene.zeph(&["run", "plan.toml", "--no-db"]);
        assert_eq!(code(&run), 0, "{task}: {run:?}");
    }
}

#[test]
fn an_answer_with_a_wrong_plan_is_refused_when_it_is_given() {
    let scene = Scene::new("");
    let run = scene.zeph(&["do", "--scripted", "Count words", "--name", "r"]);
    assert_eq!(code(&run), 5, "{run:?}");
    scene.file(
        "bad.toml",
        "[tasks.a]\nrunn = ['x']\n[tasks.b]\nneeds = ['c']\nrun = ['x']\n",
    );
    let refused = scene.zeph(&["answer", "r", "1", "@bad.toml"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    for wanted in ["[unknown_key]", "[unknown_dependency]"] {
        assert!(refused.err.contains(wanted), "{wanted}: {refused:?}");
    }
    scene.file("agent.toml", "[tasks.a]\nprompt = 'x'\nagent = 'nosuch'\n");
    let refused = scene.zeph(&["answer", "r", "1", "@agent.toml"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    assert!(refused.err.contains("[unknown_agent]"), "{refused:?}");
    let again = "correct the file, then `zeph answer r 1 @agent.toml`";
    assert!(refused.err.contains(again), "{refused:?}");
    let unclear = scene.zeph(&["answer", "r", "1", "aprove"]);
    assert_eq!(code(&unclear), 2, "{unclear:?}");
    assert!(unclear.err.contains("approve"), "{unclear:?}");
    scene.file("good.toml", "[tasks.a]\nrun = ['true']\n");
    let answered = scene.zeph(&["answer", "r", "1", "@good.toml"]);
    assert_eq!(code(&answered), 0, "{answered:?}");
    let resume = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&resume), 0, "{resume:?}");
}

#[test]
fn a_goal_without_a_store_is_refused_where_its_plan_cannot_be_confirmed() {
    let scene = Scene::new("");
    let refused = scene.zeph(&["do", "--scripted", "--no-db", "Count words"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    assert!(refused.err.contains("add --yes"), "{refused:?}");
    let run = scene.zeph(&["do", "--scripted", "--no-db", "--yes", "Count words"]);
    assert_eq!(code(&run), 0, "{run:?}");
}

#[test]
fn all_problems_of_a_plan_are_printed() {
    let wrong: String = (0..120)
        .map(|n| format!("[tasks.t{n}]\nrunn{n} = 1\n"))
        .collect();
    let refused = Scene::new(&wrong).zeph(&["validate", "plan.toml"]);
    assert_eq!(code(&refused), 2);
    assert_eq!(refused.err.matches("error[unknown_key]").count(), 120);
    assert!(refused.err.contains("has 120 problems"), "{refused:?}");
}

#[test]
fn unknown_variables_and_a_relative_home_are_reported() {
    let scene = Scene::new("[tasks.a]\nrun = ['true']");
    let validate = ["validate", "plan.toml"];
    let env = [("ZEPH_OTHER_TOOL", "1")];
    let warned = scene.start_with(&validate, &env).wait();
    assert_eq!(code(&warned), 0, "{warned:?}");
    let wanted = "warning: the variable ZEPH_OTHER_TOOL is ignored";
    assert!(warned.err.contains(wanted), "{warned:?}");
    let misspelt = scene
        .start_with(&validate, &[("ZEPH_MAX_PARALEL", "1")])
        .wait();
    assert_eq!(code(&misspelt), 2, "{misspelt:?}");
    assert!(misspelt.err.contains("did you mean \"ZEPH_MAX_PARALLEL\"?"));
    for command in [&validate[..], &["trust", "--list"]] {
        let refused = scene.start_with(command, &[("HOME", "home")]).wait();
        assert_eq!(code(&refused), 2, "{refused:?}");
        assert!(
            refused.err.contains("HOME is a relative path"),
            "{refused:?}"
        );
    }
}

#[test]
fn yaml_under_the_name_of_toml_gets_one_sentence() {
    let scene = Scene::new("jobs:\n  build:\n    steps:\n      - run: make\n");
    let refused = scene.zeph(&["validate", "plan.toml"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    assert_eq!(refused.err.matches("error[").count(), 1, "{refused:?}");
    assert!(
        refused.err.contains("name the file `*.yaml`"),
        "{refused:?}"
    );
}
