//! Settings that are one of a few words, with what the help says of each.

use clap::{ValueEnum, builder::PossibleValue};

use crate::{
    race::Clock,
    sgd::{
        Cancellation,
        faults::{NonFinite, OnLoss},
    },
};

/// Lets clap take a setting that is one of these words.
macro_rules! words {
    ($type:ty { $($value:path = $word:literal, $help:literal;)+ }) => {
        impl ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                &[$($value),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                let (word, help) = match self {
                    $($value => ($word, $help),)+
                };
                Some(PossibleValue::new(word).help(help))
            }
        }
    };
}

words!(Clock {
    Self::Virtual = "virtual", "Durations are drawn from the delay distribution";
    Self::Real = "real",
        "The wall clock: each learner has a thread, a device and a queue of its own";
});

words!(Cancellation {
    Self::Preempt = "preempt",
        "It stops at once, and its learner starts again from the new parameters: the paper's model";
    Self::OnArrival = "on-arrival",
        "It runs to its end, is dropped on arrival, and only then does its learner start again: what \
         parameter servers without a way to stop a learner do";
});

words!(OnLoss {
    Self::Restart = "restart",
        "Another takes its place, after a while; if that is lost too, again and again, the run goes \
         on without";
    Self::Shrink = "shrink", "The run goes on without it; K is at most the learners left";
    Self::Stop = "stop", "The run stops";
});

words!(NonFinite {
    Self::Stop = "stop", "It has diverged, and ends";
    Self::Reject = "reject",
        "The gradient is rejected and counted, and its learner starts another minibatch. A run that \
         meets nothing else has diverged after all";
});
