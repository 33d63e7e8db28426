//! Greedy leader clustering, as one says it.

/// The cosine similarity of two unit vectors.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Which of the embeddings (in event-time order, of one home, regime and weekday) are kept: those without an earlier kept one
/// of a cosine similarity above `alpha`.
pub fn compress(embeddings: &[Vec<f32>], alpha: f32) -> Vec<bool> {
    let mut kept: Vec<bool> = Vec::new();
    for (i, embedding) in embeddings.iter().enumerate() {
        let similar = (0..i).any(|j| kept[j] && cosine(&embeddings[j], embedding) > alpha);
        kept.push(!similar);
    }
    kept
}
