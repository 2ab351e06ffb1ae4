//! Numbers and lists as they are read: by people, who want few digits, and in records. JSON has none that is not
//! finite, and what is written has null in its place.

use std::fmt;

use serde::{Deserialize, Deserializer};

/// A number as it is shown: with an exponent where it would have dozens of digits, or, if it is rounded,
/// where nothing would be left of it. Unrounded it is the same number when it is read again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown(pub(crate) f64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = match f.precision() {
            Some(digits) => (0.5 * 10_f64.powi(-(digits.min(300) as i32)), 1e9),
            None => (1e-5, 1e16),
        };
        let size = self.0.abs();
        if size == 0.0 || !size.is_finite() || (least..most).contains(&size) {
            fmt::Display::fmt(&self.0, f)
        } else {
            fmt::LowerExp::fmt(&self.0, f)
        }
    }
}

/// A number with so many significant figures, but no fewer digits than stand before its point.
pub(crate) fn significant(value: f64, figures: i32) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let decimals = figures - 1 - value.abs().log10().floor() as i32;
    format!("{value:.0$}", decimals.max(0) as usize)
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn significant_figures_are_counted_from_the_first_digit() {
        for (value, figures, shown) in [
            (0.012345, 3, "0.0123"),
            (-1.5, 3, "-1.50"),
            (123.456, 4, "123.5"),
            (123.456, 2, "123"),
            (9.96, 2, "10.0"),
            (0.0, 4, "0"),
            (f64::NAN, 4, "NaN"),
            (f64::NEG_INFINITY, 4, "-inf"),
        ] {
            assert_eq!(significant(value, figures), shown);
        }
    }

    #[test]
    fn no_number_has_dozens_of_digits_and_all_are_read_again() {
        for (value, shown) in [
            (0.4, "0.4"),
            (1e-5, "0.00001"),
            (2e-6, "2e-6"),
            (1e15, "1000000000000000"),
            (1e300, "1e300"),
            (-2.5e-320, "-2.5e-320"),
            (0.0, "0"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(Shown(value).to_string(), shown);
            assert_eq!(shown.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
        let rounded = |value| format!("{:.2}", Shown(value));
        assert_eq!([2.0, 0.004, 3e9, 0.0].map(rounded), ["2.00", "4.00e-3", "3.00e9", "0.00"]);
    }
}
