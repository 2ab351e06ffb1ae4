//! One engine in two places: what computes gradients also evaluates.

use std::{cell::RefCell, rc::Rc};

use super::{Engine, Evaluation, Part};
use crate::Result;

/// One of the places that an engine is in. It keeps the parameters that it has loaded, and loads them
/// again where the other place has loaded its own meanwhile.
pub(crate) struct Shared<E> {
    engine: Rc<RefCell<Loaded<E>>>,
    place: usize,
    params: Vec<f32>,
}

/// An engine, and whose parameters are loaded.
struct Loaded<E> {
    engine: E,
    by: usize,
}

/// The same engine in two places.
pub(crate) fn shared<E: Engine>(engine: E) -> [Shared<E>; 2] {
    let params = vec![0.0; engine.params()];
    let engine = Rc::new(RefCell::new(Loaded { engine, by: 0 }));
    [0, 1].map(|place| Shared { engine: Rc::clone(&engine), place, params: params.clone() })
}

impl<E: Engine> Engine for Shared<E> {
    fn samples(&self) -> usize {
        self.engine.borrow().engine.samples()
    }

    fn params(&self) -> usize {
        self.params.len()
    }

    fn initial(&self, seed: u64) -> Vec<f32> {
        self.engine.borrow().engine.initial(seed)
    }

    fn load(&mut self, params: &[f32]) -> Result<()> {
        let mut loaded = self.engine.borrow_mut();
        loaded.engine.load(params)?;
        loaded.by = self.place;
        self.params.copy_from_slice(params);
        Ok(())
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
        let mut loaded = self.engine.borrow_mut();
        if loaded.by != self.place {
            loaded.engine.load(&self.params)?;
            loaded.by = self.place;
        }
        loaded.engine.gradient(samples, gradient)
    }

    fn evaluate(&mut self, params: &[f32], over: Part) -> Result<Evaluation> {
        let mut loaded = self.engine.borrow_mut();
        loaded.by = self.place;
        self.params.copy_from_slice(params);
        loaded.engine.evaluate(params, over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// f(w) = w^2 / 2.
    struct Square(f32);

    impl Engine for Square {
        fn samples(&self) -> usize {
            1
        }

        fn params(&self) -> usize {
            1
        }

        fn load(&mut self, params: &[f32]) -> Result<()> {
            self.0 = params[0];
            Ok(())
        }

        fn gradient(&mut self, _: &[usize], gradient: &mut [f32]) -> Result<f32> {
            gradient[0] = self.0;
            Ok(self.0 * self.0 / 2.0)
        }
    }

    #[test]
    fn each_place_has_its_own_parameters() {
        let [mut here, mut there] = shared(Square(0.0));
        let mut gradient = [0.0];
        here.load(&[3.0]).unwrap();
        assert_eq!(there.evaluate(&[4.0], Part::Train).unwrap().loss, 8.0);
        assert_eq!(here.gradient(&[0], &mut gradient).unwrap(), 4.5);
        assert_eq!(gradient, [3.0]);
        assert_eq!(there.gradient(&[0], &mut gradient).unwrap(), 8.0);
        assert_eq!(gradient, [4.0]);
    }
}
