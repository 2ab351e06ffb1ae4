//! Numbers in records. JSON has none that is not finite, and what is written has null in its place.

use serde::{Deserialize, Deserializer};

/// For `deserialize_with`: what is written as null is no number, NaN; also if it was infinite.
pub(crate) fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::deserialize(deserializer).map(|number| number.unwrap_or(f64::NAN))
}

/// For `deserialize_with`, where nothing is written of what is none: what is written as null is NaN.
pub(crate) fn some_or_nan<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f32>, D::Error> {
    Option::deserialize(from).map(|number| Some(number.unwrap_or(f32::NAN)))
}

/// For `with`: a duration as a number of seconds.
pub(crate) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.as_secs_f64().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        Duration::try_from_secs_f64(f64::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
