//! What everybody counts by: learners, minibatches and versions of the parameters.

/// Which learner, from 0 to P - 1.
pub type LearnerId = usize;

/// The number of a learner's minibatch, counted from 0 in the order in which it starts them.
pub type Task = u64;

/// j, the number of updates that made the parameters w_j.
pub type Version = u64;
