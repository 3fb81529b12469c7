//! Reservations: while a run is read back from its journal, nobody else in this process does the same.

use tokio::sync::{mpsc, oneshot};
use zeph_graph::RunId;

use crate::engine::Message;
use crate::error::RuntimeError;

/// Holds a run's place in the engine; given back when it is dropped, unless the run has come in.
pub(crate) struct Reservation {
    run: Option<RunId>,
    engine: mpsc::Sender<Message>,
}

impl Reservation {
    /// # Errors
    /// If the run is at work here, or being read back already.
    pub(crate) async fn take(
        engine: &mpsc::Sender<Message>,
        run: &RunId,
    ) -> Result<Self, RuntimeError> {
        let gone = || RuntimeError::Gone { run: run.clone() };
        let (ack, answer) = oneshot::channel();
        let message = Message::Reserve {
            run: run.clone(),
            ack,
        };
        engine.send(message).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())??;
        Ok(Self {
            run: Some(run.clone()),
            engine: engine.clone(),
        })
    }

    /// The run comes in now; it takes its place by itself.
    pub(crate) fn used(mut self) {
        self.run = None;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let Some(run) = self.run.take() else { return };
        if let Err(mpsc::error::TrySendError::Full(message)) =
            self.engine.try_send(Message::Release { run })
        {
            let engine = self.engine.clone();
            tokio::spawn(async move { engine.send(message).await });
        }
    }
}
