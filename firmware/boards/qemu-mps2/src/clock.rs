//! The time since boot.
//!
//! It is read from a counter that runs freely (FPGAIO, 25 MHz divided to 1 kHz): whoever counts timer
//! interrupts loses some on a busy host, and the broker sends a false will.

use crate::register::Register;
use core::cell::{Cell, RefCell};
use core::task::Waker;
use cortex_m::peripheral::{SYST, syst::SystClkSource};
use critical_section::{CriticalSection, Mutex};
use embassy_time_driver::Driver;
use embassy_time_queue_utils::Queue;

const COUNTER: Register = Register::at(0x4002_8018);
const PRESCALE: Register = Register::at(0x4002_801c);
const PRESCALE_COUNTER: Register = Register::at(0x4002_8020);

/// Processor cycles per tick of 1 ms.
const CYCLES: u32 = 25_000;

struct Clock {
    /// The counter when it was read last, and how often it has begun anew.
    last: Mutex<Cell<(u32, u32)>>,
    queue: Mutex<RefCell<Queue>>,
    next: Mutex<Cell<u64>>,
}

embassy_time_driver::time_driver_impl!(static CLOCK: Clock = Clock {
    last: Mutex::new(Cell::new((0, 0))),
    queue: Mutex::new(RefCell::new(Queue::new())),
    next: Mutex::new(Cell::new(u64::MAX)),
});

/// Starts the counter, and the interrupt that looks once per millisecond whether somebody waits no longer.
pub(crate) fn init(mut timer: SYST) {
    PRESCALE.write(CYCLES - 1);
    COUNTER.write(0);
    timer.set_clock_source(SystClkSource::Core);
    timer.set_reload(CYCLES - 1);
    timer.clear_current();
    timer.enable_interrupt();
    timer.enable_counter();
}

/// Cycles within the present millisecond.
pub(crate) fn fraction() -> u32 {
    PRESCALE_COUNTER.read()
}

impl Clock {
    fn wake_due(&self, cs: CriticalSection<'_>) {
        let next = self.queue.borrow_ref_mut(cs).next_expiration(self.now());
        self.next.borrow(cs).set(next);
    }
}

impl Driver for Clock {
    fn now(&self) -> u64 {
        critical_section::with(|cs| {
            let (last, mut rounds) = self.last.borrow(cs).get();
            let count = COUNTER.read();
            rounds += u32::from(count < last);
            self.last.borrow(cs).set((count, rounds));
            u64::from(rounds) << 32 | u64::from(count)
        })
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|cs| {
            if self.queue.borrow_ref_mut(cs).schedule_wake(at, waker) {
                self.wake_due(cs);
            }
        });
    }
}

#[cortex_m_rt::exception]
fn SysTick() {
    critical_section::with(|cs| {
        if CLOCK.now() >= CLOCK.next.borrow(cs).get() {
            CLOCK.wake_due(cs);
        }
    });
}
