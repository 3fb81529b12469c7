//! The model port: requests, answers, and what stands between them.
