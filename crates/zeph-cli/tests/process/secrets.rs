//! Secrets: where their values come from, when they are needed, and which commands get them.

use super::support::{Scene, code};

const PLAN: &str = r#"
    [params]
    token = { secret = true, env = "DEPLOY_TOKEN" }
    place = { default = "here", env = "DEPLOY_PLACE" }
    [tasks.use]
    shell = "echo $T at $P >> log"
    env = { T = "${{ params.token }}", P = "${{ params.place }}" }
    [tasks.other]
    shell = "echo other ${DEPLOY_TOKEN-none} >> log"
    needs = ["use"]
    [tasks.go]
    needs = ["other"]
    ask = "Go on?"
    [tasks.last]
    needs = ["go"]
    run = ["true"]
"#;

#[test]
fn looking_at_a_plan_needs_no_secret() {
    let scene = Scene::new(PLAN);
    for command in [
        &["validate", "plan.toml"][..],
        &["graph", "plan.toml"],
        &["run", "plan.toml", "--dry-run"],
    ] {
        let shown = scene.zeph(command);
        assert_eq!(code(&shown), 0, "{shown:?}");
    }
    let refused = scene.zeph(&["run", "plan.toml"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    assert!(refused.err.contains("DEPLOY_TOKEN"), "{refused:?}");
    assert!(refused.err.contains("-p token=@FILE"), "{refused:?}");
}

#[test]
fn a_secret_comes_from_its_variable_and_is_not_needed_again_when_its_user_has_ended() {
    let scene = Scene::new(PLAN);
    let set = [("DEPLOY_TOKEN", "correct-horse"), ("DEPLOY_PLACE", "there")];
    let run = scene
        .start_with(&["run", "plan.toml", "--name", "r"], &set)
        .wait();
    assert_eq!(code(&run), 5, "{run:?}");
    // The variable of a secret reaches only the command that the plan gives it to.
    assert_eq!(scene.log(), ["correct-horse at there", "other none"]);
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    let resume = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&resume), 0, "{resume:?}");
}

#[test]
fn resume_reads_the_variable_of_a_secret_that_is_still_needed() {
    let scene = Scene::new(
        r#"
        [params]
        token = { secret = true, env = "DEPLOY_TOKEN" }
        [tasks.use]
        approve = "Use it?"
        shell = "echo $T >> log"
        env = { T = "${{ params.token }}" }
        "#,
    );
    let set = [("DEPLOY_TOKEN", "correct-horse")];
    let run = scene
        .start_with(&["run", "plan.toml", "--name", "r"], &set)
        .wait();
    assert_eq!(code(&run), 5, "{run:?}");
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    let refused = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&refused), 2, "{refused:?}");
    let resume = scene.start_with(&["resume", "r"], &set).wait();
    assert_eq!(code(&resume), 0, "{resume:?}");
    assert_eq!(scene.log(), ["correct-horse"]);
}

#[test]
fn a_command_gets_a_service_key_only_if_the_plan_or_the_settings_pass_it_on() {
    let scene = Scene::new(
        r#"
        [tasks.without]
        shell = "echo without ${OPENAI_API_KEY-none} ${GEMINI_API_KEY-none} >> log"
        [tasks.with]
        needs = ["without"]
        shell = "echo with $OPENAI_API_KEY; echo with $OPENAI_API_KEY >> log"
        pass_env = ["OPENAI_API_KEY"]
        "#,
    );
    let key = ("OPENAI_API_KEY", "sk-0123456789abcdef");
    let run = scene
        .start_with(&["run", "plan.toml", "--name", "r"], &[key])
        .wait();
    assert_eq!(code(&run), 0, "{run:?}");
    assert_eq!(
        scene.log(),
        ["with sk-0123456789abcdef", "without none none"]
    );
    let logs = scene.zeph(&["logs", "r", "with"]);
    assert!(!logs.out.contains("sk-0123"), "it stays redacted: {logs:?}");

    let settings = [
        key,
        ("GEMINI_API_KEY", "sk-fedcba9876543210"),
        ("ZEPH_PASS_ENV", "GEMINI_API_KEY"),
    ];
    let run = scene.start_with(&["run", "plan.toml"], &settings).wait();
    assert_eq!(code(&run), 0, "{run:?}");
    assert_eq!(scene.log()[3], "without none sk-fedcba9876543210");

    let unset = scene.zeph(&["run", "plan.toml"]);
    assert_eq!(code(&unset), 3, "{unset:?}");
    assert!(
        unset
            .out
            .contains("\"OPENAI_API_KEY\" in `pass_env` is not set"),
        "{unset:?}"
    );
}

