//! What is shown to people.

use super::lines;
use super::*;

/// A home whose name is all that a name can be.
const HOSTILE: &str = "<script>alert('1')</script>/\"&%00 ü";

fn query(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What a form of the page holds, by name.
fn field(page: &str, name: &str) -> String {
    let from = page.find(&format!("name=\"{name}\" value=\"")).unwrap();
    let rest = &page[from..];
    rest.split('"').nth(3).unwrap().to_owned()
}

async fn shown() -> Live {
    let live = Live::local().await;
    for home in ["h-1", HOSTILE] {
        live.tell(&lines::all(home)).await;
    }
    for home in ["h-1", HOSTILE] {
        let door = [
            ("2025-01-03T09:00:00+01:00", "Door:open"),
            ("2025-01-03T09:01:00+01:00", "Door:<b>"),
        ];
        live.tell(&[lines::segment(6, 1, home, &door)]).await;
    }
    live
}

#[tokio::test]
async fn a_name_is_harmless_wherever_it_stands() {
    let live = shown().await;
    let name = query(HOSTILE);
    for path in [
        "/".to_owned(),
        "/alarms".to_owned(),
        format!("/?q={name}"),
        format!("/home?name={name}"),
        format!("/home?name={name}&day=2025-01-03&said=shift"),
        format!("/alarm?home={name}&alarm=2025-01-03T09%3A00%3A00%2B01%3A00"),
    ] {
        let response = live.get(&path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let policy = response.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{policy}"
        );
        let page = response.text().await.unwrap();
        assert_eq!(page.matches("<script").count(), 1, "{path}: the page's own");
        assert!(
            !page.contains("alert('1')</script>") && !page.contains("<b>"),
            "{path}"
        );
        assert!(
            !page.contains("http://") || path == "/",
            "{path}: nothing from elsewhere"
        );
        for link in page
            .split("href=\"")
            .skip(1)
            .map(|it| it.split('"').next().unwrap())
        {
            assert!(
                link.starts_with(['/', '#']) || link == "data:,",
                "{path}: {link}"
            );
        }
    }
    for path in [
        "/home?name=nobody",
        "/alarm?home=h-1&alarm=x",
        "/nothing",
        "/alarm?home=h-1&alarm=2025-01-09T09%3A00%3A00Z",
    ] {
        let response = live.get(path).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
        assert!(response.text().await.unwrap().contains("<h1>"));
    }
    live.end().await;
}

#[tokio::test]
async fn the_page_of_a_home_shows_its_day_graph_and_shifts() {
    let live = shown().await;
    let page = live.text("/home?name=h-1").await;
    for part in [
        "Friday 3 January 2025",
        "4 behaviours in 2 segments, 1 alarm",
        "07:00 Lamp:on; expected (50 %)",
        "07:05 Lamp:off; likelier was Lamp:on (50 %)",
        "Lamp:on → Lamp:off: 1",
        "winter → summer",
        "1 sequence imagined",
        "counts for the new context",
        "A shift that nobody declared",
        "came for the first time",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let empty = Live::local().await;
    assert!(
        empty
            .text("/")
            .await
            .contains("No home has been heard of yet")
    );
    empty.end().await;
    live.end().await;
}

#[tokio::test]
async fn what_happens_is_shown_before_its_segment_is_closed() {
    let live = Live::local().await;
    let lamp = [
        ("2025-01-03T07:00:00+01:00", "Lamp:on"),
        ("2025-01-03T07:05:00+01:00", "Lamp:off"),
    ];
    let open = lamp.map(|(time, action)| lines::open(1, "h-1", time, action));
    live.tell(&open).await;
    assert!(live.text("/").await.contains("Last heard of"));
    let page = live.text("/home?name=h-1").await;
    for part in [
        "2 behaviours in 1 segment",
        "07:05 Lamp:off; likelier was Lamp:on (50 %)",
        "Fri 3 Jan 2025, 07:05",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let alarm = lines::alarm(1, 1, "h-1", lamp[0].0, "never so early");
    live.tell(&[alarm]).await;
    let of_alarm = format!("/alarm?home=h-1&alarm={}", query(lamp[0].0));
    assert!(live.text(&of_alarm).await.contains("Lamp:off"));
    // Once it is closed, it counts once.
    live.tell(&[
        lines::segment(2, 1, "h-1", &lamp),
        lines::score(2, "h-1", lamp[1].0, lamp[1].1),
        lines::open(2, "h-1", "2025-01-04T07:00:00+01:00", "Lamp:on"),
    ])
    .await;
    let page = live.text("/home?name=h-1&day=2025-01-03").await;
    assert!(page.contains("2 behaviours in 1 segment"));
    let page = live.text("/home?name=h-1").await;
    assert!(page.contains("Saturday 4 January 2025") && page.contains("1 behaviour in 1 segment"));
    // What is erased is not shown.
    live.tell(&[lines::erasure(3, "h-1", Some("Lamp"))]).await;
    let page = live.text("/home?name=h-1").await;
    assert!(!page.contains("Saturday 4 January 2025"));
    live.end().await;
}

#[tokio::test]
async fn what_is_said_on_the_page_is_a_line_of_the_inbox() {
    let live = shown().await;
    let page = live
        .text("/alarm?home=h-1&alarm=2025-01-03T09%3A00%3A00%2B01%3A00")
        .await;
    let form = field(&page, "form");
    let post = |path: &str, body: String| {
        let request = live.post(path, body);
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .send()
    };
    let alarm = query("2025-01-03T09:00:00+01:00");
    for (path, body, line) in [
        (
            "/said/fine",
            format!("form={form}&home=h-1&alarm={alarm}"),
            r#"{"home":"h-1","alarm":"2025-01-03T09:00:00+01:00","fine":true}"#,
        ),
        (
            "/said/erase",
            format!(
                "form={form}&home=h-1&from={alarm}&to={}&device=&sure=yes",
                query(&field(&page, "to"))
            ),
            r#"{"home":"h-1","erase":{"from":"2025-01-03T09:00:00+01:00","to":"2025-01-03T09:00:00.000001+01:00"}}"#,
        ),
        (
            "/said/shift",
            format!("form={form}&home=h-1&from=Winter&to=summer&time=2025-01-04T08%3A00"),
            r#"{"home":"h-1","time":"2025-01-04T08:00:00+01:00","kind":"season","from":"winter","to":"summer"}"#,
        ),
        (
            "/said/shift",
            format!(
                "form={form}&home=h-1&from=alone&to=Grandma+lives+with+us&time=2025-01-04T08%3A00"
            ),
            r#"{"home":"h-1","time":"2025-01-04T08:00:00+01:00","kind":"text","from":"alone","to":"Grandma lives with us"}"#,
        ),
        (
            "/said/mode",
            format!("form={form}&home=h-1&mode=guests&time=2025-01-04T08%3A00"),
            r#"{"home":"h-1","time":"2025-01-04T08:00:00+01:00","mode":"guests"}"#,
        ),
    ] {
        let response = post(path, body).await.unwrap();
        assert_eq!(response.status(), 303, "{path}");
        let back = response.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(live.inbox().last().map(String::as_str), Some(line));
        assert!(
            live.text(&back).await.contains("role=\"status\">"),
            "{back}"
        );
    }
    let said = live.inbox().len();
    for (path, body, status) in [
        (
            "/said/fine",
            format!("form=guess&home=h-1&alarm={alarm}"),
            403,
        ),
        ("/said/fine", format!("home=h-1&alarm={alarm}"), 403),
        ("/said/erase", format!("form={form}&home=h-1"), 422),
        ("/said/erase", format!("form={form}&home=*&sure=yes"), 422),
        (
            "/said/shift",
            format!("form={form}&home=*&from=winter&to=summer&time=2025-01-04T08%3A00"),
            422,
        ),
        (
            "/said/shift",
            format!("form={form}&home=h-1&from=a&to=a&time=2025-01-04T08%3A00"),
            422,
        ),
        (
            "/said/shift",
            format!("form={form}&home=h-1&from=a&to=b&time=soon"),
            422,
        ),
        ("/said/mode", format!("form={form}&home=h-1&mode=away"), 422),
        (
            "/said/mode",
            format!("form={form}&home=h-1&mode=asleep&time=2025-01-04T08%3A00"),
            422,
        ),
        (
            "/said/mode",
            format!("form={form}&home=*&mode=away&time=2025-01-04T08%3A00"),
            422,
        ),
    ] {
        let body_shown = body.clone();
        assert_eq!(
            post(path, body).await.unwrap().status(),
            status,
            "{path} {body_shown}"
        );
    }
    assert_eq!(live.inbox().len(), said);
    live.end().await;
}

#[tokio::test]
async fn a_browser_shows_the_token_once() {
    let live = Live::guarded().await;
    let response = live
        .get("/")
        .header("accept", "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            response.status().as_u16(),
            response.headers()["location"].to_str().unwrap()
        ),
        (303, "/login")
    );
    let page = live.text("/login").await;
    assert!(
        page.contains("type=\"password\"") && !page.contains("<script"),
        "{page}"
    );
    let login = |token: &str| {
        let request = live.post("/login", format!("token={token}"));
        request
            .header("content-type", "application/x-www-form-urlencoded")
            .send()
    };
    assert_eq!(login("wrong").await.unwrap().status(), 401);
    let response = login(TOKEN).await.unwrap();
    assert_eq!(response.status(), 303);
    let cookie = response.headers()["set-cookie"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap();
    assert!(!cookie.contains(TOKEN));
    let response = live.get("/").header("cookie", cookie).send().await.unwrap();
    assert_eq!(response.status(), 200);
    live.end().await;
}

/// Serves an output folder for somebody who wants to look: `HEARTH_PAGE=DIR`, for `HEARTH_PAGE_SECONDS`.
#[tokio::test]
async fn a_folder_is_served_for_looking() {
    let Ok(folder) = std::env::var("HEARTH_PAGE") else {
        return;
    };
    let copy = tempfile::tempdir().unwrap();
    for stream in Stream::ALL {
        let _ = std::fs::copy(stream.found(folder.as_ref()), stream.path(copy.path()));
    }
    let live = Live::with(Access::local(), Limits::default(), copy).await;
    live.desk.gauges.catch_up(true);
    println!("http://{}/", live.address);
    let seconds = std::env::var("HEARTH_PAGE_SECONDS")
        .ok()
        .and_then(|it| it.parse().ok());
    tokio::time::sleep(Duration::from_secs(seconds.unwrap_or(600))).await;
    live.end().await;
}
