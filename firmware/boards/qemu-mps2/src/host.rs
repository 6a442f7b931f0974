//! What the emulator offers: arguments, the time of day, an end (semihosting, Arm specification 2.0).

use core::arch::asm;

const CLOCK: usize = 0x10;
const TIME: usize = 0x11;
const GET_CMDLINE: usize = 0x15;
const EXIT: usize = 0x18;

const APPLICATION_EXIT: usize = 0x2_0026;
const RUNTIME_ERROR: usize = 0x2_0023;

fn call(operation: usize, parameter: usize) -> usize {
    let result;
    // SAFETY: the operations named above read and write nothing but the block that `parameter` points to,
    // which `arguments` owns; the others have none.
    unsafe { asm!("bkpt #0xab", inlateout("r0") operation => result, in("r1") parameter) };
    result
}

/// The arguments that the emulator was started with.
pub(crate) fn arguments(buffer: &mut [u8]) -> &str {
    let mut block = [buffer.as_mut_ptr() as usize, buffer.len()];
    let failed = call(GET_CMDLINE, block.as_mut_ptr() as usize) != 0;
    let length = if failed { 0 } else { block[1].min(buffer.len()) };
    core::str::from_utf8(&buffer[..length]).unwrap_or_default().trim_end_matches('\0')
}

/// A number that differs from boot to boot: made of the host's time and of how long things took.
pub(crate) fn random(fraction: u32) -> u64 {
    let mixed = (call(TIME, 0) as u64) << 32 ^ u64::from(fraction) << 12 ^ call(CLOCK, 0) as u64;
    // The last steps of splitmix64 (Steele and others, OOPSLA 2014) spread it over all bits.
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// Ends the emulator.
pub(crate) fn exit(success: bool) -> ! {
    call(EXIT, if success { APPLICATION_EXIT } else { RUNTIME_ERROR });
    loop {
        cortex_m::asm::wfi();
    }
}
