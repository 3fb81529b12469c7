//! What goes over the wire and what comes back, service by service, against servers on loopback.

#![allow(clippy::unwrap_used, reason = "in a test a panic is a report")]

mod answers;
mod errors;
mod genai;
mod requests;
mod streams;
mod support;
mod transport;
