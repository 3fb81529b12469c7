//! A process group that does not outlive its owner.

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::Child;

/// The group that a command leads; killed when this is dropped.
///
/// The kernel keeps the number of a group as long as it has members. Once a group is empty and its
/// leader was waited for, the number could in principle name a new group; for that to happen all
/// process numbers would have to be used up within the second that a signal may come late.
#[derive(Debug)]
pub(crate) struct Group {
    leader: Option<Pid>,
}

impl Group {
    /// The group of a child that was started as a leader and not yet waited for.
    pub(crate) fn led_by(child: &Child) -> Self {
        let number = child.id().and_then(|id| i32::try_from(id).ok());
        // 0 would mean our own group and 1 everybody.
        Self {
            leader: number.filter(|&number| number > 1).map(Pid::from_raw),
        }
    }

    /// Asks every process of the group to end. Stopped ones are continued, or they would not hear it.
    pub(crate) fn ask(&self) {
        self.signal(Signal::SIGTERM);
        self.signal(Signal::SIGCONT);
    }

    /// Kills every process of the group.
    pub(crate) fn kill(&self) {
        self.signal(Signal::SIGKILL);
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // An error means that nobody is left to be told.
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
