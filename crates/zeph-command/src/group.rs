//! Process groups that are killed with their owner, and their traces for a later process.

use std::fs;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::process::Child;
use zeph_common::ProcessStat;

/// The process group of a command. Dropping it kills the group.
///
/// The kernel reserves the id of a group while it has members. After that the id could name a new
/// group, but only if all process ids were used within the second in which a late signal can come.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Option<Pid>,
}

impl Group {
    /// The group of a child that was started as a leader and not yet waited for.
    pub(crate) fn led_by(child: &Child) -> Self {
        let number = child.id().and_then(|id| i32::try_from(id).ok());
        // 0 means the own group, and 1 every process.
        Self {
            leader: number.filter(|&number| number > 1).map(Pid::from_raw),
        }
    }

    /// What a note of the attempt keeps.
    pub(crate) fn trace(&self) -> Option<ProcessGroup> {
        let id = self.leader?.as_raw();
        let start = stat(id).map(|(_, start)| start);
        Some(ProcessGroup { id, start })
    }

    /// Sends SIGTERM to every process of the group, and SIGCONT, so that stopped ones receive it.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::SIGTERM);
        self.signal(Signal::SIGCONT);
    }

    /// Kills every process of the group.
    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // An error means that the group is empty.
            killpg(leader, signal).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The process group of a command, as a note of its attempt keeps it.
///
/// If the process that ran the command was killed, the command may still be running. The group tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessGroup {
    /// The id of the group and of its first process.
    pub id: i32,
    /// When its first process was started, and since which boot; only Linux tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
}

impl ProcessGroup {
    /// Whether a process of the group, or of its session, is alive on this machine.
    ///
    /// On Linux, a later group that got the same id is recognized by its start. Cost there: one look at
    /// every process of the machine.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match &self.start {
            Some(start) => !self.processes(start).is_empty(),
            None => self.id > 1 && killpg(Pid::from_raw(self.id), None).is_ok(),
        }
    }

    /// Asks every process that [`is_alive`](Self::is_alive) means to end, by SIGTERM, also a stopped one.
    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
        self.signal(Signal::SIGCONT);
    }

    /// Kills every process that [`is_alive`](Self::is_alive) means. One that is just being started is missed,
    /// so a caller repeats this until none is alive.
    pub fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        match &self.start {
            Some(start) => {
                for process in self.processes(start) {
                    // An error means that it has ended.
                    kill(process, signal).ok();
                }
            }
            None if self.id > 1 => {
                killpg(Pid::from_raw(self.id), signal).ok();
            }
            None => {}
        }
    }

    /// The living processes of the session, if it is the one that began then.
    fn processes(&self, start: &str) -> Vec<Pid> {
        let leader = stat(self.id);
        // While the id belongs to a group, no other process gets it.
        if leader.is_some_and(|(_, of_leader)| of_leader != start) || !is_this_boot(start) {
            return Vec::new();
        }
        let Some(session) = u32::try_from(self.id).ok().filter(|&id| id > 1) else {
            return Vec::new();
        };
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let of_session = entries.filter_map(|entry| {
            let id: u32 = entry.file_name().to_str()?.parse().ok()?;
            let process = ProcessStat::read(id)?;
            let is_meant = process.session == session && process.is_running;
            is_meant.then(|| i32::try_from(id).ok().map(Pid::from_raw))?
        });
        of_session.collect()
    }
}

/// The process with that id, and when it was started: the boot and the clock ticks since then.
fn stat(id: i32) -> Option<(ProcessStat, String)> {
    let stat = ProcessStat::read(u32::try_from(id).ok()?)?;
    let start = format!("{} {}", boot(), stat.start_ticks);
    Some((stat, start))
}

fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id");
    id.unwrap_or_default().trim().to_owned()
}

fn is_this_boot(start: &str) -> bool {
    start.split_once(' ').is_some_and(|(of, _)| of == boot())
}

/// The name of a signal, such as `SIGKILL`.
pub(crate) fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {number}"),
    }
}

/// Whether a signal usually comes from outside: from a person, a memory killer, or a closed terminal.
pub(crate) fn is_from_outside(number: i32) -> bool {
    matches!(
        Signal::try_from(number),
        Ok(Signal::SIGHUP | Signal::SIGINT | Signal::SIGQUIT | Signal::SIGKILL | Signal::SIGTERM)
    )
}
