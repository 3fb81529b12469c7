//! A bad day of an operator: one event after the other, on one database where that is possible.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::held;
use super::support::{Ended, Process, Scene, code};

/// Ten tasks: nine write a line, and the last one waits at the gate of its attempt.
const TEN: &str = r#"
[tasks.t1]
shell = "echo t1 >> log"
[tasks.t2]
shell = "echo t2 >> log"
[tasks.t3]
shell = "echo t3 >> log"
[tasks.t4]
needs = ["t1", "t2", "t3"]
shell = "echo t4 >> log; read line < gate-$ZEPH_ATTEMPT"
[tasks.t5]
needs = ["t4"]
shell = "echo t5 >> log"
"#;

fn run(scene: &Scene, name: &str) -> Ended {
    scene.zeph(&["run", "plan.toml", "--name", name])
}

fn succeeds(ended: &Ended) {
    assert_eq!(code(ended), 0, "{ended:?}");
}

/// The command is refused with this exit code, and its error has the words.
fn refused(ended: &Ended, exit: i32, words: &[&str]) {
    assert_eq!(code(ended), exit, "{ended:?}");
    for word in words {
        assert!(ended.err.contains(word), "{word:?}: {ended:?}");
    }
}

#[test]
fn five_kills_repeat_nothing_that_was_completed() {
    let scene = Scene::new(TEN);
    scene.gates(6);
    for attempt in 1..=5 {
        let args: &[&str] = if attempt == 1 {
            &["run", "plan.toml", "--name", "r"]
        } else {
            &["resume", "r"]
        };
        let mut zeph = scene.start(args);
        let gate = scene.open_gate(attempt);
        zeph.signal("KILL");
        zeph.wait();
        drop(gate);
        let status = scene.zeph(&["status", "r"]);
        assert!(status.out.contains("interrupted"), "{status:?}");
    }
    let resume = scene.start(&["resume", "r"]);
    scene.pass_gate(6);
    let ended = resume.wait();
    succeeds(&ended);
    assert!(ended.out.contains("interrupted t4"), "{ended:?}");
    let four = ["t4"; 6];
    assert_eq!(
        scene.log(),
        [&["t1", "t2", "t3"][..], &four, &["t5"]].concat()
    );
    succeeds(&scene.zeph(&["verify", "r"]));
}

#[test]
fn a_lost_connection_leaves_no_copy_at_work() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(2);
    let mut zeph = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    zeph.signal("HUP");
    let ended = zeph.wait();
    assert_eq!(code(&ended), 129, "{ended:?}");
    drop(gate);
    let resume = scene.start(&["resume", "r"]);
    scene.pass_gate(2);
    let ended = resume.wait();
    succeeds(&ended);
    assert!(!ended.out.contains("may still be running"), "{ended:?}");
}

#[test]
fn a_stopped_and_continued_run_ends_as_usual() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let mut zeph = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    zeph.signal("STOP");
    scene.write(gate);
    zeph.signal("CONT");
    succeeds(&zeph.wait());
    assert_eq!(scene.log(), ["held", "last", "one", "two"]);
}

#[test]
fn two_terminals_on_one_run() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let zeph = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    refused(&scene.zeph(&["resume", "r"]), 8, &["pid"]);
    refused(&run(&scene, "r"), 2, &["r"]);
    succeeds(&scene.zeph(&["pause", "r"]));
    let status = scene.zeph(&["status", "r"]);
    assert!(status.out.contains("paused"), "{status:?}");
    succeeds(&scene.zeph(&["unpause", "r"]));
    succeeds(&scene.zeph(&["cancel", "r"]));
    let ended = zeph.wait();
    drop(gate);
    assert_eq!(code(&ended), 3, "{ended:?}");
}

#[test]
fn what_is_gone_keeps_no_run_alive() {
    let scene = Scene::new(
        r#"
        [params]
        key = { secret = true }
        [tasks.a]
        approve = "Go?"
        shell = "echo \"$K\""
        env = { K = "${{ params.key }}" }
        "#,
    );
    for name in ["canceled", "deleted"] {
        let args = ["run", "plan.toml", "--name", name, "-p", "key=abcdefghijkl"];
        assert_eq!(code(&scene.zeph(&args)), 5);
    }
    refused(&scene.zeph(&["resume", "canceled"]), 2, &["key"]);
    let cancel = scene.zeph(&["cancel", "canceled"]);
    succeeds(&cancel);
    let list = scene.zeph(&["list"]);
    assert!(list.out.contains("canceled"), "{list:?}");
    succeeds(&scene.zeph(&["delete", "canceled"]));
    succeeds(&scene.zeph(&["delete", "deleted", "--force"]));
}

