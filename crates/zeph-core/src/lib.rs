//! The seed's import paths, re-exported from zeph-orchestration.
