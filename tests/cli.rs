//! The command line from outside: help, exit codes, and the configuration's three layers.

use std::path::Path;
use std::process::{Command, Output};

/// Runs `hearth` in `dir`, without the caller's own HEARTH_* variables.
fn hearth(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HEARTH_")) {
        command.env_remove(name);
    }
    command.current_dir(dir).args(arguments);
    command.envs(variables.iter().copied());
    command.output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The lines of `hearth config` that set something.
fn settings(text: &str) -> Vec<&str> {
    let set = |line: &&str| !line.is_empty() && !line.starts_with('#');
    text.lines().filter(set).collect()
}

#[test]
fn every_command_has_help_with_examples() {
    let dir = tempfile::tempdir().unwrap();
    let overview = hearth(dir.path(), &["--help"], &[]);
    assert_eq!(overview.status.code(), Some(0));
    let overview = out(&overview);
    assert!(overview.contains("Examples:"), "{overview}");
    let commands = overview.split("Commands:").nth(1).unwrap();
    let commands = commands.split("Options:").next().unwrap();
    let names = commands.lines().filter_map(|line| {
        let name = line.strip_prefix("  ")?;
        (!name.starts_with(' ')).then(|| name.split_whitespace().next())?
    });
    let mut met = 0;
    for name in names.filter(|name| *name != "help") {
        let help = hearth(dir.path(), &[name, "--help"], &[]);
        assert_eq!(help.status.code(), Some(0), "{name}");
        let help = out(&help);
        assert!(help.contains("Examples:\n  "), "hearth {name}: {help}");
        let (about, _) = help.split_once("\n\nUsage:").unwrap();
        assert!(
            about.contains("\n\n"),
            "hearth {name} says too little: {about}"
        );
        met += 1;
    }
    assert!(met >= 3, "{commands}");
}

#[test]
fn help_shows_defaults_and_variables_but_not_their_values() {
    let dir = tempfile::tempdir().unwrap();
    let secret = [("HEARTH_LATENESS", "77h")];
    let help = out(&hearth(dir.path(), &["replay", "--help"], &secret));
    assert!(help.contains("[env: HEARTH_MAX_GAP]"), "{help}");
    assert!(help.contains("[default: 9h]"), "{help}");
    assert!(!help.contains("77h"), "{help}");
}

#[test]
fn bad_usage_ends_with_2_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("log.jsonl", "");
    write("bad.toml", "seed = 1\nmax-gap = \"9h\"\n");
    write("worse.toml", "seed = = 1\n");
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    for (arguments, said) in [
        ("", "Usage: hearth"),
        ("fly", "unrecognized subcommand"),
        ("config --frobnicate", "--frobnicate"),
        ("config --max-gap 0s", "above zero"),
        ("config --similarity 1.5", "between 0 and 1"),
        (
            "config --config bad.toml",
            "bad.toml:2: unknown key `max-gap`; did you mean `max_gap`?",
        ),
        ("config --config worse.toml", "worse.toml:1: no TOML"),
        ("config --config none.toml", "none.toml"),
        ("replay --out out", "<LOG>"),
        ("replay log.jsonl", "--out"),
        (
            "replay none.jsonl --out out",
            "cannot read the log none.jsonl",
        ),
        ("replay empty --out out", "there is no log in the folder"),
        (
            "replay log.jsonl --out out --workers 4096",
            "are more than 512",
        ),
        (
            "replay log.jsonl --catalog none --out out",
            "the catalog none",
        ),
        (
            "replay log.jsonl --contexts none --out out",
            "the contexts none",
        ),
        (
            "replay log.jsonl --knowledge none --out out",
            "the knowledge none",
        ),
        ("show", "<DIR>"),
        ("show nowhere", "nowhere is no folder"),
        ("show .", "no output folder"),
        ("show . --dot -", "--home"),
    ] {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let output = hearth(dir.path(), &arguments, &[]);
        let told = err(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert!(told.contains(said), "{arguments:?}: {told}");
        let begun = dir.path().join("out").exists();
        assert!(!begun, "{arguments:?} began to work");
    }
}

#[test]
fn flag_precedes_environment_precedes_file_precedes_default() {
    let dir = tempfile::tempdir().unwrap();
    let file = "workers = 2\nseed = 2\ntop_k = 2\n";
    std::fs::write(dir.path().join("hearth.toml"), file).unwrap();
    let variables = [("HEARTH_WORKERS", "3"), ("HEARTH_SEED", "3")];
    let output = hearth(dir.path(), &["config", "--workers", "4"], &variables);
    let text = out(&output);
    let set = settings(&text);
    for line in ["workers = 4", "seed = 3", "top_k = 2", "max_gap = \"9h\""] {
        assert!(set.contains(&line), "{line}: {text}{}", err(&output));
    }
    for source in [
        "flag --workers.",
        "environment, HEARTH_SEED.",
        "hearth.toml:3.",
        "the default.",
    ] {
        let told = format!("This value: {source}");
        assert!(text.contains(&told), "{source}: {text}");
    }
}

