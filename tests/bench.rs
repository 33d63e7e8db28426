//! The measurements say what they measured, in the documented form. How quick anything is, is not tested here.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

fn bench(dir: &Path, arguments: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.current_dir(dir).arg("bench");
    command.args(arguments.split_whitespace()).output().unwrap()
}

fn fine(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(dir: &Path, file: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(dir.join(file)).unwrap()).unwrap()
}

#[test]
fn throughput_runs_every_input_and_insists_on_equal_outputs() {
    let dir = tempfile::tempdir().unwrap();
    let options = "--events 3k --homes 20 --input binary,jsonl,csv,parquet --workers 1,2 --late 0,0.1 --runs 2 --epoch-events 500";
    let options = format!("throughput {options} --json bench.json --svg bench.svg");
    let table = fine(&bench(dir.path(), &options));
    assert!(
        table.contains("hearth, 10 % late") && table.contains("plain loop"),
        "{table}"
    );
    let report = json(dir.path(), "bench.json");
    assert!(report["machine"]["cores"].as_u64() > Some(0));
    for package in ["hearth", "timely", "differential-dataflow"] {
        let version = report["versions"][package].as_str().unwrap();
        assert!(
            version.starts_with(|c: char| c.is_ascii_digit()),
            "{package} {version}"
        );
    }
    let runs = report["runs"].as_array().unwrap();
    // Four inputs, in order and late; twice the plain loop and Hearth with one and two workers; in order also the loop without
    // counts.
    assert_eq!(runs.len(), 2 * (4 * 2 * 3 + 4));
    for run in runs {
        let keys: Vec<&str> = run
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut expected = [
            "what",
            "input",
            "workers",
            "homes",
            "events",
            "cpu_seconds",
            "wall_seconds",
            "peak_rss_bytes",
            "segments",
            "transitions",
        ];
        expected.sort_unstable();
        let mut keys = keys;
        keys.sort_unstable();
        assert_eq!(keys, expected);
        assert_eq!((&run["events"], &run["homes"]), (&3000.into(), &20.into()));
        let held = |of: &str| run[of].as_i64().unwrap();
        assert_eq!(held("segments") + held("transitions"), 3000);
    }
    // CPU of each Hearth against its plain loop and wall time of one against two workers; in order also against the loop without
    // counts, and that against the plain one.
    assert_eq!(
        report["ratios"].as_object().unwrap().len(),
        4 * 2 * 3 + 4 * 3
    );
    let drawn = std::fs::read_to_string(dir.path().join("bench.svg")).unwrap();
    // A bar for each line of the table, and nothing that refers to another file.
    assert_eq!(drawn.matches("<rect").count(), 4 * 2 * 3 + 4);
    assert!(
        drawn.starts_with("<svg") && !drawn.contains("href"),
        "{drawn}"
    );
}

#[test]
fn a_log_of_ones_own_is_measured_and_outputs_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let event = |n: u32| {
        let (day, minute, home) = (1 + n / 60, n % 60, n % 3);
        format!("h{home},2024-01-{day:02}T10:{minute:02}:00Z,Light,on\n")
    };
    let log: String = (0..600).map(event).collect();
    std::fs::write(
        dir.path().join("log.csv"),
        format!("home,time,device,action\n{log}"),
    )
    .unwrap();
    let table = fine(&bench(
        dir.path(),
        "throughput log.csv --runs 1 --write --dir kept",
    ));
    assert!(table.contains("hearth, written"), "{table}");
    let segments = std::fs::read_to_string(dir.path().join("kept/out/segments.jsonl")).unwrap();
    assert_eq!(segments.lines().count(), 30);
}

#[test]
fn a_ratio_that_is_too_great_fails() {
    let dir = tempfile::tempdir().unwrap();
    let output = bench(
        dir.path(),
        "throughput --events 2k --homes 10 --runs 1 --at-most 0.000001",
    );
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("--at-most"), "{said}");
}

