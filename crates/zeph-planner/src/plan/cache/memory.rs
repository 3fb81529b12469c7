//! A cache in memory, for one process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{CacheError, PlanCache, PlanKey};

/// The plans that are kept; the oldest one goes for one more.
const MOST: usize = 256;

/// Keeps the last 256 plans in memory.
#[derive(Debug, Default)]
pub struct MemoryCache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    documents: BTreeMap<PlanKey, String>,
    order: VecDeque<PlanKey>,
}

#[async_trait]
impl PlanCache for MemoryCache {
    async fn get(&self, key: &PlanKey) -> Result<Option<String>, CacheError> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(kept.documents.get(key).cloned())
    }

    async fn put(&self, key: &PlanKey, document: &str) -> Result<(), CacheError> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = kept.documents.insert(key.clone(), document.to_owned());
        if before.is_none() {
            kept.order.push_back(key.clone());
        }
        if kept.order.len() > MOST
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.documents.remove(&oldest);
        }
        Ok(())
    }
}
