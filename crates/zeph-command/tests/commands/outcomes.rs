//! Values of commands, and errors with advice.

use super::support::{run, run_input, run_with};
use serde_json::json;
use zeph_command::CommandExecutor;
use zeph_executor::ErrorClass::{Interrupted, Permanent, Retryable};
use zeph_executor::{Parent, TaskInput};

#[tokio::test]
async fn outputs_exit_code_and_stdin_become_the_value() {
    let script = "cat; echo; echo oh >&2; exit 3";
    let output = run(json!({ "shell": script, "stdin": "a\u{e9}", "ok_codes": [0, 3] }))
        .await
        .unwrap();
    assert_eq!(
        output.value,
        json!({ "stdout": "aé", "stderr": "oh\n", "exit": 3 })
    );
    assert!(output.blobs.is_empty());
}

#[tokio::test]
async fn only_one_line_break_is_taken_off() {
    for (text, wanted) in [("a\n\n", "a\n"), ("a\r\n", "a"), ("a", "a"), ("", "")] {
        let output = run(json!({ "argv": ["printf", "%s", text] }))
            .await
            .unwrap();
        assert_eq!(output.value["stdout"], wanted);
    }
}

#[tokio::test]
async fn arguments_are_not_expanded() {
    let output = run(json!({ "argv": ["printf", "%s|", "$HOME *", "a b", ""] }))
        .await
        .unwrap();
    assert_eq!(output.value["stdout"], "$HOME *|a b||");
}

#[tokio::test]
async fn stdin_is_empty_unless_given_and_may_stay_unread() {
    let output = run(json!({ "argv": ["cat"], "stdin": null }))
        .await
        .unwrap();
    assert_eq!(output.value["stdout"], "");
    let unread = run(json!({ "argv": ["true"], "stdin": "x".repeat(1 << 20) })).await;
    assert_eq!(unread.unwrap().value["exit"], 0);
}

#[tokio::test]
async fn the_environment_is_inherited_minus_secrets_plus_identity() {
    let executor = CommandExecutor::builder()
        .deny_env(["HOME"])
        .deny_env_if(|name| name.starts_with("CARGO_PKG_"))
        .build();
    let script = r#"echo "${HOME-none} ${CARGO_PKG_NAME-none} ${PATH:+path} $EXTRA"
        echo "$ZEPH_RUN,$ZEPH_TASK,$ZEPH_ATTEMPT,$ZEPH_IDEMPOTENCY_KEY""#;
    // The test runner sets both, so that their absence below means something.
    assert!(std::env::var_os("CARGO_PKG_NAME").is_some());
    assert!(std::env::var_os("HOME").is_some());
    let output = run_with(
        &executor,
        json!({ "shell": script, "env": { "EXTRA": "more" } }),
    )
    .await
    .unwrap();
    let wanted = "none none path more\nrun1,the task,1,run1/the task";
    assert_eq!(output.value["stdout"], wanted);
    let given = json!({ "shell": "echo $HOME", "env": { "HOME": "/given" } });
    assert_eq!(
        run_with(&executor, given).await.unwrap().value["stdout"],
        "/given"
    );
}

#[tokio::test]
async fn commands_run_in_the_folder_of_the_plan() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().canonicalize().unwrap();
    std::fs::create_dir(base.join("sub")).unwrap();
    let executor = CommandExecutor::builder().cwd(&base).build();
    let output = run_with(&executor, json!({ "argv": ["pwd", "-P"] }))
        .await
        .unwrap();
    assert_eq!(output.value["stdout"], base.to_str().unwrap());
    let output = run_with(&executor, json!({ "argv": ["pwd", "-P"], "cwd": "sub" }))
        .await
        .unwrap();
    assert_eq!(output.value["stdout"], base.join("sub").to_str().unwrap());

    let error = run_with(&executor, json!({ "argv": ["pwd"], "cwd": "gone" }))
        .await
        .unwrap_err();
    assert_eq!((error.class(), error.code()), (Permanent, "cwd_missing"));
    assert!(error.message().contains("gone"), "{error}");
}

#[tokio::test]
async fn programs_that_cannot_start_are_permanent_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let table = [
        (
            json!({ "argv": ["no-such-program-here"] }),
            "command_not_found",
            "install",
        ),
        (
            json!({ "argv": [file("plain", "x", 0o644)] }),
            "not_executable",
            "chmod",
        ),
        (
            json!({ "argv": [file("lost", "#!/no/such/interpreter\n", 0o755)] }),
            "command_not_found",
            "#!",
        ),
        (
            json!({ "argv": ["true", "x".repeat(4 << 20)] }),
            "arguments_too_long",
            "stdin",
        ),
        (
            json!({ "argv": ["true", "a\0b"] }),
            "invalid_params",
            "argv[1]",
        ),
        (
            json!({ "argv": ["true"], "timeout": 3 }),
            "invalid_params",
            "unknown field",
        ),
        (json!({ "argv": "ls -l" }), "invalid_params", "argv"),
    ];
    for (input, code, hint) in table {
        let error = run(input).await.unwrap_err();
        assert_eq!(
            (error.class(), error.code()),
            (Permanent, code),
            "{error:#}"
        );
        assert!(error.message().contains(hint), "{error:#}");
    }
}

