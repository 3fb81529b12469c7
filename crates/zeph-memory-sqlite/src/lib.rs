//! RawGraphStore on SQLite.
