//! Those who mean harm, and those whose programs are broken.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use rand::{Rng, SeedableRng};

use super::*;

fn limits() -> Limits {
    Limits {
        headers: Duration::from_millis(300),
        piece: Duration::from_millis(300),
        body: 1 << 20,
        unpacked: 4 << 20,
        ..Limits::default()
    }
}

async fn limited() -> Live {
    Live::with(Access::local(), limits(), tempfile::tempdir().unwrap()).await
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let live = limited().await;
    let zeros = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![0_u8; 64 << 10]));
    let began = Instant::now();
    let response = live
        .post("/events", reqwest::Body::wrap_stream(zeros))
        .send()
        .await;
    // The answer may be lost where the client is still sending; the end is not.
    if let Ok(response) = response {
        assert_eq!(response.status(), 413);
        let answer = json(response).await;
        assert_eq!(answer["accepted"], 0, "{answer}");
    }
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(live.inbox().len(), 0);
    live.end().await;
}

#[tokio::test]
async fn a_small_body_that_unpacks_to_much_is_cut_off() {
    let live = limited().await;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..1_000 {
        packed.write_all(&[b'\n'; 64 << 10]).unwrap();
    }
    let bomb = packed.finish().unwrap();
    assert!(bomb.len() < 1 << 18);
    let response = live
        .post("/events", bomb)
        .header("content-encoding", "gzip")
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    for (encoding, body, status) in [("gzip", "no gzip", 400), ("br", "", 415), ("gzip", "", 400)] {
        let request = live
            .post("/events", body)
            .header("content-encoding", encoding);
        assert_eq!(
            request.send().await.unwrap().status(),
            status,
            "{encoding} {body}"
        );
    }
    live.end().await;
}

#[tokio::test]
async fn who_is_slow_is_left() {
    let live = limited().await;
    let address = live.address;
    let slow = |head: &'static str| {
        tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            stream.write_all(head.as_bytes()).unwrap();
            let began = Instant::now();
            let mut answer = Vec::new();
            // A byte now and then keeps nobody.
            let mut more = stream.try_clone().unwrap();
            std::thread::spawn(move || {
                while more.write_all(b"x").is_ok() {
                    std::thread::sleep(Duration::from_millis(50));
                }
            });
            let _ = stream.read_to_end(&mut answer);
            (
                began.elapsed(),
                String::from_utf8_lossy(&answer).into_owned(),
            )
        })
    };
    let headers = slow("GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
    let body = slow("POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n");
    let (took, _) = headers.await.unwrap();
    assert!(took < Duration::from_secs(5), "headers: {took:?}");
    let (took, answer) = body.await.unwrap();
    assert!(took < Duration::from_secs(5), "body: {took:?}");
    assert!(answer.contains(" 408 "), "{answer}");
    live.end().await;
}

#[tokio::test]
async fn a_token_is_not_found_by_guessing() {
    let live = Live::guarded().await;
    let ask = |token: String| live.get("/api/summary").bearer_auth(token).send();
    assert_eq!(live.get("/api/summary").send().await.unwrap().status(), 401);
    assert_eq!(live.get("/metrics").send().await.unwrap().status(), 401);
    assert_eq!(live.post("/events", "").send().await.unwrap().status(), 401);
    assert_eq!(live.get("/livez").send().await.unwrap().status(), 200);
    assert_eq!(ask(TOKEN.into()).await.unwrap().status(), 200);
    for n in 0..10 {
        assert_eq!(ask(format!("{TOKEN}{n}")).await.unwrap().status(), 401);
    }
    // From now on nothing that this address shows is looked at: not even the right one, or it could go on.
    assert_eq!(ask("another".into()).await.unwrap().status(), 429);
    assert_eq!(ask(TOKEN.into()).await.unwrap().status(), 429);
    assert_eq!(live.get("/livez").send().await.unwrap().status(), 200);
    live.end().await;
}

