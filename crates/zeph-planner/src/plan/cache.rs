//! The plan cache: the answer to a goal that was planned before, for the same host, is used again.

mod folder;
mod key;

use std::path::PathBuf;
use std::sync::Arc;

use futures::StreamExt as _;

use super::finding::warning;
use super::planner::events_of;
use super::{PlanEvent, PlanRequest, PlanStream, Planner, read_plan};

pub use folder::FolderCache;
pub use key::PlanKey;

/// The error of the cache. Planning continues without it.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// An entry is damaged.
    #[error("the cached plan {path} is damaged: {why}; the goal is planned again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The problem.
        why: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}; plans are not cached")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}

/// A planner that first looks in a [`FolderCache`], and stores the answers of another planner.
///
/// The key is made of the goal with normalised white space (case matters), the feedback, agents,
/// commands, limits, rights, and the planner's [fingerprint](Planner::fingerprint), which includes its
/// prompts. A hit makes no call.
///
/// The cache stores the model's answer, which is read and checked again at each hit. So a changed file
/// cannot widen what a plan may do, and a plan beyond the current limits is no hit.
///
/// The fallback plan of one task is not stored. A rejected plan stays in the cache for the same goal
/// without feedback; word the goal differently to get another one.
#[derive(Clone)]
pub struct CachedPlanner {
    planner: Arc<dyn Planner>,
    cache: Arc<FolderCache>,
}

impl CachedPlanner {
    /// A cache in front of a planner.
    #[must_use]
    pub fn new(planner: Arc<dyn Planner>, cache: FolderCache) -> Self {
        let cache = Arc::new(cache);
        Self { planner, cache }
    }
}

impl std::fmt::Debug for CachedPlanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedPlanner")
            .field("planner", &self.planner.fingerprint())
            .field("cache", &self.cache)
            .finish()
    }
}

impl Planner for CachedPlanner {
    fn plan(&self, request: PlanRequest) -> PlanStream {
        let Self { planner, cache } = self.clone();
        events_of(move |events| async move {
            let send = |event| drop(events.unbounded_send(event));
            let warn = |what: &dyn std::fmt::Display| {
                let what = zeph_common::escape_terminal(&what.to_string()).into_owned();
                send(PlanEvent::Warned { what });
            };
            let key = PlanKey::new(&request, &planner.fingerprint());
            match cache.get(&key) {
                Ok(None) => {}
                Err(error) => warn(&error),
                Ok(Some(answer)) => match read_plan(&answer, &request).outcome {
                    Ok(plan) => {
                        send(PlanEvent::Cached);
                        return send(PlanEvent::Done(Box::new(plan)));
                    }
                    Err(problems) => {
                        let first = problems.iter().next().map(ToString::to_string);
                        let first = first.unwrap_or_default();
                        warn(&format!("the cached plan is not acceptable now: {first}"));
                    }
                },
            }
            let mut stream = planner.plan(request);
            while let Some(event) = stream.next().await {
                if let PlanEvent::Done(plan) = &event
                    && !plan
                        .findings
                        .iter()
                        .any(|one| one.code == warning::FALLBACK_PLAN.text())
                    && let Err(error) = cache.put(&key, &plan.to_answer().to_string())
                {
                    warn(&error);
                }
                send(event);
            }
        })
    }

    fn fingerprint(&self) -> String {
        self.planner.fingerprint()
    }
}
