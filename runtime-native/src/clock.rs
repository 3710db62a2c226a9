//! Monotonic time as plain numbers, so that it fits into atomics.

use std::sync::LazyLock;
use std::time::Instant;

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since some moment in this process, never 0.
pub fn now() -> u64 {
    ORIGIN.elapsed().as_nanos() as u64 + 1
}

pub fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

pub fn millis_since(earlier: u64) -> f64 {
    millis(now().saturating_sub(earlier))
}