#[tokio::test]
async fn failed_exits_are_retryable_and_have_a_reason() {
    let script = "echo first >&2; echo the disk is on fire >&2; exit 7";
    let error = run(json!({ "argv": ["sh", "-c", script] }))
        .await
        .unwrap_err();
    assert_eq!((error.class(), error.code()), (Retryable, "exit_code"));
    assert_eq!(
        error.message(),
        format!("sh -c '{script}' exited with code 7: the disk is on fire")
    );
    let detail =
        json!({ "exit": 7, "signal": null, "stderr_tail": "first\nthe disk is on fire\n" });
    assert_eq!(error.detail(), Some(&detail));

    let error = run(json!({ "shell": "kill -SEGV $$" })).await.unwrap_err();
    assert_eq!(error.message(), "the shell script was ended by SIGSEGV");
    assert_eq!(error.detail().unwrap()["signal"], 11);

    let error = run(json!({ "shell": "no-such-program-here" }))
        .await
        .unwrap_err();
    assert!(
        error.message().contains("the shell did not find a command"),
        "{error}"
    );
}

#[tokio::test]
async fn json_is_parsed_or_refused() {
    let input = |text: &str| json!({ "argv": ["printf", "%s", text], "output": "json" });
    let output = run(input("{\"n\": [1, 2]}\n")).await.unwrap();
    assert_eq!(output.value["json"], json!({ "n": [1, 2] }));
    assert_eq!(output.value["stdout"], "{\"n\": [1, 2]}");
    let deep = "[".repeat(100_000);
    for text in ["", "{} {}", "{\"n\": NaN}", &deep] {
        let error = run(input(text)).await.unwrap_err();
        assert_eq!(
            (error.class(), error.code()),
            (Permanent, "bad_json"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_become_a_blob() {
    let output = run(json!({ "argv": ["printf", r"a\377\000b\n"] }))
        .await
        .unwrap();
    assert_eq!(output.value["stdout"], "a\u{fffd}\0b");
    assert_eq!(output.value["stdout_utf8"], false);
    assert_eq!(&output.blobs["stdout"][..], b"a\xff\0b\n");
}

#[tokio::test]
async fn output_over_the_limit_is_cut_with_a_mark_and_whole_as_a_blob() {
    let executor = CommandExecutor::builder().max_output(400).build();
    let script = "echo head; seq 100; echo tail";
    let output = run_with(&executor, json!({ "shell": script }))
        .await
        .unwrap();
    let stdout = output.value["stdout"].as_str().unwrap();
    assert!(
        stdout.starts_with("head\n1\n") && stdout.ends_with("\ntail"),
        "{stdout}"
    );
    assert!(stdout.contains("bytes cut"), "{stdout}");
    assert_eq!(output.value["stdout_truncated"], true);
    assert_eq!(output.value["stdout_bytes"], 302);
    assert_eq!(output.value["exit"], 0);
    assert!(output.value.to_string().len() <= 400);
    assert_eq!(output.blobs["stdout"].len(), 302);

    // Text that only exceeds the limit when it is written as JSON is cut as well.
    let controls = run(json!({ "shell": "head -c 1000000 /dev/zero" })).await;
    let output = controls.unwrap();
    assert_eq!(output.value["stdout_truncated"], true);
    assert_eq!(output.blobs["stdout"].len(), 1_000_000);

    let fits = run_with(&executor, json!({ "argv": ["printf", "0123456789"] })).await;
    let fits = fits.unwrap();
    assert_eq!(
        fits.value,
        json!({ "stdout": "0123456789", "stderr": "", "exit": 0 })
    );
    assert!(fits.blobs.is_empty());
}

#[tokio::test]
async fn json_over_the_limit_is_an_error_that_names_it() {
    let executor = CommandExecutor::builder().max_output(1_000).build();
    let numbers = |count: u32| json!({ "shell": format!("seq {count} | paste -sd, | sed 's/.*/[&]/'"), "output": "json" });
    let error = run_with(&executor, numbers(1_000)).await.unwrap_err();
    assert_eq!(
        (error.class(), error.code()),
        (Permanent, "output_too_large")
    );
    assert!(error.message().contains("1000 bytes"), "{error}");
    // The parsed value is whole although the text beside it is cut.
    let output = run_with(&executor, numbers(200)).await.unwrap();
    assert_eq!(output.value["json"].as_array().map(Vec::len), Some(200));
    assert_eq!(output.value["stdout_truncated"], true);
}

#[tokio::test]
async fn output_can_be_left_out() {
    let input = json!({ "shell": "seq 1000000; echo oh >&2", "output": "none" });
    let output = run(input).await.unwrap();
    assert_eq!(output.value, json!({ "stderr": "oh\n", "exit": 0 }));
    assert!(output.blobs.is_empty());
}

#[tokio::test]
async fn bytes_of_a_parent_reach_standard_input_unchanged() {
    let printed = run(json!({ "argv": ["printf", r"a\377\000b\n"] })).await;
    let text = run(json!({ "argv": ["echo", "text"] })).await;
    let mut input = TaskInput::new(json!({ "argv": ["od", "-An", "-tx1"], "stdin_from": "bytes" }));
    for (name, output) in [("bytes", printed), ("text", text)] {
        let parent = Parent::completed(output.unwrap());
        input.parents.insert(name.to_owned(), parent);
    }
    let output = run_input(input.clone()).await.unwrap();
    assert_eq!(output.value["stdout"], " 61 ff 00 62 0a");
    input.params["stdin_from"] = json!("text");
    let output = run_input(input.clone()).await.unwrap();
    assert_eq!(output.value["stdout"], " 74 65 78 74");
    input.params["stdin_from"] = json!("absent");
    let error = run_input(input).await.unwrap_err();
    assert!(error.message().contains("\"absent\""), "{error}");
}

#[tokio::test]
async fn a_command_has_a_session_of_its_own_and_no_terminal() {
    // Field 6 is the session, field 7 the terminal.
    let script = r#"echo "$$ $(cut -d' ' -f6,7 /proc/$$/stat)""#;
    if std::path::Path::new("/proc/self/stat").exists() {
        let output = run(json!({ "shell": script })).await.unwrap();
        let shown = output.value["stdout"].as_str().unwrap().to_owned();
        let fields: Vec<&str> = shown.split(' ').collect();
        assert_eq!((fields[0], fields[2]), (fields[1], "0"), "{shown}");
    }
    let asks = json!({ "shell": "read -r password < /dev/tty" });
    let error = run(asks).await.unwrap_err();
    assert!(
        error.message().contains("a task has no terminal"),
        "{error}"
    );
}

#[tokio::test]
async fn a_missing_program_names_the_path_of_the_task() {
    let input = json!({ "argv": ["sh", "-c", "true"], "env": { "PATH": "$HOME/bin:$PATH" } });
    let error = run(input).await.unwrap_err();
    assert_eq!(error.code(), "command_not_found");
    for part in [
        "the task's own PATH",
        "$HOME/bin",
        "no variable is expanded",
    ] {
        assert!(error.message().contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_command_that_something_else_kills_is_interrupted() {
    let error = run(json!({ "shell": "kill -KILL $$" })).await.unwrap_err();
    assert_eq!((error.class(), error.code()), (Interrupted, "exit_code"));
    let error = run(json!({ "shell": "kill -SEGV $$" })).await.unwrap_err();
    assert_eq!(error.class(), Retryable);
}

#[tokio::test]
async fn lines_in_the_file_of_zeph_output_are_named_outputs() {
    let script = r#"echo text; echo "version=1.2 = \"x\"" >> "$ZEPH_OUTPUT"; echo n=1 >> "$ZEPH_OUTPUT"; test -O "$(dirname "$ZEPH_OUTPUT")""#;
    let output = run(json!({ "shell": script })).await.unwrap();
    let outputs = json!({ "version": "1.2 = \"x\"", "n": "1" });
    let value = json!({ "stdout": "text", "stderr": "", "exit": 0, "outputs": outputs });
    assert_eq!(output.value, value);
    // Nothing of one command is left for the next one.
    let script = r#"test -e "$ZEPH_OUTPUT" || printf '{"list": [1, {}]}' > "$ZEPH_OUTPUT""#;
    let output = run(json!({ "shell": script, "output": "none" }))
        .await
        .unwrap();
    let value = json!({ "stderr": "", "exit": 0, "outputs": { "list": [1, {}] } });
    assert_eq!(output.value, value);
    for (script, wanted) in [
        ("echo oops", "line 1 is not `name=value`"),
        ("head -c 300000 /dev/zero", "more than 262144 bytes"),
        ("echo '{'", "not one JSON object"),
    ] {
        let script = format!("{script} > \"$ZEPH_OUTPUT\"");
        let error = run(json!({ "shell": script })).await.unwrap_err();
        assert_eq!((error.code(), error.class()), ("bad_outputs", Permanent));
        assert!(error.to_string().contains(wanted), "{error}");
    }
    // The exit code comes first.
    let error = run(json!({ "shell": "echo oops > \"$ZEPH_OUTPUT\"; exit 3" })).await;
    assert_eq!(error.unwrap_err().code(), "exit_code");
}