#[test]
fn an_untrusted_project_passes_no_variable_on() {
    let scene = Scene::new("[tasks.a]\nshell = 'echo ${OPENAI_API_KEY-none} >> log'\n");
    scene.file("zeph.toml", "pass_env = ['OPENAI_API_KEY']\n");
    let key = [("OPENAI_API_KEY", "sk-0123456789abcdef")];
    let run = scene.start_with(&["run", "plan.toml"], &key).wait();
    assert_eq!(code(&run), 0, "{run:?}");
    assert_eq!(scene.log(), ["none"]);
    assert!(run.err.contains("pass_env"), "{run:?}");
}

#[test]
fn a_key_in_an_answer_is_neither_stored_nor_left_in_the_file() {
    const KEY: &str = "sk-Zq8w3nVt6yPk4mLd2sXa9rTb";
    let scene = Scene::new("[tasks.q]\nask = 'Which key?'");
    let key = [("OPENAI_API_KEY", KEY)];
    let run = |args: &[&str]| code(&scene.start_with(args, &key).wait());
    let db = ["--db", "runs.db"];
    assert_eq!(
        run(&[&["run", "plan.toml", "--name", "r"][..], &db].concat()),
        5
    );
    let answer = format!("it is {KEY}");
    assert_eq!(run(&[&["answer", "r", "1", &answer][..], &db].concat()), 0);
    let stored = || String::from_utf8_lossy(&scene.bytes_below(".")).contains(KEY);
    assert!(!stored(), "while it waits");
    assert_eq!(run(&[&["resume", "r"][..], &db].concat()), 0);
    assert!(!stored(), "after it counted");
}

#[test]
fn a_key_in_a_plan_or_a_parameter_refuses_the_run() {
    const KEY: &str = "sk-Zq8w3nVt6yPk4mLd2sXa9rTb";
    let scene = Scene::new(
        "[params]\nx = { default = 'a', env = 'PLACE' }\n[tasks.a]\nrun = ['echo', '${{ params.x }}']",
    );
    scene.file(
        "literal.toml",
        &format!("[tasks.a]\nrun = ['curl', '-H', 'key: {KEY}']"),
    );
    let key = ("OPENAI_API_KEY", KEY);
    let given = format!("x={KEY}");
    let commands: [&[&str]; 3] = [
        &["run", "literal.toml"],
        &["run", "plan.toml", "-p", &given],
        &["run", "plan.toml", "-p", "x=@env:OPENAI_API_KEY"],
    ];
    for command in commands {
        let refused = scene.start_with(command, &[key]).wait();
        assert_eq!(code(&refused), 2, "{refused:?}");
        assert!(
            refused.err.contains("has the value of OPENAI_API_KEY"),
            "{refused:?}"
        );
        assert!(!refused.err.contains(KEY), "{refused:?}");
    }
    let from_variable = [key, ("PLACE", KEY)];
    let refused = scene
        .start_with(&["run", "plan.toml"], &from_variable)
        .wait();
    assert!(refused.err.contains("the parameter \"x\""), "{refused:?}");
    let kept = scene.zeph(&["list", "--json"]);
    assert!(!kept.out.contains("\"run\""), "{kept:?}");
    let run = scene.start_with(&["run", "plan.toml", "--name", "r"], &[key]);
    let run = run.wait();
    assert_eq!(code(&run), 0, "{run:?}");
    let retries: [&[&str]; 2] = [
        &["retry", "r", "--plan", "literal.toml"],
        &["retry", "r", "--plan", "plan.toml", "-p", &given],
    ];
    for command in retries {
        let refused = scene.start_with(command, &[key]).wait();
        assert_eq!(code(&refused), 2, "{refused:?}");
        assert!(!refused.err.contains(KEY), "{refused:?}");
    }
}

