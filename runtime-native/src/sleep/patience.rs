//! How long a thread looks before it sleeps.
//!
//! About as long as sleeping and being woken would cost, some tens of µs, since that is at most twice the cost of the best choice made with
//! foresight. First with pauses only; then it offers its core to others between looks, because on a machine with more threads than
//! cores the one that it waits for may be the one that it keeps from running. An offer that is taken may last for milliseconds, so the
//! clock decides, not a count.

use std::thread;

use crate::clock;

/// Looks with a pause of the processor in between: 8 to 40 ns each. In all some µs, in which a short task comes back; an offer would make its result
/// be seen half a µs later.
const PAUSES: u32 = 500;
/// ns in which looks with an offer to the scheduler in between follow; about half a µs each when nobody wants the core.
const OFFERING: u64 = 40_000;

#[derive(Default)]
pub struct Patience {
    looks: u32,
    offers_end: u64,
}

impl Patience {
    /// Waits a moment before the next look. False when it is time to sleep.
    pub fn wait(&mut self) -> bool {
        self.looks += 1;
        if cfg!(loom) {
            // More looks than one find nothing that one more interleaving does not.
            return self.looks == 1;
        }
        if self.looks <= PAUSES {
            std::hint::spin_loop();
            return true;
        }
        let now = clock::now();
        if self.offers_end == 0 {
            self.offers_end = now + OFFERING;
        } else if now >= self.offers_end {
            return false;
        }
        thread::yield_now();
        true
    }
}
