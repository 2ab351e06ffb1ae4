//! What an entrant has of its own, where the others have what the race says: `rate=0.1`,
//! `rate-rule=inverse-staleness`, `momentum=0.9`, `clip=1`, `minibatch=64`, `cancel=on-arrival`,
//! `stale=8`. `unbounded` takes back a clip or a cap on the staleness that the others have.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use crate::{
    Error, Result,
    ids::Version,
    numbers::Shown,
    sgd::{
        Cancellation,
        learning_rate::{RateRule, rule},
        scheduler::Rules,
    },
    suggest,
};

/// Settings of one entrant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Own {
    rate: Option<Real>,
    pub(super) rate_rule: Option<RateRule>,
    momentum: Option<Real>,
    /// Infinite where none is clipped.
    clip: Option<Real>,
    pub(super) minibatch: Option<usize>,
    pub(super) cancel: Option<Cancellation>,
    pub(super) stale: Option<Cap>,
}

/// Which staleness a gradient may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Cap {
    /// Any.
    Unbounded,
    /// Gradients of this staleness or more do not count.
    Below(Version),
}

/// A number that equals itself.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Real(f64);

impl Eq for Real {}

impl Hash for Real {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// The keys.
const RATE: &str = "rate";
const RATE_RULE: &str = "rate-rule";
const MOMENTUM: &str = "momentum";
const CLIP: &str = "clip";
const MINIBATCH: &str = "minibatch";
const CANCEL: &str = "cancel";
const STALE: &str = "stale";
const KEYS: [&str; 7] = [RATE, RATE_RULE, MOMENTUM, CLIP, MINIBATCH, CANCEL, STALE];
/// A number that nothing exceeds.
pub(super) const UNBOUNDED: &str = "unbounded";
/// What `cancel` can be, as `--cancel` has it.
const CANCELLATIONS: [(&str, Cancellation); 2] =
    [("preempt", Cancellation::Preempt), ("on-arrival", Cancellation::OnArrival)];

impl Own {
    pub(super) const NOTHING: Self = Self {
        rate: None,
        rate_rule: None,
        momentum: None,
        clip: None,
        minibatch: None,
        cancel: None,
        stale: None,
    };

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::NOTHING
    }

    pub(super) fn rate(&self) -> Option<f64> {
        self.rate.map(|rate| rate.0)
    }

    pub(super) fn momentum(&self) -> Option<f64> {
        self.momentum.map(|beta| beta.0)
    }

    pub(super) fn clip(&self) -> Option<f64> {
        self.clip.map(|norm| norm.0)
    }

    pub(super) fn with_rate(self, rate: f64) -> Result<Self> {
        match rate.is_finite() && rate > 0.0 {
            true => Ok(Self { rate: Some(Real(rate)), ..self }),
            false => Err(Error::config(format!("{RATE}={rate}: must be a number above 0"))),
        }
    }

    /// The same with this cap on the staleness, where there is none yet.
    pub(super) fn or_stale(self, bound: Version) -> Self {
        Self { stale: self.stale.or(Some(Cap::Below(bound))), ..self }
    }

    /// The same with this answer, where there is none yet.
    pub(super) fn or_cancel(self, cancel: Option<Cancellation>) -> Self {
        Self { cancel: self.cancel.or(cancel), ..self }
    }

    pub(super) fn without_rate(self) -> Self {
        Self { rate: None, ..self }
    }

    pub(super) fn untrained(self) -> Self {
        Self { cancel: self.cancel, stale: self.stale, ..Self::NOTHING }
    }

    /// What changes how an update is made of gradients, as it is written; without the rate.
    pub(super) fn of_updates(self) -> String {
        Self { rate: None, cancel: None, stale: None, ..self }.to_string()
    }

    /// What only makes a difference where something is trained, as it is written.
    pub(super) fn of_training(self) -> String {
        Self { cancel: None, stale: None, ..self }.to_string()
    }

