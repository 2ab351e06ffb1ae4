//! Learners on threads of their own, by the clock of the machine.

mod real_faults;
mod real_time;
