//! OrchestrationConfig: defaults, limits and layered sources.
