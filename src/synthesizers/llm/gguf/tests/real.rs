use super::*;
#[test]
fn figures() {
    let path = std::env::var("HEARTH_GGUF").unwrap();
    let t = std::time::Instant::now();
    let model = LocalModel::load(Path::new(&path)).unwrap();
    eprintln!(
        "load {:?} {} {}",
        t.elapsed(),
        model.name(),
        model.context()
    );
    let t = std::time::Instant::now();
    let done = model
        .complete(
            &call(
                "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
                "The capital of France is",
                40,
            ),
            GOING,
        )
        .unwrap();
    eprintln!("{:?} {done:?}", t.elapsed());
    let long = "On Monday morning the light in the kitchen is switched on. ".repeat(80);
    for n in [1, 65] {
        let t = std::time::Instant::now();
        let done = model.complete(&call("", &long, n), GOING).unwrap();
        eprintln!("{:?} {done:?}", t.elapsed());
    }
}