#[test]
fn a_changed_plan_and_another_folder_change_nothing() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(2);
    let mut zeph = scene.start(&["run", "plan.toml", "--name", "r"]);
    let gate = scene.open_gate(1);
    zeph.signal("TERM");
    zeph.wait();
    drop(gate);
    scene.file("plan.toml", "[tasks.other]\nshell = 'echo other >> log'");
    scene.folder("elsewhere");
    let mut resume = scene.command(&["resume", "r"]);
    resume.current_dir(scene.path("elsewhere"));
    let resume = Process::of(resume);
    scene.pass_gate(2);
    let ended = resume.wait();
    succeeds(&ended);
    let changed = "plan.toml has changed since; the run keeps the plan that it began with";
    assert!(ended.out.contains(changed), "{ended:?}");
    assert_eq!(scene.log(), ["held", "held", "last", "one", "two"]);
}

#[test]
fn a_database_that_is_deleted_while_a_run_works_stops_it() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let zeph = scene.start(&["run", "plan.toml", "--name", "r", "--db", "runs.db"]);
    let gate = scene.open_gate(1);
    fs::remove_file(scene.path("runs.db")).unwrap();
    scene.write(gate);
    let ended = zeph.wait();
    assert_eq!(code(&ended), 8, "{ended:?}");
    assert!(ended.out.contains("runs.db was deleted"), "{ended:?}");
    assert!(
        !ended.out.contains("zeph resume"),
        "there is nothing left to resume: {ended:?}"
    );
    assert!(!scene.log().contains(&"last".to_owned()), "{ended:?}");
}

#[test]
fn what_is_no_database_of_runs_is_refused_and_left_alone() {
    let scene = Scene::new("[tasks.a]\nrun = ['true']");
    let foreign = b"SQLite format 3\0, but not one of ours";
    let files: [(&str, &[u8]); 3] = [("text", b"hello"), ("empty", b""), ("foreign", foreign)];
    for (name, bytes) in files {
        fs::write(scene.path(name), bytes).unwrap();
        for command in ["list", "verify", "resume"] {
            let ended = scene.zeph(&[command, "--db", name]);
            refused(&ended, 8, &[name]);
        }
        let ended = scene.zeph(&["run", "plan.toml", "--db", name]);
        refused(&ended, 8, &[name]);
        assert_eq!(fs::read(scene.path(name)).unwrap(), bytes, "{name}");
    }
    scene.folder("folder");
    refused(&scene.zeph(&["list", "--db", "folder"]), 8, &["folder"]);
    refused(&scene.zeph(&["list", "--db", "missing"]), 2, &["missing"]);
}

#[test]
fn one_damaged_run_spares_the_others() {
    let scene = Scene::new("[tasks.a]\nshell = 'echo a mark that is found'");
    for name in ["good", "bad"] {
        let db = ["run", "plan.toml", "--db", "runs.db", "--name", name];
        succeeds(&scene.zeph(&db));
    }
    let mut bytes = fs::read(scene.path("runs.db")).unwrap();
    let mark = b"mark that is found";
    let at = bytes.windows(mark.len()).rposition(|part| part == mark);
    bytes[at.unwrap()] ^= 1;
    fs::write(scene.path("runs.db"), bytes).unwrap();
    let verify = scene.zeph(&["verify", "--db", "runs.db"]);
    assert_eq!(code(&verify), 8, "{verify:?}");
    let broken: Vec<bool> = ["good", "bad"]
        .map(|run| code(&scene.zeph(&["verify", run, "--db", "runs.db"])) != 0)
        .to_vec();
    assert_eq!(broken.iter().filter(|broken| **broken).count(), 1);
}

