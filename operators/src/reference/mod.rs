//! The slow twins: for each operator a naive batch function that is obviously right. Property tests hold the operators
//! to them, and benchmarks measure against them.

mod compress;
mod detect;
mod drift;
mod hints;
mod life;
mod models;
mod score;
mod shift;
mod split;
mod transitions;

pub use compress::{compress, cosine};
pub use detect::{Detections, detect};
pub use drift::{Drifted, drifts};
pub use hints::hints;
pub use life::{HomeLife, Imagined};
pub use models::models;
pub use score::{HomeHistory, score};
pub use shift::regime;
pub use split::{Applied, admit, split};
pub use transitions::transitions;
