//! Who sends a request to a run, and whether it is a task of that run itself.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;

use serde::{Deserialize, Serialize};
use zeph_common::ProcessStat;
use zeph_graph::{RunId, Timestamp};

use crate::request::Request;

/// The most ancestors of a process that are looked at.
const MAX_ANCESTORS: usize = 1_000;

/// A process that sends a request, as it is noted with the answer or the end of a task that it gives; or a task
/// of the run that withdraws what it has proposed.
///
/// What is not known is absent: a system without `/proc` tells neither user nor terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The name of its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The number of its user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// Its id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The terminal that it is attached to, such as `pts/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// When the request was put into the inbox of a run without an owner; it counted later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub posted_at: Option<Timestamp>,
    /// The task of the run, in place of a process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Box<str>>,
    /// Why a task was ended by hand, or tasks were added. Untrusted text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Actor {
    /// This process.
    #[must_use]
    pub fn this_process() -> Self {
        let uid = fs::metadata("/proc/self").ok().map(|about| about.uid());
        Self::new(uid, Some(std::process::id()))
    }

    pub(crate) fn new(uid: Option<u32>, pid: Option<u32>) -> Self {
        Self {
            user: uid.and_then(user_name),
            uid,
            pid,
            terminal: pid
                .and_then(ProcessStat::read)
                .and_then(|stat| terminal(stat.terminal)),
            posted_at: None,
            task: None,
            reason: None,
        }
    }

    /// A task of the run.
    pub(crate) fn of_task(name: &str, reason: String) -> Self {
        Self {
            task: Some(name.into()),
            reason: Some(reason),
            ..Self::default()
        }
    }
}

impl fmt::Display for Actor {
    /// `anna (process 4711, pts/3)`. The name is untrusted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(task) = &self.task {
            return write!(f, "task {task}");
        }
        match (&self.user, self.uid) {
            (Some(user), _) => f.write_str(user)?,
            (None, Some(uid)) => write!(f, "user {uid}")?,
            (None, None) => f.write_str("an unknown user")?,
        }
        match (self.pid, &self.terminal) {
            (Some(pid), Some(terminal)) => write!(f, " (process {pid}, {terminal})"),
            (Some(pid), None) => write!(f, " (process {pid})"),
            (None, _) => Ok(()),
        }
    }
}

/// Whether a task of a run may not send that request: it would decide in place of a person.
pub(crate) const fn is_for_people(request: &Request) -> bool {
    match request {
        Request::Answer { .. }
        | Request::Complete { .. }
        | Request::Skip { .. }
        | Request::Amend { .. }
        | Request::Unpause
        | Request::Budget { .. } => true,
        Request::Cancel { .. } | Request::Pause | Request::Suspend => false,
    }
}

/// Whether a process belongs to a task of the run: it descends from a task of the owner, which leads a
/// session of its own, or has the variable `ZEPH_RUN` of the run.
///
/// A process that leaves both behind, by a start through another service or with a new environment and a
/// new parent, is not recognized. Without `/proc` none is.
pub(crate) fn is_task_of(run: &RunId, pid: u32, owner: u32) -> bool {
    has_variable(pid, run) || descends_from_task(pid, owner)
}

/// Whether this process has the variable of the run in its environment.
pub(crate) fn is_in_task_of(run: &RunId) -> bool {
    std::env::var_os("ZEPH_RUN").is_some_and(|value| value == run.as_str())
}

fn has_variable(pid: u32, run: &RunId) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let wanted = format!("ZEPH_RUN={run}");
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| variable == wanted.as_bytes())
}

/// Whether an ancestor of the process, or the process itself, is a child of the owner in another session
/// than the owner's: a command of a task. A prompt of the owner is in the owner's session. A process that
/// has ended counts as one, because a task could leave its request to another.
fn descends_from_task(pid: u32, owner: u32) -> bool {
    let Some(own_session) = ProcessStat::read(owner).map(|stat| stat.session) else {
        return false;
    };
    let mut next = pid;
    for _ in 0..MAX_ANCESTORS {
        let Some(stat) = ProcessStat::read(next) else {
            // It has ended, and its parents are unknown.
            return true;
        };
        if stat.parent == owner {
            return stat.session != own_session;
        }
        if stat.parent <= 1 {
            return false;
        }
        next = stat.parent;
    }
    false
}

/// The name of a terminal by its device number.
fn terminal(device: i32) -> Option<String> {
    let device = u32::try_from(device).ok().filter(|device| *device > 0)?;
    let (major, minor) = (
        (device >> 8) & 0xfff,
        (device & 0xff) | ((device >> 12) & 0xf_ff00),
    );
    match major {
        136..=143 => Some(format!("pts/{}", (major - 136) * 256 + minor)),
        4 if minor >= 64 => Some(format!("ttyS{}", minor - 64)),
        4 => Some(format!("tty{minor}")),
        _ => Some(format!("terminal {major}:{minor}")),
    }
}

/// The name of a user in the list of the system.
fn user_name(uid: u32) -> Option<String> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::{Actor, descends_from_task, terminal};

    #[test]
    fn this_process_is_known_and_descends_from_no_task() {
        let this = Actor::this_process();
        assert_eq!(this.pid, Some(std::process::id()));
        let json = serde_json::to_string(&this).expect("plain data");
        let read: Actor = serde_json::from_str(&json).expect("was written");
        assert_eq!(read, this);
        assert!(!descends_from_task(std::process::id(), std::process::id()));
        // A process that has ended may have been started by a task.
        assert!(descends_from_task(u32::MAX, std::process::id()));
    }

    #[test]
    fn an_actor_in_words() {
        let actor = Actor {
            user: Some("anna".into()),
            uid: Some(1000),
            pid: Some(7),
            terminal: Some("pts/3".into()),
            posted_at: None,
            task: None,
            reason: None,
        };
        assert_eq!(actor.to_string(), "anna (process 7, pts/3)");
        let task = Actor::of_task("plan", String::new());
        assert_eq!(task.to_string(), "task plan");
        assert_eq!(Actor::default().to_string(), "an unknown user");
    }

    #[test]
    fn terminals_have_names() {
        assert_eq!(terminal(0), None);
        assert_eq!(terminal(136 << 8 | 3).as_deref(), Some("pts/3"));
        assert_eq!(terminal(4 << 8 | 1).as_deref(), Some("tty1"));
        assert_eq!(terminal(4 << 8 | 64).as_deref(), Some("ttyS0"));
    }
}
