//! A server for each test, and faces to show it.

mod client;
pub mod faces;
pub mod files;
pub mod process;
mod server;

pub use client::{Client, Reply, bytes};
pub use server::{TestServer, options};
