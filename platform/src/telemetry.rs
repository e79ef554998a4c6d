//! Structured logs.
//!
//! `VOXPLANE_LOG` is a filter (`info`, `voxplane_operator=debug,kube=warn`, …; `RUST_LOG` is read when it is unset),
//! `VOXPLANE_LOG_FORMAT` is `json` (default, one object per line) or `text` (for people).

use std::str::FromStr;

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

/// Environment variable with the log filter.
pub const LOG_ENV: &str = "VOXPLANE_LOG";
/// Environment variable with the log format.
pub const LOG_FORMAT_ENV: &str = "VOXPLANE_LOG_FORMAT";

/// Everything from us at `info`; libraries that narrate every request or frame only when something is wrong.
const DEFAULT_FILTER: &str = "info,kube=warn,hyper=warn,h2=warn,tower=warn,sqlx=warn,rustls=warn,str0m=warn,livekit_signaling=warn,livekit_api=warn";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// Plain text for people.
    Text,
}

impl FromStr for LogFormat {
    type Err = TelemetryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            other => Err(TelemetryError::Format { value: other.to_owned() }),
        }
    }
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The format is neither `json` nor `text`.
    #[error("{LOG_FORMAT_ENV} is {value:?}: use json or text")]
    Format {
        /// What was given.
        value: String,
    },
    /// The filter cannot be parsed.
    #[error("{LOG_ENV} is {value:?}, which is no log filter: use for example info or voxplane_api=debug,info")]
    Filter {
        /// What was given.
        value: String,
        /// What the parser said.
        #[source]
        source: ParseError,
    },
    /// Logging was set up before.
    #[error("logging is set up already")]
    Installed(#[source] TryInitError),
}

/// Installs the process's log subscriber, configured by the environment. Logs go to standard error.
///
/// # Errors
/// [`TelemetryError`] names the variable that is wrong and what to write instead.
pub fn init() -> Result<(), TelemetryError> {
    let filter =
        env_value(LOG_ENV).or_else(|| env_value(EnvFilter::DEFAULT_ENV)).unwrap_or_else(|| DEFAULT_FILTER.to_owned());
    let format = env_value(LOG_FORMAT_ENV).map_or(Ok(LogFormat::default()), |text| text.parse())?;
    tracing_subscriber::registry()
        .with(output(format, std::io::stderr).with_filter(parse_filter(&filter)?))
        .try_init()
        .map_err(TelemetryError::Installed)
}

fn env_value(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

fn parse_filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::builder().parse(text).map_err(|source| TelemetryError::Filter { value: text.to_owned(), source })
}

fn output<W>(format: LogFormat, writer: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    match format {
        LogFormat::Json => fmt::layer().json().flatten_event(true).with_current_span(false).with_writer(writer).boxed(),
        LogFormat::Text => fmt::layer().with_writer(writer).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::redact::Redacted;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::registry().with(output(format, move || writer.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let caller = Redacted::new("+15550100");
            let span = tracing::info_span!("call", caller = %caller, call.id = "c1");
            span.in_scope(|| tracing::info!(?caller, "placed"));
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_are_objects_with_fields_and_spans() {
        let line: serde_json::Value = serde_json::from_str(&logged(LogFormat::Json)).unwrap();
        assert_eq!(line["message"], "placed");
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["spans"][0]["call.id"], "c1");
    }

    #[test]
    fn redacted_values_stay_out_of_both_formats() {
        for format in [LogFormat::Json, LogFormat::Text] {
            let text = logged(format);
            assert!(text.contains("placed"), "{text}");
            assert!(!text.contains("5550100"), "{text}");
        }
    }

    #[test]
    fn bad_settings_are_named() {
        let error = "xml".parse::<LogFormat>().unwrap_err();
        assert_eq!(error.to_string(), r#"VOXPLANE_LOG_FORMAT is "xml": use json or text"#);
        assert!(parse_filter("voxplane=shouting").unwrap_err().to_string().starts_with("VOXPLANE_LOG is"));
        assert!(parse_filter(DEFAULT_FILTER).is_ok());
    }
}
