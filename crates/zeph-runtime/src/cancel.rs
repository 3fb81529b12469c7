//! Canceling a run from any process, also one that no process works on.

use std::sync::Arc;

use zeph_executor::closure::from_fn;
use zeph_executor::{Registry, TaskError};
use zeph_graph::{RunId, Task, Timestamp};

use zeph_memory::RawGraphStore;

use crate::control::{Delivery, ask};
use crate::driver;
use crate::engine::Engine;
use crate::error::RuntimeError;
use crate::lease;
use crate::owner::Owners;
use crate::request::Request;
use crate::view::RunView;

/// Cancels a run: through its owner, or, if no process works on it, by taking it over until it has ended.
///
/// A run that is taken over starts nothing, so its executors, secrets, models and folder are not needed: a run
/// that lost one of them can still be ended. Its finalizers, which would need them, are canceled, too. The
/// owner of a run runs its finalizers.
///
/// # Errors
/// As [`ask`], and if another process takes the run over meanwhile or the store fails.
pub async fn cancel_run(
    store: Arc<dyn RawGraphStore>,
    owners: Option<Owners>,
    run: &RunId,
    now: Timestamp,
) -> Result<Delivery, RuntimeError> {
    let cancel = Request::Cancel {
        task: None,
        downstream: false,
    };
    let delivery = ask(&*store, owners.as_ref(), run, &cancel, now).await?;
    if !matches!(delivery, Delivery::Posted(_)) {
        return Ok(delivery);
    }
    if owners.is_none() && is_owned(&*store, run).await? {
        // Its owner has a lease, and applies the request when it can.
        return Ok(delivery);
    }
    let view = RunView::load(&*store, run).await?;
    let is_left =
        |(id, task): (_, &Task)| task.rules().finally && !view.scheduler.task(id).state().is_end();
    if view.graph().tasks().any(is_left) {
        // The second one cancels the finalizers.
        ask(&*store, owners.as_ref(), run, &cancel, now).await?;
    }
    let mut registry = Registry::new();
    for (_, task) in view.graph().tasks() {
        if let Some(name) = driver::needed_action(task) {
            let executor =
                from_fn(|_, _| async { Err(TaskError::cancelled("the run is canceled")) });
            // Several tasks may have the same action.
            let _ = registry.register(&*name, executor);
        }
    }
    let mut builder = Engine::builder(store).registry(registry);
    if let Some(owners) = owners {
        builder = builder.owners(owners);
    }
    let engine = builder.start().await?;
    // The engine applies the request in the inbox together with the resumption, so it starts no attempt.
    engine.resume_to_end(run).await?.wait().await?;
    Ok(Delivery::Accepted)
}

/// Whether the owner of the run has a lease.
async fn is_owned(store: &dyn RawGraphStore, run: &RunId) -> Result<bool, RuntimeError> {
    let row = store.get(run).await;
    let row = row.map_err(|error| RuntimeError::store(run, error))?;
    Ok(lease::holder(store, run, row.epoch).await?.is_some())
}
