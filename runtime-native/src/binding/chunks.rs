//! Chunk files and code caches, as JavaScript gets them.

use std::ptr;

use napi::bindgen_prelude::{BufferSlice, Env, Result};
use napi_derive::napi;

use crate::chunk_store::{self, ChunkFault, SharedBytes};

/// A chunk's bytes and, where another worker has offered one, V8's code cache for them. Both are shared by all threads: never write to them.
#[napi(object, object_from_js = false)]
pub struct BindingChunk<'env> {
    pub source: BufferSlice<'env>,
    pub code_cache: Option<BufferSlice<'env>>,
}

/// A buffer over shared bytes, without a copy where the runtime allows that.
fn shared_buffer(env: &Env, bytes: SharedBytes) -> Result<BufferSlice<'static>> {
    let (data, length) = (bytes.as_ptr().cast_mut(), bytes.len());
    // SAFETY: the finalizer owns a reference to the bytes, which therefore outlive the buffer. JavaScript only reads them.
    let slice = unsafe { BufferSlice::from_external(env, data, length, bytes, |_, bytes| drop(bytes)) }?;
    // SAFETY: the lifetime is that of the environment's handle scope, in which the value is returned to JavaScript at once.
    Ok(unsafe { ptr::read(ptr::from_ref(&std::mem::ManuallyDrop::new(slice)).cast()) })
}

/// Reads a chunk. Throws `unreadable: …` or `changed: <actual hash>`.
#[napi]
pub fn read_chunk(env: &Env, path: String, sha256: String) -> Result<BindingChunk<'static>> {
    match chunk_store::read(&path, &sha256) {
        Ok((source, code_cache)) => Ok(BindingChunk {
            source: shared_buffer(env, source)?,
            code_cache: code_cache.map(|cache| shared_buffer(env, cache)).transpose()?,
        }),
        Err(ChunkFault::Unreadable(error)) => Err(napi::Error::from_reason(format!("unreadable: {error}"))),
        Err(ChunkFault::Changed(actual)) => Err(napi::Error::from_reason(format!("changed: {actual}"))),
    }
}

/// Keeps V8's code cache of a chunk for the workers that load it later. The bytes are copied.
#[napi]
pub fn offer_code_cache(path: String, sha256: String, cache: &[u8]) {
    chunk_store::offer_code_cache(&path, &sha256, cache);
}
