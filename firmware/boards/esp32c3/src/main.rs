//! A node of mqtt-lab on an ESP32-C3: Wi-Fi, a thermometer on I²C (GPIO4 SDA, GPIO5 SCL), a LED (GPIO3) and the
//! button BOOT (GPIO9).
//!
//! Who it is and where it belongs stands in `settings.toml`.
#![no_std]
#![no_main]

extern crate alloc;

use core::future::pending;
use embassy_executor::Spawner;
use embassy_net::{Runner, StackResources};
use embassy_time::Timer;
use esp_hal::gpio::{Input, InputConfig, Level, Output as OutputPin, OutputConfig, Pull};
use esp_hal::i2c::master::{Config as I2cConfig, I2c};
use esp_hal::rng::Rng;
use esp_hal::timer::timg::TimerGroup;
use esp_println::println;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{AuthenticationMethodConfig, Config as WifiConfig, Interface, WifiController};
use mqtt_lab_node::parts::{Button, Output};
use mqtt_lab_node::tcp::{Broker, Tcp, dhcp};
use mqtt_lab_node::{Memory, Node, Part, Settings};
use static_cell::ConstStaticCell;

esp_bootloader_esp_idf::esp_app_desc!();

/// Samples kept through an outage: at one per second, some four minutes.
const SAMPLES: usize = 256;

/// What the radio needs, in bytes.
const RADIO_MEMORY: usize = 72 * 1024;

const WIFI: &str = env!("NODE_WIFI");
const WIFI_PASSWORD: &str = env!("NODE_WIFI_PASSWORD");
const BROKER: &str = env!("NODE_BROKER");
const DEVICE: &str = env!("NODE_DEVICE");
const GROUP: &str = env!("NODE_GROUP");
const USER: &str = env!("NODE_USER");
const PASSWORD: &str = env!("NODE_PASSWORD");

/// The network: DHCP, name resolution and one TCP connection.
static RESOURCES: ConstStaticCell<StackResources<3>> = ConstStaticCell::new(StackResources::new());
static MEMORY: ConstStaticCell<Memory<SAMPLES>> = ConstStaticCell::new(Memory::new());
static RECEIVE: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
static SEND: ConstStaticCell<[u8; 2048]> = ConstStaticCell::new([0; 2048]);

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    println!("{info}");
    esp_hal::system::software_reset()
}

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, Interface>) -> ! {
    runner.run().await
}

/// Keeps the board in the Wi-Fi.
#[embassy_executor::task]
async fn wifi(mut controller: WifiController<'static>) -> ! {
    loop {
        match controller.connect_async().await {
            Ok(_) => {
                println!("in the Wi-Fi `{WIFI}`");
                // Whatever the reason is, it must connect again.
                let _ = controller.wait_for_disconnect_async().await;
                println!("the Wi-Fi `{WIFI}` is gone");
            }
            Err(error) => println!("not in the Wi-Fi `{WIFI}` ({error:?}): check its name and password"),
        }
        Timer::after_secs(2).await;
    }
}

/// What must not fail, or the board has no use.
fn need<T, E: core::fmt::Debug>(result: Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error:?}"),
    }
}

fn station() -> WifiConfig {
    let network = need(WIFI.try_into(), "the Wi-Fi's name is too long");
    let password = need(WIFI_PASSWORD.try_into(), "the Wi-Fi's password is too long");
    let station = StationConfig::default().with_ssid(network);
    WifiConfig::Station(station.with_authentication(AuthenticationMethodConfig::Wpa2Personal(password)))
}

fn random() -> u64 {
    let random = Rng::new();
    u64::from(random.random()) << 32 | u64::from(random.random())
}

/// The chip's own hardware address as a number.
fn mac() -> u64 {
    let address = esp_hal::efuse::base_mac_address();
    address.as_bytes().iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn settings() -> Settings<'static> {
    let mut settings = Settings::new(DEVICE, "esp32c3", random());
    settings.group = GROUP;
    settings.unique = Some(mac());
    settings.login = (!USER.is_empty()).then_some((USER, PASSWORD));
    settings.log = |line| println!("{line}");
    settings
}

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    let board = esp_hal::init(esp_hal::Config::default());
    esp_alloc::heap_allocator!(size: RADIO_MEMORY);
    esp_rtos::start(TimerGroup::new(board.TIMG0).timer0, board.FROM_CPU_INTR0);

    let mut controller =
        need(WifiController::new(board.WIFI, Default::default()), "the radio does not start");
    need(controller.set_config(&station()), "the radio refuses the Wi-Fi's settings");
    let address = embassy_net::Config::dhcpv4(dhcp());
    let (stack, runner) = embassy_net::new(Interface::station(), address, RESOURCES.take(), random());
    spawner.spawn(need(network(runner), "no room for the network"));
    spawner.spawn(need(wifi(controller), "no room for the Wi-Fi"));

    let bus = need(I2c::new(board.I2C0, I2cConfig::default()), "the bus does not start");
    let bus = bus.with_sda(board.GPIO4).with_scl(board.GPIO5);
    #[cfg(feature = "lm75")]
    let mut chip = mqtt_lab_node::parts::Lm75::new(bus, 0x48);
    #[cfg(feature = "bme280")]
    let mut chip = mqtt_lab_node::parts::Bme280::new(bus, 0x76, embassy_time::Delay);
    #[cfg(feature = "sht4x")]
    let mut chip = mqtt_lab_node::parts::Sht4x::new(bus, embassy_time::Delay);
    let mut led = Output::new("led", OutputPin::new(board.GPIO3, Level::Low, OutputConfig::default()));
    let pull_up = InputConfig::default().with_pull(Pull::Up);
    let mut button = Button::new("button", Input::new(board.GPIO9, pull_up));
    let mut parts: [&mut dyn Part; 3] = [&mut chip, &mut led, &mut button];

    let Some(broker) = Broker::parse(BROKER) else { panic!("`broker = \"{BROKER}\"` is no address") };
    let mut tcp = Tcp::new(stack, broker, RECEIVE.take(), SEND.take());
    let mut node = match Node::new(settings(), &mut parts, MEMORY.take()) {
        Ok(node) => node,
        Err(error) => panic!("settings.toml: {error}"),
    };
    node.run(&mut tcp, pending()).await;
}
