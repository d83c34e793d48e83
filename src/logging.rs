//! Log lines on standard error.

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal as _};

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{self, Writer};

use crate::config::LogFormat;

/// Starts logging. `LOOKALIKE_LOG` says how much, for example `debug` or
/// `lookalike::stages=debug,info`.
pub fn init(format: LogFormat) {
    let wanted = std::env::var("LOOKALIKE_LOG").unwrap_or_else(|_| "info".to_owned());
    // ONNX Runtime tells hundreds of lines at every start, unless it is asked not to.
    let filter = EnvFilter::new(format!("ort=warn,{wanted}"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        LogFormat::Text => log
            .with_target(false)
            .with_ansi(io::stderr().is_terminal())
            .fmt_fields(format::debug_fn(escaped_field).delimited(" "))
            .init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
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
    fn no_value_starts_a_line_or_commands_a_terminal() {
        let mut text = String::new();
        let hostile = "a\r\nINFO all is well \u{1b}[2J\u{85}\u{2028}\u{202e}b\n";
        write!(Escaped(&mut Writer::new(&mut text)), "{hostile} é 日本").expect("writes");
        assert_eq!(text, "a\\r\\nINFO all is well \\u{1b}[2J\\u{85}\\u{2028}\\u{202e}b\\n é 日本");
    }
}
