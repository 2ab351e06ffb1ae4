//! Names of the literature.

use super::{Entrant, Number, forms::row, own::Own};
use crate::sgd::{Cancellation, Variant};

/// Names under which the literature has entrants that are in the table under others.
pub(super) const ALIASES: [(&str, Alias); 4] = [
    ("rennala", Alias::Same(Variant::KBatchSync)),
    ("m-sync", Alias::Same(Variant::KSync)),
    ("backup", Alias::Backup),
    ("n-softsync", Alias::Softsync),
];

/// What a name of the literature stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Alias {
    /// A base variant with the number as K: Rennala SGD of Tyurin and Richtarik 2023, whose batch is K, and
    /// m-synchronous SGD.
    Same(Variant),
    /// B backup workers: K-sync with K = P - B, in which late gradients are dropped on arrival (Chen et al.
    /// 2016).
    Backup,
    /// N splits: K-batch-async with K = P / N, rounded down (Zhang et al. 2016).
    Softsync,
}

impl Alias {
    /// The entrant, by the number behind the colon; it needs one.
    pub(super) fn entrant(self, number: usize) -> Entrant {
        match self {
            Self::Same(variant) => Entrant::with_k(variant, number),
            Self::Backup => {
                let own = Own::NOTHING.or_cancel(Some(Cancellation::OnArrival));
                let plain = Entrant::plain(row(Variant::KSync), Number::AllBut(number));
                Entrant { own, ..plain }
            }
            Self::Softsync => Entrant::plain(row(Variant::KBatchAsync), Number::PartOfAll(number)),
        }
    }
}
