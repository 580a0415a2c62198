//! The allocator's settings for a process that is small for months.
#![allow(unsafe_code, reason = "mallopt has no safe wrapper in a library")]

/// Lets large buffers, such as those of a password check, go back to the system when they are freed, and keeps the
/// number of heaps at what a process with two busy threads needs.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        use nix::libc;
        // glibc raises this threshold to the largest buffer ever freed, and keeps all smaller ones, unless it is set.
        // SAFETY: called before any other thread exists; mallopt takes plain integers.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, 512 << 10);
            libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 10);
            libc::mallopt(libc::M_ARENA_MAX, 2);
        }
    }
}
