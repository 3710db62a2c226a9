//! When something of lower rank goes first, so that a stream of higher ones does not keep it waiting for ever.
//!
//! Takings are counted, and time is cut into epochs: one ends when it has lasted [`PATIENCE`] and [`TAKINGS`] entries have been taken in it. At that
//! moment, and only then, one entry may be let through: the one that has been passed over for the longest, if it stood first in its
//! place during a whole epoch. So it has waited for a second at least and seen 64 others go before it, and at most one entry an epoch goes
//! out of order. Ordinary use stays strictly ordered. The clock is looked at once in 64 takings.

use crate::clock;

/// ns.
pub const PATIENCE: u64 = 1_000_000_000;
pub const TAKINGS: u32 = 64;

/// An epoch's number.
pub type Epoch = u64;

pub struct Fairness {
    epoch: Epoch,
    /// When it began; 0 before the first taking.
    began: u64,
    taken: u32,
}

impl Default for Fairness {
    fn default() -> Self {
        Self {
            // Nothing has stood anywhere for a whole epoch at first.
            epoch: 2,
            began: 0,
            taken: 0,
        }
    }
}

impl Fairness {
    /// What to write down for an entry that comes to stand first in its place now.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Counts a taking that is about to happen. Some when an epoch ends with it: what has stood first since that epoch or an earlier one may be
    /// let through instead.
    pub fn count(&mut self) -> Option<Epoch> {
        self.taken = self.taken.saturating_add(1);
        if !self.taken.is_multiple_of(TAKINGS) {
            return None;
        }
        self.end_epoch(clock::now())
    }

    fn end_epoch(&mut self, now: u64) -> Option<Epoch> {
        if self.began == 0 {
            self.began = now;
        }
        if now - self.began < PATIENCE {
            return None;
        }
        self.epoch += 1;
        self.began = now;
        self.taken = 0;
        Some(self.epoch - 2)
    }

    /// Lets the epoch be as old as it must be to end, for tests.
    #[cfg(test)]
    pub fn age(&mut self) {
        self.began = 1;
        assert!(clock::now() > PATIENCE, "call `wait_for_clock` first");
    }
}

/// The clock counts from its first use, so [`Fairness::age`] needs it to be old enough.
#[cfg(test)]
pub fn wait_for_clock() {
    while clock::now() <= PATIENCE {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_lasts_a_second_and_sixty_four_takings() {
        let mut fairness = Fairness::default();
        let start = fairness.epoch();
        assert!((1..TAKINGS).all(|_| fairness.count().is_none()));
        // The first look at the clock begins the first epoch.
        assert!(fairness.count().is_none() && fairness.epoch() == start);
        let began = fairness.began;
        assert_eq!(fairness.end_epoch(began + PATIENCE - 1), None);
        assert_eq!(fairness.end_epoch(began + PATIENCE), Some(start - 1));
        assert_eq!((fairness.epoch(), fairness.taken), (start + 1, 0));
        // What came in the epoch before has now stood for a whole one only when the next has ended too.
        assert_eq!(fairness.end_epoch(began + 2 * PATIENCE), Some(start));
    }
}
