//! The server as its users see it: over HTTP, with real networks and a real database.

mod support;

#[cfg(unix)]
mod access;
mod admin;
mod answers;
mod cases;
mod cluster;
mod collections;
mod compare_faces;
mod concurrency;
mod console;
mod crash;
mod delete_faces;
mod detect_faces;
mod errors;
mod faults;
mod hostile;
mod index_faces;
mod list_faces;
mod memory;
mod migrate;
mod nodes;
mod packs;
mod search_faces;
mod seed;
mod shutdown;
mod tags;
mod telemetry;
mod thumbnails;
mod transfer;
mod users;
mod wire;
