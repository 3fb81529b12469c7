//! Values that are typed unseen, and the question of trust: at any terminal, and whatever is pasted.

use crate::support::{Scene, code};
use crate::terminal::AtTerminal;

const SECRET: &str = "correct-horse";
const USES_SECRET: &str = r#"
[params]
token = { secret = true }
[tasks.use]
shell = "[ \"$T\" = correct-horse ]"
env = { T = "${{ params.token }}" }
"#;
const SETTINGS: &str = "[commands.look]\nabout = 'Looks'\nrun = ['true']\n";
const RUN: [&str; 6] = ["run", "plan.toml", "--name", "r", "-p", "token"];

fn at(scene: &Scene, env: &[(&str, &str)], args: &[&str]) -> AtTerminal {
    let mut command = scene.command(args);
    command.envs(env.iter().copied());
    AtTerminal::of(command)
}

#[test]
fn a_secret_is_typed_unseen_at_any_terminal() {
    for (env, keys) in [
        (
            &[("TERM", "xterm")][..],
            "wrong\u{15}correct-horsf\u{7f}e\r",
        ),
        (&[("TERM", "xterm"), ("NO_COLOR", "1")], "correct-horse\r"),
        // The terminal itself edits the line.
        (&[("TERM", "dumb")], "wrong\u{15}correct-horsf\u{7f}e\n"),
        (&[], "correct-horse\n"),
    ] {
        let scene = Scene::new(USES_SECRET);
        let mut zeph = at(&scene, env, &RUN);
        let asked = zeph.until("Esc: no value");
        assert!(asked.contains("token?"), "{asked}");
        zeph.press(keys);
        let (code, shown, left) = zeph.end();
        assert_eq!((code, &*left), (Some(0), ""), "{env:?}: {shown}");
        for part in [SECRET, "correct", "wrong", "horsf"] {
            assert!(!shown.contains(part), "{env:?}: {shown}");
        }
        assert_eq!(shown.contains('*'), env.contains(&("TERM", "xterm")));
        if env.len() != 1 {
            assert!(!shown.contains("\u{1b}[3"), "no colours: {shown:?}");
        }
    }
}

#[test]
fn several_lines_are_no_hidden_value_and_reach_no_other_program() {
    let paste = format!(
        "-----BEGIN KEY-----\n{}touch pwned\n",
        "x".repeat(70) + "\n"
    );
    for kind in ["xterm", "dumb"] {
        for (last, exit) in [("correct-horse\n", 0), ("\u{1b}\n", 2)] {
            let scene = Scene::new(USES_SECRET);
            let mut zeph = at(&scene, &[("TERM", kind)], &RUN);
            zeph.until("Esc: no value");
            zeph.press(&paste);
            zeph.until("takes one line");
            zeph.press(last);
            let (code, shown, left) = zeph.end();
            assert_eq!((code, &*left), (Some(exit), ""), "{kind}: {shown}");
            assert!(!shown.contains("pwned"), "{kind}: {shown}");
        }
    }
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_gives_no_value_and_trusts_nothing() {
    for kind in ["xterm", "dumb"] {
        let scene = Scene::new(USES_SECRET);
        scene.file("zeph.toml", SETTINGS);
        for (args, asked) in [(&RUN[..], "Esc: no value"), (&["trust"], "Esc: no")] {
            let mut command = scene.command_in_session(args);
            command.env("TERM", kind);
            let mut zeph = AtTerminal::of(command);
            zeph.until(asked);
            zeph.press("correct-ho\u{3}");
            let (exit, shown, left) = zeph.end();
            assert_eq!((exit, &*left), (Some(130), ""), "{kind}, {args:?}: {shown}");
        }
        assert_eq!(code(&scene.zeph(&["status", "r"])), 2, "nothing has run");
        let trusted = scene.zeph(&["trust", "--list"]);
        assert!(!trusted.out.contains("zeph.toml"), "{trusted:?}");
    }
}

#[test]
fn trust_is_given_by_a_whole_answer_only() {
    for (kind, keys, is_trusted) in [
        ("xterm", "\r", false),
        ("xterm", "y\r", true),
        ("xterm", "n\r", false),
        ("dumb", "\u{1b}\n", false),
        ("dumb", "yes\n", true),
    ] {
        let scene = Scene::new("");
        scene.file("zeph.toml", SETTINGS);
        let mut zeph = at(&scene, &[("TERM", kind)], &["trust"]);
        let asked = zeph.until("Esc: no");
        assert!(asked.contains("Trust these files?"), "{asked}");
        zeph.press(keys);
        if keys == "\r" {
            // A stray Enter is no answer, so the question stays.
            zeph.until("choose one");
            zeph.press("\u{1b}");
        }
        let (exit, shown, _) = zeph.end();
        let wanted = if is_trusted { 0 } else { 2 };
        assert_eq!(exit, Some(wanted), "{kind}, {keys:?}: {shown}");
        let list = scene.zeph(&["trust", "--list"]);
        assert_eq!(list.out.contains("zeph.toml"), is_trusted, "{list:?}");
    }
}
