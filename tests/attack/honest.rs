//! Somebody who only uses the page.

#![allow(clippy::print_stdout, reason = "figures for whoever runs it")]

use std::time::{Duration, Instant};

use crate::visitor::ask;

/// Requests of an honest page during an attack.
const REQUESTS: usize = 200;

/// Opens the page's data again and again, each time on a new connection; nothing may fail, and 99 of 100 answers must
/// arrive within a second.
pub(crate) async fn uses_the_page(web: &str, from: u8, headers: &str) {
    let mut times = Vec::with_capacity(REQUESTS);
    for n in 0..REQUESTS {
        let path = [
            "GET /",
            "GET /api/v1/lab",
            "GET /api/v1/devices",
            "GET /api/v1/recent?window_ms=60000&max_points=100",
        ][n % 4];
        let begin = Instant::now();
        let answer = ask(web, from, path, headers, "").await;
        let status = answer.as_ref().map(|answer| answer.status);
        assert!(matches!(status, Ok(200)), "{path} from 127.0.0.{from}, request {n}: {answer:?}");
        times.push(begin.elapsed());
    }
    times.sort();
    let p99 = times[REQUESTS * 99 / 100 - 1];
    println!(
        "from 127.0.0.{from}: median {:?}, p99 {p99:?}, longest {:?}",
        times[REQUESTS / 2],
        times[REQUESTS - 1]
    );
    assert!(p99 < Duration::from_secs(1), "p99 {p99:?}");
}
