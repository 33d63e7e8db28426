//! The operators against their slow twins, on random logs: one module an operator.
//!
//! `PROPTEST_CASES=100000 cargo test --release -p hearth-operators --test oracle` for a long run; 256 cases otherwise.

mod compress;
mod log;
mod request;
mod score;
mod shift;
mod split;
mod transitions;
mod validate;
