//! Words: closed enums as the short texts that stand for them in JSON.

use std::fmt;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, de};

use crate::{CancelWhy, CutHow, Fault, RunEnd};

/// A closed enum whose values have names.
pub(crate) trait Named: Copy + 'static {
    const ALL: &'static [Self];
    fn word(self) -> &'static str;
    fn from_word(word: &str) -> Option<Self>;
}

macro_rules! named {
    ($($name:ident),*) => { $(
        impl Named for $name {
            const ALL: &'static [Self] = $name::ALL;
            fn word(self) -> &'static str {
                $name::word(self)
            }
            fn from_word(word: &str) -> Option<Self> {
                $name::from_word(word)
            }
        }
    )* };
}
named!(Fault, CancelWhy, CutHow, RunEnd);

/// Reads a value by its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Word<T>(pub(crate) T);

impl<'de, T: Named> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(WordVisitor(PhantomData))
    }
}

struct WordVisitor<T>(PhantomData<T>);

impl<T: Named> de::Visitor<'_> for WordVisitor<T> {
    type Value = Word<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of")?;
        for value in T::ALL {
            write!(f, " {:?}", value.word())?;
        }
        Ok(())
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Word<T>, E> {
        match T::from_word(word) {
            Some(value) => Ok(Word(value)),
            None => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }
}
