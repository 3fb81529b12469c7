//! Run work as a graph of tasks: in parallel, under limits, across crashes.