#[test]
fn the_variable_of_a_secret_on_the_command_line_is_not_inherited() {
    let scene = Scene::new(
        r#"
        [params]
        token = { secret = true }
        place = "here"
        [tasks.use]
        shell = "echo $T ${TOKEN_OF_MINE-none} ${PLACE_OF_MINE-none} >> log"
        env = { T = "${{ params.token }}" }
        [tasks.again]
        needs = ["use"]
        approve = "Again?"
        shell = "echo $T ${TOKEN_OF_MINE-none} >> log"
        env = { T = "${{ params.token }}" }
        "#,
    );
    let set = [
        ("TOKEN_OF_MINE", "correct-horse"),
        ("PLACE_OF_MINE", "there"),
    ];
    let token = ["-p", "token=@env:TOKEN_OF_MINE"];
    let start = |args: &[&str]| scene.start_with(args, &set).wait();
    let run = start(
        &[
            &[
                "run",
                "plan.toml",
                "--name",
                "r",
                "-p",
                "place=@env:PLACE_OF_MINE",
            ][..],
            &token,
        ]
        .concat(),
    );
    assert_eq!(code(&run), 5, "{run:?}");
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    let resume = start(&[&["resume", "r"][..], &token].concat());
    assert_eq!(code(&resume), 0, "{resume:?}");
    assert_eq!(
        scene.log(),
        ["correct-horse none", "correct-horse none there"]
    );
}

#[test]
fn empty_short_and_unknown_secrets_are_reported_at_a_run_and_at_a_resume() {
    let scene = Scene::new(
        r#"
        [params]
        token = { secret = true, env = "DEPLOY_TOKEN" }
        [tasks.use]
        approve = "Use it?"
        run = ["true"]
        env = { T = "${{ params.token }}" }
        "#,
    );
    let short = [("DEPLOY_TOKEN", "pin")];
    let too_short = "the secret token is too short";
    let empty = scene.zeph(&["run", "plan.toml", "-p", "token="]);
    assert_eq!(code(&empty), 2, "{empty:?}");
    assert!(empty.err.contains("the value is empty"), "{empty:?}");
    let run = scene
        .start_with(&["run", "plan.toml", "--name", "r"], &short)
        .wait();
    assert_eq!(code(&run), 5, "{run:?}");
    assert!(run.err.contains(too_short), "{run:?}");
    for (given, wanted) in [
        ("token=", "the secret \"token\" is empty"),
        ("tokn=correct-horse", "did you mean \"token\"?"),
    ] {
        let refused = scene.zeph(&["resume", "r", "-p", given]);
        assert_eq!(code(&refused), 2, "{refused:?}");
        assert!(refused.err.contains(wanted), "{refused:?}");
    }
    let resume = scene.start_with(&["resume", "r"], &short).wait();
    assert_eq!(code(&resume), 5, "{resume:?}");
    assert!(resume.err.contains(too_short), "{resume:?}");
}

#[test]
fn parameters_and_answers_are_read_from_the_same_places() {
    let scene = Scene::new(
        "[params]\nx = 'a'\n[tasks.a]\nask = 'Which?'\n[tasks.b]\nneeds = ['a']\nrun = ['sh', '-c', 'echo \"$1\" \"$2\" >> log', 'sh', '${{ params.x }}', '${{ tasks.a.value }}']",
    );
    scene.file("text", "from a file\n");
    for (name, place, wanted) in [
        ("file", "@text", "from a file"),
        ("stdin", "@-", "from stdin"),
        ("variable", "@env:SOURCE", "from a variable"),
        ("plain", "@@text", "@text"),
    ] {
        let with = |args: &[&str]| {
            let mut command = scene.command(args);
            command.env("SOURCE", "from a variable");
            scene.with_stdin(command, "from stdin\n")
        };
        let given = format!("x={place}");
        let run = with(&["run", "plan.toml", "--name", name, "-p", &given]);
        assert_eq!(code(&run), 5, "{run:?}");
        let answer = with(&["answer", name, "1", place]);
        assert_eq!(code(&answer), 0, "{answer:?}");
        assert_eq!(code(&scene.zeph(&["resume", name])), 0);
        let line = format!("{wanted} {wanted}");
        assert!(scene.log().contains(&line), "{:?}", scene.log());
    }
    let missing = scene.zeph(&["run", "plan.toml", "-p", "x=@no-such-file"]);
    assert_eq!(code(&missing), 2, "{missing:?}");
    assert!(missing.err.contains("@env:NAME a variable"), "{missing:?}");
}

#[test]
fn a_placeholder_key_masks_nothing() {
    let scene = Scene::new("[tasks.a]\nshell = 'echo install ollama, then ollama pull llama3'");
    for placeholder in ["ollama", "no-key-required", "x"] {
        let key = [("OPENAI_API_KEY", placeholder)];
        let args = ["run", "plan.toml", "--name", placeholder];
        let run = scene.start_with(&args, &key).wait();
        assert_eq!(code(&run), 0, "{run:?}");
        let logs = scene.start_with(&["logs", placeholder], &key).wait();
        let text = "install ollama, then ollama pull llama3";
        assert!(logs.out.contains(text), "{logs:?}");
    }
}
