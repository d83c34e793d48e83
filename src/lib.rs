//! A self-hosted server that speaks Amazon Rekognition's face API with real inference.
//!
//! A request's way is one straight line: [`wire`] (who, what), [`api`] (valid?), [`operations`], [`image`], [`vision`], [`store`] and
//! [`search`], and back out through [`wire`]. No module reaches back up that line.

pub mod api;
pub mod app;
pub mod catalog;
pub mod config;
pub mod control;
pub mod image;
pub mod logging;
pub mod operations;
pub mod search;
pub mod server;
pub mod store;
pub mod tenant;
pub mod vision;
pub mod wire;
