//! Greedy leader clustering, as one says it.

use crate::compress::{Alpha, LADDER};

/// The cosine similarity of two unit vectors.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Which of the embeddings (in event-time order, of one home, regime and weekday) are kept: those without an equal one, or one
/// of a cosine similarity above α, among the earlier kept ones. Under a budget, α is the first of the ladder that keeps no more.
pub fn compress(embeddings: &[Vec<f32>], alpha: Alpha) -> Vec<bool> {
    match alpha {
        Alpha::Above(alpha) => leaders(embeddings, alpha),
        Alpha::Budget(most) => {
            let mut tried = LADDER.iter().map(|&alpha| leaders(embeddings, alpha));
            let fits = |kept: &Vec<bool>| kept.iter().filter(|&&kept| kept).count() <= most.get();
            tried.find(fits).unwrap_or_default()
        }
    }
}

fn leaders(embeddings: &[Vec<f32>], alpha: f32) -> Vec<bool> {
    let mut kept: Vec<bool> = Vec::new();
    for (i, embedding) in embeddings.iter().enumerate() {
        let alike = |other: &Vec<f32>| cosine(other, embedding) > alpha || other == embedding;
        let represented = (0..i).any(|j| kept[j] && alike(&embeddings[j]));
        kept.push(!represented);
    }
    kept
}
