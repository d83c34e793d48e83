//! A self-hosted server that speaks Amazon Rekognition's face API with real inference.
//!
//! A request travels in one straight line: [`aws_json`] (who, what, valid?), [`operations`],
//! [`objects`] and [`lookalike_vision`], [`lookalike_store`] and [`gallery`], and back out through
//! [`aws_json`]. Each crate under `crates/` depends on none above it.

pub mod admin;
pub mod answers;
pub mod api;
pub mod app;
pub mod backup;
pub mod catalog;
pub mod check;
mod cluster;
pub mod config;
pub mod console;
pub mod deterministic;
pub mod door;
pub mod enroll;
pub mod environment;
pub mod faults;
mod forward;
pub mod gallery;
pub mod installation;
mod listen;
pub mod logging;
pub mod memory;
pub mod migrate;
pub mod objects;
pub mod operations;
pub mod packs;
pub mod seed;
pub mod server;
pub mod shapes;
pub mod shell;
pub mod telemetry;
pub mod thumbnails;
pub mod transfer;
