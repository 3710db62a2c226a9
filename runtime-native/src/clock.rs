//! Monotonic time as plain numbers, so that it fits into atomics.

use std::cell::Cell;
use std::sync::LazyLock;
use std::time::Instant;

static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Nanoseconds since some moment in this process, never 0.
pub fn now() -> u64 {
    ORIGIN.elapsed().as_nanos() as u64 + 1
}

thread_local! {
    static NOTED: Cell<u64> = const { Cell::new(0) };
}

/// As [`now`], and keeps it for [`noted`].
pub fn note() -> u64 {
    let time = now();
    NOTED.set(time);
    time
}

/// What this thread has last noted, for who comes right after: reading the clock takes longer than most of what happens between two short jobs.
pub fn noted() -> u64 {
    NOTED.get()
}

pub fn millis(nanos: u64) -> f64 {
    nanos as f64 / 1e6
}

pub fn millis_since(earlier: u64) -> f64 {
    millis(now().saturating_sub(earlier))
}
