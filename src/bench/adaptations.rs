//! What homes' adaptations took, as the report has it.

use serde::Serialize;

use super::values::median;
use crate::models::Preset;
use crate::outputs::grouped;

/// What homes took, as the report has it.
#[derive(Clone, Debug, Serialize)]
pub struct Adaptation {
    /// Sizes of the models.
    pub preset: Preset,
    /// Homes that were adapted.
    pub homes: usize,
    /// Threads that trained.
    pub threads: usize,
    /// CPU seconds a home, by stage, and of all stages.
    pub stages: Vec<Share>,
    /// CPU seconds of what is done for all homes at once: the cohort's first models.
    pub foundation_cpu_seconds: f64,
    /// CPU seconds of the dataflow and of embedding, up to the requests.
    pub requests_cpu_seconds: f64,
    /// From the first event to the last adaptation.
    pub wall_seconds: f64,
}

/// CPU seconds a home.
#[derive(Clone, Debug, Serialize)]
pub struct Share {
    /// Of what.
    pub what: &'static str,
    /// Half of the homes take at most this.
    pub median: f64,
    /// Nine of ten homes take at most this.
    pub p90: f64,
    /// Over all homes.
    pub mean: f64,
}

impl Share {
    /// Of some homes.
    pub fn new(what: &'static str, mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        let p90 = (seconds.len() * 9).div_ceil(10).saturating_sub(1);
        Share {
            what,
            p90: seconds.get(p90).copied().unwrap_or(0.0),
            mean: seconds.iter().sum::<f64>() / seconds.len().max(1) as f64,
            median: median(seconds),
        }
    }
}

impl Adaptation {
    /// Homes a CPU minute, their share of the dataflow and of the cohort's models included.
    pub fn homes_a_minute(&self) -> f64 {
        let homes = self.homes as f64;
        let own = self.stages.last().map_or(0.0, |all| all.mean) * homes;
        let cpu = own + self.foundation_cpu_seconds + self.requests_cpu_seconds;
        60.0 * homes / cpu.max(1e-9)
    }
}

/// A line a stage, of each measurement.
pub fn table(adaptations: &[Adaptation]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for adaptation in adaptations {
        let Adaptation {
            preset,
            homes,
            threads,
            stages,
            foundation_cpu_seconds: foundation,
            requests_cpu_seconds: requests,
            wall_seconds: wall,
        } = adaptation;
        let _ = writeln!(
            text,
            "{} homes, preset {preset:?}, {threads} threads; CPU seconds a home\n{:<28} {:>8} {:>8} {:>8}",
            grouped(*homes as u64),
            "",
            "median",
            "p90",
            "mean"
        );
        for Share {
            what,
            median,
            p90,
            mean,
        } in stages
        {
            let _ = writeln!(text, "{what:<28} {median:>8.3} {p90:>8.3} {mean:>8.3}");
        }
        let each = requests / (*homes).max(1) as f64;
        let _ = writeln!(
            text,
            "{:<28} {:>8} {:>8} {each:>8.3}\nfirst models of all homes, once: {foundation:.2} CPU s\n\
             {:.0} homes a CPU minute, everything included; {wall:.1} s by the clock",
            "dataflow up to the requests",
            "",
            "",
            adaptation.homes_a_minute()
        );
    }
    text
}
