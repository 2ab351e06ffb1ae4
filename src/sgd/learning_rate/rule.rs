//! Rules for the learning rate, as one names them: `constant`, `decay:factor=0.5,every=1000`,
//! `compensated:c=0.01`, `inverse-staleness`, `adaptive:threshold=8`.

use std::{fmt, str::FromStr, time::Duration};

use serde_with::{DeserializeFromStr, SerializeDisplay};

use super::Arrival;
use crate::{Error, Result, numbers::Shown, spec};

/// How the rate of a gradient comes of eta, the rate that is configured.
#[derive(Debug, Clone, Copy, PartialEq, SerializeDisplay, DeserializeFromStr)]
pub enum RateRule {
    /// eta.
    Constant,
    /// eta factor^n, where n counts the periods that have passed.
    Decay {
        /// Above 0 and at most 1.
        factor: f64,
        /// From one step to the next.
        every: Period,
    },
    /// min(C / ||w_j - w_tau||^2, eta): the further the parameters have moved since the gradient's
    /// learner read them, the less it counts (Dutta et al. 2018, section 3.3, equations 11 to 13).
    /// They have one gradient an update; here each of the K has a rate of its own.
    Compensated {
        /// Of the order of the loss that is to be reached.
        c: f64,
    },
    /// eta / (1 + s). Zhang et al. 2016 divide by the staleness where there is any; this one tells
    /// s = 1 from s = 0.
    InverseStaleness,
    /// eta up to s = threshold, and eta threshold / s beyond (Koloskova, Stich and Jaggi 2022). They
    /// have 1 / (4 L s) beyond; the smoothness L is not known here, and is taken as that at which
    /// the two agree at the threshold, for which they take the number of gradients under way, P.
    Adaptive {
        /// At least 1.
        threshold: u64,
    },
}

/// What one counts by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Period {
    /// So many updates. Written `1000`.
    Updates(u64),
    /// So much run time. Written `60s`.
    Time(Duration),
}

impl Period {
    fn parse(text: &str) -> Option<Self> {
        if let Some(seconds) = text.strip_suffix('s') {
            let seconds = seconds.parse().ok().filter(|seconds| (1e-9..=1e9).contains(seconds));
            return seconds.map(|seconds| Self::Time(Duration::from_secs_f64(seconds)));
        }
        text.parse().ok().filter(|&updates| updates > 0).map(Self::Updates)
    }

    /// How many have passed when a gradient arrives.
    fn passed(self, gradient: &Arrival) -> f64 {
        match self {
            Self::Updates(updates) => (gradient.version / updates) as f64,
            Self::Time(time) => (gradient.time.as_nanos() / time.as_nanos()) as f64,
        }
    }
}

impl RateRule {
    /// The rate of `gradient`, at most `eta`.
    ///
    /// # Panics
    /// If the rate is compensated and [`Arrival::drift`] is not told.
    pub fn rate(&self, eta: f64, gradient: &Arrival) -> f64 {
        let staleness = gradient.staleness as f64;
        match *self {
            Self::Constant => eta,
            Self::Decay { factor, every } => eta * factor.powf(every.passed(gradient)),
            Self::Compensated { c } => {
                let drift = gradient.drift.expect("who needs the drift is told it");
                // Where nothing has moved C / 0 is infinite.
                (c / drift).min(eta)
            }
            Self::InverseStaleness => eta / (1.0 + staleness),
            Self::Adaptive { threshold } => eta * (threshold as f64 / staleness).min(1.0),
        }
    }
}

/// Each rule with what it needs, and how that is written.
const GRAMMAR: [(&str, &[&str]); 5] = [
    ("constant", &[]),
    ("decay", &["factor=0.5", "every=1000"]),
    ("compensated", &["c=0.01"]),
    ("inverse-staleness", &[]),
    ("adaptive", &["threshold=8"]),
];

