//! The executor port: who can do a task, and what it is told.
