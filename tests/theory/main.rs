//! What theory, estimates and advice say, beside closed forms, naive sums and simulation.

#[path = "../common/distributions.rs"]
mod distributions;
#[path = "../common/domination.rs"]
mod domination;

mod advice;
mod bounds;
mod delay_fits;
mod estimates;
mod order_statistics;
mod runtime;
mod speed_up;
mod stale_bounds;
mod staleness;
