//! A session: commands on one database, with everything that they change on the disk and acknowledge.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::unistd::Pid;

use crate::crash::ledger::reported_ends;
use crate::crash::victim::{Seen, Zeph};
use crate::trace::call::{Call, CallKind};
use crate::trace::compare::compare;
use crate::trace::disk::{Change, FileNumber};
use crate::trace::is_of_database;
use crate::trace::tracer::{self, Verdict, Watcher};

/// Something that was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// The task of that name ended in that state.
    Task(String, &'static str),
    /// The run ended in that state.
    Ended(&'static str),
    /// A request to the run was kept.
    Kept,
    /// The run was deleted.
    Deleted,
}

/// A fact about a run, and the changes between which it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) run: String,
    pub(super) fact: Fact,
    /// It was acknowledged after this many changes.
    pub(super) from: usize,
    /// After this many changes, a command begins that may end it.
    pub(super) until: usize,
}

/// The commands so far.
#[derive(Debug)]
pub(super) struct Session {
    zeph: Zeph,
    /// The folder of the database.
    pub(super) folder: PathBuf,
    recorder: Recorder,
    pub(super) acknowledged: Vec<Acknowledged>,
    /// The commands, and the number of changes before each.
    pub(super) commands: Vec<(usize, String)>,
}

/// What a command does to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CommandKind {
    /// Creates it.
    Run,
    /// Goes on with it.
    Resume,
    /// Asks something of it while no process has it.
    Ask,
    /// Deletes it.
    Delete,
}

impl Session {
    pub(super) fn new(zeph: Zeph, folder: PathBuf) -> Self {
        Self {
            zeph,
            recorder: Recorder::of(folder.clone()),
            folder,
            acknowledged: Vec::new(),
            commands: Vec::new(),
        }
    }

    pub(super) fn changes(&self) -> &[Change] {
        &self.recorder.changes
    }

    /// Compares the recording with the files. A killed process may have written more than was seen, but
    /// what it left is written anew before a later one ends.
    pub(super) fn compare(&self) -> Result<(), String> {
        compare(self.changes(), &self.folder)
    }

    /// Executes a command that ends with a code, or is killed after some lines of output.
    pub(super) fn step(
        &mut self,
        run: &str,
        kind: CommandKind,
        words: &[&str],
        end: End,
    ) -> Result<(), String> {
        let before = self.recorder.changes.len();
        self.commands.push((before, words.join(" ")));
        for known in self
            .acknowledged
            .iter_mut()
            .filter(|known| known.run == run)
        {
            let ends = match kind {
                CommandKind::Run | CommandKind::Delete => true,
                CommandKind::Resume => known.fact == Fact::Kept,
                CommandKind::Ask => false,
            };
            if ends {
                known.until = known.until.min(before);
            }
        }
        let database = self.folder.join("runs.db");
        let mut all: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        all.extend(["--db".to_owned(), database.to_string_lossy().into_owned()]);
        self.recorder.printed.clear();
        self.recorder.kill_after = match end {
            End::Code(_) => None,
            End::KilledAfter(lines) => Some(lines),
        };
        let command = self.zeph.command(&all);
        let seen = tracer::run(&command, &self.zeph.folder, &mut self.recorder)?;
        let expected = match end {
            End::Code(code) => Some(code),
            End::KilledAfter(_) => None,
        };
        if seen.code != expected {
            return Err(format!("{words:?} does not end as {end:?}: {seen:?}"));
        }
        self.note(run, kind, &seen);
        Ok(())
    }

    fn note(&mut self, run: &str, kind: CommandKind, seen: &Seen) {
        let mut note = |fact, from| {
            self.acknowledged.push(Acknowledged {
                run: run.to_owned(),
                fact,
                from,
                until: usize::MAX,
            });
        };
        for (from, line) in &self.recorder.printed {
            for (task, state) in reported_ends(line) {
                note(Fact::Task(task, state), *from);
            }
        }
        let now = self.recorder.changes.len();
        let fact = match (kind, seen.code) {
            (CommandKind::Run | CommandKind::Resume, Some(0)) => Fact::Ended("completed"),
            (CommandKind::Run | CommandKind::Resume, Some(3)) => Fact::Ended("failed"),
            (CommandKind::Ask, Some(0)) => Fact::Kept,
            (CommandKind::Delete, Some(0)) => Fact::Deleted,
            _ => return,
        };
        note(fact, now);
    }
}

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With this exit code.
    Code(i32),
    /// It is killed after it has printed this many lines.
    KilledAfter(usize),
}

