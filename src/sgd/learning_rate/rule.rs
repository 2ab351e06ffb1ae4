//! Rules for the learning rate, as one names them: `constant`, `decay:factor=0.5,every=1000`,
//! `compensated:c=0.01`, `inverse-staleness`, `adaptive:threshold=8`, `picky:distance=0.5`.

use std::{
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    time::Duration,
};

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
    /// eta up to s = threshold, and less beyond (Koloskova, Stich and Jaggi 2022, who take the number of
    /// gradients under way, P, as the threshold).
    Adaptive {
        /// At least 1.
        threshold: u64,
        /// How much less.
        tail: Tail,
    },
    /// eta where ||w_j - w_tau|| is at most `distance`; gradients from further away are dropped (Picky
    /// SGD: Cohen, Daniely, Drori, Koren and Schain 2021).
    Picky {
        /// Above 0.
        distance: f64,
    },
}

/// What becomes of a gradient whose staleness s is above the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Its rate is eta threshold / s. Koloskova et al. have 1 / (4 L s); the smoothness L is not known
    /// here, and is taken as that at which the two agree at the threshold.
    Scaled,
    /// Its rate is eta / s.
    Inverse,
    /// It is dropped.
    Dropped,
}

// What a rule is made of is finite.
impl Eq for RateRule {}

impl Hash for RateRule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_string().hash(state);
    }
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
            Self::Constant | Self::Picky { .. } => eta,
            Self::Decay { factor, every } => eta * factor.powf(every.passed(gradient)),
            Self::Compensated { c } => {
                let drift = gradient.drift.expect("who needs the drift is told it");
                // Where nothing has moved C / 0 is infinite.
                (c / drift).min(eta)
            }
            Self::InverseStaleness => eta / (1.0 + staleness),
            Self::Adaptive { threshold, .. } if gradient.staleness <= threshold => eta,
            Self::Adaptive { threshold, tail: Tail::Scaled } => eta * threshold as f64 / staleness,
            Self::Adaptive { .. } => eta / staleness,
        }
    }

    /// Whether `gradient` is dropped.
    ///
    /// # Panics
    /// If that depends on [`Arrival::drift`], and it is not told.
    pub fn drops(&self, gradient: &Arrival) -> bool {
        match *self {
            Self::Adaptive { threshold, tail: Tail::Dropped } => gradient.staleness > threshold,
            Self::Picky { distance } => {
                let drift = gradient.drift.expect("who needs the drift is told it");
                drift.sqrt() > distance
            }
            _ => false,
        }
    }

    /// Whether it drops gradients at all. Then updates come later than theory has them.
    pub fn may_drop(&self) -> bool {
        matches!(self, Self::Adaptive { tail: Tail::Dropped, .. } | Self::Picky { .. })
    }

    /// Whether it goes by [`Arrival::drift`].
    pub fn needs_drift(&self) -> bool {
        matches!(self, Self::Compensated { .. } | Self::Picky { .. })
    }
}

/// Each rule with what it needs, and how that is written.
const GRAMMAR: [(&str, &[&str]); 6] = [
    ("constant", &[]),
    ("decay", &["factor=0.5", "every=1000"]),
    ("compensated", &["c=0.01"]),
    ("inverse-staleness", &[]),
    ("adaptive", &["threshold=8", "tail=scaled"]),
    ("picky", &["distance=0.5"]),
];
const TAILS: [(&str, Tail); 3] =
    [("scaled", Tail::Scaled), ("inverse", Tail::Inverse), ("dropped", Tail::Dropped)];

/// Whether rules have a parameter of this name.
pub(in crate::sgd) fn is_parameter(key: &str) -> bool {
    let parameters = GRAMMAR.iter().flat_map(|(_, examples)| *examples);
    parameters
        .into_iter()
        .any(|example| example.split_once('=').is_some_and(|(known, _)| known == key))
}

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
                let threshold = threshold.ok_or_else(|| wrong(what))?;
                let tail = values[1].unwrap_or(TAILS[0].0);
                let known = TAILS.iter().find(|(name, _)| *name == tail);
                let what = "the tail is scaled, inverse or dropped";
                Self::Adaptive { threshold, tail: known.ok_or_else(|| wrong(what))?.1 }
            }
            "picky" => Self::Picky {
                distance: number(0, "the distance is a number above 0", &|d| {
                    d > 0.0 && d.is_finite()
                })?,
            },
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
            Self::Adaptive { threshold, tail } => {
                write!(f, "adaptive:threshold={threshold}")?;
                let beyond = TAILS[1..].iter().find(|(_, known)| known == tail);
                beyond.map_or(Ok(()), |(name, _)| write!(f, ",tail={name}"))
            }
            Self::Picky { distance } => write!(f, "picky:distance={}", Shown(*distance)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: [&str; 9] = [
        "constant",
        "decay:factor=0.5,every=1000",
        "decay:factor=0.1,every=2.5s",
        "compensated:c=0.01",
        "inverse-staleness",
        "adaptive:threshold=8",
        "adaptive:threshold=2,tail=inverse",
        "adaptive:threshold=3,tail=dropped",
        "picky:distance=0.5",
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
        check("adaptive:threshold=1,tail=scaled", [0.8, 0.8, 0.4, 0.05], stale);
        check("adaptive:threshold=1,tail=inverse", [0.8, 0.8, 0.4, 0.05], stale);
        check("adaptive:threshold=8,tail=inverse", [0.8, 0.8, 0.8, 0.05], stale);
    }

    #[test]
    fn gradients_are_dropped_beyond_the_threshold_alone() {
        let dropped = |rule: &str, staleness, drift| {
            let rule: RateRule = rule.parse().unwrap();
            let (time, norm) = (Duration::ZERO, None);
            rule.drops(&Arrival { learner: 0, time, version: 9, staleness, drift, norm })
        };
        for (staleness, expected) in [(0, false), (3, false), (4, true)] {
            assert_eq!(dropped("adaptive:threshold=3,tail=dropped", staleness, None), expected);
            assert!(!dropped("adaptive:threshold=3,tail=inverse", staleness, None));
        }
        // The drift is a square.
        for (drift, expected) in [(0.0, false), (0.25, false), (0.26, true)] {
            assert_eq!(dropped("picky:distance=0.5", 1, Some(drift)), expected);
        }
    }

    #[test]
    fn wrong_tails_and_distances_are_named() {
        for (wrong, why) in [
            ("adaptive:threshold=3,tail=cut", "the tail is scaled, inverse or dropped"),
            ("adaptive:tail=dropped", "needs all its parameters"),
            ("picky", "needs all its parameters"),
            ("picky:distance=0", "a number above 0"),
            ("piky:distance=1", "did you mean \"picky\""),
        ] {
            let error = wrong.parse::<RateRule>().unwrap_err().to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
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
