//! What is shown to programs.

use futures_util::StreamExt;
use hearth_operators::words::HomeId;
use serde_json::json;

use super::super::api::differs;
use super::lines;
use super::*;

const HOSTILE: &str = "<script>alert('1')</script>/\"&%00 ü";

fn path_of(home: &str) -> String {
    let encoded: String = home.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("/api/homes/{encoded}")
}

#[tokio::test]
async fn answers_are_as_the_description_says_whatever_a_home_is_called() {
    let live = Live::local().await;
    for home in ["h-1", HOSTILE] {
        live.tell(&lines::all(home)).await;
    }
    for home in ["h-1", HOSTILE] {
        let path = path_of(home);
        for (rest, schema) in [
            ("", "Home"),
            ("/segments", "Segments"),
            ("/graph", "Graph"),
            ("/alarms", "HomeAlarms"),
            ("/predictions?limit=1", "Predictions"),
            ("/versions", "Versions"),
        ] {
            let answer = live.json(&format!("{path}{rest}")).await;
            assert_eq!(answer["home"], home);
            assert_eq!(differs(schema, &answer), None, "{rest}: {answer}");
        }
        let versions = live.json(&format!("{path}/versions")).await;
        let shift = &versions["shifts"][0];
        assert_eq!(
            versions["versions"],
            json!({ "detector": 0, "predictor": 1 })
        );
        assert_eq!(
            (
                &shift["retained"],
                &shift["before"]["hours"][2],
                &shift["synthetic"]["hours"][3]
            ),
            (&json!(1), &json!(1), &json!(1))
        );
        assert_eq!(
            shift["after"],
            json!({ "behaviors": 2, "hours": [0, 0, 2, 0, 0, 0, 0, 0], "devices": { "Lamp": 2 } })
        );
        let predictions = live.json(&format!("{path}/predictions")).await;
        assert_eq!(
            predictions["predictions"][0]["action"], "Lamp:off",
            "the newest first"
        );
    }
    for (path, schema, key) in [
        ("/api/summary", "Summary", ""),
        ("/api/homes", "Homes", "homes"),
        ("/api/alarms", "Alarms", "alarms"),
        ("/api/requests", "Requests", "requests"),
    ] {
        let answer = live.json(path).await;
        assert_eq!(differs(schema, &answer), None, "{path}: {answer}");
        assert!(
            key.is_empty() || answer[key].as_array().unwrap().len() == 2,
            "{path}: {answer}"
        );
    }
    assert_eq!(
        live.get("/api/homes/nobody/graph")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );
    let document = live.json("/api/openapi.json").await;
    assert_eq!(document["paths"].as_object().unwrap().len(), 18);
    live.end().await;
}

