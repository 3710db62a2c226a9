//! Chunk files: read once per process, checked, and shared by all workers together with V8's code cache.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::io;
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use sha2::{Digest, Sha256};

pub type SharedBytes = Arc<Box<[u8]>>;

struct Chunk {
    sha256: String,
    source: SharedBytes,
    code_cache: Option<SharedBytes>,
}

/// By path. A rebuilt chunk, which has another hash, replaces the one before.
static CHUNKS: LazyLock<Mutex<HashMap<String, Chunk>>> = LazyLock::new(Mutex::default);

#[derive(Debug)]
pub enum ChunkFault {
    Unreadable(io::Error),
    /// The file's actual hash.
    Changed(String),
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Source and code cache of a chunk. The hash is checked on the very bytes that are given out.
pub fn read(path: &str, sha256: &str) -> Result<(SharedBytes, Option<SharedBytes>), ChunkFault> {
    // The lock is held while reading, so that workers that start together read the file once.
    let mut chunks = CHUNKS.lock();
    if let Some(chunk) = chunks.get(path)
        && chunk.sha256 == sha256
    {
        return Ok((Arc::clone(&chunk.source), chunk.code_cache.clone()));
    }
    let bytes = fs::read(path).map_err(ChunkFault::Unreadable)?;
    let actual = hex(&Sha256::digest(&bytes));
    if actual != sha256 {
        return Err(ChunkFault::Changed(actual));
    }
    let source = Arc::new(bytes.into_boxed_slice());
    chunks.insert(
        path.into(),
        Chunk {
            sha256: actual,
            source: Arc::clone(&source),
            code_cache: None,
        },
    );
    Ok((source, None))
}

/// Keeps a code cache for those who load the chunk later. The first offer wins.
pub fn offer_code_cache(path: &str, sha256: &str, cache: &[u8]) {
    if let Some(chunk) = CHUNKS.lock().get_mut(path)
        && chunk.sha256 == sha256
        && chunk.code_cache.is_none()
    {
        chunk.code_cache = Some(Arc::new(cache.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_checked_and_the_file_is_read_once() {
        let path = std::env::temp_dir().join(format!("makeparallel-chunk-{}.js", std::process::id()));
        let name = path.to_str().unwrap();
        fs::write(&path, b"(function(){})").unwrap();
        let wrong = "0".repeat(64);
        let Err(ChunkFault::Changed(actual)) = read(name, &wrong) else {
            panic!("a wrong hash was accepted")
        };
        let (source, cache) = read(name, &actual).unwrap();
        assert_eq!((&source[..], cache.is_none()), (&b"(function(){})"[..], true));
        fs::remove_file(&path).unwrap();
        offer_code_cache(name, &actual, b"cache");
        let (again, cache) = read(name, &actual).unwrap();
        assert!(Arc::ptr_eq(&source, &again));
        assert_eq!(&cache.unwrap()[..], b"cache");
        assert!(matches!(read(name, &wrong), Err(ChunkFault::Unreadable(_))));
    }
}
