//! Log lines on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Starts logging. `LOOKALIKE_LOG` says how much, for example `debug` or
/// `lookalike::stages=debug,info`.
pub fn init(format: LogFormat) {
    let wanted = std::env::var("LOOKALIKE_LOG").unwrap_or_else(|_| "info".to_owned());
    // ONNX Runtime tells hundreds of lines at every start, unless it is asked not to.
    let filter = EnvFilter::new(format!("ort=warn,{wanted}"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => log.with_target(false).with_ansi(io::stderr().is_terminal()).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}
