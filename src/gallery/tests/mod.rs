//! The gallery against a model of it, over stand-ins and over the real store.

mod cache;
mod nodes;
mod seen;
mod store;
