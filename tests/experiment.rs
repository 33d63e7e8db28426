//! `hearth experiment` from outside: on simulated homes always, on the authors' data where it is there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

/// The same as the replay's tests have; not all that it can do is wanted here.
#[allow(dead_code)]
#[path = "replay/llm/server.rs"]
mod server;

use server::{Act, Server};

fn hearth(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.arg("experiment").args(arguments);
    command.output().unwrap()
}

fn run(arguments: &[&str]) -> String {
    let output = hearth(arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

fn lines(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("results.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The authors' repository, if it is there.
fn repository() -> Option<PathBuf> {
    let data = std::env::var_os("HEARTH_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        Into::into,
    );
    let repository = data.join("smartgen-repo");
    if repository.join("SmartGen").is_dir() {
        return Some(repository);
    }
    eprintln!("SKIPPED: no {} (set HEARTH_DATA)", repository.display());
    None
}

/// The lines of a run by the paper's protocol with one seed, of anomaly detection and behaviour prediction. `None`, loudly,
/// without the authors' data.
fn by_the_papers_protocol(datasets: &str, methods: &str) -> Option<Vec<Value>> {
    let data = repository()?;
    let dir = tempfile::tempdir().unwrap();
    let (data, out) = (data.to_str().unwrap(), dir.path().to_str().unwrap());
    let mut arguments = vec!["paper", "--tables", "2,3", "--seeds", "1"];
    arguments.extend(["--data", data, "--out", out]);
    arguments.extend(["--datasets", datasets, "--methods", methods]);
    run(&arguments);
    Some(lines(dir.path()))
}

const FAST: [&str; 2] = ["--methods", "unseen action,flag all,bigram,most frequent"];

#[test]
fn simulated_homes_need_no_data_and_a_run_is_taken_up() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let arguments = |seeds| {
        let mut all = vec![
            "honest",
            "--datasets",
            "sim-1",
            "--shifts",
            "ST",
            "--shots",
            "0,3",
        ];
        all.extend([
            "--training",
            "source,embedded",
            "--seeds",
            seeds,
            "--out",
            out,
        ]);
        all.extend(FAST);
        all
    };
    run(&arguments("1"));
    let first = lines(dir.path());
    let good = |line: &Value| line.get("error").is_none();
    assert!(first.len() >= 9 && first.iter().all(good), "{first:?}");
    for line in &first {
        let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
        let promised = [
            "protocol",
            "task",
            "dataset",
            "shift",
            "method",
            "training",
            "k",
            "seed",
            "metrics",
            "cpu_seconds",
        ];
        assert!(
            promised.iter().all(|key| keys.iter().any(|k| k == key)),
            "{keys:?}"
        );
    }
    // A figure is found again, and what is there is not computed again.
    let path = dir.path().join("results.jsonl");
    let torn = std::fs::read(&path).unwrap();
    std::fs::write(&path, &torn[..torn.len() - 20]).unwrap();
    let said = run(&arguments("2"));
    let there = format!("{} were there", first.len() - 1);
    assert!(said.contains(&there), "{said}");
    let second = lines(dir.path());
    let metrics = |lines: &[Value], of: &Value| {
        let same = |line: &&Value| {
            ["task", "method", "training", "k", "seed"]
                .iter()
                .all(|key| line[key] == of[key])
        };
        lines.iter().find(same).map(|line| line["metrics"].clone())
    };
    for line in &first {
        assert_eq!(metrics(&second, line), Some(line["metrics"].clone()));
    }
    assert!(second.len() > first.len());
    let page = std::fs::read_to_string(dir.path().join("report.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("<script") && !page.contains("http"));
    let again = run(&["report", "--out", out]);
    assert!(again.contains("unseen action, source"), "{again}");
}

/// A language model that writes edits is asked once a pair, whatever the number of seeds and methods, and never again.
#[test]
fn edits_of_a_language_model_are_a_training_set() {
    let edits = json!({"edits": [{"edit": "move", "what": "everything", "hours": [], "by": 1}]});
    let server = Server::start(move |_| Act::Say(edits.to_string()));
    let dir = tempfile::tempdir().unwrap();
    let url = server.url();
    let run_into = |out: &str, options: &[&str]| {
        let out = dir.path().join(out);
        let pairs = ["honest", "--datasets", "sim-1", "--shifts", "ST,TT"];
        let cells = [
            "--shots",
            "0",
            "--training",
            "edits,source+edits",
            "--seeds",
            "2",
        ];
        let cassette = dir.path().join("cassette");
        let kept = [
            "--llm-model",
            "parrot-1",
            "--llm-cassette-dir",
            cassette.to_str().unwrap(),
        ];
        let mut all: Vec<&str> = [&pairs[..], &cells, &FAST, &kept, options].concat();
        all.extend(["--out", out.to_str().unwrap()]);
        run(&all);
        lines(&out)
    };
    let metrics = |lines: &[Value]| {
        let cell = |line: &Value| {
            let keys = ["task", "shift", "method", "training", "seed", "metrics"];
            keys.map(|key| line[key].to_string())
        };
        lines
            .iter()
            .map(cell)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let asked = run_into("asked", &["--llm-url", &url]);
    assert!(
        asked.iter().all(|line| line.get("error").is_none()),
        "{asked:?}"
    );
    for set in ["edits", "source+edits"] {
        assert!(asked.iter().any(|line| line["training"] == set));
    }
    assert_eq!(server.calls().len(), 2, "one call a pair");
    drop(server);
    let recorded = run_into("recorded", &["--llm-cassette", "replay"]);
    assert_eq!(metrics(&asked), metrics(&recorded));

    let out = dir.path().join("nobody");
    let nobody = hearth(&[
        "honest",
        "--datasets",
        "sim-1",
        "--training",
        "edits",
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("--llm-url"));
}

#[test]
fn what_makes_no_sense_is_refused_before_any_work() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    for (arguments, said) in [
        (vec!["honest", "--out", out], "--data"),
        (vec!["honest", "--data", out, "--out", out], "no folder"),
        (
            vec![
                "honest",
                "--datasets",
                "sim",
                "--methods",
                "magic",
                "--out",
                out,
            ],
            "`magic` is no method",
        ),
        (
            vec!["paper", "--datasets", "sim", "--out", out],
            "simulated homes",
        ),
        (vec!["paper", "--tables", "77", "--out", out], "77"),
    ] {
        let output = hearth(&arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
    }
    let nothing = hearth(&["report", "--out", out]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nothing.stderr).contains("results.jsonl"));
}

/// The trivial answers score what was measured with other code, so the protocol is the authors'.
#[test]
fn the_papers_protocol_gives_trivial_answers_what_they_are_known_to_score() {
    let methods = "flag all,unseen hours,unseen action,count table";
    let Some(lines) = by_the_papers_protocol("fr,sp", methods) else {
        return;
    };
    let figure = |dataset: &str, shift: &str, method: &str, figure: &str| {
        let found = lines.iter().find(|line| {
            line["dataset"] == dataset && line["shift"] == shift && line["method"] == method
        });
        found.unwrap()["metrics"][figure].as_f64().unwrap()
    };
    for dataset in ["fr", "sp"] {
        for shift in ["ST", "TT", "NT"] {
            let all = figure(dataset, shift, "flag all", "f1");
            assert!((all - 2.0 / 3.0).abs() < 1e-9, "{dataset} {shift}: {all}");
        }
        // The new context's hours are all in the synthetic set, the attack's mostly are not.
        assert_eq!(figure(dataset, "TT", "unseen hours", "precision"), 1.0);
    }
    // The rule of an action that the synthetic set does not hold.
    let unseen = figure("fr", "ST", "unseen action", "f1");
    assert!((unseen - 0.8111).abs() < 5e-4, "{unseen}");
    // NDCG@10 and HR@10 that a count table P(action | device) was measured to have: what the device's leak is worth. Ours
    // knows the actions of devices that the set does not hold, so it may be better.
    for (dataset, shift, ndcg, hits) in [
        ("fr", "ST", 0.794, 1.0),
        ("fr", "TT", 0.749, 0.856),
        ("fr", "NT", 0.894, 1.0),
        ("sp", "ST", 0.812, 0.995),
        ("sp", "TT", 0.821, 0.998),
        ("sp", "NT", 0.833, 0.987),
    ] {
        let found = figure(dataset, shift, "count table", "ndcg@10");
        assert!(
            found > ndcg - 0.03,
            "{dataset} {shift}: NDCG {found}, not {ndcg}"
        );
        let found = figure(dataset, shift, "count table", "hr@10");
        assert!(
            found > hits - 0.03,
            "{dataset} {shift}: HR {found}, not {hits}"
        );
    }
}

/// The sequences of ten that the authors ran their baselines on are read, NumPy's numbers and all, and are as many as they
/// tested.
#[test]
fn baselines_run_on_the_sequences_that_the_authors_ran_them_on() {
    let Some(lines) = by_the_papers_protocol("fr", "LOF,HMM") else {
        return;
    };
    for (shift, tested) in [("ST", 111.0), ("TT", 257.0), ("NT", 477.0)] {
        let found = |task: &str| {
            let found = lines.iter().find(|line| {
                line["task"] == task && line["shift"] == shift && line["training"] == "fixed-length"
            });
            &found.unwrap()["metrics"]
        };
        assert_eq!(found("bp")["lists"], tested, "{shift}");
        let f1 = found("ad")["f1"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&f1), "{shift}: {f1}");
    }
}

/// Small homes are scored soon.
const SOON: [&str; 4] = ["--warm-up", "300", "--warm-up-span", "2d"];

/// A folder's lines of `experiment prequential`, but for draws.
fn online(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("prequential.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines
        .map(|mut line: Value| {
            line.as_object_mut().unwrap().remove("draws");
            line
        })
        .collect()
}

fn figure<'a>(lines: &'a [Value], task: &str, method: &str) -> &'a Value {
    let found = lines.iter().find(|line| {
        let whole =
            line["kind"].is_null() && line["days"].is_null() && line["month_after"].is_null();
        line["task"] == task && line["method"] == method && whole
    });
    found.unwrap_or_else(|| panic!("no line of {method}: {lines:?}"))
}

#[test]
fn simulated_homes_are_followed_from_segment_to_segment() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let arguments = |more: &[&'static str]| {
        let mut all = vec!["prequential", "--homes", "4", "--days", "10", "--out", out];
        all.extend(SOON);
        all.extend(more);
        all
    };
    let said = run(&arguments(&["--seeds", "7-7"]));
    let first = online(dir.path());
    let counted = figure(&first, "run", "Hearth")["behaviors"]
        .as_u64()
        .unwrap();
    assert!(counted > 50, "{counted}");
    let predictors = [
        "Hearth",
        "Hearth, no synthesis",
        "n-gram, online",
        "Active LeZi",
        "PPM",
    ];
    let hits: Vec<f64> = predictors
        .iter()
        .map(|method| {
            let line = figure(&first, "next_action", method);
            // What was planted is nobody's to foretell.
            assert!(line["behaviors"].as_u64().unwrap() <= counted);
            assert!(said.contains(method), "{said}");
            line["metrics"]["hr@1"].as_f64().unwrap()
        })
        .collect();
    let trivial = &figure(&first, "next_action", "most frequent")["metrics"]["hr@1"];
    assert!(
        hits.iter().all(|hits| *hits > trivial.as_f64().unwrap()),
        "{hits:?}"
    );
    let chance = &figure(&first, "anomalies", "random")["metrics"]["auroc"];
    for method in ["Hearth", "habits, home over cohort"] {
        let line = figure(&first, "anomalies", method);
        assert_eq!(line["behaviors"], counted);
        let area = line["metrics"]["auroc"].as_f64().unwrap();
        assert!(
            area > chance.as_f64().unwrap() && area > 0.7,
            "{method}: {area}"
        );
    }
    assert!(said.contains("What synthesis adds"), "{said}");
    let page = std::fs::read_to_string(dir.path().join("prequential.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("<script") && !page.contains("http"));
    // What is there is not computed again, and no replay is left behind.
    let path = dir.path().join("prequential.jsonl");
    let text = std::fs::read(&path).unwrap();
    let again = run(&arguments(&["--seeds", "7-7"]));
    assert_eq!((again, std::fs::read(&path).unwrap()), (said.clone(), text));
    assert_eq!(run(&["report", "--out", out]), said);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    let other = hearth(&arguments(&["--seeds", "7-7", "--max-gap", "5h"]));
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("another folder"));
}

#[test]
fn a_log_is_followed_without_knowing_any_truth() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (simulated, out) = (at("sim"), at("out"));
    let mut simulate = Command::new(env!("CARGO_BIN_EXE_hearth"));
    let options = [
        "--homes", "2", "--days", "10", "--shifts", "none", "--out", &simulated,
    ];
    assert!(
        simulate
            .arg("simulate")
            .args(options)
            .output()
            .unwrap()
            .status
            .success()
    );
    let log = at("sim/events.jsonl");
    let arguments = ["prequential", "--log", &log, "--out", &out];
    run(&[&arguments[..], &SOON].concat());
    let lines = online(Path::new(&out));
    assert!(figure(&lines, "next_action", "PPM")["metrics"]["hr@1"].is_number());
    let calls = figure(&lines, "anomalies", "Hearth");
    assert!(calls["metrics"]["calls"].is_number() && calls["metrics"]["auroc"].is_null());
    // Without a shift nobody asks for synthesis.
    let methods = ["Hearth, no synthesis", "random"];
    assert!(
        lines
            .iter()
            .all(|line| methods.iter().all(|method| line["method"] != *method))
    );

    let missing = at("missing");
    for (wrong, said) in [
        (vec!["--log", &missing], "missing"),
        (vec!["--log", "-"], "standard input"),
        (vec!["--log", &log, "--homes", "3"], "--homes"),
        (vec!["--log", &log, "--truth", &missing], "missing"),
        (vec!["--seeds", "some"], "`some`"),
        (vec!["--truth", &log], "--log"),
    ] {
        let refused = hearth(&[&["prequential", "--out", &missing][..], &wrong].concat());
        let told = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}: {told}");
        assert!(told.contains(said), "{wrong:?}: {told}");
        assert!(!Path::new(&missing).exists(), "{wrong:?}");
    }
}