#[test]
fn latency_and_scale_report() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        "latency --events 5k --homes 20 --rates 100k --epoch-events 10,1000 --json latency.json";
    fine(&bench(dir.path(), options));
    let report = json(dir.path(), "latency.json");
    let latencies = report["latencies"].as_array().unwrap();
    assert_eq!(latencies.len(), 4);
    for latency in latencies {
        let of = |key: &str| latency[key].as_f64().unwrap();
        assert!(of("p50") <= of("p99") && of("p99") <= of("max") && of("max") > 0.0);
    }
    fine(&bench(
        dir.path(),
        "scale --homes 10,100 --events 2k --runs 1 --json scale.json",
    ));
    let ratios = json(dir.path(), "scale.json")["ratios"].clone();
    assert_eq!(ratios.as_object().unwrap().len(), 6);
}

#[test]
fn adaptations_are_told_by_stage() {
    let dir = tempfile::tempdir().unwrap();
    let options = "adapt --homes 3 --json adapt.json --svg adapt.svg";
    let table = fine(&bench(dir.path(), options));
    assert!(table.contains("homes a CPU minute"), "{table}");
    let adapted = &json(dir.path(), "adapt.json")["adaptations"][0];
    assert_eq!(adapted["homes"], 3);
    let stages = adapted["stages"].as_array().unwrap();
    let of = |stage: &Value, key: &str| stage[key].as_f64().unwrap();
    let (all, parts) = stages.split_last().unwrap();
    let sum: f64 = parts.iter().map(|stage| of(stage, "mean")).sum();
    assert!(
        (sum - of(all, "mean")).abs() < 1e-6 && sum > 0.0,
        "{stages:?}"
    );
    assert!(
        stages
            .iter()
            .all(|stage| of(stage, "median") <= of(stage, "p90"))
    );
    let drawn = std::fs::read_to_string(dir.path().join("adapt.svg")).unwrap();
    assert_eq!(drawn.matches("<rect").count(), stages.len());
}

#[test]
fn live_scores_every_event_and_tells_how_long_it_took() {
    let dir = tempfile::tempdir().unwrap();
    let options = "--homes 10 --learnt 5 --rate 50 --duration 1s --epoch-interval 20ms";
    let options = format!("live {options} --clients 2 --json live.json");
    let table = fine(&bench(dir.path(), &options));
    assert!(table.contains("scored/s"), "{table}");
    let run = &json(dir.path(), "live.json")["runs"][0];
    let number = |key: &str| run[key].as_f64().unwrap();
    assert_eq!((number("events"), number("unscored")), (50.0, 0.0), "{run}");
    let [p50, max] = ["p50", "max"].map(|key| run["score"][key].as_f64().unwrap());
    assert!(0.0 < p50 && p50 <= max, "{run}");
    assert!(number("answers") >= 2.0, "{run}");
}

/// A broker, where one is installed.
struct Broker(Child, u16);

impl Broker {
    fn start() -> Option<Broker> {
        let free = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut command = Command::new("/usr/sbin/mosquitto");
        command.args(["-p", &port.to_string()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let Ok(child) = child else {
            eprintln!("SKIPPED: no mosquitto here (Debian: apt-get install mosquitto)");
            return None;
        };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Broker(child, port))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn live_scores_every_event_that_comes_by_a_broker() {
    let Some(broker) = Broker::start() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let options = "--homes 10 --learnt 5 --rate 50 --duration 1s --epoch-interval 20ms,10ms";
    let mqtt = format!("--mqtt mqtt://127.0.0.1:{}", broker.1);
    let options = format!("live {options} {mqtt} --json live.json");
    fine(&bench(dir.path(), &options));
    let written = json(dir.path(), "live.json");
    assert_eq!(written["way"], "MQTT");
    let runs = written["runs"].as_array().unwrap();
    for run in runs {
        assert_eq!(
            (&run["events"], &run["unscored"]),
            (&50.into(), &0.into()),
            "{run}"
        );
    }
    assert_eq!(runs.len(), 2);
}
