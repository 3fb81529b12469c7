//! The commands that show runs, and those that send requests to runs.

pub(crate) mod answers;
pub(crate) mod artifact;
pub(crate) mod diff;
pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod verify;
pub(crate) mod why;

pub(crate) mod budget;
pub(crate) mod by_hand;
pub(crate) mod request;

mod explain;
mod failure;
pub(crate) mod next;
pub(crate) mod not_started;
pub(crate) mod outside;
pub(crate) mod posted;
pub(crate) mod rules;
pub(crate) mod time_breakdown;

pub(crate) mod money;
pub(crate) mod page;
pub(crate) mod time;

#[cfg(test)]
pub(crate) mod fixtures;
