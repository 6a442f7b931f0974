//! Memory-mapped registers: one of the two places with `unsafe`, the other is the semihosting call.

/// A register of this board at a fixed address.
#[derive(Clone, Copy)]
pub(crate) struct Register(usize);

impl Register {
    /// The register at `address`.
    ///
    /// Every address named in this program is a 32-bit register of the AN385 memory map, whose reads and
    /// writes touch no memory that Rust owns: that is what makes the methods safe to call.
    pub(crate) const fn at(address: usize) -> Self {
        Self(address)
    }

    pub(crate) fn read(self) -> u32 {
        // SAFETY: see `at`.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    pub(crate) fn write(self, value: u32) {
        // SAFETY: see `at`.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}
