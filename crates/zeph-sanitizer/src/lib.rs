//! The sanitizer port: text of strangers, made fit for a prompt.
