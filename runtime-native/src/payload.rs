//! Encoded values while they are between isolates: bytes, and what travels beside the bytes.

use std::mem;

use parking_lot::Mutex;

/// Up to this many bytes are kept in the task's own record; a longer payload has a heap block of its own.
pub const INLINE_BYTES: usize = 56;

/// The bytes of an encoded value.
#[derive(Default)]
pub enum Bytes {
    #[default]
    Empty,
    Inline(u8, [u8; INLINE_BYTES]),
    Heap(Box<[u8]>),
    /// A whole ArrayBuffer of the sender, moved without a copy; only the first `usize` bytes of it are used.
    Store(BackingStore, usize),
}

impl Bytes {
    /// Copies `source`, in place when it is small.
    pub fn copy_of(source: &[u8]) -> Self {
        if source.is_empty() {
            Self::Empty
        } else if source.len() <= INLINE_BYTES {
            let mut bytes = [0; INLINE_BYTES];
            bytes[..source.len()].copy_from_slice(source);
            Self::Inline(source.len() as u8, bytes)
        } else {
            Self::Heap(source.into())
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Inline(length, _) => *length as usize,
            Self::Heap(bytes) => bytes.len(),
            Self::Store(_, length) => *length,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, unless they are in a moved ArrayBuffer (whose memory only the JavaScript engine can find).
    pub fn as_slice(&self) -> Option<&[u8]> {
        match self {
            Self::Empty => Some(&[]),
            Self::Inline(length, bytes) => Some(&bytes[..*length as usize]),
            Self::Heap(bytes) => Some(bytes),
            Self::Store(..) => None,
        }
    }
}

/// The memory of an ArrayBuffer or SharedArrayBuffer that no isolate owns at the moment: the engine's own
/// `std::shared_ptr<v8::BackingStore>`, as the two words that it consists of. Only the engine can make use of it, and only the engine can free
/// it: one that is dropped goes to the graveyard, from which some isolate takes it, makes an ArrayBuffer of it and lets its garbage
/// collector do the rest.
#[derive(Debug)]
pub struct BackingStore(pub [usize; 2]);

// The reference count behind a `std::shared_ptr` is atomic, and a backing store is not bound to an isolate: Node itself moves them between
// threads. The two words are plain integers here, so the type is `Send` and `Sync` without further ado.

static GRAVEYARD: Mutex<Vec<BackingStore>> = Mutex::new(Vec::new());

impl BackingStore {
    /// The two words, whose ownership goes to the caller.
    pub fn into_words(self) -> [usize; 2] {
        let words = self.0;
        mem::forget(self);
        words
    }
}

impl Drop for BackingStore {
    fn drop(&mut self) {
        GRAVEYARD.lock().push(Self(mem::take(&mut self.0)));
    }
}

/// What nobody has received. Cheap when there is nothing.
pub fn take_dead_stores() -> Vec<BackingStore> {
    match GRAVEYARD.try_lock() {
        Some(mut dead) if !dead.is_empty() => mem::take(&mut dead),
        _ => Vec::new(),
    }
}

/// One object that travels beside the bytes.
pub enum Attachment {
    /// An ArrayBuffer that has been moved.
    Moved(BackingStore),
    /// A SharedArrayBuffer.
    Shared(BackingStore),
    /// An ArrayBuffer whose bytes were copied because its memory could not be moved.
    Copied(Box<[u8]>),
}

/// An encoded value.
#[derive(Default)]
pub struct Payload {
    pub bytes: Bytes,
    pub attachments: Option<Box<Vec<Attachment>>>,
}

impl Payload {
    pub fn copy_of(source: &[u8]) -> Self {
        Self {
            bytes: Bytes::copy_of(source),
            attachments: None,
        }
    }

    /// Whether it is bytes that can be copied from and nothing else.
    pub fn plain(&self) -> Option<&[u8]> {
        if self.attachments.is_some() {
            None
        } else {
            self.bytes.as_slice()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_payloads_are_kept_inline_and_long_ones_on_the_heap() {
        let source: Vec<u8> = (0..200).collect();
        for length in [0, 1, INLINE_BYTES, INLINE_BYTES + 1, 200] {
            let bytes = Bytes::copy_of(&source[..length]);
            assert_eq!(bytes.as_slice().unwrap(), &source[..length]);
            assert_eq!(bytes.len(), length);
            assert_eq!(matches!(bytes, Bytes::Heap(_)), length > INLINE_BYTES);
        }
    }

    #[test]
    fn a_dropped_backing_store_can_be_found_again() {
        drop(Payload {
            bytes: Bytes::Empty,
            attachments: Some(Box::new(vec![Attachment::Moved(BackingStore([7, 8]))])),
        });
        let dead: Vec<[usize; 2]> = take_dead_stores().into_iter().map(BackingStore::into_words).collect();
        assert!(dead.contains(&[7, 8]));
    }
}
