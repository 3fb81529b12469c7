//! The JSON form of the enums of words: a string with the word.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{CutHow, Effect, FailureAnswer, Fault, OverBudget, RunEnd, Trigger, UnknownWord};

macro_rules! as_strings {
    ($($name:ident),*) => { $(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(WordVisitor(PhantomData))
            }
        }
    )* };
}
as_strings!(
    Trigger,
    Effect,
    FailureAnswer,
    OverBudget,
    Fault,
    CutHow,
    RunEnd
);

struct WordVisitor<T>(PhantomData<T>);

impl<T: FromStr<Err = UnknownWord>> de::Visitor<'_> for WordVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<T, E> {
        word.parse()
            .map_err(|error: UnknownWord| E::unknown_variant(word, error.expected))
    }
}
