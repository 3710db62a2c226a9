//! What the C library keeps of memory that has been freed.
//!
//! glibc gives the top of an arena back, and maps large blocks by themselves, so that they go when they are freed. Both stop once a large block has been freed
//! anywhere in the process, since that raises the limit of "large". A worker's start then leaves more than a megabyte in the arena of its thread: what V8 compiled
//! the worker's code with, below a table that stays.

use napi_derive::napi;

/// With more free memory than this in the process, trimming would hold the locks of its arenas for long: some ms for each 10 MB.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MOST_FREE_BYTES: u32 = 64 << 20;

/// Gives freed memory back to the system, where the C library keeps it and there is not too much of it.
#[napi]
pub fn trim_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: both take the locks of the arenas one after the other, and touch only what is free.
    unsafe {
        // Its numbers wrap around at 4 GB. `mallinfo2`, which has larger ones, is missing from the C libraries that Node still supports.
        if (libc::mallinfo().fordblks as u32) < MOST_FREE_BYTES {
            libc::malloc_trim(0);
        }
    }
}
