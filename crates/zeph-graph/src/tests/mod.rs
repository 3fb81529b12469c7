//! Tests of the model: construction, validation, the codecs, the shape, the pictures.
#![allow(clippy::unwrap_used)]

mod any;

mod building;
mod fallbacks;
mod growing;
mod ids;
mod large;

mod answers;
mod differences;
mod json;
mod records;
mod removing;
mod round_trip;
mod validation;

mod pictures;
mod shape;
