//! The cost of an attempt's model calls so far.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use zeph_executor::Spend;

/// The cost of an attempt's calls so far, shared by its clients.
#[derive(Debug, Default)]
pub(crate) struct AttemptSpend {
    calls: AtomicU32,
    tokens: AtomicU64,
}

impl AttemptSpend {
    /// Tokens, in and out.
    pub(crate) fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::Relaxed)
    }

    /// The number of the next call, from 1.
    pub(super) fn next_call(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn add(&self, spent: Spend) {
        self.tokens
            .fetch_add(spent.tokens.into(), Ordering::Relaxed);
    }
}
