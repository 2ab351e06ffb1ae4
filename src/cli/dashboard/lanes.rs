//! What each learner of the run in progress does, and did last.

use std::{collections::VecDeque, time::Duration};

use crate::{
    ids::LearnerId,
    sgd::{
        event::Event,
        spans::{Doing, End, Spans, Stint},
    },
};

/// Learners that are kept a lane for.
const LANES: usize = 128;
/// What is kept of a lane.
const STINTS: usize = 256;

/// What one learner did.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lane {
    /// Gradients that counted, and minibatches that came to nothing.
    pub(super) counted: u64,
    pub(super) wasted: u64,
    stints: VecDeque<Stint>,
}

/// A cell of a strip: what a learner did most of it, or what happened in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Waiting,
    Computing,
    Away,
    Late,
    Ended(End),
}

/// What all learners do.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes {
    learners: usize,
    spans: Spans,
    lanes: Vec<Lane>,
    /// Minibatches that were pushed, and how long they took.
    pushed: u32,
    took: Duration,
}

impl Lanes {
    pub(super) fn new(learners: usize) -> Self {
        let lanes = vec![Lane::default(); learners.min(LANES)];
        Self { learners, lanes, ..Self::default() }
    }

    /// Takes an event in.
    pub(super) fn count(&mut self, time: Duration, event: &Event) {
        let Some(stint) = self.spans.take(time, event) else { return };
        let Some(lane) = self.lanes.get_mut(stint.learner()) else { return };
        lane.add(stint);
        if let Stint::Work(span) = stint
            && span.end.is_pushed()
        {
            self.took += span.time();
            self.pushed += 1;
        }
    }

    /// What a learner is doing.
    pub(super) fn doing(&self, learner: LearnerId) -> Doing {
        self.spans.doing(learner).0
    }

    /// How many learners do such a thing.
    pub(super) fn how_many(&self, what: impl Fn(Doing) -> bool) -> usize {
        (0..self.learners).filter(|learner| what(self.doing(*learner))).count()
    }

    /// The first learners, and what they did.
    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Mean time of a minibatch that was pushed.
    pub(super) fn minibatch_time(&self) -> Option<Duration> {
        self.took.checked_div(self.pushed)
    }

    /// What a learner did in the `window` before `now`, in so many cells of equal time.
    pub(super) fn strip(
        &self,
        learner: LearnerId,
        now: Duration,
        window: Duration,
        cells: usize,
    ) -> Vec<Cell> {
        let mut strip = vec![Cell::Waiting; cells];
        if cells == 0 || window.is_zero() {
            return strip;
        }
        let cell = window.as_secs_f64() / cells as f64;
        let ago = |time: Duration| now.saturating_sub(time).as_secs_f64();
        // The last cell ends now.
        let place = |time: Duration| cells as f64 - ago(time) / cell;
        let mut fill = |from: Duration, to: Duration, what: Cell| {
            let (from, to) = (place(from).max(0.0).round(), place(to).max(0.0).round());
            let (from, to) = (from as usize, (to as usize).min(cells));
            strip[from.min(to)..to].fill(what);
        };
        // Marks come on top of all that is filled.
        let mut marks = Vec::new();
        for stint in &self.lanes[learner].stints {
            match *stint {
                Stint::Work(span) => {
                    fill(span.from, span.to, Cell::Computing);
                    marks.push((span.to, Cell::Ended(span.end)));
                }
                Stint::Pause(pause) => {
                    fill(pause.from, pause.to, Cell::Away);
                    marks.push((pause.from, Cell::Ended(End::Lost)));
                }
                Stint::Late { at, .. } => marks.push((at, Cell::Late)),
            }
        }
        match self.spans.doing(learner) {
            (Doing::Busy { .. }, since) => fill(since, now, Cell::Computing),
            (Doing::Away | Doing::Gone, since) => {
                fill(since, now, Cell::Away);
                marks.push((since, Cell::Ended(End::Lost)));
            }
            (Doing::Waiting, _) => {}
        }
        for (time, what) in marks {
            let at = place(time).ceil() - 1.0;
            if at >= 0.0 {
                let mark = &mut strip[(at as usize).min(cells - 1)];
                *mark = match (*mark, what) {
                    // A loss is not to be overlooked, nor work that came to nothing.
                    (Cell::Ended(End::Lost), _) => Cell::Ended(End::Lost),
                    (before @ (Cell::Ended(_) | Cell::Late), Cell::Ended(End::Accepted { .. })) => {
                        before
                    }
                    _ => what,
                };
            }
        }
        strip
    }
}

