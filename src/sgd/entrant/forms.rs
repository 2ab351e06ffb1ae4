//! The table: a row for all entrants of one name.

use crate::sgd::scheduler::{Rules, Variant};

/// A row of the table: all entrants of one name.
#[derive(Debug)]
pub struct Form {
    /// What stands before the colon.
    pub name: &'static str,
    /// What stands behind it.
    pub takes: Takes,
    /// Some of them, for shells to offer.
    pub examples: &'static [&'static str],
    /// Its rules, by the number behind the colon.
    pub(super) rules: fn(usize) -> Rules,
}

/// What the number behind the colon of an entrant is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// There is none, and K is P.
    AllLearners,
    /// There is none, and K is 1.
    OneGradient,
    /// K, or how K changes; P/2 where nothing stands there.
    K,
    /// The bound R on the staleness; K is 1.
    Bound,
    /// S, by how much one may be ahead of the slowest; K is 1.
    Lead,
}

/// Every row. The six variants stand first, in the order in which a race runs them.
pub static FORMS: [Form; 8] = [
    Form::of("sync", Takes::AllLearners, &["sync"], |_| Variant::KSync.into()),
    Form::of("k-sync", Takes::K, &["k-sync:4", "k-sync:adasync", "k-sync:adaptive"], |_| {
        Variant::KSync.into()
    }),
    Form::of(
        "k-batch-sync",
        Takes::K,
        &["k-batch-sync:4", "k-batch-sync:adasync", "k-batch-sync:adaptive"],
        |_| Variant::KBatchSync.into(),
    ),
    Form::of("async", Takes::OneGradient, &["async"], |_| Variant::KAsync.into()),
    Form::of("k-async", Takes::K, &["k-async:4", "k-async:adasync", "k-async:adaptive"], |_| {
        Variant::KAsync.into()
    }),
    Form::of(
        "k-batch-async",
        Takes::K,
        &["k-batch-async:4", "k-batch-async:adasync", "k-batch-async:adaptive"],
        |_| Variant::KBatchAsync.into(),
    ),
    Form::of("ringmaster", Takes::Bound, &["ringmaster:8"], |bound| match bound {
        NO_BOUND => Variant::KBatchAsync.into(),
        bound => Rules::ringmaster(bound as u64),
    }),
    Form::of("ssp", Takes::Lead, &["ssp:4"], |lead| match lead {
        NO_BOUND => Variant::KBatchAsync.into(),
        lead => Rules::stale_synchronous(lead as u64),
    }),
];

/// The number that stands for none: `ringmaster:unbounded` and `ssp:unbounded` are async.
pub(super) const NO_BOUND: usize = usize::MAX;

/// How many of the rows are the six variants.
pub(super) const SIX: usize = 6;
impl Form {
    const fn of(
        name: &'static str,
        takes: Takes,
        examples: &'static [&'static str],
        rules: fn(usize) -> Rules,
    ) -> Self {
        Self { name, takes, examples, rules }
    }

    /// How it is written: `sync`, `k-sync:K`, `ringmaster:R`, `ssp:S`.
    pub fn grammar(&self) -> String {
        match self.takes {
            Takes::AllLearners | Takes::OneGradient => self.name.to_owned(),
            Takes::K => format!("{}:K", self.name),
            Takes::Bound => format!("{}:R", self.name),
            Takes::Lead => format!("{}:S", self.name),
        }
    }
}

/// The row of a base variant with a K of its own.
pub(super) fn row(variant: Variant) -> usize {
    let is_of = |form: &Form| form.takes == Takes::K && (form.rules)(0) == variant.into();
    FORMS.iter().position(is_of).expect("every base variant has a row")
}

/// The row of this name.
pub(super) fn named(name: &str) -> usize {
    FORMS.iter().position(|form| form.name == name).expect("it is in the table")
}

/// The name of a base variant, as entrants have it.
pub fn name(variant: Variant) -> &'static str {
    FORMS[row(variant)].name
}

/// How all entrants are written, with a comma between.
pub fn grammar() -> String {
    FORMS.iter().map(Form::grammar).collect::<Vec<_>>().join(", ")
}
