//! The Ethernet controller SMSC LAN9118, byte by byte (data sheet revision 1.5), for `embassy-net`.

use crate::register::Register;
use core::task::Context;
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::waitqueue::GenericAtomicWaker;

const BASE: usize = 0x4020_0000;
const RX_DATA: Register = Register::at(BASE);
const TX_DATA: Register = Register::at(BASE + 0x20);
const RX_STATUS: Register = Register::at(BASE + 0x40);
const TX_STATUS: Register = Register::at(BASE + 0x48);
const IRQ_CFG: Register = Register::at(BASE + 0x54);
const INT_STS: Register = Register::at(BASE + 0x58);
const INT_EN: Register = Register::at(BASE + 0x5c);
const BYTE_TEST: Register = Register::at(BASE + 0x64);
const FIFO_INT: Register = Register::at(BASE + 0x68);
const RX_CFG: Register = Register::at(BASE + 0x6c);
const TX_CFG: Register = Register::at(BASE + 0x70);
const HW_CFG: Register = Register::at(BASE + 0x74);
const RX_FIFO_INF: Register = Register::at(BASE + 0x7c);
const TX_FIFO_INF: Register = Register::at(BASE + 0x80);
const MAC_CMD: Register = Register::at(BASE + 0xa4);
const MAC_DATA: Register = Register::at(BASE + 0xa8);
const AFC_CFG: Register = Register::at(BASE + 0xac);

/// What BYTE_TEST reads as where there is such a chip.
const ALIVE: u32 = 0x8765_4321;
const SOFT_RESET: u32 = 1;
/// 5 KiB for frames that leave; must stay.
const TX_FIFO: u32 = 0x0005_0000;
/// The data sheet's value for flow control.
const FLOW_CONTROL: u32 = 0x006e_3740;
/// Interrupts push-pull, active high, on.
const IRQ_ON: u32 = 0x111;
/// The interrupt at the first received frame.
const RX_LEVEL: u32 = 1 << 3;
/// The interrupt of the PHY: the link went up or down.
const PHY_EVENT: u32 = 1 << 18;
const TX_ON: u32 = 2;
const MAC_BUSY: u32 = 1 << 31;
const MAC_READ: u32 = 1 << 30;
/// Full duplex, transmitter and receiver on.
const MAC_ON: u32 = 0x0010_000c;
const FIRST_AND_LAST: u32 = 3 << 12;
const RX_ERROR: u32 = 0x8000;

const MAC_CR: u32 = 1;
const ADDR_HIGH: u32 = 2;
const ADDR_LOW: u32 = 3;
const MII_ACCESS: u32 = 6;
const MII_DATA: u32 = 7;

const PHY_CONTROL: u32 = 0;
const PHY_STATUS: u32 = 1;
const PHY_SOURCE: u32 = 29;
const PHY_MASK: u32 = 30;
const PHY_NEGOTIATE: u32 = 0x1200;
const PHY_LINK_UP: u32 = 4;
/// Link down, and negotiation complete.
const PHY_LINK_EVENTS: u32 = 0x50;

/// The longest frame with its checksum, and the shortest without.
pub(crate) const FRAME: usize = 1536;
const SHORTEST: usize = 60;
const CHECKSUM: usize = 4;

static WAKER: GenericAtomicWaker<CriticalSectionRawMutex> =
    GenericAtomicWaker::new(CriticalSectionRawMutex::new());

/// To be called by the interrupt.
pub(crate) fn on_interrupt() {
    INT_EN.write(0);
    WAKER.wake();
}

fn mac_write(register: u32, value: u32) {
    MAC_DATA.write(value);
    MAC_CMD.write(MAC_BUSY | register);
    while MAC_CMD.read() & MAC_BUSY != 0 {}
}

fn mac_read(register: u32) -> u32 {
    MAC_CMD.write(MAC_BUSY | MAC_READ | register);
    while MAC_CMD.read() & MAC_BUSY != 0 {}
    MAC_DATA.read()
}

/// The PHY inside the chip has the address 1.
fn phy(register: u32, write: u32) {
    mac_write(MII_ACCESS, 1 << 11 | register << 6 | write << 1 | 1);
    while mac_read(MII_ACCESS) & 1 != 0 {}
}

fn phy_write(register: u32, value: u32) {
    mac_write(MII_DATA, value);
    phy(register, 1);
}

fn phy_read(register: u32) -> u32 {
    phy(register, 0);
    mac_read(MII_DATA)
}

/// The controller, with room for one received frame.
pub(crate) struct Ethernet {
    mac: [u8; 6],
    frame: &'static mut [u8; FRAME],
}

