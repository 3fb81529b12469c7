//! The main use case on real input: `docs/plans/repo-report.toml` reports on this repository, also after
//! a kill half-way.
//!
//! The plan is not modified. Wrapper scripts precede the real programs on the search path: they append the
//! task and the attempt that starts them to a counter file, and can hold a task at a gate.

#![allow(clippy::unwrap_used, reason = "the panic of a test is its report")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use zeph_tests::crash::binary::{build, workspace};

/// The programs that tasks of the plan start.
const PROGRAMS: [&str; 2] = ["sh", "date"];
/// How long the slowest step may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(240);
const SINCE: &str = "2000-01-01";

fn zeph() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| build().unwrap())
}

/// A folder in which the plan runs.
struct Folder {
    folder: tempfile::TempDir,
}

/// The output and the exit code of the binary; `None` if it was killed.
struct Printed {
    lines: Vec<String>,
    code: Option<i32>,
}

impl Folder {
    fn new() -> Self {
        let folder = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(folder.path("bin")).unwrap();
        for program in PROGRAMS {
            let path = folder.path("bin").join(program);
            fs::write(&path, stand_in(program)).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        for gate in ["reached", "opened"] {
            let made = Command::new("mkfifo").arg(folder.path(gate)).status();
            assert!(made.unwrap().success());
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, words: &[&str]) -> Command {
        let path = std::env::var_os("PATH").unwrap();
        let folders = [self.path("bin")]
            .into_iter()
            .chain(std::env::split_paths(&path));
        let mut command = Command::new(zeph());
        command
            .args(words)
            .current_dir(workspace())
            .env("PATH", std::env::join_paths(folders).unwrap())
            .env("ZEPH_DB", self.path("runs.db"))
            .env("COUNT_IN", self.path("counter"))
            .env("GATES", self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The arguments that run the plan.
    fn run_words(&self) -> Vec<String> {
        let param = |name: &str, value: &Path| format!("--param={name}={}", value.display());
        vec![
            "run".to_owned(),
            "docs/plans/repo-report.toml".to_owned(),
            "--name=report".to_owned(),
            param("repo", &workspace()),
            param("out", &self.path("report.md")),
            param("state", &self.path("state")),
            format!("--param=since={SINCE}"),
        ]
    }

    /// Runs the plan, held at the gate by one task if it is named.
    fn start(&self, held: &str) -> Running {
        let words = self.run_words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Running::start(self.command(&words).env("HOLD", held))
    }

    fn call(&self, words: &[&str]) -> Printed {
        Running::start(&mut self.command(words)).finish()
    }

    fn json(&self, words: &[&str]) -> Value {
        let printed = self.call(words);
        assert_eq!(printed.code, Some(0), "{words:?}: {:?}", printed.lines);
        serde_json::from_str(&printed.lines[0]).unwrap()
    }

    /// The state and the attempts of each task.
    fn tasks(&self) -> BTreeMap<String, (String, u64)> {
        let shown = self.json(&["show", "report", "--json"]);
        let tasks = shown["tasks"].as_array().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let task = |task: &Value| {
            let now = (text(&task["state"]), task["attempts"].as_u64().unwrap());
            (text(&task["task"]), now)
        };
        tasks.iter().map(task).collect()
    }

    /// The attempts that started their program, in order: task and number.
    fn counted(&self) -> Vec<(String, u64)> {
        let text = fs::read_to_string(self.path("counter")).unwrap();
        let lines = text.lines().map(|line| {
            let (task, attempt) = line.split_once(' ').unwrap();
            (task.to_owned(), attempt.parse().unwrap())
        });
        lines.collect()
    }

    fn report(&self) -> String {
        fs::read_to_string(self.path("report.md")).unwrap()
    }

    /// Waits until the held task has reached the gate.
    fn wait_at_gate(&self) {
        let (gate, (send, reached)) = (self.path("reached"), channel());
        std::thread::spawn(move || send.send(fs::read_to_string(gate)));
        assert_eq!(
            reached.recv_timeout(PATIENCE).unwrap().unwrap(),
            "reached\n"
        );
    }

    /// Releases the held command, which has outlived its engine.
    fn open_gate(&self) {
        let mut gate = fs::OpenOptions::new()
            .write(true)
            .open(self.path("opened"))
            .unwrap();
        gate.write_all(b"opened\n").unwrap();
    }
}

/// Records the attempt, waits at the gate if the task is held, and executes the real program with `exec`.
fn stand_in(program: &str) -> String {
    let path = std::env::var_os("PATH").unwrap();
    let real = std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
        .unwrap();
    format!(
        r#"#!/bin/sh
if [ -n "$COUNT_IN" ]; then
    printf '%s %s\n' "$ZEPH_TASK" "$ZEPH_ATTEMPT" >> "$COUNT_IN"
    if [ "$ZEPH_TASK $ZEPH_ATTEMPT" = "$HOLD" ]; then
        echo reached > "$GATES/reached"
        read -r _ < "$GATES/opened"
    fi
fi
# What the program starts in turn is no attempt of its own.
unset COUNT_IN
exec '{}' "$@"
"#,
        real.display()
    )
}

/// The running binary.
struct Running {
    child: Child,
    lines: Receiver<String>,
    printed: Vec<String>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            lines,
            printed: Vec::new(),
        }
    }

    /// Reads until a line reports a completed task; false at the end of the output.
    fn next_ok(&mut self) -> bool {
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let is_ok = completed(&line).is_some();
                    self.printed.push(line);
                    if is_ok {
                        return true;
                    }
                }
                Err(error) => {
                    assert_eq!(error, std::sync::mpsc::RecvTimeoutError::Disconnected);
                    return false;
                }
            }
        }
    }

    /// Reads until a line reports that this task has completed.
    fn ok_of(&mut self, task: &str) {
        while self.next_ok() {
            if self
                .printed
                .last()
                .is_some_and(|line| completed(line) == Some(task))
            {
                return;
            }
        }
        panic!("{task} never completed: {:?}", self.printed);
    }

    fn kill(mut self) -> Printed {
        self.child.kill().unwrap();
        self.finish()
    }

    fn finish(mut self) -> Printed {
        while self.next_ok() {}
        let output = self.child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        self.printed.extend(stderr.lines().map(str::to_owned));
        Printed {
            lines: self.printed,
            code: output.status.code(),
        }
    }
}

