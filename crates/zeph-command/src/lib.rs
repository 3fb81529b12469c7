//! The command executor: argv, process groups, bounded logs.
