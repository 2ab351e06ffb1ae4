//! The table of entrants: a variant with its number, as one names it: `sync`, `async`, `k-sync:4`,
//! `k-batch-async:adasync(2)`, `ringmaster:8`; and behind an `@` what it has of its own, as in
//! `async@rate=0.1`.

mod alias;
mod forms;
mod own;
mod read;

use std::{fmt, time::Duration};

use serde_with::{DeserializeFromStr, SerializeDisplay};

pub use self::forms::{FORMS, Form, Takes, grammar, name};
use self::{
    forms::{NO_BOUND, SIX, named, row},
    own::{Cap, Own, UNBOUNDED},
};
use super::{
    k_schedule::{AdaSync, Adaptive, FixedK, KSchedule, Rule},
    learning_rate::RateRule,
    scheduler::{Cancellation, Rules, Variant},
};
use crate::{Error, Result, ids::Version};

/// What stands in place of K where it follows the loss.
const ADASYNC: &str = "adasync";
/// What stands there where it is measured.
const ADAPTIVE: &str = "adaptive";

/// Who takes part in a race: a variant, its number, and what it has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, SerializeDisplay, DeserializeFromStr)]
pub struct Entrant {
    /// Its place in [`FORMS`].
    form: usize,
    number: Number,
    own: Own,
}

/// What stands behind the colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Number {
    None,
    /// A number.
    Of(usize),
    /// K follows the training loss, from this K_0 on.
    AdaSync(usize),
    /// K is measured.
    Adaptive,
    /// K is P less this, once P is known.
    AllBut(usize),
    /// K is P divided by this, once P is known.
    PartOfAll(usize),
}

impl Entrant {
    /// K-sync with K = P.
    pub const SYNC: Self = Self::plain(0, Number::None);
    /// K-async with K = 1.
    pub const ASYNC: Self = Self::plain(3, Number::None);

    /// One that has nothing of its own.
    const fn plain(form: usize, number: Number) -> Self {
        Self { form, number, own: Own::NOTHING }
    }

    /// A base variant with this K.
    pub fn with_k(variant: Variant, k: usize) -> Self {
        Self::plain(row(variant), Number::Of(k))
    }

    /// A base variant whose K follows the training loss, from `k_0` on.
    pub fn adasync(variant: Variant, k_0: usize) -> Self {
        Self::plain(row(variant), Number::AdaSync(k_0))
    }

    /// A base variant whose K is [measured](Adaptive).
    pub fn adaptive(variant: Variant) -> Self {
        Self::plain(row(variant), Number::Adaptive)
    }

    /// Ringmaster with this bound R on the staleness.
    ///
    /// # Panics
    /// If the bound is zero: no gradient would count.
    pub fn ringmaster(bound: usize) -> Self {
        assert!(bound > 0, "R is at least 1");
        Self::plain(named("ringmaster"), Number::Of(bound))
    }

    /// Stale synchronous parallel with this lead S.
    pub fn stale_synchronous(lead: usize) -> Self {
        Self::plain(named("ssp"), Number::Of(lead))
    }

    /// The same with this K, where it has one.
    #[must_use]
    pub(super) fn with_number(self, k: usize) -> Self {
        Self { number: Number::Of(k), ..self }
    }

    /// The six variants, with K = P/2 rounded up where there is a choice.
    pub fn six(learners: usize) -> Vec<Self> {
        (0..SIX).map(|form| Self::plain(form, Number::None).among(learners)).collect()
    }

    /// The same at a learning rate of its own, whatever that of the race is.
    ///
    /// # Errors
    /// [`Error::Config`] where the rate is no number above 0.
    pub fn at_rate(self, rate: f64) -> Result<Self> {
        Ok(Self { own: self.own.with_rate(rate)?, ..self })
    }

    /// Its own learning rate, if it has one.
    pub fn rate(&self) -> Option<f64> {
        self.own.rate()
    }

    /// beta of its own momentum, if it has one.
    pub fn momentum(&self) -> Option<f64> {
        self.own.momentum()
    }

    /// The norm that its gradients are clipped to, if it has one of its own; infinite if it clips none.
    pub fn clip(&self) -> Option<f64> {
        self.own.clip()
    }

    /// Its own rule for the rate, if it has one.
    pub fn rate_rule(&self) -> Option<RateRule> {
        self.own.rate_rule
    }

    /// m of its own, if it has one.
    pub fn minibatch(&self) -> Option<usize> {
        self.own.minibatch
    }

