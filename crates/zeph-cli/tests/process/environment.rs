//! The environment of commands: variables of the plan, env files, folders of programs, named outputs;
//! parameters of all types.

use std::os::unix::fs::PermissionsExt as _;

use super::support::{Scene, code};

#[test]
fn an_env_file_is_as_if_its_variables_were_set_and_is_not_stored() {
    let scene = Scene::new(
        r#"
        env_file = ".env"
        env = { LEVEL = "plan", OWN = "plan" }
        [params]
        token = { secret = true, env = "DEPLOY_TOKEN" }
        [tasks.use]
        shell = 'echo "$HOST $LEVEL $OWN $OUTER ${DEPLOY_TOKEN-none} ${OPENAI_API_KEY-none}" >> log; echo "$T"'
        env = { OWN = "task", T = "${{ params.token }}" }
        [tasks.ask]
        needs = ["use"]
        approve = "Go on?"
        shell = 'echo "$HOST $T" >> log'
        env = { T = "${{ params.token }}" }
        "#,
    );
    // No secret and no file is needed to look at it.
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
    assert!(refused.err.contains("bad_env_file"), "{refused:?}");
    scene.file(
        ".env",
        "# services\nexport HOST='db one'\nLEVEL=file\nOUTER=file\nDEPLOY_TOKEN=correct-horse\nOPENAI_API_KEY=sk-0123456789abcdef\n",
    );
    let run = scene
        .start_with(&["run", "plan.toml", "--name", "r"], &[("OUTER", "outer")])
        .wait();
    assert_eq!(code(&run), 5, "{run:?}");
    assert_eq!(scene.log(), ["db one plan task outer none none"]);
    let logs = scene.zeph(&["logs", "r", "use"]);
    assert!(logs.out.contains("‹redacted: token›"), "{logs:?}");
    let stored = scene.bytes_below(".local/state/zeph");
    let has = |text: &str| {
        stored
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(has("plan_env_files") && !has("db one") && !has("correct-horse"));
    // A resume reads it again.
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    let resume = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&resume), 0, "{resume:?}");
    assert!(scene.log().contains(&"db one correct-horse".to_owned()));
}

#[test]
fn programs_are_found_in_the_folders_of_the_plan_first() {
    let scene = Scene::new(
        r#"
        [params]
        tools = "bin"
        [defaults]
        path = ["./${{ params.tools }}"]
        [tasks.own]
        run = ["greet", "hello"]
        [tasks.shadowed]
        needs = ["own"]
        shell = "true one; env true two"
        [tasks.missing]
        needs = ["shadowed"]
        run = ["no-such-program"]
        on_failure = "skip"
        "#,
    );
    scene.folder("bin");
    for name in ["greet", "true"] {
        scene.file(&format!("bin/{name}"), "#!/bin/sh\necho \"$0 $1\" >> log\n");
        let path = scene.path(&format!("bin/{name}"));
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let run = scene.zeph(&["run", "plan.toml"]);
    assert_eq!(code(&run), 4, "{run:?}");
    let log = scene.log();
    assert!(
        log[0].ends_with("bin/greet hello") && log[1].ends_with("bin/true two"),
        "{log:?}"
    );
    let named = "was not found in the folders of `path` (./bin) or in PATH";
    assert!(run.out.contains(named), "{run:?}");
}

#[test]
fn every_type_of_parameter_reaches_a_command() {
    let scene = Scene::new(
        r#"
        [params]
        hosts = ["a"]
        labels = { type = "object", default = { team = "web" } }
        input = { type = "file", default = "data.csv" }
        copies = { type = "integer", min = 1, max = 3, default = 1, env = "COPIES" }
        [tasks.use]
        run = ["sh", "-c", 'echo "$1 $2 $4" >> log; wc -l < "$3" >> log', "sh", "${{ params.hosts|join('+') }}", "${{ params.labels.team }}", "${{ params.input }}", "${{ params.copies }}"]
        "#,
    );
    scene.folder("sub");
    scene.file("data.csv", "1\n2\n3\n");
    scene.file("sub/other.csv", "1\n");
    let run = scene.zeph(&["run", "plan.toml"]);
    assert_eq!(code(&run), 0, "{run:?}");
    assert_eq!(scene.log(), ["3", "a web 1"]);
    // A path on the command line is relative to the current folder, here another one than the plan's.
    let mut other = scene.command(&[
        "run",
        "../plan.toml",
        "-p",
        "hosts=b,c",
        "-p",
        "input=other.csv",
    ]);
    other.current_dir(scene.path("sub")).env("COPIES", "3");
    let run = scene.with_stdin(other, "");
    assert_eq!(code(&run), 0, "{run:?}");
    assert!(
        scene.log().contains(&"b+c web 3".to_owned()),
        "{:?}",
        scene.log()
    );
    for (given, wanted) in [
        ("copies=4", "is not from 1 to 3"),
        ("input=none.csv", "cannot be used: No such file"),
        ("labels=x", "is not an object"),
    ] {
        let refused = scene.zeph(&["validate", "plan.toml", "-p", given]);
        assert_eq!(code(&refused), 2, "{refused:?}");
        assert!(refused.err.contains(wanted), "{refused:?}");
        assert!(refused.err.contains("^^^"), "{refused:?}");
    }
}

#[test]
fn named_outputs_reach_other_tasks_and_are_redacted() {
    let scene = Scene::new(
        r#"
        [params]
        token = { secret = true }
        [tasks.build]
        shell = 'echo "version=1.2" >> "$ZEPH_OUTPUT"; echo "key=$T" >> "$ZEPH_OUTPUT"'
        env = { T = "${{ params.token }}" }
        output = "none"
        [tasks.use]
        needs = ["build"]
        run = ["sh", "-c", 'echo "$1" "$2" >> log', "sh", "${{ tasks.build.outputs.version }}", "${{ tasks.build.outputs.key }}"]
        [tasks.wrong]
        needs = ["build"]
        run = ["echo", "${{ tasks.build.outputs.versoin }}"]
        on_failure = "skip"
        [tasks.none]
        needs = ["use"]
        run = ["echo", "${{ tasks.use.outputs.x }}"]
        on_failure = "skip"
        "#,
    );
    let token = "token=correct-horse";
    let run = scene.zeph(&["run", "plan.toml", "--name", "r", "-p", token]);
    assert_eq!(code(&run), 4, "{run:?}");
    assert_eq!(scene.log(), ["1.2 ‹redacted: token›"]);
    assert!(
        run.out
            .contains("the named outputs of \"build\" are `key`, `version`"),
        "{run:?}"
    );
    assert!(
        run.out.contains("\"use\" has written no named outputs"),
        "{run:?}"
    );
    let show = scene.zeph(&["show", "r", "build", "--json"]);
    assert!(show.out.contains(r#""version":"1.2""#), "{show:?}");
}
