//! The log of a running attempt: read, followed, and there after a kill.

use super::support::{Scene, code};

const PLAN: &str = r#"
    [params]
    token = { secret = true }
    [tasks.long]
    env = { T = "${{ params.token }}" }
    shell = """
echo "early $T, attempt $ZEPH_ATTEMPT"
printf unfinished
read line < gate-$ZEPH_ATTEMPT
echo ', late'
"""
"#;

#[test]
fn the_log_of_a_running_attempt_is_followed_and_survives_a_kill() {
    let scene = Scene::new(PLAN);
    scene.file("token", "correct-horse-battery");
    scene.gates(2);
    let mut run = scene.start(&["run", "plan.toml", "--name", "r", "-p", "token=@token"]);
    let gate = scene.open_gate(1);
    let mut follow = scene.start(&["logs", "r", "long", "-f"]);
    let early = "early ‹redacted: token›, attempt 1\n";
    follow.until(early.trim_end());
    let logs = scene.zeph(&["logs", "r", "long"]);
    assert_eq!((code(&logs), &*logs.out), (0, early), "{logs:?}");
    run.signal("KILL");
    run.wait();
    let followed = follow.wait();
    assert_eq!(
        (code(&followed), &*followed.out),
        (0, early),
        "{followed:?}"
    );
    scene.write(gate);
    let shown = scene.zeph(&["show", "r", "long"]);
    let interrupted = "interrupted: no process works on the run";
    assert!(shown.out.contains(interrupted), "{shown:?}");

    let resumed = scene.start(&["resume", "r", "-p", "token=@token"]);
    scene.pass_gate(2);
    let resumed = resumed.wait();
    assert_eq!(code(&resumed), 0, "{resumed:?}");
    let of = |attempt| {
        scene
            .zeph(&["logs", "r", "--attempt", attempt, "--json"])
            .out
    };
    let [first, second] = ["1", "2"].map(|attempt| {
        let line = of(attempt);
        let json: serde_json::Value = serde_json::from_str(&line).expect("one line");
        json
    });
    assert_eq!(first["text"], early);
    let whole = "early ‹redacted: token›, attempt 2\nunfinished, late\n";
    assert_eq!(second["text"], whole);
    assert_eq!(
        (&first["final"], &second["final"]),
        (&false.into(), &true.into())
    );
    let verify = scene.zeph(&["verify"]);
    assert_eq!(code(&verify), 0, "{verify:?}");
    assert_eq!(code(&scene.zeph(&["delete", "r"])), 0);
}