    /// Whether it has a bound R = `bound` on the staleness besides what its name says.
    pub(crate) fn has_cap(&self, bound: Version) -> bool {
        self.own.stale == Some(Cap::Below(bound))
    }

    /// The same, without gradients of staleness R = `bound` or more. One that says itself how stale they
    /// may be stays as it is.
    ///
    /// # Panics
    /// If the bound is zero: no gradient would count.
    #[must_use]
    pub fn capped(self, bound: Version) -> Self {
        assert!(bound > 0, "R is at least 1");
        match self.rules().most_stale {
            None => Self { own: self.own.or_stale(bound), ..self },
            Some(_) => self,
        }
    }

    /// What it has of its own that makes no difference where nothing is trained, as it is written; empty if
    /// that is nothing.
    pub fn of_training(&self) -> String {
        self.own.of_training()
    }

    /// The same as far as who pushes and who waits goes.
    #[must_use]
    pub fn untrained(self) -> Self {
        Self { own: self.own.untrained(), ..self }
    }

    /// The same at the learning rate of the race.
    #[must_use]
    pub fn without_rate(self) -> Self {
        Self { own: self.own.without_rate(), ..self }
    }

    /// What becomes of its cancelled work: its own answer, or else that of the race.
    pub fn cancellation(&self, of_race: Cancellation) -> Cancellation {
        self.own.cancel.unwrap_or(of_race)
    }

    /// The same with the `settings` that stand behind the `@` of `text`, on top of those it has.
    fn with_settings(self, text: &str, settings: Option<&str>) -> Result<Self> {
        let Some(settings) = settings else { return Ok(self) };
        let own = Own::read(text, settings, self.rules())?.or_cancel(self.own.cancel);
        Ok(Self { own, ..self })
    }

