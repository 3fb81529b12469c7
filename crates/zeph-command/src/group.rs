//! Process groups that are killed with their owner.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;

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

/// The name of a signal, such as `SIGKILL`.
pub(crate) fn signal_name(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {number}"),
    }
}
