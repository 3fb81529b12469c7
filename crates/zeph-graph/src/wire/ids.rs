//! The JSON form of ids and times: plain numbers.

use std::num::NonZeroU32;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Attempt, ContentId, QuestionId, ReservationId, TaskId, Timestamp};

macro_rules! as_numbers {
    ($($name:ident: $number:ty, $get:ident, $from:ident;)*) => { $(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.$get().serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <$number>::deserialize(deserializer).map(Self::$from)
            }
        }
    )* };
}
as_numbers! {
    TaskId: u32, as_u32, from_index;
    Attempt: NonZeroU32, get, from;
    QuestionId: NonZeroU32, get, from;
    ContentId: NonZeroU32, get, from;
    ReservationId: NonZeroU32, get, from;
    Timestamp: u64, as_micros, from_micros;
}
