//! Hearth as a library, one idea a file: `cargo run --release --example library` runs them all.

mod own_operator;
mod own_source;
mod own_synthesizer;

use std::sync::Arc;

use hearth::config::Config;
use hearth::engine::{self, Epochs, Outlet, Resumed, Setup};
use hearth::settings::settings;
use hearth::sources::Source;
use hearth::stop::Stop;
use hearth_operators::dataflow::{Services, Settings};
use hearth_operators::words::{Action, Catalog, Catalogs, Device};

fn main() -> anyhow::Result<()> {
    println!("evenings of a lamp: {} segments", own_source::run()?);
    println!("segments by their length: {:?}", own_operator::run()?);
    println!("retained: {}", own_synthesizer::run()?);
    Ok(())
}

/// All homes have one lamp.
fn lamps() -> anyhow::Result<Arc<Catalogs>> {
    let actions = vec![Action::new("off"), Action::new("on")];
    let catalog = Catalog::new(vec![Device::new("lamp", actions)])?;
    Ok(Catalogs::shared(Arc::new(catalog)))
}

/// Runs the dataflow up to segments and transitions on two workers.
fn ingest(source: impl Source + 'static, outlet: Arc<dyn Outlet>) -> anyhow::Result<()> {
    let setup = Setup {
        workers: 2,
        dataflow: Settings {
            learn: false,
            ..settings(&Config::default(), &lamps()?)
        },
        services: Services::nobody(),
        outlet,
        resumed: Resumed::default(),
        epochs: Epochs {
            lines: 100,
            interval: None,
        },
        stop: Stop::default(),
        watch: Arc::new(()),
    };
    engine::start(setup, source)?.finish().source?;
    Ok(())
}
