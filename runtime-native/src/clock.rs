//! Monotonic time as plain numbers, so that it fits into atomics.

use std::sync::LazyLock;
use std::time::Instant;

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since some moment in this process, never 0.
pub fn now() -> u64 {
    ORIGIN.elapsed().as_nanos() as u64 + 1
}

pub fn millis_since(earlier: u64) -> f64 {
    now().saturating_sub(earlier) as f64 / 1e6
}
