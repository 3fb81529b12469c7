//! A fault: a call of a command, by its kind and number, and how it fails.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use nix::errno::Errno;

use crate::crash::ledger::RUN;
use crate::trace::call::CallKind;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// With an error.
    Error(Errno),
    /// With half of the bytes.
    Short,
    /// It reports success and has done nothing. No kernel does that; a trial that has it must fail.
    Lie,
}

/// A call, and how it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The command.
    pub aim: Aim,
    /// The kind of the call.
    pub kind: CallKind,
    /// Its number among those of its kind, from 0.
    pub nth: u64,
    /// How it fails.
    pub failure: Failure,
    /// Whether all later calls of the kind fail, too.
    pub is_lasting: bool,
}

/// The command that meets a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// A run that creates the database.
    Run,
    /// The resume of a run that was killed.
    Resume,
    /// The deletion of a run that has ended.
    Delete,
}

impl Aim {
    /// Every command.
    pub const ALL: [Self; 3] = [Self::Run, Self::Resume, Self::Delete];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Resume => "resume",
            Self::Delete => "delete",
        }
    }

    pub(super) const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Run => &["run", "plan.toml", "--name", RUN],
            Self::Resume => &["resume", RUN, "--rerun-interrupted"],
            Self::Delete => &["delete", RUN],
        }
    }
}

impl CallKind {
    /// How such a call can fail, and whether that can last.
    const fn failures(self) -> &'static [(Failure, bool)] {
        use Errno::{EACCES, EAGAIN, EDQUOT, EINTR, EIO, EMFILE, ENOLCK, ENOMEM, ENOSPC, EROFS};
        use Failure::{Error, Short};
        match self {
            Self::Open => &[
                (Error(EIO), true),
                (Error(EMFILE), true),
                (Error(EACCES), true),
                (Error(EROFS), true),
                (Error(ENOSPC), true),
                (Error(ENOMEM), true),
                (Error(EINTR), false),
            ],
            Self::Read => &[(Error(EIO), true), (Error(EINTR), false), (Short, true)],
            Self::Write => &[
                (Error(EIO), true),
                (Error(ENOSPC), true),
                (Error(EDQUOT), true),
                (Error(EINTR), false),
                (Short, true),
            ],
            Self::Truncate => &[(Error(EIO), true), (Error(EINTR), false)],
            Self::Sync => &[
                (Error(EIO), true),
                (Error(ENOSPC), true),
                (Error(EDQUOT), true),
                (Error(EINTR), false),
            ],
            Self::Link | Self::Mkdir => &[
                (Error(EIO), true),
                (Error(ENOSPC), true),
                (Error(EDQUOT), true),
                (Error(EACCES), true),
                (Error(EROFS), true),
            ],
            Self::Rename | Self::Unlink => &[
                (Error(EIO), true),
                (Error(EACCES), true),
                (Error(EROFS), true),
            ],
            // SQLite takes these errors for a lock that another process keeps, and waits, each time for seconds.
            Self::Lock => &[
                (Error(ENOLCK), false),
                (Error(EIO), true),
                (Error(EAGAIN), false),
                (Error(EINTR), false),
            ],
            Self::Map => &[
                (Error(ENOMEM), true),
                (Error(EAGAIN), true),
                (Error(EACCES), true),
            ],
        }
    }
}

impl Fault {
    /// Whether nothing can be written any more because a disk or a quota is full.
    pub(super) fn leaves_no_space(&self) -> bool {
        let is_full = [Errno::ENOSPC, Errno::EDQUOT].map(Failure::Error);
        self.is_lasting && self.kind == CallKind::Write && is_full.contains(&self.failure)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (aim, kind, nth) = (self.aim.name(), self.kind.name(), self.nth);
        let failure = match self.failure {
            Failure::Error(error) => format!("{error:?}"),
            Failure::Short => "short".to_owned(),
            Failure::Lie => "lie".to_owned(),
        };
        let lasts = if self.is_lasting { "lasting" } else { "once" };
        write!(f, "{aim}/{kind}/{nth}/{failure}/{lasts}")
    }
}

impl FromStr for Fault {
    type Err = String;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('/').collect();
        let [aim, kind, nth, failure, lasts] = parts[..] else {
            return Err(format!("{text:?} is not COMMAND/CALL/NUMBER/FAILURE/LASTS"));
        };
        let unknown = |what: &str| format!("{text:?}: unknown {what}");
        let aim = Aim::ALL.into_iter().find(|one| one.name() == aim);
        let kind = CallKind::ALL.into_iter().find(|one| one.name() == kind);
        let (aim, kind) = (
            aim.ok_or_else(|| unknown("command"))?,
            kind.ok_or_else(|| unknown("call"))?,
        );
        let nth = nth.parse().map_err(|_| unknown("number"))?;
        let mut fault = Self {
            aim,
            kind,
            nth,
            failure: Failure::Lie,
            is_lasting: lasts == "lasting",
        };
        if fault.to_string() == text {
            return Ok(fault);
        }
        for (known, _) in kind.failures() {
            fault.failure = *known;
            if fault.to_string() == text {
                return Ok(fault);
            }
        }
        Err(unknown(&format!("failure {failure:?} of {kind:?}")))
    }
}

/// Every fault of a command with that many calls.
pub(super) fn all_faults(aim: Aim, counts: &BTreeMap<CallKind, u64>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (&kind, &count) in counts {
        for nth in 0..count {
            for &(failure, can_last) in kind.failures() {
                let lasts = if can_last {
                    &[false, true][..]
                } else {
                    &[false]
                };
                faults.extend(lasts.iter().map(|&is_lasting| Fault {
                    aim,
                    kind,
                    nth,
                    failure,
                    is_lasting,
                }));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_a_name_that_is_read_again() {
        let counts = CallKind::ALL.map(|kind| (kind, 2)).into();
        for aim in Aim::ALL {
            let faults = all_faults(aim, &counts);
            assert!(faults.len() > 100);
            for fault in faults {
                assert_eq!(fault.to_string().parse(), Ok(fault));
            }
        }
        assert!("run/write/1/EMFILE/once".parse::<Fault>().is_err());
        assert!("run/write/1".parse::<Fault>().is_err());
    }
}
