//! What the system tells about a process.

use std::fs;

/// What `/proc` tells about a process. Only Linux has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessStat {
    /// The process that started it, or that took it over.
    pub parent: u32,
    /// Its session.
    pub session: u32,
    /// Whether it is neither dead nor a zombie.
    pub is_running: bool,
    /// The device number of its terminal; 0 for none.
    pub terminal: i32,
    /// When it was started, in clock ticks since the boot.
    pub start_ticks: u64,
}

impl ProcessStat {
    /// `None` if there is no such process, or no `/proc`.
    #[must_use]
    pub fn read(pid: u32) -> Option<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of the program, in parentheses, may have any character.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            is_running: !matches!(*fields.first()?, "Z" | "X"),
            terminal: fields.get(4)?.parse().ok()?,
            start_ticks: fields.get(19)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::ProcessStat;

    #[test]
    #[cfg(target_os = "linux")]
    fn this_process_is_running_and_another_is_not_there() {
        let this = ProcessStat::read(std::process::id()).expect("it runs");
        assert!(this.is_running && this.parent > 0 && this.start_ticks > 0);
        assert_eq!(ProcessStat::read(u32::MAX), None);
    }
}
