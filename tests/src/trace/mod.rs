//! Traces: the system calls of the real binary are followed, made to fail, and recorded.
//!
//! [`faults`] repeats a command, each time with another [`fault`]: a call that fails. [`power`] records what commands
//! write and sync, builds the disks that a loss of power can leave (`disk`), and reads each of them.
//! `tracer` follows the process by ptrace, and `call` decodes its calls.

mod call;
mod compare;
mod disk;
mod session;
mod tracer;

pub mod fault;
pub mod faults;
pub mod power;

use std::path::Path;

/// Whether a path is the folder of a database, or a file of the database in it.
fn is_of_database(path: &Path, folder: &Path) -> bool {
    let Ok(inside) = path.strip_prefix(folder) else {
        return false;
    };
    let first = inside.components().next();
    first.is_none_or(|first| first.as_os_str().as_encoded_bytes().starts_with(b"runs.db"))
}