impl FromStr for RateRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, examples, rest) = spec::name("rate rule", text, &GRAMMAR)?;
        let key = |example: &&'static str| example.split_once('=').map_or(*example, |(key, _)| key);
        let keys: Vec<_> = examples.iter().map(key).collect();
        let values = spec::values(name, rest, &keys)?;
        let example = examples.join(",");
        let wrong = |what: &str| Error::config(format!("{name}: {what}, as in {name}:{example}"));
        let value = |at: usize| values[at].ok_or_else(|| wrong("it needs all its parameters"));
        let number = |at: usize, what: &str, fits: &dyn Fn(f64) -> bool| {
            value(at)?.parse().ok().filter(|&number| fits(number)).ok_or_else(|| wrong(what))
        };
        Ok(match name {
            "decay" => Self::Decay {
                factor: number(0, "the factor is above 0 and at most 1", &|f| f > 0.0 && f <= 1.0)?,
                every: Period::parse(value(1)?).ok_or_else(|| {
                    wrong("every is a number of updates, or of seconds with an s, such as 60s")
                })?,
            },
            "compensated" => Self::Compensated {
                c: number(0, "C is a number above 0", &|c| c > 0.0 && c.is_finite())?,
            },
            "adaptive" => {
                let threshold = value(0)?.parse().ok().filter(|&threshold| threshold > 0);
                let what = "the threshold is a whole number of 1 or more";
                Self::Adaptive { threshold: threshold.ok_or_else(|| wrong(what))? }
            }
            "inverse-staleness" => Self::InverseStaleness,
            _ => Self::Constant,
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Updates(updates) => write!(f, "{updates}"),
            Self::Time(time) => write!(f, "{}s", Shown(time.as_secs_f64())),
        }
    }
}

impl fmt::Display for RateRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant => f.write_str("constant"),
            Self::Decay { factor, every } => {
                write!(f, "decay:factor={},every={every}", Shown(*factor))
            }
            Self::Compensated { c } => write!(f, "compensated:c={}", Shown(*c)),
            Self::InverseStaleness => f.write_str("inverse-staleness"),
            Self::Adaptive { threshold } => write!(f, "adaptive:threshold={threshold}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [&str; 6] = [
        "constant",
        "decay:factor=0.5,every=1000",
        "decay:factor=0.1,every=2.5s",
        "compensated:c=0.01",
        "inverse-staleness",
        "adaptive:threshold=8",
    ];

    #[track_caller]
    fn check(rule: &str, expected: [f64; 4], arrival: impl Fn(&mut Arrival, u64)) {
        let rule: RateRule = rule.parse().unwrap();
        let rates = [0, 1, 2, 16].map(|n| {
            let (time, drift) = (Duration::ZERO, None);
            let mut gradient =
                Arrival { learner: 0, time, version: 0, staleness: 0, drift, norm: None };
            arrival(&mut gradient, n);
            rule.rate(0.8, &gradient)
        });
        for (rate, expected) in rates.into_iter().zip(expected) {
            assert!((rate - expected).abs() < 1e-15, "{rule}: {rates:?}");
        }
    }

    #[test]
    fn a_rule_is_written_as_it_is_read() {
        for text in RULES {
            assert_eq!(text.parse::<RateRule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn rates_fall_with_staleness() {
        let stale = |gradient: &mut Arrival, n| gradient.staleness = n;
        check("constant", [0.8; 4], stale);
        check("inverse-staleness", [0.8, 0.4, 0.8 / 3.0, 0.8 / 17.0], stale);
        check("adaptive:threshold=1", [0.8, 0.8, 0.4, 0.05], stale);
        check("adaptive:threshold=8", [0.8, 0.8, 0.8, 0.4], stale);
    }

    #[test]
    fn rates_fall_with_drift() {
        let drift = |gradient: &mut Arrival, n| gradient.drift = Some(n as f64);
        check("compensated:c=1.2", [0.8, 0.8, 0.6, 0.075], drift);
    }

    #[test]
    fn rates_fall_step_by_step() {
        let version = |gradient: &mut Arrival, n| gradient.version = n;
        check("decay:factor=0.5,every=2", [0.8, 0.8, 0.4, 0.8 / 256.0], version);
        let time = |gradient: &mut Arrival, n| gradient.time = Duration::from_secs(n);
        check("decay:factor=0.5,every=8s", [0.8, 0.8, 0.8, 0.2], time);
    }
}
