//! What the index that a job carries stands for: the same numbers in all environments of a pool.

use std::collections::{HashMap, HashSet};

use parking_lot::RwLock;

/// A manifest's path and a task's id in it.
pub type Key = (String, String);

#[derive(Default)]
struct Inner {
    list: Vec<Key>,
    /// Functions that go on asynchronously, as far as is known.
    asynchronous: HashSet<u32>,
    indices: HashMap<Key, u32>,
}

#[derive(Default)]
pub struct Keys(RwLock<Inner>);

impl Keys {
    pub fn register(&self, key: Key) -> u32 {
        let mut inner = self.0.write();
        if let Some(index) = inner.indices.get(&key) {
            return *index;
        }
        let index = inner.list.len() as u32;
        inner.list.push(key.clone());
        inner.indices.insert(key, index);
        index
    }

    /// Notes that the tasks of this index go on asynchronously: on their event loop, after they have begun.
    pub fn mark_asynchronous(&self, index: u32) {
        if !self.is_asynchronous(index) {
            self.0.write().asynchronous.insert(index);
        }
    }

    pub fn is_asynchronous(&self, index: u32) -> bool {
        self.0.read().asynchronous.contains(&index)
    }

    pub fn get(&self, index: u32) -> Option<Key> {
        self.0.read().list.get(index as usize).cloned()
    }
}