    fn form(&self) -> &'static Form {
        &FORMS[self.form]
    }

    /// What it does among P = `learners`, in a sentence for somebody who knows no variant.
    ///
    /// ```
    /// # fn main() -> tortoise::Result<()> {
    /// let entrant: tortoise::sgd::Entrant = "k-sync:2".parse()?;
    /// assert_eq!(
    ///     entrant.in_words(3)?,
    ///     "An update takes the gradients of the first 2 learners, who wait for it; what the others \
    ///      have not finished is cancelled."
    /// );
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] where it does not fit the learners.
    pub fn in_words(&self, learners: usize) -> Result<String> {
        let (rules, k) = (self.rules(), self.k(learners)?);
        let grows = match self.number {
            Number::AdaSync(_) => ", a number that grows as the loss falls",
            Number::Adaptive => ", a number that grows as noise comes to outweigh progress",
            _ => "",
        };
        let own = match self.own.of_updates() {
            own if own.is_empty() => String::new(),
            own => format!(" Of its own it has {own}."),
        };
        let takes = match (rules.waits, k) {
            (true, k) if k == learners && !self.adapts() => {
                let all = "a gradient of every learner; each waits until all have pushed theirs";
                return Ok(format!("An update takes {all}.{own}"));
            }
            (_, 1) if !self.adapts() => "one gradient, whoever pushes it".to_owned(),
            (true, k) => format!("the gradients of the first {k} learners{grows}, who wait for it"),
            (false, k) => format!(
                "the first {k} gradients{grows}; a learner starts another as soon as it has pushed one"
            ),
        };
        let unfinished = match rules.most_stale {
            Some(0) => "what the others have not finished is cancelled".to_owned(),
            None => "what is unfinished then goes on, and will be stale".to_owned(),
            Some(most) => format!(
                "what is unfinished then goes on, until it is stale by {} updates and is cancelled",
                most + 1
            ),
        };
        let ahead = match rules.most_ahead {
            None => String::new(),
            Some(0) => "; who has pushed more minibatches than the slowest waits for it".to_owned(),
            Some(most) => format!(
                "; who has pushed more than {most} minibatches more than the slowest waits for it"
            ),
        };
        Ok(format!("An update takes {takes}; {unfinished}{ahead}.{own}"))
    }

    /// The same among P = `learners`, with a K that is a number where it was P/2.
    #[must_use]
    pub fn among(self, learners: usize) -> Self {
        let k = match (self.form().takes, self.number) {
            (Takes::K, Number::None) => half(learners),
            (_, Number::AllBut(_) | Number::PartOfAll(_)) => match self.k(learners) {
                Ok(k) => k,
                Err(_) => return self,
            },
            _ => return self,
        };
        self.with_number(k)
    }

    /// What tells it from others.
    pub fn rules(&self) -> Rules {
        let number = if let Number::Of(number) = self.number { number } else { 0 };
        let rules = (self.form().rules)(number);
        match self.own.stale {
            Some(Cap::Below(bound)) => rules.with_cap(bound),
            Some(Cap::Unbounded) | None => rules,
        }
    }

    /// K among P = `learners`, at the start if it grows.
    ///
    /// # Errors
    /// [`Error::Config`] if K counts learners and there are fewer, or if it may not grow beyond P and
    /// is more.
    pub fn k(&self, learners: usize) -> Result<usize> {
        match (self.form().takes, self.number) {
            (Takes::AllLearners, _) => Ok(learners),
            (Takes::OneGradient | Takes::Bound | Takes::Lead, _) => Ok(1),
            (_, Number::AllBut(spare)) if spare >= learners => Err(Error::config(format!(
                "backup:{spare} leaves none of {learners} learners to wait for"
            ))),
            (_, Number::AllBut(spare)) => Ok(learners - spare),
            (_, Number::PartOfAll(parts)) if parts > learners => Err(Error::config(format!(
                "n-softsync:{parts} splits {learners} learners into more parts than there are"
            ))),
            (_, Number::PartOfAll(parts)) => Ok(learners / parts),
            (Takes::K, Number::None) => Ok(half(learners)),
            (Takes::K, Number::Adaptive) if self.rules().only_fresh() => Ok(1),
            (Takes::K, Number::Adaptive) => Ok(learners),
            (Takes::K, Number::Of(k)) if self.rules().waits && k > learners => {
                Err(Error::config(format!(
                    "{self} waits for {k} of {learners} learners: K must be at most P = {learners}"
                )))
            }
            (Takes::K, Number::AdaSync(k)) if k > learners => Err(Error::config(format!(
                "{self} starts at K = {k} and grows to P = {learners}: K must be at most P"
            ))),
            (Takes::K, Number::Of(k) | Number::AdaSync(k)) => Ok(k),
        }
    }

    /// K among P = `learners`, the same throughout.
    ///
    /// # Errors
    /// As [`k`](Self::k) has them, and [`Error::Config`] if K follows the loss.
    pub fn fixed_k(&self, learners: usize) -> Result<usize> {
        let k = self.k(learners)?;
        if !self.adapts() {
            return Ok(k);
        }
        Err(Error::config(format!(
            "{self} changes K with the training loss, and this command needs a fixed K; name one, as in {}",
            Self { number: Number::Of(k), ..*self }
        )))
    }

    /// K over time; where it follows the loss, with a `window` of run time between two looks.
    ///
    /// Where K is [measured](Adaptive), `update_times` has the mean times of an update for K = 1 to P.
    /// Where K counts learners it follows the [quadratic](Rule::Quadratic) rule, where it counts
    /// minibatches the [square root](Rule::SquareRoot). K-async has no closed update time of its own;
    /// with exponential times it is that of K-sync.
    ///
    /// # Errors
    /// As [`k`](Self::k) has them, and what `update_times` returns.
    ///
    /// # Panics
    /// If K follows the loss and the window is no time at all.
    pub fn k_schedule(
        &self,
        learners: usize,
        window: Duration,
        update_times: impl FnOnce() -> Result<Vec<f64>>,
    ) -> Result<Box<dyn KSchedule>> {
        let (k, rules) = (self.k(learners)?, self.rules());
        Ok(match self.number {
            Number::None | Number::Of(_) | Number::AllBut(_) | Number::PartOfAll(_) => {
                Box::new(FixedK(k))
            }
            Number::AdaSync(_) => {
                let rule = if rules.waits { Rule::Quadratic } else { Rule::SquareRoot };
                Box::new(AdaSync::new(rule, k, learners, window))
            }
            Number::Adaptive => {
                Box::new(Adaptive::new(!rules.only_fresh(), update_times()?, window))
            }
        })
    }

    /// Whether work of P = `learners` may be cancelled: an update finds some unfinished, and does not
    /// let it go on.
    pub fn cancels(&self, learners: usize) -> bool {
        let rules = self.rules();
        let all = rules.waits && self.k(learners).is_ok_and(|k| k == learners);
        rules.cancels() && learners > 1 && !all
    }

    /// Whether K follows the training loss.
    pub fn adapts(&self) -> bool {
        matches!(self.number, Number::AdaSync(_) | Number::Adaptive)
    }

    /// Whether K is measured, which takes looks at the loss besides the evaluations.
    pub fn is_measured(&self) -> bool {
        self.number == Number::Adaptive
    }
}