impl Lane {
    fn add(&mut self, stint: Stint) {
        match stint {
            Stint::Work(span) if span.end.is_wasted() => self.wasted += 1,
            Stint::Work(_) => self.counted += 1,
            // Where nothing is drawn, it waited.
            Stint::Pause(pause) if !pause.away => return,
            Stint::Pause(_) | Stint::Late { .. } => {}
        }
        if self.stints.len() == STINTS {
            self.stints.pop_front();
        }
        self.stints.push_back(stint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::Version, sgd::scheduler::Verdict};

    fn text(lanes: &Lanes, learner: LearnerId, now: u64, window: u64, cells: usize) -> String {
        let [now, window] = [now, window].map(Duration::from_secs);
        let strip = lanes.strip(learner, now, window, cells);
        let cell = |cell| match cell {
            Cell::Waiting => ' ',
            Cell::Computing => '-',
            Cell::Away => '.',
            Cell::Late => 'l',
            Cell::Ended(End::Accepted { .. }) => 'o',
            Cell::Ended(End::Discarded | End::Rejected) => 'd',
            Cell::Ended(End::Cancelled) => 'x',
            Cell::Ended(End::Lost) => '!',
            Cell::Ended(End::InFlight) => '?',
        };
        strip.into_iter().map(cell).collect()
    }

    fn lanes(events: &[(u64, Event)]) -> Lanes {
        let mut lanes = Lanes::new(2);
        for (time, event) in events {
            lanes.count(Duration::from_secs(*time), event);
        }
        lanes
    }

    fn push(learner: LearnerId, verdict: Verdict) -> Event {
        let (task, version, staleness) = (0, 0, 0);
        let (rate, loss, computing) = (None, None, None);
        Event::Push { learner, task, version, staleness, verdict, rate, loss, computing }
    }

    fn is_busy(doing: Doing) -> bool {
        matches!(doing, Doing::Busy { .. })
    }

    fn is_waiting(doing: Doing) -> bool {
        doing == Doing::Waiting
    }

    fn assign(learner: LearnerId, version: Version) -> Event {
        Event::Assign { learner, task: 0, version, computes: None }
    }

    #[test]
    fn a_strip_shows_work_waiting_and_how_it_ended() {
        let cancel = Event::Cancel { learner: 0, task: 0, version: 0 };
        let lost = Event::Lost { learner: 0, task: Some(0), cause: "test".into() };
        let seen = lanes(&[
            (0, assign(0, 0)),
            (4, push(0, Verdict::Accept)),
            (6, assign(0, 1)),
            (9, cancel),
            (9, assign(0, 2)),
            (12, push(0, Verdict::Discard)),
            (12, assign(0, 3)),
            (14, Event::Late { learner: 0, task: 0, computing: None }),
            (16, lost),
            (19, Event::Return { learner: 0 }),
            (20, assign(0, 4)),
        ]);
        assert_eq!(text(&seen, 0, 22, 22, 22), "---o  --x--d-l-!... --");
        assert_eq!(text(&seen, 0, 22, 4, 4), ". --");
        assert_eq!(text(&seen, 0, 22, 11, 11), "d-l-!... --");
        assert_eq!(seen.doing(0), Doing::Busy { task: 0, version: 4, computes: None });
        let lane = &seen.lanes()[0];
        assert_eq!((lane.counted, lane.wasted), (1, 3));
        assert_eq!(text(&seen, 1, 22, 22, 3), "   ");
        assert_eq!(seen.minibatch_time(), Some(Duration::from_secs(7) / 2));
        assert_eq!([is_busy, is_waiting].map(|what| seen.how_many(what)), [1, 1]);
    }

    #[test]
    fn a_learner_that_left_stays_away() {
        let lost = Event::Lost { learner: 1, task: None, cause: "test".into() };
        let seen = lanes(&[(1, lost), (1, Event::Leave { learner: 1 })]);
        assert_eq!(text(&seen, 1, 5, 5, 5), "!....");
        assert_eq!(seen.how_many(|doing| doing == Doing::Gone), 1);
    }

    #[test]
    fn a_lane_is_bounded_and_so_are_the_lanes() {
        let mut many = Lanes::new(1000);
        for time in 0..1000 {
            many.count(Duration::from_secs(time), &assign(0, time));
            many.count(Duration::from_secs(time), &push(0, Verdict::Accept));
            many.count(Duration::from_secs(time), &assign(999, time));
        }
        assert_eq!((many.lanes().len(), many.lanes()[0].stints.len()), (LANES, STINTS));
        assert_eq!([is_busy, is_waiting].map(|what| many.how_many(what)), [1, 999]);
        assert!(many.strip(0, Duration::ZERO, Duration::ZERO, 5).len() == 5);
    }
}
