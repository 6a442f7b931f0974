//! A serial port whose other end does what a bad cable, a wrong program or a student's hand does.
#![cfg(unix)]

mod cable;

use cable::{Cable, PATIENCE, Setup, device};
use mqtt_lab_core::{Reading, Value};
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Duration;

fn named(values: &[(&str, Value)]) -> Vec<(String, Value)> {
    values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[tokio::test]
async fn every_line_is_a_value_in_its_order() {
    let mut setup = Setup::start().await;
    setup.cable.send("level 12.5\r\nstate all is well\n# for people\n\nled 1\nlevel 13\n");
    let (errors, values) = setup.until_value("level", &13.0.into()).await;
    assert_eq!(errors, []);
    let expected = [
        ("level", 12.5.into()),
        ("state", "all is well".into()),
        ("led", true.into()),
        ("level", 13.0.into()),
    ];
    assert_eq!(values, named(&expected));
}

#[tokio::test]
async fn whatever_is_no_value_is_told_and_never_a_value() {
    let cases: [(&[u8], &str); 9] = [
        (b"level\n", "`level` is no line of the form `name value`"),
        (b"lvl 5\n", "`lvl 5` names no channel"),
        (b"level 5%\n", "channel `level` does not take `5%`: expected a number"),
        (b"level 101\n", "channel `level` does not take `101 %`: expected a number from 0 to 100"),
        (b"level nan\n", "NaN and infinity are not values"),
        (b"led 2\n", "channel `led` does not take `2`: expected `true` or `false`, `on` or `off`, 1 or 0"),
        (b"level 5\xff\n", "a line is no UTF-8, which a wrong `baud` looks like"),
        (b"state \x1b[31mred\n", "a line has control characters"),
        (&[b'5'; 5000], "a line is longer than 256 bytes"),
    ];
    for (bytes, message) in cases {
        let mut setup = Setup::start().await;
        setup.cable.send(bytes);
        let error = setup.until_error().await;
        assert!(error.starts_with("the board sent what is no value: ") && error.contains(message), "{error}");
        setup.cable.send("\nlevel 7\n");
        let (errors, values) = setup.until_value("level", &7.0.into()).await;
        assert_eq!((errors, values), (vec![], named(&[("level", 7.0.into())])), "{message}");
    }
}

#[tokio::test]
async fn a_line_that_breaks_off_is_told_and_its_rest_is_no_value() {
    let mut setup = Setup::start().await;
    setup.cable.send("level 4");
    let error = setup.until_error().await;
    assert_eq!(error, "the board sent what is no value: a line was begun and not ended: `level 4`");
    setup.cable.send("2\nlevel 7\n");
    let (_, values) = setup.until_value("level", &7.0.into()).await;
    assert_eq!(values, named(&[("level", 7.0.into())]));
}

#[tokio::test]
async fn noise_is_told_once_in_a_while_and_never_a_value() {
    let mut setup = Setup::start().await;
    // Xorshift with a fixed seed: every byte, line ends among them.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let noise = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    });
    let noise: Vec<u8> = noise.take(64 * 1024).collect();
    let board = setup.cable.board.try_clone().expect("another handle");
    let sender = std::thread::spawn(move || {
        (&board).write_all(&noise).and_then(|()| (&board).write_all(b"\nlevel 7\n")).expect("plugged in");
    });
    let (errors, values) = setup.until_value("level", &7.0.into()).await;
    sender.join().expect("sent");
    assert_eq!(values, named(&[("level", 7.0.into())]));
    // The first one; the others wait for their time.
    assert!((1..=4).contains(&errors.len()), "{errors:?}");
}

#[tokio::test]
async fn a_read_that_is_dropped_anywhere_loses_no_byte() {
    let mut setup = Setup::start().await;
    for byte in b"level 12.25\nlevel 7\n" {
        setup.cable.send([*byte]);
        // Of no use before it has read the byte, and dropped then.
        let dropped = tokio::time::timeout(Duration::from_millis(1), setup.device.read()).await;
        if let Ok(reading) = dropped {
            assert_eq!(reading, Ok(Reading::new().with("level", 12.25)));
            setup.cable.send("level 7\n");
            break;
        }
    }
    let (errors, values) = setup.until_value("level", &7.0.into()).await;
    assert_eq!(errors, []);
    assert!(values.iter().all(|(_, value)| [12.25.into(), 7.0.into()].contains(value)), "{values:?}");
}

#[tokio::test]
async fn a_command_is_done_when_the_board_says_so_and_no_value_is_lost_meanwhile() {
    let mut setup = Setup::start().await;
    // It is in the middle of its report, with the old state, when the command comes.
    setup.cable.answers(|line| format!("level 1\nled 0\nlevel 2\n# {line}\n{line}\nlevel 3\n"));
    assert_eq!(setup.set("led", true).await, Ok(Reading::new().with("led", true)));
    let (errors, values) = setup.until_value("level", &3.0.into()).await;
    assert_eq!(errors, []);
    let levels = [1.0, 2.0, 3.0].map(|level| ("level", level.into()));
    assert_eq!(values, named(&levels), "the old state would undo the new one");
}

#[tokio::test]
async fn the_state_is_what_the_board_says_as_exactly_as_it_says_it() {
    let mut setup = Setup::start().await;
    setup.cable.answers(|line| {
        let speed: f64 = line.strip_prefix("speed ").and_then(|speed| speed.parse().ok()).unwrap_or_default();
        format!("speed {speed:.1}\n")
    });
    assert_eq!(setup.set("speed", 1.0 / 3.0).await, Ok(Reading::new().with("speed", 0.3)));
}

#[tokio::test]
async fn a_command_without_its_answer_is_refused_with_what_came_instead() {
    let mut setup = Setup::with(0.0, 0.2).await;
    let port = setup.cable.port.display().to_string();
    let sent = format!("`led 1` was sent to the board at `{port}`, which did not confirm it within 0.2 s: ");
    let error = setup.set("led", true).await.unwrap_err().to_string();
    assert_eq!(error, format!("{sent}does its program answer with the new state?"));
    setup.cable.answers(|_| "led 0\n".into());
    let error = setup.set("led", true).await.unwrap_err().to_string();
    assert_eq!(error, format!("{sent}it says `false`"));
    // What it said is its state.
    setup.until_value("led", &false.into()).await;
}

#[tokio::test]
async fn a_command_waits_until_the_board_has_started() {
    let folder = tempfile::tempdir().expect("a folder");
    let cable = Cable::plug_in(&folder.path().join("ttyUSB0"));
    let mut device = device(&cable.port, 60.0, 30.0).await;
    let board = cable.board.try_clone().expect("another handle");
    let program = std::thread::spawn(move || {
        // A boot loader swallows what comes before; here it would be an answer too early.
        let flags = rustix::fs::fcntl_getfl(&board).expect("flags");
        rustix::fs::fcntl_setfl(&board, flags | rustix::fs::OFlags::NONBLOCK).expect("set");
        let mut sent_before = false;
        let mut byte = [0];
        let mut begun = std::time::Instant::now() + Duration::from_millis(300);
        loop {
            match (&board).read(&mut byte) {
                Ok(_) if std::time::Instant::now() < begun => sent_before = true,
                Ok(_) if byte == *b"\n" => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::park_timeout(Duration::from_millis(5));
                    if std::time::Instant::now() >= begun {
                        begun = std::time::Instant::now();
                        (&board).write_all(b"# ready\n").expect("plugged in");
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
        (&board).write_all(b"led 1\n").expect("plugged in");
        sent_before
    });
    let set = tokio::time::timeout(PATIENCE, device.set("led", true.into())).await.expect("in time");
    assert_eq!(set, Ok(Reading::new().with("led", true)));
    assert!(!program.join().expect("ended"), "sent before the board's first line");
}

#[tokio::test]
async fn an_unplugged_board_is_told_once_and_goes_on_when_it_is_back() {
    let mut setup = Setup::start().await;
    let port = setup.cable.port.clone();
    // Two cables at once have two names.
    let spare = Cable::plug_in(&port.with_file_name("ttyUSB1"));
    drop(std::mem::replace(&mut setup.cable, spare));
    let told = setup.until_error().await;
    assert!(told.starts_with(&format!("port `{}` is gone", port.display())), "{told}");
    let told = setup.until_error().await;
    assert!(told.starts_with(&format!("cannot open port `{}`: No such file", port.display())), "{told}");
    // The same again is no news: three attempts, and nothing is told.
    let silent = tokio::time::timeout(Duration::from_millis(2_500), setup.device.read()).await;
    assert!(silent.is_err(), "{silent:?}");
    let refused = setup.set("led", true).await.unwrap_err().to_string();
    assert!(refused.starts_with(&format!("cannot open port `{}`", port.display())), "{refused}");

    setup.cable = Cable::plug_in(&port);
    // Before its first value: it is back.
    assert_eq!(setup.read().await, Ok(Reading::new()));
    setup.join().await;
    setup.cable.send("level 7\n");
    setup.until_value("level", &7.0.into()).await;
}

#[tokio::test]
async fn the_rest_of_a_line_that_was_under_way_when_the_port_was_opened_is_no_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let cable = Cable::plug_in(&folder.path().join("ttyUSB0"));
    let device = device(&cable.port, 0.0, 30.0).await;
    let mut setup = Setup { cable, device, _folder: folder };
    // The board never stops: wherever it is opened, there is a line under way.
    let board = setup.cable.board.try_clone().expect("another handle");
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let sender = std::thread::spawn(move || {
        // Its end alone would be a value, too.
        for byte in b"state level 55\n".iter().cycle() {
            if stopped.load(std::sync::atomic::Ordering::Relaxed) {
                return;
            }
            (&board).write_all(&[*byte]).expect("plugged in");
            std::thread::park_timeout(Duration::from_micros(200));
        }
    });
    for _ in 0..20 {
        assert_eq!(setup.read().await, Ok(Reading::new().with("state", "level 55")));
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    sender.join().expect("ended");
}
