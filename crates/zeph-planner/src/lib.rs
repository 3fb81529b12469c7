//! The roles of a model: planner, agent, aggregator.