#[tokio::test]
async fn pages_from_elsewhere_change_nothing_and_read_nothing() {
    let live = Live::local().await;
    let line = r#"{"home":"h","erase":{}}"#;
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("host", "evil.example"),
    ] {
        let response = live
            .post("/erasures", line)
            .header(name, value)
            .send()
            .await
            .unwrap();
        assert!(
            [403, 421].contains(&response.status().as_u16()),
            "{name}: {value}"
        );
    }
    assert_eq!(live.inbox().len(), 0);
    let rebound = live
        .get("/api/homes")
        .header("host", "evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(rebound.status(), 421);
    let response = live
        .get("/api/homes")
        .header("origin", "http://evil.example")
        .send()
        .await
        .unwrap();
    assert!(
        response
            .headers()
            .get("access-control-allow-origin")
            .is_none()
    );
    assert_eq!(
        response.headers()["cross-origin-resource-policy"],
        "same-origin"
    );
    let own = format!("http://{}", live.address);
    let response = live
        .post("/erasures", line)
        .header("origin", own)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    live.end().await;
}

/// Bodies of every kind with bytes changed, cut and repeated; `HEARTH_FUZZ` seconds of them.
#[tokio::test]
async fn whatever_is_sent_is_answered() {
    let live = Live::local().await;
    let seeds = [
        r#"{"home":"h","time":"2025-01-01T08:00:00+01:00","device":"Lamp","action":"on","id":"1"}"#,
        r#"{"home":"h","time":"2025-06-01T00:00:00+02:00","kind":"season","from":"winter","to":"summer"}"#,
        r#"{"home":"h","alarm":"2025-01-03T09:00:00+01:00","fine":true}"#,
        r#"{"home":"<script>","erase":{"from":"2025-01-01T00:00:00+01:00","device":"Lamp"}}"#,
    ];
    let seconds: u64 = std::env::var("HEARTH_FUZZ")
        .ok()
        .and_then(|it| it.parse().ok())
        .unwrap_or(0);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let (mut sent, mut accepted) = (0, 0);
    while sent < 150 || Instant::now() < until {
        let mut body: Vec<u8> = Vec::new();
        for _ in 0..random.random_range(1..6) {
            body.extend_from_slice(seeds[random.random_range(0..seeds.len())].as_bytes());
            body.push(b'\n');
        }
        for _ in 0..random.random_range(0..8) {
            let at = random.random_range(0..body.len());
            match random.random_range(0..4) {
                0 => body[at] = random.random(),
                1 => body.truncate(at + 1),
                2 => body.insert(at, b"\"{}[],:\\\n\0\xff"[random.random_range(0..11)]),
                _ => body.extend_from_within(at..),
            }
        }
        let path = super::super::intake::PATHS[sent % 4];
        let mut request = live.post(path, body);
        if random.random_ratio(1, 8) {
            request = request.header("content-encoding", "gzip");
        }
        let response = request.send().await.unwrap();
        assert!(
            [200, 400].contains(&response.status().as_u16()),
            "{path}: {}",
            response.status()
        );
        accepted += json(response).await["accepted"].as_u64().unwrap();
        sent += 1;
    }
    assert!(accepted > 0);
    // What is in the inbox is nothing but lines of the four kinds.
    let inbox = live.inbox();
    assert_eq!(inbox.len() as u64, accepted);
    for line in inbox {
        assert!(
            line.starts_with("{\"home\":") && serde_json::from_str::<Value>(&line).is_ok(),
            "{line}"
        );
    }
    live.end().await;
}

#[tokio::test]
async fn nonsense_for_heads_and_paths_is_answered_or_left() {
    let live = Live::local().await;
    let address = live.address;
    for head in [
        "\0\0\0\0".to_owned(),
        "GET".to_owned() + &"/".repeat(100_000),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\n{}\r\n\r\n", "A: b\r\n".repeat(10_000)),
        "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(),
        "GET /api/homes/%00%ff/graph HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(),
        "GET /api/homes?limit=-1 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(),
        "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n".to_owned(),
        "POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_owned(),
    ] {
        let answer = tokio::task::spawn_blocking(move || {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            String::from_utf8_lossy(&answer).into_owned()
        });
        let answer = answer.await.unwrap();
        assert!(!answer.starts_with("HTTP/1.1 200") && !answer.contains("root:"), "{answer}");
    }
    assert_eq!(live.get("/livez").send().await.unwrap().status(), 200);
    live.end().await;
}
