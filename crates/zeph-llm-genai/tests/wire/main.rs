//! What goes over the wire and what comes back, service by service, against servers on loopback.

mod answers;
mod errors;
mod requests;
mod streams;
mod support;
mod transport;