#[tokio::test]
async fn homes_are_listed_in_pages() {
    let live = Live::local().await;
    let told: Vec<_> = (0..25)
        .map(|n| {
            lines::segment(
                1,
                1,
                &format!("h-{n:02}"),
                &[("2025-01-03T07:00:00+01:00", "Lamp:on")],
            )
        })
        .collect();
    live.tell(&told).await;
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = live
            .json(&format!("/api/homes?limit=10&after={after}"))
            .await;
        seen.extend(
            page["homes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["home"].as_str().unwrap().to_owned()),
        );
        match page["after"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(
        seen,
        (0..25).map(|n| format!("h-{n:02}")).collect::<Vec<_>>()
    );
    assert_eq!(
        live.json("/api/homes?q=-07").await["homes"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    live.end().await;
}

#[tokio::test]
async fn what_is_asked_wrongly_is_refused_as_json() {
    let live = Live::local().await;
    for path in ["/api/homes?limit=x", "/api/homes/h/graph?limit=-1"] {
        let answer = live.get(path).send().await.unwrap();
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let answer = answer.bytes().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains("limit"), "{error}");
    }
    live.end().await;
}

/// Events of a stream until so many have an id.
async fn events(request: RequestBuilder, count: usize) -> Vec<(String, String, Value)> {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.bytes_stream();
    let (mut text, mut events) = (String::new(), Vec::new());
    while events.len() < count {
        let piece = tokio::time::timeout(Duration::from_secs(5), body.next())
            .await
            .unwrap();
        text.push_str(std::str::from_utf8(&piece.unwrap().unwrap()).unwrap());
        events.clear();
        let told = text.split("\n\n").filter(|block| block.contains("data:"));
        for block in told.filter(|block| !block.contains("event: begin")) {
            let field = |name: &str| {
                let found = block.lines().find_map(|line| line.strip_prefix(name));
                found.unwrap_or_default().trim().to_owned()
            };
            let data = serde_json::from_str(&field("data:")).unwrap_or_default();
            events.push((field("id:"), field("event:"), data));
        }
    }
    events
}

#[tokio::test]
async fn who_comes_back_to_the_stream_misses_nothing() {
    let live = Live::local().await;
    let alarm = |epoch, diff, n: u32| {
        lines::alarm(
            epoch,
            diff,
            "h",
            &format!("2025-01-{n:02}T09:00:00+01:00"),
            "odd",
        )
    };
    let listens = tokio::spawn(events(live.get("/api/alarms/stream"), 2));
    while !live
        .text("/metrics")
        .await
        .contains("hearth_http_alarm_streams 1")
    {}
    live.tell(&[alarm(1, 1, 1), alarm(2, 1, 2)]).await;
    let first = listens.await.unwrap();
    assert_eq!(first[1].2["alarm"], "2025-01-02T09:00:00+01:00");
    live.tell(&[alarm(3, 1, 3), alarm(4, -1, 1)]).await;
    let request = live
        .get("/api/alarms/stream")
        .header("last-event-id", &first[0].0);
    let then = events(request, 3).await;
    assert_eq!(then[..1], first[1..], "the same id, too");
    assert_eq!(
        (then[1].1.as_str(), then[2].1.as_str()),
        ("alarm", "withdrawn")
    );
    assert!(
        then[2].2.get("reasons").is_none(),
        "what was withdrawn may have been erased"
    );
    // Behind a restart the epoch is told again that the client saw last.
    let elsewhere = format!("1-77-{}", 3);
    let request = live
        .get("/api/alarms/stream")
        .header("last-event-id", elsewhere);
    assert_eq!(events(request, 2).await, then[1..]);
    assert_eq!(
        live.json("/api/alarms").await["alarms"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    live.end().await;
}

#[tokio::test]
async fn what_is_erased_is_shown_no_more() {
    let live = Live::local().await;
    live.tell(&lines::all("h")).await;
    live.tell(&lines::all("other")).await;
    live.tell(&[lines::erasure(6, "h", Some("Lamp"))]).await;
    assert_eq!(
        live.json("/api/homes/h/predictions").await["predictions"],
        json!([])
    );
    let mut gone = lines::all("h");
    for (_, epoch, line) in &mut gone {
        *line = line.replace("\"diff\":1", "\"diff\":-1");
        *epoch = 7;
    }
    gone.retain(|(_, _, line)| line.contains("\"diff\":-1"));
    gone.insert(1, lines::erasure(7, "h", None));
    live.tell(&gone).await;
    assert_eq!(live.get("/api/homes/h").send().await.unwrap().status(), 404);
    for path in ["/api/alarms", "/api/requests", "/api/homes"] {
        let answer = live.json(path).await.to_string();
        assert!(
            !answer.contains("\"h\"") && answer.contains("\"other\""),
            "{path}: {answer}"
        );
    }
    live.end().await;
}

#[tokio::test]
async fn what_is_in_the_folder_is_there_again_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let lines = lines::all("h");
    for stream in Stream::ALL {
        let of = lines.iter().filter(|(of, ..)| *of == stream);
        let text: String = of.map(|(_, _, line)| format!("{line}\n")).collect();
        std::fs::write(stream.path(folder.path()), text).unwrap();
    }
    let live = Live::with(Access::local(), Limits::default(), folder).await;
    while live.json("/api/summary").await["lines"] != lines.len() {}
    // The writer was at work on the epoch while its file was read.
    live.tell(&[lines::transition(2, 1, "h", "Lamp:on", "Lamp:off")])
        .await;
    let graph = live.json("/api/homes/h/graph").await;
    assert_eq!(
        graph["transitions"],
        json!([{ "from": "Lamp:on", "to": "Lamp:off", "count": 2 }])
    );
    let versions = live.json("/api/homes/h/versions").await;
    assert_eq!(versions["shifts"][0]["after"]["behaviors"], 2);
    live.end().await;
}

#[tokio::test]
async fn a_run_that_goes_on_from_before_is_followed() {
    let live = Live::local().await;
    live.tell(&lines::all("h")).await;
    let before = lines::transition(1, 1, "h", "Lamp:on", "Lamp:off");
    std::fs::write(
        Stream::Transitions.path(live.folder.path()),
        before.2 + "\n",
    )
    .unwrap();
    // Epochs behind the first come again, otherwise than before.
    live.desk.feed.tell(Told {
        stream: Stream::Alarms,
        epoch: 1,
        line: lines::alarm(1, 1, "h", "2025-01-03T11:00:00+01:00", "odd")
            .2
            .into(),
    });
    while !live.text("/api/alarms").await.contains("T11:00:00") {}
    let count =
        async |path: &str, key: &str| live.json(path).await[key].as_array().map_or(0, Vec::len);
    assert_eq!(count("/api/homes/h/alarms", "alarms").await, 1);
    assert_eq!(count("/api/homes/h/segments", "segments").await, 0);
    assert_eq!(count("/api/homes/h/graph", "transitions").await, 1);
    live.end().await;
}

/// Whoever asks for a home's model asks the dataflow, here one that knows one home.
#[tokio::test]
async fn a_model_is_what_the_dataflow_says() {
    let live = Live::local().await;
    let queries = live.desk.inbox.durable().queries().clone();
    let dataflow = tokio::spawn(async move {
        loop {
            for query in queries.take(|home| (home == HOSTILE).then_some(HomeId(0))) {
                queries.tell(query.number, Some(lines::model(HOSTILE)));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let path = format!("{}/model", path_of(HOSTILE));
    let answer = live.json(&path).await;
    assert_eq!(answer["home"], HOSTILE);
    assert_eq!(differs("Model", &answer), None, "{answer}");
    assert_eq!(answer["actions"][0]["hours"][7], 2);
    let page = live
        .text(&format!(
            "/learnt?name={}",
            &path_of(HOSTILE)["/api/homes/".len()..]
        ))
        .await;
    assert_eq!(page.matches("<script").count(), 1, "the page's own");
    assert!(
        page.contains("Lamp:on") && page.contains("most at 7 h"),
        "{page}"
    );
    for path in ["/api/homes/nobody/model", "/learnt?name=nobody"] {
        assert_eq!(live.get(path).send().await.unwrap().status(), 404, "{path}");
    }
    dataflow.abort();
    live.end().await;
}

/// Whoever wishes for workers is told once there are so many.
#[tokio::test]
async fn a_wish_for_workers_is_passed_on() {
    let live = Live::local().await;
    let crew = live.desk.crew.clone();
    let run = tokio::spawn(async move {
        loop {
            if let Some(workers) = crew.wished() {
                crew.are(workers, Duration::from_millis(7));
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let answer = json(
        live.post("/workers", "{\"workers\":3}")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(answer, json!({ "workers": 3, "stood_ms": 7.0 }));
    assert_eq!(differs("Rescaled", &answer), None);
    assert_eq!(live.json("/api/summary").await["workers"], 3);
    for senseless in ["{\"workers\":0}", "{\"workers\":4096}", "3", ""] {
        let refused = live.post("/workers", senseless).send().await.unwrap();
        assert_eq!(refused.status(), 400, "{senseless}");
    }
    run.abort();
    live.end().await;
}