impl fmt::Display for Entrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.form().name;
        match self.number {
            Number::None => f.write_str(name)?,
            Number::Of(NO_BOUND) => write!(f, "{name}:{UNBOUNDED}")?,
            Number::Of(number) => write!(f, "{name}:{number}")?,
            Number::AdaSync(1) => write!(f, "{name}:{ADASYNC}")?,
            Number::AdaSync(k) => write!(f, "{name}:{ADASYNC}({k})")?,
            Number::Adaptive => write!(f, "{name}:{ADAPTIVE}")?,
            Number::AllBut(spare) => write!(f, "backup:{spare}")?,
            Number::PartOfAll(parts) => write!(f, "n-softsync:{parts}")?,
        }
        match self.own.is_nothing() {
            true => Ok(()),
            false => write!(f, "@{}", self.own),
        }
    }
}

/// P/2 rounded up, and at least 1.
fn half(learners: usize) -> usize {
    learners.div_ceil(2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entrant_is_written_as_it_is_read() {
        let examples = FORMS.iter().flat_map(|form| form.examples).copied();
        for text in examples.chain([
            "k-sync",
            "k-batch-sync:adasync(2)",
            "async@rate=0.1",
            "k-sync:adasync(2)@rate=1.5",
            "k-batch-async:adaptive",
            "k-async:4@rate=0.1,cancel=on-arrival,stale=8",
            "k-sync:3@cancel=preempt",
            "ssp:0@rate=2",
            "async@momentum=0.5,clip=2,stale=3",
            "ringmaster:unbounded",
            "ssp:unbounded@clip=unbounded,stale=unbounded",
            "async@rate=1,rate-rule=decay:factor=0.5,every=10s,minibatch=7,stale=unbounded",
            "async@rate-rule=adaptive:threshold=3,tail=dropped,momentum=0.5",
            "sync@rate-rule=inverse-staleness,clip=1",
        ]) {
            let entrant: Entrant = text.parse().unwrap();
            assert_eq!(entrant.to_string(), text);
        }
        let plain: Entrant = "k-sync:adasync".parse().unwrap();
        assert_eq!(plain, "k-sync:adasync(1)".parse().unwrap());
        assert_eq!(plain, Entrant::adasync(Variant::KSync, 1));
        assert_eq!([Entrant::SYNC, Entrant::ASYNC].map(|one| one.to_string()), ["sync", "async"]);
    }

    #[test]
    fn a_bound_on_the_staleness_is_part_of_the_name() {
        let entrant: Entrant = "ringmaster:3".parse().unwrap();
        assert_eq!((entrant.k(8).unwrap(), entrant.rules()), (1, Rules::ringmaster(3)));
        assert_eq!(Variant::of(entrant.rules()), None);
        for (wrong, why) in [("ringmaster", "needs a bound R"), ("ringmaster:0", "at least 1")] {
            let error = wrong.parse::<Entrant>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_rate_of_its_own_is_part_of_the_name() {
        let entrant: Entrant = "k-async@rate=0.10".parse().unwrap();
        assert_eq!(entrant.rate(), Some(0.1));
        assert_eq!(entrant.among(8).to_string(), "k-async:4@rate=0.1");
        assert_eq!(Entrant::ASYNC.at_rate(0.25).unwrap().to_string(), "async@rate=0.25");
        assert!(Entrant::ASYNC.at_rate(f64::NAN).is_err());
        assert_eq!(entrant.without_rate().to_string(), "k-async");
        for (wrong, why) in [
            ("async@rate=0", "must be a number above 0"),
            ("async@rate=inf", "must be a number above 0"),
            ("async@rate=fast", "must be a number above 0"),
            ("async@", "is not KEY=VALUE"),
            ("async@0.1", "is not KEY=VALUE"),
            ("async@rat=0.1", "did you mean \"rate\""),
            ("async@rate=0.1,rate=0.2", "is set twice"),
        ] {
            let error = wrong.parse::<Entrant>().unwrap_err().to_string();
            assert!(error.contains(why) && error.starts_with(wrong), "{error}");
        }
    }

    #[test]
    fn names_of_the_literature_are_what_they_are() {
        for (alias, entrant) in [
            ("rennala:3", "k-batch-sync:3"),
            ("m-sync:3", "k-sync:3"),
            ("backup:3", "k-sync:5@cancel=on-arrival"),
            ("backup:3@cancel=preempt", "k-sync:5@cancel=preempt"),
            ("backup:1@rate=0.1", "k-sync:7@rate=0.1,cancel=on-arrival"),
            ("n-softsync:3", "k-batch-async:2"),
            ("n-softsync:1@stale=4", "k-batch-async:8@stale=4"),
        ] {
            let among: Entrant = alias.parse::<Entrant>().unwrap().among(8);
            assert_eq!(among, entrant.parse().unwrap(), "{alias}");
            assert_eq!(among.to_string(), entrant);
        }
        for (wrong, why) in [
            ("rennala", "needs a number"),
            ("backup:0", "at least 1"),
            ("ssp", "needs a lead S"),
            ("ssp:-1", "is not a whole number"),
            ("async@cancel=preempt", "it cancels nothing"),
            ("k-sync:2@stale=3", "has a bound on the staleness already"),
            ("ringmaster:2@stale=3", "has a bound on the staleness already"),
            ("async@stale=0", "of 1 or more"),
            ("k-sync@cancel=never", "must be preempt or on-arrival"),
            ("async@momentum=1", "must be from 0 to below 1"),
            ("async@clip=0", "must be a number above 0"),
            ("async@clip=none", "or unbounded"),
            ("async@stale=none", "or unbounded"),
            ("async@minibatch=0", "of 1 or more"),
            ("async@rate-rule=decay:factor=0.5", "rate-rule: decay: it needs all its parameters"),
            ("async@every=3", "unknown setting"),
            ("async@rate-rule=constant,every=3", "unknown setting"),
            ("async@rate-rule=decay:factor=0.5,c=3", "decay has no parameter \"c\""),
            ("async@cancel=preempt,stale=unbounded", "it cancels nothing"),
        ] {
            let error = wrong.parse::<Entrant>().unwrap_err().to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
        for (wrong, why) in [("backup:8", "leaves none"), ("n-softsync:9", "more parts")] {
            let entrant = wrong.parse::<Entrant>().unwrap().among(8);
            assert!(entrant.k(8).unwrap_err().to_string().contains(why), "{wrong}");
            assert_eq!(entrant.to_string().parse::<Entrant>().unwrap(), entrant);
        }
    }

    #[test]
    fn what_an_entrant_does_is_said_in_words() {
        for (entrant, words) in [
            ("sync", "a gradient of every learner; each waits until all have pushed theirs."),
            ("k-sync:4", "a gradient of every learner; each waits until all have pushed theirs."),
            (
                "k-batch-sync:2",
                "the first 2 gradients; a learner starts another as soon as it has pushed one; what \
                 the others have not finished is cancelled.",
            ),
            (
                "async",
                "one gradient, whoever pushes it; what is unfinished then goes on, and will be stale.",
            ),
            (
                "k-async:adasync(2)",
                "the gradients of the first 2 learners, a number that grows as the loss falls, who wait \
                 for it; what is unfinished then goes on, and will be stale.",
            ),
            (
                "k-sync:adaptive",
                "the gradients of the first 1 learners, a number that grows as noise comes to outweigh \
                 progress, who wait for it; what the others have not finished is cancelled.",
            ),
            (
                "ringmaster:3",
                "one gradient, whoever pushes it; what is unfinished then goes on, until it is stale by 3 \
                 updates and is cancelled.",
            ),
            (
                "ssp:2",
                "one gradient, whoever pushes it; what is unfinished then goes on, and will be stale; who \
                 has pushed more than 2 minibatches more than the slowest waits for it.",
            ),
        ] {
            let entrant: Entrant = entrant.parse().unwrap();
            assert_eq!(entrant.in_words(4).unwrap(), format!("An update takes {words}"));
        }
        let own: Entrant = "async@rate=0.1,momentum=0.5,clip=1".parse().unwrap();
        let words = own.in_words(4).unwrap();
        assert!(
            words.ends_with("and will be stale. Of its own it has momentum=0.5,clip=1."),
            "{words}"
        );
        assert!("k-sync:5".parse::<Entrant>().unwrap().in_words(4).is_err());
    }
}
