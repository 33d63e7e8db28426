//! synthesizers
