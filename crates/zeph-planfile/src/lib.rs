//! Plan files: TOML or JSON, params, expressions.
