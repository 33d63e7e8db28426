//! `--synthesizer none` stops at the requests.

use super::household::{first, replay};
use super::program::same_lines;

#[test]
fn without_a_synthesizer_the_requests_are_the_end() {
    let output = replay("none", "--synthesizer none");
    let upstream = [
        "segments",
        "transitions",
        "representatives",
        "requests",
        "late",
        "rejected",
    ];
    same_lines(first(), &output, &upstream);
    for stream in ["verdicts", "adaptations"] {
        assert_eq!(output.lines(stream), [""; 0], "{stream}");
    }
    for score in output.values("scores") {
        assert_eq!(score["versions"]["detector"], 0, "{score}");
        assert_eq!(score["versions"]["predictor"], 0, "{score}");
    }
}
