//! The native runtime of makeparallel. See `ARCHITECTURE.md` at the repository's root; everything below `binding` converts between this
//! crate and JavaScript and decides nothing.

pub mod chunk_store;
pub mod clock;
pub mod deque;
pub mod fairness;
pub mod find;
pub mod job_flags;
pub mod keys;
pub mod levels;
pub mod mailbox;
#[cfg(all(test, loom))]
mod models;
pub mod outbox;
pub mod payload;
pub mod pool;
pub mod queue;
pub mod registry;
pub mod sleep;
pub mod source_search;
pub mod state;
#[cfg(all(test, not(loom)))]
mod stress;
pub mod sync;
pub mod task;
pub mod timer;
pub mod worker;

// The tests run without Node, so nothing that needs its functions is linked into them.
#[cfg(not(any(test, loom)))]
mod binding;
