//! How long a minibatch takes: the time X\[i\]\[n\] of the n-th minibatch of learner i (X in Dutta
//! et al. 2018).
//!
//! Each learner has a stream of random numbers of its own, and a duration takes one number of it
//! (inversion). So X\[i\]\[n\] is the same for every variant that races with the same seed.

mod distribution;
mod trace;

use std::time::Duration;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

pub use self::{distribution::Distribution, trace::Trace};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use crate::{
    Error, Result,
    ids::{LearnerId, Task},
    numbers::Shown,
    rng::{self, Purpose},
};

/// Answers with the duration of the next minibatch that a learner starts.
pub trait DelayModel {
    /// X\[`learner`\]\[n\], where n counts the calls for this learner.
    fn sample(&mut self, learner: LearnerId) -> Duration;

    /// How long the parameters of that minibatch are on their way to the learner, and its gradient on the
    /// way back; nothing where that takes no time.
    fn travel(&mut self, _learner: LearnerId) -> Option<[Duration; 2]> {
        None
    }

    /// Leaves out the durations of minibatches that each learner has `started` already.
    fn skip(&mut self, started: &[Task]) {
        for (learner, &started) in started.iter().enumerate() {
            for _ in 0..started {
                self.sample(learner);
                self.travel(learner);
            }
        }
    }
}

/// One distribution for all learners, with a factor for each.
#[derive(Debug, Clone)]
pub struct Delays {
    distribution: Distribution,
    learners: Vec<Stream>,
    link: Option<Link>,
}

/// What a pull or a push takes on the way, with a stream of random numbers for each learner.
#[derive(Debug, Clone)]
struct Link {
    distribution: Distribution,
    learners: Vec<ChaCha8Rng>,
}

#[derive(Debug, Clone)]
struct Stream {
    factor: f64,
    task: usize,
    rng: ChaCha8Rng,
}

impl Delays {
    /// Durations of P = `learners` learners, those in `slow` multiplied by their factor.
    ///
    /// # Errors
    /// [`Error::Config`] where `slow` or a replayed trace does not fit the learners, or the median
    /// duration is none that a clock of nanoseconds counts well.
    pub fn new(
        distribution: Distribution,
        slow: &Slow,
        learners: usize,
        seed: u64,
    ) -> Result<Self> {
        if let Some((learner, _)) = slow.0.iter().find(|(learner, _)| *learner >= learners) {
            return Err(Error::config(format!(
                "--slow names learner {learner}, but the {learners} learners count from 0"
            )));
        }
        if let Distribution::Trace(trace) = &distribution {
            trace.fits(learners)?;
        }
        for factor in slow.0.iter().map(|(_, factor)| *factor).chain([1.0]) {
            countable(&distribution, factor)?;
        }
        let stream = |learner| Stream {
            factor: slow.factor(learner),
            task: 0,
            rng: rng::stream(seed, Purpose::Delay, learner as u64, 0),
        };
        Ok(Self { distribution, learners: (0..learners).map(stream).collect(), link: None })
    }

    /// The same where each pull and each push is on its way for a time with this distribution, if there is
    /// one: alike for all learners and independent of what they compute. The times of computing stay as they
    /// are.
    ///
    /// # Errors
    /// [`Error::Config`] for a trace, and for a median that a clock of nanoseconds does not count well.
    pub fn with_link(self, distribution: Option<&Distribution>, seed: u64) -> Result<Self> {
        let Some(distribution) = distribution else { return Ok(self) };
        if let Distribution::Trace(_) = distribution {
            return Err(Error::config("--link takes a distribution, and no trace"));
        }
        countable(distribution, 1.0)?;
        let distribution = distribution.clone();
        let stream = |learner| rng::stream(seed, Purpose::Link, learner as u64, 0);
        let learners = (0..self.learners.len()).map(stream).collect();
        Ok(Self { link: Some(Link { distribution, learners }), ..self })
    }
}

impl Link {
    fn sample(&mut self, learner: LearnerId) -> [Duration; 2] {
        let Self { distribution, learners } = self;
        let rng = &mut learners[learner];
        [(); 2].map(|()| duration(distribution.quantile(rng.random())))
    }
}

/// That a clock of nanoseconds counts durations of this distribution well, so many times as long: it stands
/// still where nearly all of them are none.
fn countable(distribution: &Distribution, factor: f64) -> Result<()> {
    let median = factor * distribution.median();
    match (1e-9..=1e9).contains(&median) {
        true => Ok(()),
        false => Err(Error::config(format!(
            "the median of {distribution} is {median:.1e} s; it must be from 1e-9 to 1e9 s"
        ))),
    }
}

/// Rounded to the nearest nanosecond. The cast saturates: no duration is longer than 584 years.
fn duration(seconds: f64) -> Duration {
    Duration::from_nanos((seconds * 1e9 + 0.5) as u64)
}

impl DelayModel for Delays {
    fn sample(&mut self, learner: LearnerId) -> Duration {
        let Stream { factor, task, rng } = &mut self.learners[learner];
        let seconds = match &self.distribution {
            Distribution::Trace(trace) if trace.is_replay() => trace.replay(learner, *task),
            distribution => distribution.quantile(rng.random()),
        };
        *task += 1;
        duration(*factor * seconds)
    }

    #[inline]
    fn travel(&mut self, learner: LearnerId) -> Option<[Duration; 2]> {
        self.link.as_mut().map(|link| link.sample(learner))
    }
}

/// By which factor some learners are slower than the distribution says. Written `0=3,5=2`.
#[derive(Debug, Clone, Default, PartialEq, SerializeDisplay, DeserializeFromStr)]
pub struct Slow(Vec<(LearnerId, f64)>);

impl Slow {
    /// Learners and their factors.
    pub fn new(factors: impl IntoIterator<Item = (LearnerId, f64)>) -> Self {
        Self(factors.into_iter().collect())
    }

    /// No learner is slower than the distribution says.
    pub fn is_none(&self) -> bool {
        self.0.iter().all(|(_, factor)| *factor == 1.0)
    }

    /// The factors of P = `learners` learners.
    pub fn factors(&self, learners: usize) -> impl Iterator<Item = f64> {
        (0..learners).map(|learner| self.factor(learner))
    }

    fn factor(&self, learner: LearnerId) -> f64 {
        self.0.iter().find(|(slow, _)| *slow == learner).map_or(1.0, |(_, factor)| *factor)
    }
}

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pairs: Vec<_> =
            self.0.iter().map(|(l, factor)| format!("{l}={}", Shown(*factor))).collect();
        f.write_str(&pairs.join(","))
    }
}

impl std::str::FromStr for Slow {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut pairs: Vec<(LearnerId, f64)> = Vec::new();
        for pair in text.split(',').filter(|pair| !pair.is_empty()) {
            let (learner, factor) = pair
                .split_once('=')
                .and_then(|(l, factor)| Some((l.trim().parse().ok()?, factor.trim().parse().ok()?)))
                .filter(|(_, factor): &(_, f64)| factor.is_finite() && *factor > 0.0)
                .ok_or_else(|| {
                    Error::config(format!(
                        "slow-down \"{pair}\" is not LEARNER=FACTOR with a factor above 0, as in 0=3"
                    ))
                })?;
            if pairs.iter().any(|(known, _)| *known == learner) {
                return Err(Error::config(format!("--slow names learner {learner} twice")));
            }
            pairs.push((learner, factor));
        }
        Ok(Self(pairs))
    }
}
