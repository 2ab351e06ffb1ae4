//! Settings that are written as text: the same words on the command line, in TOML and in records.

/// Serialises types through `Display` and `FromStr`.
macro_rules! as_text {
    ($($type:ty),+ $(,)?) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

as_text!(
    crate::cluster::chaos::Plan,
    crate::cluster::delay::Distribution,
    crate::cluster::delay::Slow,
    crate::engine::backend::FamilyChoice,
    crate::engine::adapter::DeviceChoices,
    crate::engine::model::Shape,
    crate::sgd::Entrant,
    crate::sgd::learning_rate::RateRule,
);
