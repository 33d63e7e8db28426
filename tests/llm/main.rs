//! Synthesis by a language model, from outside: the real program and a server that it talks to over the network.

mod asking;
mod failing;
mod household;
mod privacy;
#[path = "../replay/program.rs"]
mod program;
mod server;
mod spending;
