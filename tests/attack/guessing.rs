//! Guessing the token.

#![allow(clippy::print_stdout, reason = "figures for whoever runs it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::honest::uses_the_page;
use crate::visitor::{OWN_COMPUTER, ask, log_in};
use crate::{guarded, memory_mb, raise_open_files};

#[tokio::test(flavor = "multi_thread")]
async fn one_request_is_one_guess() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = guarded(folder.path());
    let port = lab.web.rsplit_once(':').expect("a port").1;
    let bearers: String = (0..50).map(|n| format!("Authorization: Bearer geheim-{n}\r\n")).collect();
    let cookies: String = (0..500).map(|n| format!("mqtt_lab_login_{port}={n}; ")).collect();
    for headers in [
        bearers,
        format!("Cookie: {cookies}\r\n"),
        format!("Authorization: Bearer geheim-7\r\nCookie: mqtt_lab_login_{port}=1\r\n"),
    ] {
        let answer = ask(&lab.web, 2, "GET /api/v1/lab", &headers, "").await.expect("an answer");
        assert_eq!(answer.status, 400, "{}", answer.head);
    }
    for query in ["token=geheim-7", "access_token=geheim-7"] {
        let line = format!("GET /api/v1/lab?{query}");
        assert_eq!(ask(&lab.web, 2, &line, "", "").await.expect("an answer").status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_from_many_connections_and_addresses_is_slow_and_holds_nobody_up() {
    raise_open_files();
    let folder = tempfile::tempdir().expect("a folder");
    let mut lab = guarded(folder.path());
    let (web, judged, stop) =
        (lab.web.clone(), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    // The neighbour of the attacker, behind the same address, is logged in already.
    let neighbour = log_in(&web, 2).await;
    let begin = Instant::now();
    let attackers = (0..60_u8).map(|n| {
        let (web, judged, stop) = (web.clone(), Arc::clone(&judged), Arc::clone(&stop));
        // Half of them from one address.
        let from = if n % 2 == 0 { 2 } else { 2 + n };
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let answer = match n % 4 {
                    0 | 1 => ask(&web, from, "POST /api/v1/login", "", r#"{"token":"falsch"}"#).await,
                    _ => ask(&web, from, "GET /api/v1/lab", "Authorization: Bearer falsch\r\n", "").await,
                };
                match answer.map(|answer| answer.status) {
                    Ok(401) => drop(judged.fetch_add(1, Ordering::Relaxed)),
                    Ok(429) | Err(_) => {}
                    Ok(other) => panic!("{other}"),
                }
            }
        })
    });
    let attackers: Vec<_> = attackers.collect();
    let own = log_in(&web, OWN_COMPUTER).await;
    tokio::join!(uses_the_page(&web, 2, &neighbour), uses_the_page(&web, OWN_COMPUTER, &own));
    // Whoever has the token gets in, at another address at once.
    log_in(&web, 251).await;
    stop.store(true, Ordering::Relaxed);
    let (judged, seconds) = (judged.load(Ordering::Relaxed), begin.elapsed().as_secs_f64());
    for attacker in attackers {
        attacker.await.expect("it guesses");
    }
    println!("{judged} guesses judged in {seconds:.1} s");
    // The first few of each address are quick; all of them together never faster than 50 in a second.
    assert!(judged as f64 <= 60.0 + 50.0 * seconds, "{judged} in {seconds} s");
    assert!(memory_mb(&lab) < 200, "{} MB", memory_mb(&lab));
    tokio::task::block_in_place(|| lab.until("wrong tokens since"));
    let logged = lab.output.iter().filter(|line| line.contains("wrong tokens since")).count();
    assert!(logged as u64 <= 1 + begin.elapsed().as_secs() / 60, "{logged} lines");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_gets_a_handful_of_guesses_in_ten_seconds() {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = guarded(folder.path());
    let begin = Instant::now();
    let guesses = (0..40).map(|_| {
        let web = lab.web.clone();
        tokio::spawn(async move { ask(&web, 2, "POST /api/v1/login", "", r#"{"token":"falsch"}"#).await })
    });
    let mut judged = 0;
    for guess in guesses.collect::<Vec<_>>() {
        judged += usize::from(guess.await.expect("it guesses").is_ok_and(|answer| answer.status == 401));
    }
    assert!(judged < 12, "{judged} in {:?}", begin.elapsed());
    let refused = ask(&lab.web, 2, "POST /api/v1/login", "", r#"{"token":"falsch"}"#);
    let waited = Instant::now();
    assert!(refused.await.is_ok_and(|answer| answer.status == 401 || answer.status == 429));
    assert!(waited.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_labs_on_one_computer_do_not_take_each_others_cookies() {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let labs = folders.each_ref().map(|folder| guarded(folder.path()));
    let cookies = [log_in(&labs[0].web, 1).await, log_in(&labs[1].web, 1).await];
    assert!(!cookies[0].contains("geheim") && cookies[0].split('=').next() != cookies[1].split('=').next());
    // A browser sends both cookies to both ports.
    let both = format!("{}; {}", cookies[0].trim_end(), cookies[1].trim_start_matches("Cookie: "));
    for (lab, other) in [(&labs[0], &cookies[1]), (&labs[1], &cookies[0])] {
        assert_eq!(ask(&lab.web, 1, "GET /api/v1/lab", &both, "").await.expect("an answer").status, 200);
        assert_eq!(ask(&lab.web, 1, "GET /api/v1/lab", other, "").await.expect("an answer").status, 401);
    }
    assert_eq!(ask(&labs[0].web, 1, "POST /api/v1/logout", &both, "").await.expect("an answer").status, 204);
    assert_eq!(ask(&labs[0].web, 1, "GET /api/v1/lab", &both, "").await.expect("an answer").status, 401);
    assert_eq!(ask(&labs[1].web, 1, "GET /api/v1/lab", &both, "").await.expect("an answer").status, 200);
}
