//! Tests that cross the storeys: simulation, scenarios, crash loops.
