//! What a store promises: one contract that every engine passes, and what survives a crash.

mod backup;
mod check_database;
mod contract;
mod crash;
mod membership;
mod open;
mod release;
mod tls;
mod unreliable;
