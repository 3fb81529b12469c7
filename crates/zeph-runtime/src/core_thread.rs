//! The thread of an engine's core, with a small runtime of its own.

use std::io;
use std::thread;

use tokio::runtime::Builder;

use crate::clock::Clock;

/// Runs the core to its end. While the clock of the current runtime is paused, which only a test can do,
/// the core stays on that runtime: another one would not share the virtual time.
pub(crate) fn spawn(
    clock: Clock,
    work: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    if clock.is_paused() {
        tokio::spawn(work);
        return Ok(());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = thread::Builder::new().name("zeph-engine".to_owned());
    thread.spawn(move || runtime.block_on(work)).map(drop)
}
