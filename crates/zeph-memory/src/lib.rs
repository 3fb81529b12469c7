//! The store port: RawGraphStore, an in-memory and a faulty store, and the conformance suite.
