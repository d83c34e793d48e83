//! Log lines on standard error.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _};

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::fmt::layer as fmt_layer;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::LogFormat;
use crate::telemetry::StageLayer;
use crate::telemetry::traces::Traces;

const DEFAULT: &str = "info";
/// Where one of its own targets stands alone, it is meant.
const OWN_TARGETS: [&str; 3] = ["lookalike", "aws_json", "ort"];

/// Starts logging. `LOOKALIKE_LOG` says how much, for example `debug` or
/// `lookalike::request=warn,info`; what it gets wrong is logged at the default level. What is
/// answered sends traces where the environment names a collector of them.
pub fn init(format: LogFormat) -> Traces {
    let wanted = std::env::var("LOOKALIKE_LOG").unwrap_or_else(|_| DEFAULT.to_owned());
    let filter = filter(&wanted);
    let mistake = filter.as_ref().err().cloned();
    let filter = filter.unwrap_or_else(|_| EnvFilter::new(with_quiet_runtime(DEFAULT)));
    let log = fmt_layer().with_writer(io::stderr);
    let log = match format {
        LogFormat::Text => log
            .with_target(false)
            .with_ansi(io::stderr().is_terminal())
            .fmt_fields(format::debug_fn(escaped_field).delimited(" "))
            .boxed(),
        LogFormat::Json => log.json().flatten_event(true).with_current_span(false).boxed(),
    };
    let (traces, refusal) = match Traces::from_env() {
        Ok(traces) => (traces, None),
        Err(refusal) => (Traces::default(), Some(refusal)),
    };
    tracing_subscriber::registry()
        .with(log.with_filter(filter))
        .with(StageLayer::filtered())
        .with(traces.layer())
        .init();
    if let Some(mistake) = mistake {
        tracing::warn!(mistake, "LOOKALIKE_LOG is not understood: logging at info");
    }
    if let Some(error) = refusal {
        tracing::warn!(%error, "no traces are sent: the OTEL_* variables are not understood");
    }
    // A panic in the middle of JSON lines breaks whoever reads them.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
    traces
}

/// The filter that a text describes, or what is wrong with it. A level that is mistyped would
/// otherwise be taken for the name of a target and silence all others.
fn filter(text: &str) -> Result<EnvFilter, String> {
    for directive in text.split(',').map(str::trim).filter(|directive| !directive.is_empty()) {
        let is_target = directive.contains(['=', '[', ':'])
            || OWN_TARGETS.iter().any(|target| directive.starts_with(target));
        if !is_target && directive.parse::<LevelFilter>().is_err() {
            return Err(format!("`{directive}` is no level; write for example debug or info"));
        }
    }
    EnvFilter::try_new(with_quiet_runtime(text)).map_err(|error| error.to_string())
}

/// ONNX Runtime tells hundreds of lines at every start, unless it is asked not to.
fn with_quiet_runtime(filter: &str) -> String {
    format!("ort=warn,{filter}")
}

/// Writes a field so that no value can start a line or command the terminal.
fn escaped_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(Escaped(writer), "{value:?}")
}

struct Escaped<'a, 'w>(&'a mut Writer<'w>);

impl fmt::Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(is_unsafe) {
            let plain = piece.trim_end_matches(is_unsafe);
            self.0.write_str(plain)?;
            write!(self.0, "{}", piece[plain.len()..].escape_default())?;
        }
        Ok(())
    }
}

/// Control characters, line separators and what turns the direction of writing.
fn is_unsafe(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_filter_is_noticed() {
        for wrong in ["inof", "debug,nonsense", "lookalike=verbose", "info,=debug="] {
            assert!(filter(wrong).is_err(), "{wrong}");
        }
        for right in [
            "",
            "info",
            "DEBUG",
            "off",
            "lookalike::request=warn,info",
            "lookalike=trace",
            "aws_json,warn",
        ] {
            assert!(filter(right).is_ok(), "{right}");
        }
    }

    #[test]
    fn no_value_starts_a_line_or_commands_a_terminal() {
        let mut text = String::new();
        let hostile = "a\r\nINFO all is well \u{1b}[2J\u{85}\u{2028}\u{202e}b\n";
        write!(Escaped(&mut Writer::new(&mut text)), "{hostile} é 日本").expect("writes");
        assert_eq!(text, "a\\r\\nINFO all is well \\u{1b}[2J\\u{85}\\u{2028}\\u{202e}b\\n é 日本");
    }
}