/// Records what a process changes in the folder of the database.
#[derive(Debug)]
struct Recorder {
    folder: PathBuf,
    changes: Vec<Change>,
    /// The files of descriptors, by device and inode.
    files: BTreeMap<(u64, u64), FileNumber>,
    count: FileNumber,
    names: BTreeMap<PathBuf, FileNumber>,
    /// What is known before a call only: the position of a write, the number of changes before a sync.
    begun: BTreeMap<Pid, u64>,
    /// The complete lines of the current process, each with the number of changes before it.
    printed: Vec<(usize, String)>,
    line: Vec<u8>,
    kill_after: Option<usize>,
}

impl Recorder {
    fn of(folder: PathBuf) -> Self {
        Self {
            folder,
            changes: Vec::new(),
            files: BTreeMap::new(),
            count: 0,
            names: BTreeMap::new(),
            begun: BTreeMap::new(),
            printed: Vec::new(),
            line: Vec::new(),
            kill_after: None,
        }
    }

    /// Whether a path is recorded. The locks of owners have no contents.
    fn records(&self, path: &Path) -> bool {
        let parent = self.folder.parent();
        (parent == Some(path) || is_of_database(path, &self.folder))
            && !path.starts_with(self.folder.join("runs.db.owners"))
    }

    fn print(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                let line = String::from_utf8_lossy(&self.line).into_owned();
                self.printed.push((self.changes.len(), line));
                self.line.clear();
            } else {
                self.line.push(byte);
            }
        }
    }

    /// The file of a descriptor.
    fn file(&self, call: &Call) -> Option<FileNumber> {
        let inode = call.inode(call.descriptor().into())?;
        self.files.get(&inode).copied()
    }

    fn record(&mut self, call: &Call, returned: i64) {
        let begun = self.begun.remove(&call.thread);
        match call.kind {
            CallKind::Open => {
                let Some(inode) = call.inode(returned) else {
                    return;
                };
                let is_file = call.path.starts_with(&self.folder) && call.path != self.folder;
                if is_file && !self.names.contains_key(&call.path) {
                    // It was created by this call, so a file that had the inode is gone.
                    self.files.insert(inode, self.count);
                    self.names.insert(call.path.clone(), self.count);
                    self.changes
                        .push(Change::Name(call.path.clone(), self.count));
                    self.count += 1;
                }
            }
            CallKind::Write => {
                if let (Some(file), Some(position)) = (self.file(call), begun) {
                    let bytes = call.written(returned.cast_unsigned()).unwrap_or_default();
                    self.changes.push(Change::Bytes(file, position, bytes));
                }
            }
            CallKind::Truncate => {
                if let Some(file) = self.file(call) {
                    self.changes.push(Change::Size(file, call.size()));
                }
            }
            CallKind::Sync => {
                let before = usize::try_from(begun.unwrap_or_default()).unwrap_or_default();
                let change = match self.file(call) {
                    Some(file) => Change::Synced(file, before),
                    None => Change::SyncedNames(call.path.clone(), before),
                };
                self.changes.push(change);
            }
            CallKind::Link => {
                if let Some(&file) = self.names.get(&call.path) {
                    self.names.insert(call.to.clone(), file);
                    self.changes.push(Change::Name(call.to.clone(), file));
                }
            }
            CallKind::Rename => {
                if let Some(file) = self.names.remove(&call.path) {
                    self.names.insert(call.to.clone(), file);
                    let change = Change::Renamed(call.path.clone(), call.to.clone());
                    self.changes.push(change);
                }
            }
            CallKind::Unlink => {
                if self.names.remove(&call.path).is_some() {
                    self.changes.push(Change::NoName(call.path.clone()));
                }
            }
            CallKind::Mkdir => self.changes.push(Change::Folder(call.path.clone())),
            CallKind::Read | CallKind::Lock | CallKind::Map => {}
        }
    }
}

impl Watcher for Recorder {
    fn before(&mut self, call: &Call) -> Verdict {
        if call.kind == CallKind::Write && call.descriptor() == 1 {
            // What is printed must be on the disk before.
            let bytes = call.written(call.length()).unwrap_or_default();
            self.print(&bytes);
        }
        let begun = if call.kind == CallKind::Write {
            call.position()
        } else {
            (call.kind == CallKind::Sync).then_some(self.changes.len() as u64)
        };
        if let Some(begun) = begun {
            self.begun.insert(call.thread, begun);
        }
        Verdict::Pass
    }

    fn after(&mut self, call: &Call, returned: i64) -> bool {
        if returned >= 0 && self.records(&call.path) {
            self.record(call, returned);
        }
        let printed = |most| self.printed.len() >= most;
        !self.kill_after.is_some_and(printed)
    }
}
