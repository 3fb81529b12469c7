//! The commands that show runs, and those that send requests to runs.

pub(crate) mod list;
pub(crate) mod logs;
pub(crate) mod show;
pub(crate) mod status;
pub(crate) mod verify;
pub(crate) mod why;

pub(crate) mod answer;
pub(crate) mod budget;
pub(crate) mod cancel;
pub(crate) mod delete;
pub(crate) mod pause;

mod ask;
pub(crate) mod hints;
mod owner;
pub(crate) mod pick;

mod explain;
mod failure;
mod rules;
mod time_breakdown;

pub(crate) mod money;
pub(crate) mod page;
mod time;

#[cfg(test)]
mod fixtures;
