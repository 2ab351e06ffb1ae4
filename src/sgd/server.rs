//! The parameter server's state: the parameters, what learners have read of them, and the gradients
//! gathered for the next update.
//!
//! Decides nothing: which gradients count is the scheduler's answer.

use std::{mem, sync::Arc};

use crate::{cluster::Snapshot, ids::LearnerId};

/// What a server holds, to go on with it later.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    /// The parameters w_j.
    pub params: Snapshot,
    /// The sum of the gradients gathered for w_{j+1}, each times its rate.
    pub sum: Vec<f32>,
    /// How many gradients that sum is of.
    pub gathered: usize,
    /// What each learner read last, if that is kept; else empty.
    pub read: Vec<Snapshot>,
    /// The velocity v_j, where there is momentum; else empty.
    pub velocity: Vec<f32>,
}

/// Holds w_j and makes w_{j+1}.
#[derive(Debug)]
pub struct ParameterServer {
    params: Snapshot,
    /// Earlier parameters: those that no learner holds any more are written over, since fresh
    /// memory costs more than the step itself.
    earlier: Vec<Snapshot>,
    sum: Vec<f32>,
    gathered: usize,
    /// What each learner read last, if somebody asks; else empty.
    read: Vec<Snapshot>,
    /// beta, and the velocity v_j: empty without momentum.
    beta: f32,
    velocity: Vec<f32>,
}

impl ParameterServer {
    /// A server that holds w_0.
    pub fn new(initial: &[f32]) -> Self {
        let (params, sum) = (initial.into(), vec![0.0; initial.len()]);
        let (earlier, read, velocity) = (Vec::new(), Vec::new(), Vec::new());
        Self { params, earlier, sum, gathered: 0, read, beta: 0.0, velocity }
    }

    /// The same with this momentum beta: what would be a step is added to beta times the step before.
    ///
    /// # Panics
    /// If beta is not from 0 to 1, without 1.
    #[must_use]
    pub fn with_momentum(mut self, beta: f64) -> Self {
        assert!((0.0..1.0).contains(&beta), "a part of the velocity is kept");
        self.beta = beta as f32;
        if self.beta > 0.0 && self.velocity.is_empty() {
            self.velocity = vec![0.0; self.sum.len()];
        }
        self
    }

    /// What has to be kept of it.
    pub fn save(&self) -> Saved {
        let (params, sum, read) = (self.pull(), self.sum.clone(), self.read.clone());
        Saved { params, sum, gathered: self.gathered, read, velocity: self.velocity.clone() }
    }

    /// The server that was saved; its [momentum](Self::with_momentum) is to be set again.
    ///
    /// # Panics
    /// If sum or velocity are not as long as the parameters.
    pub fn resume(Saved { params, sum, gathered, read, velocity }: Saved) -> Self {
        assert_eq!(params.len(), sum.len(), "the sum is as long as the parameters");
        let fits = velocity.is_empty() || velocity.len() == params.len();
        assert!(fits, "the velocity is as long as the parameters");
        Self { params, earlier: Vec::new(), sum, gathered, read, beta: 0.0, velocity }
    }

    /// Keeps from now on what each of P = `learners` reads last, so that [`drift`](Self::drift) can
    /// be told.
    pub fn keep_read(&mut self, learners: usize) {
        if self.read.is_empty() {
            self.read = vec![self.pull(); learners];
        }
    }

    /// The parameters as they are now, for `learner`.
    pub fn pull_for(&mut self, learner: LearnerId) -> Snapshot {
        let params = self.pull();
        if let Some(read) = self.read.get_mut(learner) {
            read.clone_from(&params);
        }
        params
    }

    /// ||w_j - w_tau||^2 between the parameters as they are now and as `learner` read them last;
    /// none unless that is [kept](Self::keep_read).
    pub fn drift(&self, learner: LearnerId) -> Option<f64> {
        let read = self.read.get(learner)?;
        if Arc::ptr_eq(read, &self.params) {
            return Some(0.0);
        }
        let differences = self.params.iter().zip(&**read).map(|(w, read)| f64::from(w - read));
        Some(differences.map(|difference| difference * difference).sum())
    }

    /// ||g||, where there are any numbers.
    pub fn norm(gradient: &[f32]) -> f64 {
        gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt()
    }

    /// The parameters as they are now.
    pub fn pull(&self) -> Snapshot {
        Arc::clone(&self.params)
    }

    /// The parameters as they are now, to look at.
    pub fn params(&self) -> &[f32] {
        &self.params
    }

    /// Whether `gradient` is as long as the parameters and finite throughout, told by its bits.
    pub fn fits(&self, gradient: &[f32]) -> bool {
        let largest = gradient.iter().fold(0, |most: u32, g| most.max(g.to_bits() << 1));
        gradient.len() == self.sum.len() && largest < f32::INFINITY.to_bits() << 1
    }

    /// Gathers rate times `gradient` for the next update.
    pub fn accumulate(&mut self, gradient: &[f32], rate: f32) {
        debug_assert_eq!(gradient.len(), self.sum.len(), "a gradient is as long as the parameters");
        for (sum, gradient) in self.sum.iter_mut().zip(gradient) {
            *sum += rate * gradient;
        }
        self.gathered += 1;
    }

    /// w_{j+1} = w_j - (1/K) sum_l rate_l g_l over the K gradients gathered (Dutta et al. 2018,
    /// equations 2 to 4); returns that K. With momentum v_{j+1} = beta v_j + (1/K) sum_l rate_l g_l,
    /// w_{j+1} = w_j - v_{j+1} and v_0 = 0 (Polyak 1964).
    pub fn apply(&mut self) -> usize {
        let k = mem::take(&mut self.gathered);
        if self.sum.is_empty() {
            // Only times are simulated.
            return k;
        }
        let share = 1.0 / k as f32;
        // Where a learner still holds w_j, it stays as it is.
        if Arc::get_mut(&mut self.params).is_none() {
            let mut next = self.unused();
            let to = Arc::get_mut(&mut next).expect("nobody else holds it");
            to.copy_from_slice(&self.params);
            self.earlier.push(mem::replace(&mut self.params, next));
        }
        let params = Arc::get_mut(&mut self.params).expect("nobody else holds them");
        if self.beta == 0.0 {
            for (w, sum) in params.iter_mut().zip(&mut self.sum) {
                *w -= share * mem::take(sum);
            }
            return k;
        }
        for ((w, v), sum) in params.iter_mut().zip(&mut self.velocity).zip(&mut self.sum) {
            *v = self.beta * *v + share * mem::take(sum);
            *w -= *v;
        }
        k
    }

    /// Memory for parameters that nobody else holds.
    fn unused(&mut self) -> Snapshot {
        let unused = self.earlier.iter_mut().position(|params| Arc::get_mut(params).is_some());
        match unused {
            Some(at) => self.earlier.swap_remove(at),
            None => Arc::from(&*self.params),
        }
    }

    /// Whether every parameter is a finite number, told by its bits.
    pub fn is_finite(&self) -> bool {
        self.params.iter().all(|w| w.is_finite())
    }
}
