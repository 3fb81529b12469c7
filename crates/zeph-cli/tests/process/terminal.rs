//! Questions at a terminal: answered there, or withdrawn because they were answered elsewhere.

use std::io::{BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use std::{fs, thread};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::termios::{Termios, tcgetattr};

use crate::support::{Scene, code};

const ASKING: &str = "[tasks.t]\napprove = 'Go on?'\nrun = ['true']\n";

/// A screen that shows nothing new for so long will not.
const PATIENCE: Duration = Duration::from_secs(60);

/// A `zeph` whose stdin and stderr are a terminal.
pub(crate) struct AtTerminal {
    pub(crate) child: Child,
    keyboard: fs::File,
    screen: Receiver<u8>,
    terminal: OwnedFd,
    before: Termios,
}

impl AtTerminal {
    pub(crate) fn start(scene: &Scene, args: &[&str]) -> Self {
        let mut command = scene.command(args);
        command.env("TERM", "xterm");
        Self::of(command)
    }

    pub(crate) fn of(mut command: Command) -> Self {
        let pty = openpty(None, None).unwrap();
        let before = tcgetattr(&pty.slave).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        command.stdin(end()).stderr(end());
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

    /// Waits until the screen has shown that text, and returns what it has shown.
    pub(crate) fn until(&self, text: &str) -> String {
        let mut shown = Vec::new();
        while !shown.ends_with(text.as_bytes()) {
            let Ok(byte) = self.screen.recv_timeout(PATIENCE) else {
                panic!("no {text:?} in {:?}", String::from_utf8_lossy(&shown));
            };
            shown.push(byte);
        }
        String::from_utf8_lossy(&shown).into_owned()
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end, and returns the exit code. The terminal must be as it was before.
    pub(crate) fn wait(self) -> Option<i32> {
        self.end().0
    }

    /// As [`wait`](Self::wait), with the rest of the screen, and the lines that were typed and that `zeph` has
    /// left for the next program.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        let status = self.child.wait().unwrap();
        assert_eq!(tcgetattr(&self.terminal).unwrap(), self.before);
        fcntl(&self.terminal, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        let (mut terminal, mut left) = (fs::File::from(self.terminal), Vec::new());
        // The error is that no more is there.
        let _ = terminal.read_to_end(&mut left);
        drop(terminal);
        // The screen has ended when no process has the terminal.
        let shown: Vec<u8> = self.screen.iter().collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (status.code(), text(&shown), text(&left))
    }
}

#[test]
fn a_question_is_answered_at_the_terminal() {
    for (keys, shown, exit) in [
        ("y\r", "ok", 0),
        ("\u{1b}", "zeph answer r 1", 5),
        ("maybe\r\u{15}yes\r", "\"maybe\" is not", 0),
    ] {
        let scene = Scene::new(ASKING);
        let mut zeph = AtTerminal::start(&scene, &["run", "plan.toml", "--name", "r"]);
        zeph.until("Esc: answer later");
        zeph.press(keys);
        zeph.until(shown);
        assert_eq!(zeph.wait(), Some(exit), "{keys:?}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn ctrl_c_at_a_question_suspends_the_run() {
    let scene = Scene::new(ASKING);
    for args in [
        &["run", "plan.toml", "--name", "r"][..],
        &["answer", "r", "1"],
    ] {
        let mut command = scene.command_in_session(args);
        command.env("TERM", "xterm");
        let mut zeph = AtTerminal::of(command);
        zeph.until("Esc: answer later");
        zeph.press("\u{3}");
        assert_eq!(zeph.child.wait().unwrap().code(), Some(130), "{args:?}");
    }
}

#[test]
fn events_scroll_above_an_open_question() {
    let scene = Scene::new(&format!(
        "{ASKING}[tasks.slow]\nshell = 'read -r line < gate-1'\n"
    ));
    scene.gates(1);
    let mut zeph = AtTerminal::start(&scene, &["run", "plan.toml", "--name", "r"]);
    zeph.until("Esc: answer later");
    zeph.press("ye");
    zeph.until("answer: ye");
    scene.pass_gate(1);
    zeph.until("slow");
    // The question is drawn again below the line, with what is typed so far.
    for text in ["t: Go on?", "answer: ye", "[1/2]"] {
        zeph.until(text);
    }
    zeph.press("\r");
    assert_eq!(zeph.wait(), Some(0));
}

#[test]
fn a_terminal_that_cannot_move_its_cursor_is_asked_in_lines() {
    let scene = Scene::new(ASKING);
    let mut command = scene.command(&["run", "plan.toml", "--name", "r"]);
    command.env("TERM", "dumb");
    let mut zeph = AtTerminal::of(command);
    zeph.until("1 yes");
    zeph.until("Esc: answer later, then Enter");
    zeph.press("perhaps\n");
    zeph.until("perhaps");
    zeph.until("yes");
    zeph.press("1\n");
    assert_eq!(zeph.wait(), Some(0));
}

#[test]
fn a_plan_is_rejected_with_words_edited_and_approved_at_the_terminal() {
    let scene = Scene::new("");
    let goal = ["do", "Report", "--scripted", "--name", "g"];
    let mut command = scene.command(&goal);
    command.env("TERM", "xterm").env("TMPDIR", scene.path("."));
    command.env("EDITOR", "sed -i.old s/survey/overview/g");
    let mut zeph = AtTerminal::of(command);
    zeph.until("Esc: answer later");
    zeph.press("re\r");
    zeph.until("What should be different?");
    zeph.press("shorter\r");
    zeph.until("Esc: answer later");
    zeph.press("edit\r");
    assert_eq!(zeph.wait(), Some(0));
    // The second plan has no task `risks`, and the edited one no `survey`.
    let tasks = scene.zeph(&["show", "g"]).out;
    assert!(tasks.contains("\noverview "), "{tasks}");
    assert!(!tasks.contains("risks"), "{tasks}");
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
