//! Run slots: at most one task of this process reads a given run from the store.

use tokio::sync::mpsc;
use zeph_graph::RunId;

use crate::error::RuntimeError;
use crate::message::{Message, call};

/// The reserved slot of a run in the engine. Dropping it releases the slot.
pub(crate) struct RunSlot {
    run: Option<RunId>,
    engine: mpsc::Sender<Message>,
}

impl RunSlot {
    /// # Errors
    /// If the run is active here, or being opened already.
    pub(crate) async fn reserve(
        engine: &mpsc::Sender<Message>,
        run: &RunId,
    ) -> Result<Self, RuntimeError> {
        let slot = run.clone();
        call(engine, run, |ack| Message::ReserveSlot { run: slot, ack }).await??;
        Ok(Self {
            run: Some(run.clone()),
            engine: engine.clone(),
        })
    }

    /// Passes the slot on to the run, which is opened next.
    pub(crate) fn fill(mut self) {
        self.run = None;
    }
}

impl Drop for RunSlot {
    fn drop(&mut self) {
        let Some(run) = self.run.take() else { return };
        if let Err(mpsc::error::TrySendError::Full(message)) =
            self.engine.try_send(Message::ReleaseSlot { run })
        {
            let engine = self.engine.clone();
            tokio::spawn(async move { engine.send(message).await });
        }
    }
}
