//! Requests and answers on the wire, for each service, with servers on the loopback interface.

#![allow(clippy::unwrap_used, reason = "in a test a panic is a report")]

mod answers;
mod errors;
mod genai;
mod requests;
mod streams;
mod support;
mod transport;
