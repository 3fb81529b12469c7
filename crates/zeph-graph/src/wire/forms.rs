//! JSON forms of fields: durations, default answers, variants without fields.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Whole microseconds, rounded up, at most `u64::MAX`.
pub(crate) fn to_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// A variant without fields. By itself, serde accepts any fields for it.
pub(crate) fn no_fields<'de, D: Deserializer<'de>>(from: D) -> Result<(), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoFields {}
    NoFields::deserialize(from).map(|NoFields {}| ())
}

/// A value that is there, also if it is null.
pub(crate) fn present<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(from).map(Some)
}

/// A duration as microseconds.
pub(crate) mod micros {
    use super::to_micros;
    use serde::{Deserialize, Deserializer, Serializer};
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(it: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(to_micros(*it))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_micros)
    }
}

/// The default answer to an approval.
pub(crate) mod approval_default {
    use super::to_micros;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::time::Duration;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Form {
        after_us: u64,
        yes: bool,
    }

    type Fallback = Option<(Duration, bool)>;

    pub(crate) fn serialize<S: Serializer>(it: &Fallback, to: S) -> Result<S::Ok, S::Error> {
        let form = it.map(|(wait, yes)| Form {
            after_us: to_micros(wait),
            yes,
        });
        form.serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Fallback, D::Error> {
        let form = Option::<Form>::deserialize(from)?;
        Ok(form.map(|form| (Duration::from_micros(form.after_us), form.yes)))
    }
}
