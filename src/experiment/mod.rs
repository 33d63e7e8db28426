//! `hearth experiment`: the paper's evaluation, and one that can be believed.

pub mod methods;
