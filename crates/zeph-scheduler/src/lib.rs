//! The pure scheduling machine: inputs in, records and actions out.
