//! Connections that are opened and not used, or used as slowly as possible.

#![allow(clippy::print_stdout, reason = "figures for whoever runs it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::honest::uses_the_page;
use crate::support::PATIENCE;
use crate::visitor::{OWN_COMPUTER, ask, connect, is_closed, log_in, request};
use crate::{a_moment, guarded, memory_mb, raise_open_files};

/// Far longer than a connection may be idle or slow.
const LIMIT: Duration = Duration::from_secs(120);

/// What an attacker sends at the beginning, and then, one byte at a time.
const SLOW: [(&str, &str); 4] = [
    ("", ""),
    ("GET /api/v1/lab HTTP/1.1\r\nHost: ", "x"),
    ("GET / HTTP/1.1\r\nHost: HOST\r\n\r\n", ""),
    (
        "POST /api/v1/login HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n",
        " ",
    ),
];

/// Holds a slow connection for as long as it is let, and opens the next one.
async fn attack(web: String, from: u8, way: usize, stop: Arc<AtomicBool>) {
    let (begin, more) = SLOW[way % SLOW.len()];
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = connect(&web, from).await else { continue };
        // A connection that is closed at once is what this is about.
        let _ = stream.write_all(begin.replace("HOST", &web).as_bytes()).await;
        while !stop.load(Ordering::Relaxed) && stream.write_all(more.as_bytes()).await.is_ok() {
            if more.is_empty() && timeout(Duration::from_millis(500), stream.readable()).await.is_ok() {
                let mut answer = [0; 4_096];
                if matches!(stream.try_read(&mut answer), Ok(0) | Err(_)) {
                    break;
                }
            }
            a_moment().await;
        }
        a_moment().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_connections_from_one_address_and_from_many_lock_nobody_out() {
    raise_open_files();
    let folder = tempfile::tempdir().expect("a folder");
    let lab = guarded(folder.path());
    let stop = Arc::new(AtomicBool::new(false));
    let (own, foreign) = (log_in(&lab.web, OWN_COMPUTER).await, log_in(&lab.web, 251).await);
    let mut attackers = JoinSet::new();
    // 600 from one address, and as many from 200 others.
    for n in 0..1_200_usize {
        let from = if n < 600 { 2 } else { u8::try_from(3 + n % 200).expect("small") };
        attackers.spawn(attack(lab.web.clone(), from, n, Arc::clone(&stop)));
    }
    // The attack begins when the lab has no place left for foreigners.
    let open = || std::fs::read_dir(format!("/proc/{}/fd", lab.pid())).map_or(0, Iterator::count);
    timeout(PATIENCE, async {
        while open() < 950 {
            a_moment().await
        }
    })
    .await
    .expect("all places are taken");
    tokio::join!(uses_the_page(&lab.web, OWN_COMPUTER, &own), uses_the_page(&lab.web, 251, &foreign));
    stop.store(true, Ordering::Relaxed);
    attackers.abort_all();
    println!("{} MB", memory_mb(&lab));
    assert!(memory_mb(&lab) < 200, "{} MB", memory_mb(&lab));
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_slow_connections_are_closed() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = guarded(folder.path());
    let mut all = JoinSet::new();
    for (begin, more) in SLOW {
        let (web, mut stream) = (lab.web.clone(), connect(&lab.web, 2).await.expect("a connection"));
        all.spawn(async move {
            stream.write_all(begin.replace("HOST", &web).as_bytes()).await.expect("sent");
            if begin.starts_with("GET / ") {
                // Read, or it would be a slow reader.
                let mut answer = [0; 65_536];
                let idle = async {
                    while !matches!(
                        stream.readable().await.and_then(|()| stream.try_read(&mut answer)),
                        Ok(0)
                    ) {}
                };
                return (begin, timeout(LIMIT, idle).await.is_ok());
            }
            let closed = async {
                while stream.write_all(more.as_bytes()).await.is_ok() {
                    let mut answer = [0; 4_096];
                    if matches!(stream.try_read(&mut answer), Ok(0)) {
                        return;
                    }
                    sleep(Duration::from_millis(200)).await; // slow is what it is about
                }
            };
            (begin, timeout(LIMIT, closed).await.is_ok())
        });
    }
    while let Some(ended) = all.join_next().await {
        let (begin, closed) = ended.expect("it ends");
        assert!(closed, "still open: {begin:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_takes_nothing_is_disconnected() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = guarded(folder.path());
    let mut stream = connect(&lab.web, 2).await.expect("a connection");
    let one = request(&lab.web, "GET /i18n/de.json", "", "").replace("Connection: close\r\n", "");
    // Far more than the system buffers for a connection.
    let send = async { while stream.write_all(one.as_bytes()).await.is_ok() {} };
    assert!(timeout(LIMIT, send).await.is_ok(), "still connected");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_that_are_gone_are_closed_and_others_get_their_places() {
    raise_open_files();
    let folder = tempfile::tempdir().expect("a folder");
    let lab = crate::Lab::start(folder.path(), Some("[web]\nmax_pages_per_address = 20\n"));
    let upgrade =
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let open = async |from: u8| {
        let mut stream = connect(&lab.web, from).await.expect("a connection");
        let live = request(&lab.web, "GET /api/v1/live", upgrade, "")
            .replace("Connection: close", "Connection: Upgrade");
        stream.write_all(live.as_bytes()).await.expect("sent");
        let mut head = vec![0; 12];
        stream.readable().await.expect("an answer");
        let _ = stream.try_read(&mut head);
        (String::from_utf8_lossy(&head).ends_with(" 101"), stream)
    };
    let mut pages = Vec::new();
    for _ in 0..30 {
        pages.push(open(2).await);
    }
    assert_eq!(pages.iter().filter(|(opened, _)| *opened).count(), 20, "the limit of one address");
    // 29 more addresses with 20 pages each are more than all places.
    for n in 0..29 * 20 {
        pages.push(open(u8::try_from(3 + n % 29).expect("small")).await);
    }
    for from in [OWN_COMPUTER, 251] {
        assert!(open(from).await.0, "127.0.0.{from} gets a place");
    }
    uses_the_page(&lab.web, 251, "").await;
    assert!(memory_mb(&lab) < 200, "{} MB", memory_mb(&lab));
    // Nobody reads on these, so no ping is answered: as of a computer that was switched off.
    let (_, last) = open(250).await;
    assert!(is_closed(&last, LIMIT).await, "still open");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_finds_no_place_is_told() {
    raise_open_files();
    let folder = tempfile::tempdir().expect("a folder");
    let lab = crate::Lab::start(folder.path(), Some("[web]\nmax_connections_per_address = 3\n"));
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(connect(&lab.web, 2).await.expect("a connection"));
    }
    // The system accepts for the lab, which may take a moment to see them.
    let refused = async {
        loop {
            match ask(&lab.web, 2, "GET /healthz", "", "").await {
                Ok(answer) if answer.status == 503 => return,
                _ => a_moment().await,
            }
        }
    };
    timeout(PATIENCE, refused).await.expect("it is refused with words");
    assert_eq!(ask(&lab.web, 3, "GET /healthz", "", "").await.expect("an answer").status, 200);
    drop(held);
    let freed = async {
        while !ask(&lab.web, 2, "GET /healthz", "", "").await.is_ok_and(|answer| answer.status == 200) {}
    };
    timeout(PATIENCE, freed).await.expect("the places are free again");
}