impl Ethernet {
    /// Resets the controller and begins to negotiate. `None`: there is none.
    pub(crate) fn new(frame: &'static mut [u8; FRAME]) -> Option<Self> {
        if BYTE_TEST.read() != ALIVE {
            return None;
        }
        HW_CFG.write(SOFT_RESET);
        while HW_CFG.read() & SOFT_RESET != 0 {}
        HW_CFG.write(TX_FIFO);
        AFC_CFG.write(FLOW_CONTROL);
        let [a, b, c, d] = mac_read(ADDR_LOW).to_le_bytes();
        let [e, f, ..] = mac_read(ADDR_HIGH).to_le_bytes();
        phy_write(PHY_CONTROL, PHY_NEGOTIATE);
        phy_write(PHY_MASK, PHY_LINK_EVENTS);
        FIFO_INT.write(0x4800_0000);
        INT_EN.write(0);
        INT_STS.write(u32::MAX);
        IRQ_CFG.write(IRQ_ON);
        RX_CFG.write(0);
        TX_CFG.write(TX_ON);
        mac_write(MAC_CR, MAC_ON);
        Some(Self { mac: [a, b, c, d, e, f], frame })
    }

    /// Its hardware address as a number: all that tells one emulated board from another.
    pub(crate) fn number(&self) -> u64 {
        self.mac.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }

    fn has_frame() -> bool {
        RX_FIFO_INF.read() >> 16 & 0xff != 0
    }

    /// Waits for the next frame or change of the link.
    fn listen(cx: &mut Context<'_>) {
        WAKER.register(cx.waker());
        INT_STS.write(RX_LEVEL | PHY_EVENT);
        INT_EN.write(RX_LEVEL | PHY_EVENT);
    }

    fn can_send() -> bool {
        // What is known of frames that left is of no use here.
        while TX_FIFO_INF.read() >> 16 & 0xff != 0 {
            TX_STATUS.read();
        }
        TX_FIFO_INF.read() & 0xffff >= FRAME as u32 + 16
    }

    /// Takes a frame from the chip; `None`: it was damaged.
    fn take_frame(&mut self) -> Option<usize> {
        let status = RX_STATUS.read();
        let length = (status >> 16 & 0x3fff) as usize;
        for word in 0..length.div_ceil(4) {
            let bytes = RX_DATA.read().to_le_bytes();
            if let Some(place) = self.frame.get_mut(word * 4..word * 4 + 4) {
                place.copy_from_slice(&bytes);
            }
        }
        (status & RX_ERROR == 0 && (18..=FRAME).contains(&length)).then(|| length - CHECKSUM)
    }
}

/// A received frame.
pub(crate) struct RxToken<'a>(&'a mut [u8]);

/// The room for a frame to send.
pub(crate) struct TxToken;

impl embassy_net_driver::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, read: F) -> R {
        read(self.0)
    }
}

impl embassy_net_driver::TxToken for TxToken {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, write: F) -> R {
        let mut frame = [0; FRAME];
        let result = write(&mut frame[..length]);
        let length = length.max(SHORTEST);
        TX_DATA.write(FIRST_AND_LAST | length as u32);
        TX_DATA.write(length as u32);
        for word in frame[..length.next_multiple_of(4)].as_chunks().0 {
            TX_DATA.write(u32::from_le_bytes(*word));
        }
        result
    }
}

impl Driver for Ethernet {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken;

    fn receive(&mut self, cx: &mut Context<'_>) -> Option<(RxToken<'_>, TxToken)> {
        loop {
            if !Self::has_frame() {
                Self::listen(cx);
                // One may have come before the interrupt was on.
                if !Self::has_frame() {
                    return None;
                }
            }
            if !Self::can_send() {
                cx.waker().wake_by_ref();
                return None;
            }
            if let Some(length) = self.take_frame() {
                return Some((RxToken(&mut self.frame[..length]), TxToken));
            }
        }
    }

    fn transmit(&mut self, cx: &mut Context<'_>) -> Option<TxToken> {
        if Self::can_send() {
            Some(TxToken)
        } else {
            cx.waker().wake_by_ref();
            None
        }
    }

    fn link_state(&mut self, cx: &mut Context<'_>) -> LinkState {
        WAKER.register(cx.waker());
        // Reading it ends the PHY's interrupt.
        phy_read(PHY_SOURCE);
        if phy_read(PHY_STATUS) & PHY_LINK_UP != 0 { LinkState::Up } else { LinkState::Down }
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1514;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.mac)
    }
}
