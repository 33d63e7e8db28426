//! The effective configuration as commented TOML: what `hearth config` prints.

use std::fmt::Write;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use super::file::{File, variable};
use super::shown::shown_if_sound;
use super::{all_options, options};

/// The configuration that `matches` hold, as TOML that reads back to the same: each key with its meaning, its default
/// and where its value came from. `file` is the one whose values were applied.
pub fn describe(matches: &ArgMatches, file: &File) -> String {
    let mut text = format!(
        "# The effective configuration of Hearth {}, in the form of hearth.toml.\n\
         # Each key is also a flag (max_gap: --max-gap) and an environment variable (HEARTH_MAX_GAP);\n\
         # a flag precedes the environment, that precedes the file, that precedes the default.\n",
        env!("CARGO_PKG_VERSION")
    );
    // Another command than the one that `file` was applied to, so the defaults here are the built-in ones.
    for option in all_options().get_arguments() {
        let key = option.get_id().as_str();
        let values = matches.get_raw(key).and_then(|mut values| values.next());
        let value = values.map(|value| value.to_string_lossy());
        text.push('\n');
        for line in meaning(option) {
            let _ = writeln!(text, "# {line}");
        }
        let source = source(key, matches, file);
        match value {
            Some(value) => {
                let _ = writeln!(text, "# Default: {}. This value: {source}.", default(key));
                let _ = writeln!(text, "{key} = {}", literal(&shown_if_sound(&value)));
            }
            None => {
                let _ = writeln!(text, "# Default: none. Not set.");
                let _ = writeln!(text, "# {key} = {}", literal(&placeholder(option)));
            }
        }
    }
    text
}

fn meaning(option: &Arg) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(help) = option.get_help() {
        lines.push(format!("{help}."));
    }
    // A flag that is `true` or `false` says enough by its value.
    let words = option.get_possible_values();
    if words.len() > 2 || words.iter().any(|word| word.get_help().is_some()) {
        for word in words {
            let help = word.get_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            lines.push(format!("  {}: {help}", word.get_name()));
        }
    }
    lines
}

fn default(key: &str) -> String {
    let options = options();
    let option = options
        .get_arguments()
        .find(|option| option.get_id() == key);
    let defaults = option.map(Arg::get_default_values).unwrap_or_default();
    defaults.first().map_or("none".into(), |default| {
        default.to_string_lossy().into_owned()
    })
}

fn source(key: &str, matches: &ArgMatches, file: &File) -> String {
    match matches.value_source(key) {
        Some(ValueSource::CommandLine) => format!("flag --{}", key.replace('_', "-")),
        Some(ValueSource::EnvVariable) => format!("environment, {}", variable(key)),
        _ => file.place(key).unwrap_or_else(|| "the default".into()),
    }
}

fn placeholder(option: &Arg) -> String {
    let names = option.get_value_names().unwrap_or_default();
    names.first().map_or(String::new(), ToString::to_string)
}

/// Bare where TOML reads the same text back, else a string.
fn literal(value: &str) -> String {
    let bare = match value.parse::<toml::Value>() {
        Ok(toml::Value::Integer(number)) => number.to_string() == value,
        Ok(toml::Value::Float(number)) => number.to_string() == value,
        Ok(toml::Value::Boolean(_)) => true,
        _ => false,
    };
    if bare {
        value.to_owned()
    } else {
        toml::Value::String(value.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use clap::FromArgMatches;
    use proptest::prelude::*;
    use std::path::Path;

    fn effective(arguments: &[&str], file: &File) -> ArgMatches {
        file.apply(options()).get_matches_from(arguments)
    }

    #[test]
    fn tells_where_a_value_came_from_and_its_default() {
        let file = File::parse(Path::new("hearth.toml"), "lateness = \"2h\"\nworkers = 3").unwrap();
        let text = describe(&effective(&["hearth", "--workers=7"], &file), &file);
        assert!(text.contains("# Default: 24h. This value: hearth.toml:1.\nlateness = \"2h\"\n"));
        assert!(text.contains("# Default: 1. This value: flag --workers.\nworkers = 7\n"));
        assert!(text.contains("# Default: 9h. This value: the default.\nmax_gap = \"9h\"\n"));
        assert!(text.contains("# knowledge = \"FILE\"\n"), "{text}");
        assert!(text.contains("#   paired: A closing action"), "{text}");
    }

    proptest! {
        #[test]
        fn reads_back_to_itself(
            workers in 1_usize..100,
            similarity in 0.01_f32..0.99,
            seed: u64,
            hours in 1_u32..1000,
            knowledge in proptest::option::of("[^\0]{1,20}"),
            strict: bool,
        ) {
            let mut arguments = vec![
                "hearth".to_owned(),
                format!("--workers={workers}"),
                format!("--similarity={similarity}"),
                format!("--seed={seed}"),
                format!("--max-gap={hours}h"),
                format!("--strict={strict}"),
            ];
            arguments.extend(knowledge.map(|path| format!("--knowledge={path}")));
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            let none = File::default();
            let first = effective(&arguments, &none);
            let file = File::parse(Path::new("printed"), &describe(&first, &none)).unwrap();
            let second = effective(&["hearth"], &file);
            let configs = [&first, &second].map(|m| Config::from_arg_matches(m).unwrap());
            prop_assert_eq!(format!("{:?}", configs[0]), format!("{:?}", configs[1]));
        }
    }
}