#[test]
fn a_named_file_replaces_the_default_one() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("hearth.toml"), "broken").unwrap();
    let house = "strict = true\nlateness = \"2h\"\n";
    std::fs::write(dir.path().join("house.toml"), house).unwrap();
    for output in [
        hearth(dir.path(), &["config", "--config", "house.toml"], &[]),
        hearth(dir.path(), &["config"], &[("HEARTH_CONFIG", "house.toml")]),
    ] {
        let text = out(&output);
        let set = settings(&text);
        assert!(set.contains(&"strict = true"), "{text}{}", err(&output));
        assert!(set.contains(&"lateness = \"2h\""), "{text}");
    }
}

#[test]
fn a_bad_variable_is_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let output = hearth(dir.path(), &["config"], &[("HEARTH_WORKERS", "many")]);
    assert_eq!(output.status.code(), Some(2));
    let said = err(&output);
    let expected = "environment variable HEARTH_WORKERS: `many`";
    assert!(said.contains(expected), "{said}");
}

/// Where an address with a password is refused, also for it, and where it is listed.
#[test]
fn passwords_in_addresses_are_not_shown() {
    let dir = tempfile::tempdir().unwrap();
    for (option, variable, address) in [
        ("--mqtt", "HEARTH_MQTT", "mqtt://me:s3cret@host"),
        ("--webhook", "HEARTH_WEBHOOK", "https://me:s3cret@host/x"),
        ("--kafka-in", "HEARTH_KAFKA_IN", "kafka://me:s3cret@host/x"),
        (
            "--home-assistant",
            "HEARTH_HOME_ASSISTANT",
            "ws://me:s3cret@host",
        ),
    ] {
        let flag = format!("{option}={address}");
        for output in [
            hearth(dir.path(), &["run", "--out", "out", &flag], &[]),
            hearth(dir.path(), &["run", "--out", "out"], &[(variable, address)]),
        ] {
            let said = err(&output);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains("***@host"), "{option}: {said}");
            assert!(!said.contains("s3cret"), "{option}: {said}");
        }
        let file = format!("{} = \"{address}\"", option[2..].replace('-', "_"));
        std::fs::write(dir.path().join("bad.toml"), file).unwrap();
        let said = err(&hearth(dir.path(), &["config", "--config=bad.toml"], &[]));
        assert!(
            said.contains("***@host") && !said.contains("s3cret"),
            "{said}"
        );
    }
    let url = "--llm-url=http://me:s3cret@host/v1";
    let listed = out(&hearth(dir.path(), &["config", url], &[]));
    let expected = "llm_url = \"http://***@host/v1\"";
    assert!(settings(&listed).contains(&expected), "{listed}");
    assert!(!listed.contains("s3cret"), "{listed}");
}

#[test]
fn a_variable_that_nothing_reads_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let variables = [("HEARTH_WORKRES", "2"), ("HEARTH_LLM_KEY", "x")];
    let output = hearth(dir.path(), &["config"], &variables);
    let said = err(&output);
    assert_eq!(
        said,
        "hearth: nothing reads the variable HEARTH_WORKRES; did you mean HEARTH_WORKERS?\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn what_config_prints_reads_back_to_itself() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = [
        "config",
        "--workers=3",
        "--similarity=0.75",
        "--max-gap",
        "1h 30m",
        "--checker=closing",
        "--timezone=Europe/Berlin",
        "--knowledge",
        "a \"b\" \\ c.json",
        "--strict",
        "--seed=18446744073709551615",
    ];
    let first = out(&hearth(dir.path(), &arguments, &[]));
    assert!(settings(&first).contains(&"strict = true"), "{first}");
    std::fs::write(dir.path().join("hearth.toml"), &first).unwrap();
    let second = hearth(dir.path(), &["config"], &[]);
    let text = out(&second);
    assert_eq!(settings(&first), settings(&text), "{}", err(&second));
}

/// `hearth config | true`: the reader goes away, nobody complains.
#[cfg(unix)]
#[test]
fn a_closed_pipe_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_hearth"))
        .current_dir(dir.path())
        .arg("config")
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(err(&output), "");
    assert_eq!(output.status.code(), Some(0));
}