/// The task of a line such as `[3/13] ok root 12ms`.
fn completed(line: &str) -> Option<&str> {
    let mut words = line.strip_prefix('[')?.split(' ').skip(1);
    (words.next()? == "ok").then(|| words.next())?
}

impl Printed {
    fn completed(&self) -> BTreeSet<&str> {
        let lines = self.lines.iter();
        lines.filter_map(|line| completed(line)).collect()
    }
}

fn without_time(report: &str) -> String {
    let lines = report.lines().filter(|line| !line.starts_with("Made "));
    lines.collect::<Vec<_>>().join("\n")
}

fn output_of(program: &str, words: &[&str]) -> String {
    let output = Command::new(program)
        .args(words)
        .current_dir(workspace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {words:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The number in the second column of the row of that name, below a heading.
fn number(report: &str, heading: &str, name: &str) -> u64 {
    let (_, section) = report.split_once(&format!("\n## {heading}")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let start = format!("| {name} | ");
    let row = section.lines().find_map(|line| line.strip_prefix(&start));
    let row = row.unwrap_or_else(|| panic!("no row {name} in\n{section}"));
    let digits: String = row.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

#[test]
fn the_report_of_this_repository_is_correct() {
    let folder = Folder::new();
    let printed = folder.start("").finish();
    assert_eq!(printed.code, Some(0), "{:#?}", printed.lines);
    let report = folder.report();

    let words = [
        "metadata",
        "--format-version",
        "1",
        "--offline",
        "--no-deps",
    ];
    let metadata: Value = serde_json::from_str(&output_of(env!("CARGO"), &words)).unwrap();
    let crates = metadata["packages"].as_array().unwrap();
    let mut files = 0;
    for each in crates {
        files += number(&report, "Code", each["name"].as_str().unwrap());
    }
    let tracked = output_of("git", &["ls-files", "*.rs"]);
    let tracked: Vec<&str> = tracked
        .lines()
        .filter(|path| workspace().join(path).is_file())
        .collect();
    assert_eq!(files, tracked.len() as u64);
    assert_eq!(number(&report, "Code", "**all**"), files);
    let own = fs::read_to_string(workspace().join("crates/zeph-core/src/lib.rs")).unwrap();
    let row = format!("| zeph-core | 1 | {} |", own.lines().count());
    assert!(report.contains(&row), "{row} is not in\n{report}");

    let commits = output_of("git", &["rev-list", "--count", "HEAD"]);
    let commits: u64 = commits.trim().parse().unwrap();
    assert_eq!(number(&report, "History", "**all**"), commits);

    let lock = fs::read_to_string(workspace().join("Cargo.lock")).unwrap();
    let (_, packages) = report.split_once("\n## All packages\n").unwrap();
    let listed: Vec<Vec<&str>> = packages
        .lines()
        .filter_map(|line| line.strip_prefix("- "))
        .map(|line| line.split(" · ").collect())
        .collect();
    assert_eq!(
        number(&report, "Dependencies", "**all**"),
        listed.len() as u64
    );
    for package in &listed {
        let entry = format!("name = \"{}\"\nversion = \"{}\"\n", package[0], package[1]);
        assert!(lock.contains(&entry), "{package:?} is not in the lock file");
    }
    let licence = |name: &str| listed.iter().find(|package| package[0] == name).unwrap()[2];
    assert_eq!(
        (licence("tokio"), licence("serde_json")),
        ("MIT", "MIT OR Apache-2.0")
    );

    let tasks = folder.tasks();
    assert_eq!(tasks["probe"], ("completed".to_owned(), 2));
    let others = tasks.iter().filter(|(name, _)| *name != "probe");
    for (name, now) in others {
        assert_eq!(*now, ("completed".to_owned(), 1), "{name}");
    }
    assert!(!folder.path("state").exists(), "the marker is left");
}

/// Resumes, and compares the result with the results reported before and with a report without a crash.
fn check_resumed(folder: &Folder, killed: &Printed, expected: &str) {
    let before = folder.tasks();
    for task in killed.completed() {
        assert_eq!(before[task].0, "completed", "{task} was reported to be");
    }
    let printed = folder.call(&["resume", "report"]);
    assert_eq!(printed.code, Some(0), "{:#?}", printed.lines);

    let named: BTreeSet<&str> = printed
        .lines
        .iter()
        .filter_map(|line| line.strip_prefix("  interrupted ")?.split(':').next())
        .collect();
    let cut: BTreeSet<&str> = before
        .iter()
        .filter_map(|(name, now)| (now.0 == "running").then_some(name.as_str()))
        .collect();
    assert_eq!(named, cut, "{:#?}", printed.lines);

    let after = folder.tasks();
    let counted = folder.counted();
    let once: BTreeSet<_> = counted.iter().collect();
    assert_eq!(
        once.len(),
        counted.len(),
        "an attempt began twice: {counted:?}"
    );
    for (name, now) in &after {
        assert_eq!(now.0, "completed", "{name}");
        let begun = counted.iter().filter(|(task, _)| task == name);
        let last = begun.map(|(_, attempt)| *attempt).max();
        assert_eq!(last, Some(now.1), "{name} in {counted:?}");
    }
    for (name, now) in before.iter().filter(|(_, now)| now.0 == "completed") {
        assert_eq!(after[name], *now, "{name} ran again");
    }
    assert_eq!(without_time(&folder.report()), without_time(expected));
    let verified = folder.json(&["verify", "report", "--json"]);
    assert_eq!(verified["ok"], true);
}

#[test]
fn killed_after_any_task_it_ends_with_the_same_report() {
    let whole = Folder::new();
    assert_eq!(whole.start("").finish().code, Some(0));
    let tasks = whole.tasks().len();
    let mut resumed = 0;
    for oks in 1..tasks {
        let folder = Folder::new();
        let mut running = folder.start("");
        for _ in 0..oks {
            assert!(running.next_ok());
        }
        let killed = running.kill();
        // The last tasks are so short that the run may have ended before the kill.
        if folder.json(&["show", "report", "--json"])["open"] == true {
            check_resumed(&folder, &killed, &whole.report());
            resumed += 1;
        }
    }
    assert!(
        resumed > tasks / 2,
        "only {resumed} of {tasks} kills were in time"
    );
}

#[test]
fn a_command_that_outlives_a_kill_changes_nothing() {
    let whole = Folder::new();
    assert_eq!(whole.start("").finish().code, Some(0));
    // Each task is running when the engine is killed, and ends during or after its repetition.
    for (held, done) in [
        ("packages", "head"),
        ("report", "packages"),
        ("code", "head"),
    ] {
        let folder = Folder::new();
        let mut running = folder.start(&format!("{held} 1"));
        running.ok_of(done);
        folder.wait_at_gate();
        let killed = running.kill();
        assert_eq!(folder.tasks()[held], ("running".to_owned(), 1));
        folder.open_gate();
        check_resumed(&folder, &killed, &whole.report());
        assert_eq!(folder.tasks()[held].1, 2);
    }
}

#[test]
fn killed_again_while_it_is_resumed_it_keeps_both_halves() {
    let whole = Folder::new();
    assert_eq!(whole.start("").finish().code, Some(0));
    let folder = Folder::new();
    let mut running = folder.start("code 1");
    running.ok_of("packages");
    folder.wait_at_gate();
    let first = running.kill();
    folder.open_gate();
    let mut resumed = Running::start(
        folder
            .command(&["resume", "report"])
            .env("HOLD", "report 1"),
    );
    resumed.ok_of("code");
    folder.wait_at_gate();
    let second = resumed.kill();
    folder.open_gate();
    let both = Printed {
        lines: [first.lines, second.lines].concat(),
        code: None,
    };
    assert!(
        both.completed()
            .is_superset(&BTreeSet::from(["packages", "code"]))
    );
    check_resumed(&folder, &both, &whole.report());
}
