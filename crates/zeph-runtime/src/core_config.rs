//! The configuration of the engine's task.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use zeph_executor::{Redact, Registry};
use zeph_memory::{Fence, RawGraphStore};

use crate::amend::OnPatch;
use crate::clock::Clock;
use crate::message::Message;
use crate::named_lock::Locks;
use crate::submission::Limits;

/// The configuration of the engine's task.
pub(crate) struct CoreConfig {
    pub(crate) store: Arc<dyn RawGraphStore>,
    pub(crate) fence: Fence,
    pub(crate) registry: Arc<Registry>,
    pub(crate) limits: Limits,
    pub(crate) clock: Clock,
    pub(crate) redact: Option<Arc<dyn Redact>>,
    pub(crate) on_patch: Option<OnPatch>,
    pub(crate) locks: Locks,
    /// Set once the journal cannot be written, with the reason.
    pub(crate) closed: watch::Sender<Option<String>>,
    /// The sender of messages to this task.
    pub(crate) engine: mpsc::WeakSender<Message>,
    /// The runtime of the executors.
    pub(crate) bodies: Handle,
}
