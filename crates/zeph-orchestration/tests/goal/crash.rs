//! Crashes: the process ends between any two commits, and the run goes on where it was.
