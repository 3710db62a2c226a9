//! The primitives that the scheduler is built of. All of the crate that other threads take part in gets its atomics, locks, parkers and queues from
//! here: they are the real ones, or, in a build with `--cfg loom`, models of them under which `models` tries every interleaving.
//!
//! `Arc`, `Weak` and `OnceLock` are always the standard library's: what is set once is set before it is shared, and the reference count's own
//! orderings are not this crate's to prove.

#[cfg(loom)]
#[path = "modelled.rs"]
mod imp;
#[cfg(not(loom))]
#[path = "real.rs"]
mod imp;

pub use imp::*;
