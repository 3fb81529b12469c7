//! The plan cache: a goal that was planned before, for the same host, is not planned again.

mod folder;
mod key;
mod memory;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::StreamExt as _;

use super::planner::told;
use super::{PlanEvent, PlanRequest, PlanStream, Planner, WarningCode, read_plan};

pub use folder::FolderCache;
pub use key::PlanKey;
pub use memory::MemoryCache;

/// Keeps plans by key.
///
/// Plans are kept as documents of the form that models write, and are read and checked anew whenever
/// they are used. So a cache need not be trusted, and what is no longer within the limits is no hit.
#[async_trait]
pub trait PlanCache: Send + Sync {
    /// The document under a key; `None` if there is none.
    ///
    /// # Errors
    /// If there is something that cannot be read. The plan is then made anew, and replaces it.
    async fn get(&self, key: &PlanKey) -> Result<Option<String>, CacheError>;

    /// Keeps a document under a key, in place of the one that is there.
    ///
    /// # Errors
    /// If it cannot be kept; what was there before is then still whole.
    async fn put(&self, key: &PlanKey, document: &str) -> Result<(), CacheError>;
}

/// Why a cache failed. No plan fails because of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// An entry is not what was written.
    #[error("the kept plan {path} is damaged: {why}; it is made anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}; plans are not kept")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
}

/// A planner that looks into a cache before it asks another one, and keeps what that one made.
///
/// The key is made of the goal with its blanks evened out (each run of them counts as one space, none
/// at the ends; case and everything else matter), the feedback, agents, commands, limits, rights, and
/// the planner's [fingerprint](Planner::fingerprint), in which its prompts are. A hit makes no call.
///
/// Plans that stand in for a model's are not kept. A plan that a person rejected stays kept for the
/// next time that the goal is asked without feedback; who wants another words the goal differently.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use zeph_planner::{
///     CachedPlanner, FixedPlanner, MemoryCache, PlanDocument, PlanRequest, Planner, TaskDocument, finish,
/// };
/// use zeph_subagent::AgentCatalog;
/// let made = FixedPlanner::by(|_: &PlanRequest| PlanDocument {
///     tasks: vec![TaskDocument {
///         name: "write".to_owned(), prompt: Some("Write.".to_owned()), ..TaskDocument::default()
///     }],
///     ..PlanDocument::default()
/// });
/// let planner = CachedPlanner::new(Arc::new(made), Arc::new(MemoryCache::default()));
/// let ask = |goal: &str| finish(planner.plan(PlanRequest::new(goal, AgentCatalog::new())));
/// assert_eq!(ask("A  limerick ").await?.tasks, ask("A limerick").await?.tasks);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CachedPlanner {
    planner: Arc<dyn Planner>,
    cache: Arc<dyn PlanCache>,
}

impl CachedPlanner {
    /// A cache in front of a planner.
    #[must_use]
    pub fn new(planner: Arc<dyn Planner>, cache: Arc<dyn PlanCache>) -> Self {
        Self { planner, cache }
    }
}

impl std::fmt::Debug for CachedPlanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CachedPlanner")
            .field("planner", &self.planner.fingerprint())
            .finish_non_exhaustive()
    }
}

impl Planner for CachedPlanner {
    fn plan(&self, request: PlanRequest) -> PlanStream {
        let Self { planner, cache } = self.clone();
        told(move |events| async move {
            let tell = |event| drop(events.unbounded_send(event));
            let warn = |what: &dyn std::fmt::Display| {
                let what = zeph_common::escape_terminal(&what.to_string()).into_owned();
                tell(PlanEvent::Warned { what });
            };
            let key = PlanKey::of(&request, &planner.fingerprint());
            match cache.get(&key).await {
                Ok(None) => {}
                Err(error) => warn(&error),
                Ok(Some(document)) => match read_plan(&document, &request).outcome {
                    Ok(plan) => {
                        tell(PlanEvent::Kept);
                        return tell(PlanEvent::Done(Box::new(plan)));
                    }
                    Err(problems) => {
                        let first = problems.first().map(ToString::to_string);
                        let first = first.unwrap_or_default();
                        warn(&format!("the kept plan is not acceptable now: {first}"));
                    }
                },
            }
            let mut stream = planner.plan(request);
            while let Some(event) = stream.next().await {
                if let PlanEvent::Done(plan) = &event
                    && !plan
                        .warnings
                        .iter()
                        .any(|one| one.code == WarningCode::StandIn)
                {
                    // A document is plain data whose keys are texts; making JSON of it cannot fail.
                    let document = serde_json::to_string(&plan.document()).unwrap_or_default();
                    if let Err(error) = cache.put(&key, &document).await {
                        warn(&error);
                    }
                }
                tell(event);
            }
        })
    }

    fn fingerprint(&self) -> String {
        self.planner.fingerprint()
    }
}
