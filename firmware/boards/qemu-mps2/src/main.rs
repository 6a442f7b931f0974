//! A node of mqtt-lab on the board MPS2 AN385 (Cortex-M3) that QEMU emulates: a TMP105 thermometer on I²C, a
//! LED, Ethernet.
//!
//! Arguments, by semihosting: `HOST:PORT DEVICE [USER PASSWORD]`. A line `stop` on the serial console ends the
//! node in order.
#![no_std]
#![no_main]

mod clock;
mod ethernet;
mod host;
mod i2c;
mod led;
mod register;
mod stack;
mod uart;

use core::panic::PanicInfo;
use cortex_m::Peripherals;
use cortex_m::peripheral::NVIC;
use cortex_m_rt::ExceptionFrame;
use embassy_executor::Spawner;
use embassy_net::{Runner, StackResources};
use embassy_time::{Duration, Instant, Timer};
use ethernet::Ethernet;
use mqtt_lab_node::parts::{Lm75, Output};
use mqtt_lab_node::tcp::{Broker, Tcp, dhcp};
use mqtt_lab_node::{Memory, Node, Settings};
use static_cell::ConstStaticCell;
use uart::log;

/// Samples kept through an outage.
const SAMPLES: usize = 48;

/// The thermometer's address on the bus.
const TMP105: u8 = 0x48;

/// The network: DHCP and one TCP connection.
static RESOURCES: ConstStaticCell<StackResources<2>> = ConstStaticCell::new(StackResources::new());
static MEMORY: ConstStaticCell<Memory<SAMPLES>> = ConstStaticCell::new(Memory::new());
static RECEIVE: ConstStaticCell<[u8; 512]> = ConstStaticCell::new([0; 512]);
static SEND: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
static FRAME: ConstStaticCell<[u8; ethernet::FRAME]> = ConstStaticCell::new([0; ethernet::FRAME]);
static ARGUMENTS: ConstStaticCell<[u8; 192]> = ConstStaticCell::new([0; 192]);

/// The interrupt of the Ethernet controller.
#[derive(Clone, Copy)]
struct EthernetInterrupt;

// SAFETY: 13 is its number in the AN385's interrupt map, and nothing else has it.
unsafe impl cortex_m::interrupt::InterruptNumber for EthernetInterrupt {
    fn number(self) -> u16 {
        13
    }
}

#[cortex_m_rt::exception]
// SAFETY: called by the hardware alone; what it does is safe at any time.
unsafe fn DefaultHandler(_number: i16) {
    ethernet::on_interrupt();
}

/// A panic is an illegal instruction in its place, which needs no words in flash: `addr2line` finds the line.
#[cortex_m_rt::exception]
// SAFETY: called by the hardware alone, and it does not return.
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    log(format_args!("the program broke off at {:#x}", frame.pc()));
    host::exit(false)
}

/// Demanded by the compiler, and never called: see `build`.
#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    host::exit(false)
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Ethernet>) -> ! {
    runner.run().await
}

/// Ends when somebody has typed a line `stop`.
async fn told_to_stop() {
    const WORD: &[u8] = b"stop\n";
    let mut matched = 0;
    while matched < WORD.len() {
        match uart::typed() {
            None => Timer::after(Duration::from_millis(50)).await,
            Some(byte) if byte == WORD[matched] => matched += 1,
            Some(byte) => matched = usize::from(byte == WORD[0]),
        }
    }
}

fn settings(arguments: &'static str) -> Option<(Broker<'static>, Settings<'static>)> {
    let mut words = arguments.split_ascii_whitespace().skip(1);
    let broker = Broker::parse(words.next()?)?;
    let mut settings = Settings::new(words.next()?, "qemu-mps2", host::random(clock::fraction()));
    settings.login = words.next().zip(words.next());
    settings.log = log;
    Some((broker, settings))
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    uart::init();
    let Some(peripherals) = Peripherals::take() else { host::exit(false) };
    clock::init(peripherals.SYST);
    let Some((broker, mut settings)) = settings(host::arguments(ARGUMENTS.take())) else {
        log(format_args!("arguments: HOST:PORT DEVICE [USER PASSWORD]"));
        host::exit(false)
    };
    let Some(device) = Ethernet::new(FRAME.take()) else {
        log(format_args!("no LAN9118: start QEMU with -nic user,model=lan9118"));
        host::exit(false)
    };
    settings.unique = Some(device.number());
    let address = embassy_net::Config::dhcpv4(dhcp());
    let (stack, runner) = embassy_net::new(device, address, RESOURCES.take(), settings.random);
    match network(runner) {
        Ok(task) => spawner.spawn(task),
        Err(_) => host::exit(false),
    }
    // SAFETY: the handler is there, and no critical section depends on the interrupt being off.
    unsafe { NVIC::unmask(EthernetInterrupt) };
    let mut thermometer = Lm75::new(i2c::Bus, TMP105);
    let mut led = Output::new("led", led::Led);
    let mut tcp = Tcp::new(stack, broker, RECEIVE.take(), SEND.take());
    let mut parts: [&mut dyn mqtt_lab_node::Part; 2] = [&mut thermometer, &mut led];
    match Node::new(settings, &mut parts, MEMORY.take()) {
        Ok(mut node) => node.run(&mut tcp, told_to_stop()).await,
        Err(error) => {
            log(format_args!("{error}"));
            host::exit(false)
        }
    }
    log(format_args!("stopped after {} ms, stack {} bytes", Instant::now().as_millis(), stack::most_used()));
    host::exit(true)
}
