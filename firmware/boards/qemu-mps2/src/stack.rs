//! How much stack was used.

use cortex_m_rt::STACK_PAINT_VALUE;

unsafe extern "C" {
    static _stack_end: u32;
    static _stack_start: u32;
}

/// The most stack that was in use since boot, in bytes: what is no longer painted.
pub(crate) fn most_used() -> usize {
    let (mut at, start) = (&raw const _stack_end, &raw const _stack_start);
    // SAFETY: everything between the two symbols of the linker is RAM that nobody but the stack uses.
    while at < start && unsafe { at.read_volatile() } == STACK_PAINT_VALUE {
        at = at.wrapping_add(1);
    }
    start as usize - at as usize
}