    /// What stands behind the `@` of the entrant `text`: settings, with a comma between. Each must make a
    /// difference to these rules.
    pub(super) fn read(text: &str, settings: &str, rules: Rules) -> Result<Self> {
        let mut own = Self::NOTHING;
        let mut seen = Vec::new();
        for setting in split(settings) {
            let problem = |what: &str| Error::config(format!("{text}: {what}"));
            let Some((key, value)) = setting.split_once('=') else {
                return Err(problem(&format!("\"{setting}\" is not KEY=VALUE, as in @{RATE}=0.1")));
            };
            if seen.contains(&key) {
                return Err(problem(&format!("{key} is set twice")));
            }
            seen.push(key);
            match key {
                RATE => {
                    let rate = value.parse().unwrap_or(f64::NAN);
                    let wrong =
                        |_| problem(&format!("{RATE}=\"{value}\" must be a number above 0"));
                    own = own.with_rate(rate).map_err(wrong)?;
                }
                RATE_RULE => {
                    let wrong = |error| problem(&format!("{RATE_RULE}: {error}"));
                    own.rate_rule = Some(value.parse().map_err(wrong)?);
                }
                MOMENTUM => {
                    let beta = value.parse().ok().filter(|beta| (0.0..1.0).contains(beta));
                    let wrong = || format!("{MOMENTUM}=\"{value}\" must be from 0 to below 1");
                    own.momentum = Some(Real(beta.ok_or_else(|| problem(&wrong()))?));
                }
                CLIP => {
                    let norm = match value {
                        UNBOUNDED => Some(f64::INFINITY),
                        _ => {
                            value.parse().ok().filter(|norm: &f64| norm.is_finite() && *norm > 0.0)
                        }
                    };
                    let wrong =
                        || format!("{CLIP}=\"{value}\" must be a number above 0, or {UNBOUNDED}");
                    own.clip = Some(Real(norm.ok_or_else(|| problem(&wrong()))?));
                }
                MINIBATCH => {
                    let samples = value.parse().ok().filter(|samples| *samples > 0);
                    let wrong =
                        || format!("{MINIBATCH}=\"{value}\" must be a whole number of 1 or more");
                    own.minibatch = Some(samples.ok_or_else(|| problem(&wrong()))?);
                }
                CANCEL => {
                    let known = CANCELLATIONS.iter().find(|(name, _)| *name == value);
                    let names = CANCELLATIONS.map(|(name, _)| name);
                    let wrong = || format!("{CANCEL}=\"{value}\" must be {}", names.join(" or "));
                    own.cancel = Some(known.ok_or_else(|| problem(&wrong()))?.1);
                }
                STALE => {
                    let cap = match value {
                        UNBOUNDED => Some(Cap::Unbounded),
                        _ => value.parse().ok().filter(|bound| *bound > 0).map(Cap::Below),
                    };
                    let wrong = || {
                        format!(
                            "{STALE}=\"{value}\" must be a whole number of 1 or more, or {UNBOUNDED}"
                        )
                    };
                    own.stale = Some(cap.ok_or_else(|| problem(&wrong()))?);
                }
                _ => {
                    let hint = suggest::nearest(key, KEYS);
                    return Err(problem(&format!("unknown setting \"{key}\"{hint}")));
                }
            }
        }
        let problem = |what| Err(Error::config(format!("{text}: {what}")));
        if own.stale.is_some() && rules.most_stale.is_some() {
            return problem("it has a bound on the staleness already: leave stale out");
        }
        let capped = matches!(own.stale, Some(Cap::Below(_)));
        if own.cancel.is_some() && !rules.cancels() && !capped {
            return problem("it cancels nothing: leave cancel out");
        }
        Ok(own)
    }
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cancel = |own| CANCELLATIONS.iter().find(|(_, known)| *known == own);
        let norm = |norm: f64| match norm.is_finite() {
            true => Shown(norm).to_string(),
            false => UNBOUNDED.to_owned(),
        };
        let settings = [
            self.rate.map(|Real(rate)| format!("{RATE}={}", Shown(rate))),
            self.rate_rule.map(|rule| format!("{RATE_RULE}={rule}")),
            self.momentum.map(|Real(beta)| format!("{MOMENTUM}={}", Shown(beta))),
            self.clip.map(|Real(clip)| format!("{CLIP}={}", norm(clip))),
            self.minibatch.map(|samples| format!("{MINIBATCH}={samples}")),
            self.cancel.and_then(cancel).map(|(name, _)| format!("{CANCEL}={name}")),
            self.stale.map(|cap| match cap {
                Cap::Unbounded => format!("{STALE}={UNBOUNDED}"),
                Cap::Below(bound) => format!("{STALE}={bound}"),
            }),
        ];
        let settings: Vec<String> = settings.into_iter().flatten().collect();
        f.write_str(&settings.join(","))
    }
}

/// The settings, which have commas between them. Parameters of a rule have commas between them too.
fn split(settings: &str) -> Vec<&str> {
    let is_rule = |setting: &str| setting.starts_with(RATE_RULE) && setting.contains(':');
    let mut all: Vec<&str> = Vec::new();
    let mut from = 0;
    for part in settings.split(',') {
        let to = from + part.len();
        let key = part.split_once('=').map_or(part, |(key, _)| key);
        match all.last_mut() {
            Some(last) if is_rule(last) && rule::is_parameter(key) => {
                let begin = from - 1 - last.len();
                *last = &settings[begin..to];
            }
            _ => all.push(part),
        }
        from = to + 1;
    }
    all
}
