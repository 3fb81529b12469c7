//! Questions at a terminal: answered there, or withdrawn because they were answered elsewhere.

use std::io::{BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::{fs, thread};

use nix::pty::openpty;
use nix::sys::termios::{Termios, tcgetattr};

use crate::support::{Scene, code};

const ASKING: &str = "[tasks.t]\napprove = 'Go on?'\nrun = ['true']\n";

/// A `zeph` whose stdin and stderr are a terminal.
struct AtTerminal {
    child: Child,
    keyboard: fs::File,
    screen: Receiver<u8>,
    terminal: OwnedFd,
    before: Termios,
}

impl AtTerminal {
    fn start(scene: &Scene, args: &[&str]) -> Self {
        let pty = openpty(None, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let mut command = scene.command(args);
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        command.env("TERM", "xterm").stdin(end()).stderr(end());
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let keyboard = fs::File::from(pty.master);
        let (send, screen) = channel();
        let output = keyboard.try_clone().unwrap();
        thread::spawn(move || {
            for byte in BufReader::new(output).bytes().map_while(Result::ok) {
                let _ = send.send(byte);
            }
        });
        Self {
            child,
            keyboard,
            screen,
            terminal: pty.slave,
            before,
        }
    }

    /// Waits until the screen has shown that text.
    fn until(&self, text: &str) {
        let mut shown = Vec::new();
        while !shown.ends_with(text.as_bytes()) {
            shown.push(self.screen.recv().unwrap());
        }
    }

    /// Waits for the end, and returns the exit code. The terminal must be as it was before.
    fn wait(mut self) -> Option<i32> {
        let status = self.child.wait().unwrap();
        assert_eq!(tcgetattr(&self.terminal).unwrap(), self.before);
        status.code()
    }
}

#[test]
fn a_question_is_answered_at_the_terminal() {
    for (keys, exit) in [("y\r", 0), ("\u{1b}", 5), ("\u{3}", 130)] {
        let scene = Scene::new(ASKING);
        let mut zeph = AtTerminal::start(&scene, &["run", "plan.toml", "--name", "r"]);
        zeph.until("Esc: answer later");
        zeph.keyboard.write_all(keys.as_bytes()).unwrap();
        assert_eq!(zeph.wait(), Some(exit), "{keys:?}");
    }
}

#[test]
fn a_terminal_that_cannot_move_its_cursor_gets_lines() {
    let scene = Scene::new("[tasks.one]\nshell = 'exit 3'\n");
    for (kind, has_lines) in [(None, true), (Some("dumb"), true), (Some("xterm"), false)] {
        let pty = openpty(None, None).unwrap();
        let mut command = scene.command(&["run", "plan.toml", "--no-db"]);
        if let Some(kind) = kind {
            command.env("TERM", kind);
        }
        // The live view draws on stderr, lines go to stdout.
        let run = command.stderr(Stdio::from(pty.slave)).output().unwrap();
        let text = String::from_utf8(run.stdout).unwrap();
        assert_eq!(
            text.contains("[0/1] FAILED one"),
            has_lines,
            "{kind:?}: {text}"
        );
    }
}

#[test]
fn colours_are_for_terminals_that_show_them() {
    let scene = Scene::new("[tasks.one]\nshell = 'exit 3'\n");
    let args = ["run", "plan.toml", "--name", "r"];
    assert_eq!(code(&scene.zeph(&args)), 3);
    let red = "\u{1b}[31m";
    let calm: [(&str, &[(&str, &str)]); 3] = [
        ("dumb", &[("TERM", "dumb")]),
        ("no colour", &[("TERM", "xterm"), ("NO_COLOR", "1")]),
        ("no TERM", &[]),
    ];
    for command in [
        &["show", "r"][..],
        &["status", "r"],
        &["why", "r", "one"],
        &["list"],
        &["graph", "r"],
    ] {
        let shown = |env: &[(&str, &str)]| {
            let pty = openpty(None, None).unwrap();
            let mut zeph = scene.command(command);
            zeph.envs(env.iter().copied())
                .stdout(Stdio::from(pty.slave));
            let mut child = zeph.spawn().unwrap();
            // The terminal has ended when no process has its other end.
            drop(zeph);
            let mut text = Vec::new();
            let _ = fs::File::from(pty.master).read_to_end(&mut text);
            assert!(child.wait().unwrap().success());
            String::from_utf8(text).unwrap()
        };
        let coloured = shown(&[("TERM", "xterm")]);
        let is_red = coloured.contains("\u{1b}[1m") && coloured.contains(red)
            || coloured.contains("\u{1b}[1;31m");
        assert!(is_red, "{command:?}: {coloured:?}");
        for (why, env) in calm {
            let text = shown(env);
            assert!(!text.contains('\u{1b}'), "{why}: {command:?}: {text:?}");
        }
        let piped = scene.zeph(command);
        assert!(!piped.out.contains('\u{1b}'), "{piped:?}");
    }
}

#[test]
fn a_question_that_is_answered_elsewhere_is_withdrawn() {
    let scene = Scene::new(ASKING);
    let zeph = AtTerminal::start(&scene, &["run", "plan.toml", "--name", "r"]);
    zeph.until("Esc: answer later");
    assert_eq!(code(&scene.zeph(&["answer", "r", "1", "yes"])), 0);
    assert_eq!(zeph.wait(), Some(0));
}

#[test]
fn a_question_with_a_plan_of_300_kib_reaches_the_prompt() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_zeph"))
        .arg("__prompt")
        .stdin(Stdio::null())
        .stdout(OwnedFd::from(theirs))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let plan = "x".repeat(300 << 10);
    let question = serde_json::json!({ "text": "?", "help": "", "kind": { "Plan": plan } });
    writeln!(ours, "{question}").unwrap();
    let ended = child.wait_with_output().unwrap();
    // It was read: only the terminal is missing.
    let error = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(
        error.contains("the question cannot be asked here"),
        "{error}"
    );
}
