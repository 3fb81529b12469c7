//! Taking over a run: whether its owner has ended, and why an adoption fails.

use zeph_graph::RunId;
use zeph_memory::StoreError;

use crate::engine::Engine;
use crate::error::RuntimeError;
use crate::lease;
use crate::socket::{Ask, NoReply, Reply, call_owner};

impl Engine {
    /// # Errors
    /// If another process owns the run's epoch and may be running the run.
    pub(crate) async fn check_no_owner(&self, run: &RunId, epoch: u64) -> Result<(), RuntimeError> {
        if epoch == self.fence.epoch {
            return Ok(());
        }
        let Some(owners) = &self.owners else {
            return match lease::holder(&*self.store, run, epoch).await? {
                Some(owner) => Err(RuntimeError::OwnedElsewhere {
                    run: run.clone(),
                    owner,
                }),
                None => Ok(()),
            };
        };
        let run = run.clone();
        match call_owner(owners, epoch, &run, Ask::IsHere).await {
            // A process can continue after it has suspended the run.
            Ok(Reply::NotActive) | Err(NoReply::NoOwner) => Ok(()),
            Ok(Reply::Accepted | Reply::Stale | Reply::OwnTask | Reply::Refused(_)) => {
                let owner = owners.holder(epoch).unwrap_or_default();
                Err(RuntimeError::OwnedElsewhere { run, owner })
            }
            Err(NoReply::Unresponsive(owner)) => Err(RuntimeError::Unreachable { run, owner }),
        }
    }

    /// The error of an adoption: another process may have adopted the run first.
    pub(crate) fn adoption_error(&self, run: &RunId, error: StoreError) -> RuntimeError {
        let owner = if let StoreError::Fenced { theirs, .. } = error {
            let owners = self.owners.as_ref();
            owners.and_then(|owners| owners.holder(theirs))
        } else if let StoreError::Owned { owner, left, .. } = error {
            Some(lease::describe(&owner, left))
        } else {
            return RuntimeError::store(run, error);
        };
        RuntimeError::OwnedElsewhere {
            run: run.clone(),
            owner: owner.unwrap_or_default(),
        }
    }
}

/// The process, for people: stores may be shared by several hosts.
pub(crate) fn owner_name() -> String {
    let pid = std::process::id();
    match std::fs::read_to_string("/proc/sys/kernel/hostname") {
        Ok(host) => format!("pid {pid} on {}", host.trim()),
        Err(_) => format!("pid {pid}"),
    }
}
