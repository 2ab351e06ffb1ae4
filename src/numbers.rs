//! Numbers in records. JSON has none that is not finite, and what is written has null in its place.

use serde::{Deserialize, Deserializer};

/// For `deserialize_with`: what is written as null is no number, NaN; also if it was infinite.
pub(crate) fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Option::deserialize(deserializer).map(|number| number.unwrap_or(f64::NAN))
}
