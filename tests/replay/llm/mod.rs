//! Synthesis by a language model: the program and a server that it talks to over the network.

mod asking;
mod edits;
mod failing;
mod household;
mod killed;
mod privacy;
mod progress;
mod server;
mod spending;
