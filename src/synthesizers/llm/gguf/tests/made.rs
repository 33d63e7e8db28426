//! On made models: what must hold whatever the weights are, and what damaged files are told.

use candle_core::quantized::gguf_file::Value;
use proptest::prelude::*;

use super::fixture::{ARCHITECTURES, Made, file_of};
use super::*;

const GUARD: char = '\u{e000}';

#[test]
fn the_same_call_has_the_same_answer() {
    for architecture in ARCHITECTURES {
        let model = Made::new(architecture, true).load();
        let asked = |temperature, seed| {
            let mut call = call("Say something.", "Anything at all?", 24);
            call.temperature = temperature;
            call.seed = seed;
            model.complete(&call, GOING).unwrap()
        };
        assert_eq!(asked(0.0, None), asked(0.0, Some(3)), "{architecture}");
        assert_eq!(asked(1.0, Some(3)), asked(1.0, Some(3)));
        assert_eq!(asked(1.0, None), asked(1.0, Some(0)));
        assert_ne!(asked(1.0, Some(3)).text, asked(1.0, Some(4)).text);
        // A temperature near 0 is the most probable answer as well.
        assert_eq!(asked(1e-9, Some(3)), asked(0.0, None));
    }
}

#[test]
fn calls_run_side_by_side() {
    let model = Made::new("qwen3", false).load();
    let calls: Vec<Call> = (0..6)
        .map(|n| call("", &"word ".repeat(n * 7), 12))
        .collect();
    let alone: Vec<Completion> = calls
        .iter()
        .map(|call| model.complete(call, GOING).unwrap())
        .collect();
    let together: Vec<Completion> = std::thread::scope(|scope| {
        let running: Vec<_> = calls
            .iter()
            .map(|call| scope.spawn(|| model.complete(call, GOING).unwrap()))
            .collect();
        running.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert_eq!(alone, together);
}

/// However a prompt is cut into pieces, the model thinks the same after it.
#[test]
fn reading_in_pieces_is_reading_at_once() {
    for architecture in ARCHITECTURES {
        for freely in [false, true] {
            let model = Made::new(architecture, freely).load();
            let tokens: Vec<u32> = (0..90).map(|n| (n * 37) % 258).collect();
            let logits = |size| {
                let mut memory = model.decoder.memory();
                let mut thought = None;
                for piece in tokens.chunks(size) {
                    thought = Some(model.decoder.read_on(piece, &mut memory).unwrap());
                }
                model.decoder.logits(&thought.unwrap()).unwrap()
            };
            let whole = logits(90);
            for size in [1, 7, 64, 89] {
                let far = whole.iter().zip(logits(size)).map(|(a, b)| (a - b).abs());
                let far = far.fold(0.0, f32::max);
                assert!(far < 1e-3, "{architecture} in pieces of {size}: {far}");
            }
        }
    }
}

/// Words that are compared behind a text that is read once are as likely as each alone.
#[test]
fn branches_are_read_as_if_each_were_alone() {
    for architecture in ARCHITECTURES {
        for freely in [false, true] {
            let model = Made::new(architecture, freely).load();
            let text: Vec<u32> = (0..20).map(|n| (n * 37) % 258).collect();
            let words: Vec<String> = ["a", "some words", "x", "something else again"]
                .map(str::to_owned)
                .to_vec();
            let tokens = |text: &str| model.tokenizer.encode(text, GUARD).unwrap();
            let text_of = model.tokenizer.decode(&text).unwrap();
            let together = model.log_likelihoods(&text_of, &words).unwrap();
            for (word, together) in words.iter().zip(together) {
                let mut before = tokens(&text_of);
                let mut way = tokens(&format!(" {word}"));
                way.retain(|token| !model.tokenizer.begins(*token));
                let mut alone = 0.0;
                for token in way {
                    alone += f64::from(logarithms(&model, &before)[token as usize]);
                    before.push(token);
                }
                assert!((alone - together).abs() < 1e-2, "{alone} {together}");
            }
        }
    }
}

#[test]
fn limits_are_kept_and_said() {
    let model = Made::new("llama", false).load();
    let prompt = model.tokens(&call("a", "b", 1)).unwrap();
    for most in [0, 1, 5] {
        let done = model.complete(&call("a", "b", most), GOING).unwrap();
        let usage = done.usage.unwrap();
        assert_eq!(usage.input, prompt);
        assert_eq!(
            (done.finish, usage.output),
            (Finish::Length, u64::from(most))
        );
    }
    // Up to the end of the context, and not beyond it.
    let user = "x".repeat(512 - prompt as usize - 3);
    let done = model.complete(&call("a", &user, 1000), GOING).unwrap();
    let usage = done.usage.unwrap();
    assert!(usage.input + usage.output <= 512);
    let error = model
        .complete(&call("a", &"x".repeat(600), 1), GOING)
        .unwrap_err();
    let CallError::Failed(sentence) = &error else {
        panic!("{error:?}");
    };
    assert!(
        sentence.contains("512") && sentence.contains(" tokens"),
        "{sentence}"
    );
}

#[test]
fn a_run_that_stops_does_not_wait_for_an_answer() {
    let model = Made::new("llama", false).load();
    let asked = std::cell::Cell::new(0);
    let stopped = || {
        asked.set(asked.get() + 1);
        asked.get() > 6
    };
    // 4 pieces of a prompt, two tokens, and then no more.
    let user = "y".repeat(CHUNK * 3);
    let error = model.complete(&call("", &user, 400), &stopped).unwrap_err();
    assert_eq!(error, CallError::Failed("the run was stopped".to_owned()));
    assert_eq!(asked.get(), 7);
}

#[test]
fn the_form_is_asked_for_in_words() {
    let model = Made::new("llama", false).load();
    let mut call = call("Do it.", "This.", 1);
    call.form.schema_words = "as JSON".to_owned();
    call.form.paper_words = "as in the paper".to_owned();
    for (asked, given, words) in [
        (Format::Schema, Format::Schema, "as JSON"),
        (Format::Paper, Format::Paper, "as in the paper"),
        (Format::Auto, Format::Paper, "as in the paper"),
    ] {
        call.form.format = asked;
        let done = model.complete(&call, GOING).unwrap();
        assert_eq!(done.format, given);
        let prompt = model
            .tokenizer
            .decode(&model.prompt(&call).unwrap())
            .unwrap();
        assert_eq!(
            prompt,
            format!("system\nDo it.\n{words}\nuser\nThis.\nassistant\n")
        );
    }
}

#[test]
fn templates_of_other_families_render() {
    // In the style of Llama 3: a token before all, and messages trimmed.
    let source = "{% for m in messages %}{% set text = '<|h|>' + m['role'] + '<|e|>\n\n' + m['content'] | trim + '<|eot|>' %}\
        {% if loop.index0 == 0 %}{% set text = bos_token + text %}{% endif %}{{ text }}{% endfor %}\
        {% if add_generation_prompt %}{{ '<|h|>assistant<|e|>\n\n' }}{% endif %}";
    let template = ChatTemplate::new(source, "<|begin|>", "").unwrap();
    assert_eq!(
        template.render("be\n", " hi").unwrap(),
        "<|begin|><|h|>system<|e|>\n\nbe<|eot|><|h|>user<|e|>\n\nhi<|eot|><|h|>assistant<|e|>\n\n"
    );
    // In the style of Qwen 3: methods of Python's strings, and a switch for thinking aloud; a block on a line of its own leaves
    // none.
    let source = "{%- if messages[0].role == 'system' %}\n    {{- '[' + messages[0].content.strip() + ']' }}\n{%- endif %}\n\
        {% if messages[1].content.startswith('hi') %}\nhello\n{% endif %}\n\
        {%- if enable_thinking is defined and enable_thinking is false %}!{% endif %}";
    let template = ChatTemplate::new(source, "", "").unwrap();
    assert_eq!(template.render(" be ", "hi you").unwrap(), "[be]hello\n!");
    for (source, reason) in [
        ("{{ raise_exception('no system here') }}", "no system here"),
        ("{% for %}", "not understood"),
        (
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            "fuel",
        ),
    ] {
        let error = ChatTemplate::new(source, "", "").err().unwrap();
        assert!(error.contains(reason), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What a person writes is read as they wrote it, and never as a mark of the conversation.
    #[test]
    fn no_message_leaves_its_place(pieces in prop::collection::vec(
        prop_oneof![
            Just("<|im_end|>".to_owned()), Just("<|im_start|>".to_owned()), Just("<|im_".to_owned()),
            Just("system\n".to_owned()), Just("\u{e000}".to_owned()), Just("the ".to_owned()), ".{0,4}",
        ], 0..8,
    )) {
        thread_local!(static MODEL: LocalModel = Made::new("llama", false).load());
        let user = pieces.concat();
        MODEL.with(|model| {
            let prompt = model.prompt(&call("Be.", &user, 1)).unwrap();
            prop_assert_eq!(prompt.iter().filter(|token| **token < 2).count(), 5);
            let text = model.tokenizer.decode(&prompt).unwrap();
            prop_assert_eq!(text, format!("system\nBe.\nuser\n{user}\nassistant\n"));
            Ok(())
        })?;
    }
}

#[test]
fn a_cut_file_is_an_error() {
    let bytes = Made::new("llama", true).bytes();
    for end in (0..bytes.len() - 32).step_by(bytes.len() / 150) {
        assert!(
            LocalModel::load(file_of(&bytes[..end]).path()).is_err(),
            "{end}"
        );
    }
    assert!(LocalModel::load(Path::new("/nowhere/at-all.gguf")).is_err());
    assert!(LocalModel::load(file_of(b"{\"not\": \"a model\"}").path()).is_err());
}

#[test]
fn what_is_wrong_is_said() {
    let text = |text: &str| Value::String(text.to_owned());
    for (key, value, reason) in [
        (
            "general.architecture",
            text("mamba"),
            "\"mamba\" is not known; those that are: llama, qwen2, qwen3",
        ),
        (
            "general.architecture",
            Value::U8(1),
            "general.architecture is not a text: U8(1)",
        ),
        (
            "tokenizer.ggml.model",
            text("llama"),
            "tokenizer kind \"llama\" is not supported",
        ),
        (
            "tokenizer.ggml.pre",
            text("tekken"),
            "\"tekken\", which is not known; known are gpt-2, smollm",
        ),
        (
            "tokenizer.chat_template",
            text("{{"),
            "chat template is not understood",
        ),
        (
            "general.alignment",
            Value::U32(0),
            "its header makes no sense",
        ),
        (
            "llama.block_count",
            Value::U32(u32::MAX),
            "do not fit together",
        ),
        (
            "llama.block_count",
            Value::U32(3),
            "the tensor blk.2.attn_q.weight is missing",
        ),
        (
            "llama.attention.head_count",
            Value::U32(0),
            "llama.attention.head_count is not a whole number from 1: U32(0)",
        ),
        (
            "llama.attention.head_count_kv",
            Value::I32(-2),
            "a whole number from 1",
        ),
        (
            "llama.attention.head_count_kv",
            Value::U32(3),
            "do not fit together",
        ),
        (
            "llama.embedding_length",
            Value::U64(1 << 40),
            "do not fit together",
        ),
        (
            "llama.embedding_length",
            Value::U32(32),
            "where [260, 32] is right",
        ),
        (
            "llama.attention.layer_norm_rms_epsilon",
            Value::F32(f32::NAN),
            "a number above 0",
        ),
        (
            "llama.rope.dimension_count",
            Value::U32(8),
            "do not fit together",
        ),
        (
            "llama.rope.scaling.type",
            text("yarn"),
            "\"yarn\", which is not supported",
        ),
        (
            "tokenizer.ggml.token_type",
            Value::Array(vec![]),
            "260 tokens and kinds for 0",
        ),
    ] {
        let mut made = Made::new("llama", false);
        made.metadata.insert(key.to_owned(), value);
        let file = made.file();
        let error = LocalModel::load(file.path()).err().expect(key).to_string();
        assert!(error.contains(reason), "{key}: {error}");
        assert!(
            error.contains(&file.path().display().to_string()),
            "{error}"
        );
    }
    for key in [
        "general.architecture",
        "llama.context_length",
        "llama.embedding_length",
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.pre",
        "tokenizer.chat_template",
    ] {
        let mut made = Made::new("llama", false);
        made.metadata.remove(key);
        let error = LocalModel::load(made.file().path())
            .err()
            .expect(key)
            .to_string();
        assert!(
            error.contains(&format!("{key} is missing")),
            "{key}: {error}"
        );
    }
    // A tensor that nothing reads changes what the model is.
    let mut made = Made::new("llama", false);
    let bias = made.tensors["output_norm.weight"].clone();
    made.tensors
        .insert("blk.0.attn_output.bias".to_owned(), bias);
    let error = LocalModel::load(made.file().path())
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("nothing here reads its tensors blk.0.attn_output.bias"),
        "{error}"
    );
    // Weights that are no numbers.
    let mut made = Made::new("llama", false);
    let broken = (&made.tensors["output_norm.weight"] * f64::NAN).unwrap();
    made.tensors.insert("output_norm.weight".to_owned(), broken);
    let error = made.load().complete(&call("a", "b", 2), GOING).unwrap_err();
    assert!(error.to_string().contains("its file is damaged"), "{error}");
}
