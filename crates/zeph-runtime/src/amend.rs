//! Amendments: patches of attempts and of persons, in the engine's task.

use std::sync::Arc;

use serde_json::Value;
use zeph_graph::ContentId;
use zeph_graph::wire::{Diagnostics, GraphSpec};
use zeph_scheduler::{Amendment, ByHand, InputOutcome, Scheduler};

use crate::active_run::ActiveRun;
use crate::actor::Actor;
use crate::content::ContentParts;
use crate::core::Core;
use crate::engine::EngineBuilder;
use crate::error::RuntimeError;
use crate::message::Key;

/// Changes the tasks of a patch before the scheduler checks it.
pub(crate) type OnPatch = Arc<dyn Fn(&mut GraphSpec) + Send + Sync>;

impl EngineBuilder {
    /// Changes each patch of a person before it is checked and applied, for example adds approvals to its tasks as
    /// to those of a new run. Default: a patch is applied as it is.
    pub fn on_patch(mut self, change: impl Fn(&mut GraphSpec) + Send + Sync + 'static) -> Self {
        self.on_patch = Some(Arc::new(change));
        self
    }
}

impl ActiveRun {
    /// Passes a patch to the scheduler, and interns it if it is accepted.
    pub(crate) fn amend(
        &mut self,
        mut patch: GraphSpec,
        amend: impl FnOnce(&mut Scheduler, ContentId, &GraphSpec) -> Result<Amendment, Diagnostics>,
    ) -> Result<Amendment, Diagnostics> {
        // The scheduler numbers the tasks; the patch is stored in the order of the numbers.
        let content = self.contents.intern(ContentParts::default());
        let amended = amend(&mut self.scheduler, content, &patch);
        if let Ok(Amendment::Added { .. }) = amended {
            let graph = self.scheduler.graph();
            patch.tasks.sort_by_key(|task| graph.find(&task.name));
            self.contents
                .replace(content, ContentParts::of_patch(&patch));
        } else {
            self.contents.forget(content);
        }
        amended
    }
}

impl Core {
    /// Changes the graph as a person's patch says, which was made after so many amendments.
    pub(crate) fn amend_by_hand(
        &mut self,
        key: Key,
        (patch, after, reason): (Value, u32, Option<String>),
        by: Option<Actor>,
    ) -> Result<InputOutcome, RuntimeError> {
        let Some(active) = self.runs.get(&key) else {
            return Ok(InputOutcome::Stale);
        };
        let run = active.chain.run().clone();
        let bad = |reason: String| {
            let run = run.clone();
            RuntimeError::BadPatch { run, reason }
        };
        let mut patch = read_patch(&patch).map_err(bad)?;
        if let Some(change) = &self.config.on_patch {
            change(&mut patch);
        }
        let missing = self.missing_executors(&patch);
        if !missing.is_empty() {
            return Err(RuntimeError::MissingExecutors { run, missing });
        }
        let by = self.signed(by, reason);
        let amended = self.update(key, |active, now| {
            let by = by.map(|by| active.contents.intern(ContentParts::of_actor(&by)));
            let by_hand = ByHand { by, after };
            let amended = active.amend(patch, |scheduler, content, patch| {
                scheduler.amend_by_hand(now, by_hand, content, patch)
            });
            let is_added = matches!(amended, Ok(Amendment::Added { .. }));
            if let Some(id) = by.filter(|_| !is_added) {
                active.contents.forget(id);
            }
            amended
        });
        match amended {
            Some(Ok(Amendment::Added { .. })) => Ok(InputOutcome::Accepted),
            Some(Ok(Amendment::Outdated { amendments })) => Err(RuntimeError::Outdated {
                run,
                after,
                amendments,
            }),
            Some(Ok(Amendment::Stale | Amendment::AlreadyAmended)) | None => {
                Ok(InputOutcome::Stale)
            }
            Some(Err(problems)) => Err(bad(problems.to_string())),
        }
    }
}

/// The patch of a request.
pub(crate) fn read_patch(patch: &Value) -> Result<GraphSpec, String> {
    GraphSpec::from_json(&patch.to_string()).map_err(|error| error.to_string())
}
