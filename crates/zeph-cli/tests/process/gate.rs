//! A task of a run does not decide in place of a person, and who decided is noted.

use super::support::{Scene, code};

/// A run whose task tries to answer its own gate in several ways, each with its exit code in `log`.
fn scene(attempts: &str) -> Scene {
    let zeph = env!("CARGO_BIN_EXE_zeph");
    Scene::new(&format!(
        r#"
        [tasks.attack]
        shell = '''
        zeph() {{ "{zeph}" "$@" >>said 2>&1; echo "$1 $?" >> log; }}
        R=$ZEPH_RUN
        {attempts}
        '''
        [tasks.gated]
        approve = "Publish?"
        shell = "echo published >> log"
        "#
    ))
}

#[test]
fn a_task_cannot_answer_its_own_gate() {
    let scene = scene(
        r#"
        while ! "ZEPH" status "$R" --json | grep -q '"question"\|Publish'; do :; done
        zeph answer "$R" 1 yes
        unset ZEPH_RUN
        zeph answer "$R" 1 yes
        zeph unpause "$R"
        zeph budget "$R" --tokens 5
        (zeph answer "$R" 1 yes)
        "#
        .replace(
            "ZEPH\" status",
            &format!("{}\" status", env!("CARGO_BIN_EXE_zeph")),
        )
        .as_str(),
    );
    let run = scene.zeph(&["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 5, "{run:?}");
    let said = std::fs::read_to_string(scene.path("said")).unwrap_or_default();
    assert_eq!(
        scene.log(),
        ["answer 2", "answer 2", "answer 2", "budget 2", "unpause 2"],
        "{said}"
    );
    assert!(
        said.contains("cannot decide in place of a person"),
        "{said}"
    );
}

#[test]
fn who_answered_is_shown() {
    let scene = scene("true");
    let run = scene.zeph(&["run", "plan.toml", "--name", "r"]);
    assert_eq!(code(&run), 5, "{run:?}");
    let own = scene.start_with(&["answer", "r", "1", "yes"], &[("ZEPH_RUN", "r")]);
    let own = own.wait();
    assert_eq!(code(&own), 2, "{own:?}");
    let own = scene
        .start_with(&["resume", "r"], &[("ZEPH_RUN", "r")])
        .wait();
    assert_eq!(code(&own), 2, "{own:?}");
    // A task of another run may answer.
    let answer = scene.start_with(&["answer", "r", "1", "yes"], &[("ZEPH_RUN", "s")]);
    let answer = answer.wait();
    assert_eq!(code(&answer), 0, "{answer:?}");
    let resume = scene.zeph(&["resume", "r"]);
    assert_eq!(code(&resume), 0, "{resume:?}");
    assert_eq!(scene.log(), ["published"]);
    let show = scene.zeph(&["show", "r", "gated"]);
    let line = show.out.lines().find(|line| line.contains("is answered"));
    assert!(
        line.is_some_and(|line| line.contains(" by ") && line.contains("(process ")),
        "{show:?}"
    );
    let status = scene.zeph(&["status", "r", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&status.out).expect("JSON");
    let by = &json["answers"][0]["by"];
    assert!(
        by["pid"].is_u64() && by["uid"].is_u64() && by["posted_at"].is_u64(),
        "{json}"
    );
    let verify = scene.zeph(&["verify", "r"]);
    assert_eq!(code(&verify), 0, "{verify:?}");
}
