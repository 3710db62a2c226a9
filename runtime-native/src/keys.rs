//! What the index that a job carries stands for: the same numbers in all environments of a pool.

use std::collections::HashMap;

use parking_lot::RwLock;

/// A manifest's path and a task's id in it.
pub type Key = (String, String);

#[derive(Default)]
struct Inner {
    list: Vec<Key>,
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

    pub fn get(&self, index: u32) -> Option<Key> {
        self.0.read().list.get(index as usize).cloned()
    }
}
