//! The pools of this process, by number: how a worker's environment, which starts with nothing but numbers, finds its pool.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;

use crate::pool::Pool;

static POOLS: LazyLock<Mutex<HashMap<u32, Arc<Pool>>>> = LazyLock::new(Mutex::default);
static NEXT: AtomicU32 = AtomicU32::new(1);

pub fn open(threads: u32) -> Arc<Pool> {
    let pool = Arc::new(Pool::new(NEXT.fetch_add(1, Ordering::Relaxed), threads));
    POOLS.lock().insert(pool.id, Arc::clone(&pool));
    pool
}

pub fn find(id: u32) -> Option<Arc<Pool>> {
    POOLS.lock().get(&id).cloned()
}

pub fn forget(id: u32) {
    // Dropped outside of the lock: a pool may own much.
    let _forgotten = POOLS.lock().remove(&id);
}