#[test]
fn many_starts_at_once() {
    let scene = Scene::new("[tasks.a]\nrun = ['true']");
    let all: Vec<Process> = (0..12)
        .map(|_| scene.start(&["run", "plan.toml", "--db", "runs.db"]))
        .collect();
    all.into_iter().for_each(|one| succeeds(&one.wait()));
    let same: Vec<Process> = (0..6)
        .map(|_| scene.start(&["run", "plan.toml", "--db", "runs.db", "--name", "same"]))
        .collect();
    let mut codes: Vec<i32> = same.into_iter().map(|one| code(&one.wait())).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 2, 2, 2, 2, 2]);
    let list = scene.zeph(&["list", "--db", "runs.db", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!(list.as_array().map(Vec::len), Some(13));
}

#[test]
fn two_resumes_at_once_have_one_winner() {
    // The moment in which both find no owner is short, so there are several tries.
    for _ in 0..10 {
        let scene = Scene::new(&held("idempotent"));
        scene.gates(2);
        let mut zeph = scene.start(&["run", "plan.toml", "--name", "r"]);
        let gate = scene.open_gate(1);
        zeph.signal("KILL");
        zeph.wait();
        drop(gate);
        let pair = [(); 2].map(|()| scene.start(&["resume", "r"]));
        scene.pass_gate(2);
        let ended = pair.map(Process::wait);
        let mut codes = [code(&ended[0]), code(&ended[1])];
        codes.sort_unstable();
        // The loser finds the run at work, or already ended.
        assert!(matches!(codes, [0, 2 | 8]), "{ended:?}");
        assert_eq!(scene.log(), ["held", "held", "last", "one", "two"]);
    }
}

#[test]
fn every_mistake_in_a_plan_is_reported_with_its_place() {
    let scene = Scene::new("");
    let plans: [(&str, &[u8], &str); 9] = [
        ("typo", b"[tasks.a]\nshel = 'true'", "shell"),
        (
            "cycle",
            b"[tasks.a]\nneeds=['b']\nrun=['x']\n[tasks.b]\nneeds=['a']\nrun=['x']",
            "a",
        ),
        (
            "need",
            b"[tasks.build]\nrun=['x']\n[tasks.b]\nneeds=['biuld']\nrun=['x']",
            "build",
        ),
        ("twice", b"[tasks.a]\nrun=['x']\n[tasks.a]\nrun=['y']", "a"),
        ("latin", b"[tasks.a]\nrun=['\xe9']", "UTF-8"),
        ("comma", br#"{"tasks": {"a": {"run": ["x"]},}}"#, "1:"),
        ("empty", b"", "tasks"),
        ("yaml", b"tasks:\n  a:\n    run: x\n", "TOML"),
        ("two", b"[tasks.a]\nrun=['x']\nshell='y'", "shell"),
    ];
    for (name, text, word) in plans {
        fs::write(scene.path(name), text).unwrap();
        for command in ["validate", "run"] {
            refused(&scene.zeph(&[command, name]), 2, &[word]);
        }
    }
    refused(&scene.zeph(&["run", "/dev/null"]), 2, &[]);
    refused(&scene.zeph(&["run", "."]), 2, &["directory"]);
    refused(&scene.zeph(&["rum", "typo"]), 2, &["run"]);
    scene.file("plan.toml", "\u{feff}[tasks.a]\r\nrun = ['true']\r\n");
    succeeds(&run(&scene, "r"));
}

#[test]
fn huge_texts_stay_short_in_lists() {
    let long = "long ".repeat(20_000);
    let plan = format!("goal = '{long}'\n[tasks.q]\nask = '{long}'\n");
    let scene = Scene::new(&plan);
    assert_eq!(code(&run(&scene, "r")), 5);
    for command in [&["list"][..], &["status", "r"], &["why", "r", "q"]] {
        let ended = scene.zeph(command);
        succeeds(&ended);
        let length = ended.out.len();
        assert!(length < 8_000, "{command:?}: {length}");
    }
    let show = scene.zeph(&["show", "r", "q"]);
    assert!(show.out.len() > 100_000, "the whole question can be read");
}

#[test]
fn pipes_that_close_or_fill() {
    let scene = Scene::new(&held("idempotent"));
    scene.gates(1);
    let mut zeph = scene.start(&["run", "plan.toml", "--name", "closed"]);
    zeph.close_stdout();
    scene.pass_gate(1);
    succeeds(&zeph.wait());
    let full = scene.start_by("exec >/dev/full", &["list"]).wait();
    assert_eq!(code(&full), 1, "{full:?}");
    let none = scene.start_by("exec >&-", &["list"]).wait();
    assert!(matches!(code(&none), 0 | 1), "{none:?}");
    let stdin = scene.zeph_with_stdin(&["run", "-"], "[tasks.a]\nrun = ['true']");
    succeeds(&stdin);
}

#[test]
fn a_bare_environment() {
    let scene = Scene::new("[tasks.a]\nrun = ['true']");
    refused(
        &scene.zeph_without_home(&["run", "plan.toml"]),
        2,
        &["--db"],
    );
    let mut command = scene.command(&["run", "plan.toml", "--db", "runs.db"]);
    command.env_clear();
    let ended = Process::of(command).wait();
    // Programs are found where the system looks by default.
    succeeds(&ended);
}

#[test]
fn a_database_that_may_only_be_read() {
    let scene = Scene::new("[tasks.a]\nrun = ['true']");
    succeeds(&scene.zeph(&["run", "plan.toml", "--db", "runs.db", "--name", "r"]));
    let read_only = |path: &str, mode| {
        fs::set_permissions(scene.path(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    read_only("runs.db", 0o400);
    for command in ["list", "verify"] {
        succeeds(&scene.zeph(&[command, "--db", "runs.db"]));
    }
    for command in ["show", "status"] {
        succeeds(&scene.zeph(&[command, "r", "--db", "runs.db"]));
    }
    read_only("runs.db", 0o600);
}

#[test]
fn a_paused_run_says_why_it_rests() {
    let scene = Scene::new("[tasks.q]\nask = 'Go?'\n[tasks.a]\nneeds=['q']\nrun=['true']");
    assert_eq!(code(&run(&scene, "r")), 5);
    succeeds(&scene.zeph(&["pause", "r"]));
    succeeds(&scene.zeph(&["answer", "r", "1", "yes"]));
    // The second time, the pause is no news any more.
    for _ in 0..2 {
        let ended = scene.zeph(&["resume", "r"]);
        assert_eq!(code(&ended), 5, "{ended:?}");
        assert!(ended.out.contains("zeph unpause r"), "{ended:?}");
    }
    let status = scene.zeph(&["status", "r"]);
    assert!(status.out.contains("zeph unpause r"), "{status:?}");
    succeeds(&scene.zeph(&["unpause", "r"]));
    succeeds(&scene.zeph(&["resume", "r"]));
}
