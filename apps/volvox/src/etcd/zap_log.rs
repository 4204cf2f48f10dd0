//! The log as etcd's zap writes it: one JSON document a line, or columns for a console.

use crate::node::log_file;
use anyhow::{Result, bail};
use serde_json::{Map, Value};
use std::fmt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::writer::{BoxMakeWriter, MakeWriterExt};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The target of the line that says why the program ends.
pub const FATAL: &str = "fatal";

/// The form of a line: `--log-format`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Json,
    Console,
}

/// The values of the flags of the log.
#[derive(Clone, Debug)]
pub struct LogSettings {
    pub form: Form,
    pub level: LevelFilter,
    pub outputs: Vec<String>,
}

impl LogSettings {
    /// Reads `--logger`, `--log-format`, `--log-level` and `--log-outputs`.
    ///
    /// # Errors
    /// In etcd's words.
    pub fn new(logger: &str, form: &str, level: &str, outputs: &[&str]) -> Result<LogSettings> {
        if logger != "zap" {
            bail!("unknown logger option {logger:?}");
        }
        let form = match form {
            "json" | "" => Form::Json,
            "console" => Form::Console,
            _ => bail!("unknown log format, expected json or console: {form}"),
        };
        let level = match level.to_ascii_lowercase().as_str() {
            "debug" => LevelFilter::DEBUG,
            "info" | "" => LevelFilter::INFO,
            "warn" => LevelFilter::WARN,
            "error" | "dpanic" | "panic" | "fatal" => LevelFilter::ERROR,
            _ => bail!("unrecognized level: {level:?}"),
        };
        let outputs = if outputs.is_empty() { vec!["default"] } else { outputs.to_vec() };
        if outputs.len() > 1 && outputs.contains(&"default") {
            bail!("multi logoutput for \"default\" is not supported yet");
        }
        Ok(LogSettings { form, level, outputs: outputs.into_iter().map(str::to_owned).collect() })
    }

    /// Sends the log there.
    ///
    /// # Errors
    /// When a file cannot be opened.
    pub fn start(&self) -> Result<()> {
        let mut writer: Option<BoxMakeWriter> = None;
        for output in &self.outputs {
            let next = match output.as_str() {
                "stdout" => BoxMakeWriter::new(std::io::stdout),
                // A service manager collects what a service writes to standard error.
                "default" | "stderr" | "systemd/journal" => BoxMakeWriter::new(std::io::stderr),
                path => log_file::writer(Path::new(path))?,
            };
            writer = Some(match writer {
                None => next,
                Some(before) => BoxMakeWriter::new(before.and(next)),
            });
        }
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(writer.unwrap_or_else(|| BoxMakeWriter::new(std::io::stderr)))
            .with_ansi(false)
            .event_format(self.form);
        let filter = Targets::new().with_default(self.level);
        tracing_subscriber::registry().with(lines).with(filter).init();
        Ok(())
    }
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let metadata = event.metadata();
        let line = Line {
            level: match *metadata.level() {
                Level::ERROR if metadata.target() == FATAL => "fatal",
                Level::ERROR => "error",
                Level::WARN => "warn",
                Level::INFO => "info",
                Level::DEBUG | Level::TRACE => "debug",
            },
            at: SystemTime::now(),
            caller: caller(metadata.file().unwrap_or("?"), metadata.line().unwrap_or(0)),
            message: fields.message,
            fields: fields.others,
        };
        writeln!(writer, "{}", line.text(*self))
    }
}

/// The last folder, the file and the line, as zap has them.
fn caller(file: &str, line: u32) -> String {
    let from = file.rmatch_indices('/').nth(1).map_or(0, |(at, _)| at + 1);
    format!("{}:{line}", &file[from..])
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        // The document of the effective configuration is a field of its own, not a text.
        let parsed = || serde_json::from_str::<Map<String, Value>>(value.as_str()?).ok();
        match field.name() {
            "message" => self.message = value.as_str().unwrap_or_default().to_owned(),
            "configuration" => self.others.extend(parsed().unwrap_or_default()),
            name => drop(self.others.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}

/// One line of the log.
pub struct Line {
    pub level: &'static str,
    pub at: SystemTime,
    pub caller: String,
    pub message: String,
    pub fields: Map<String, Value>,
}

impl Line {
    /// Its text, without the end of the line.
    pub fn text(&self, form: Form) -> String {
        let at = timestamp(self.at);
        let more = serde_json::to_string(&self.fields).unwrap_or_default();
        let quoted = |text: &str| Value::from(text).to_string();
        match form {
            Form::Console if self.fields.is_empty() => {
                format!("{at}\t{}\t{}\t{}", self.level, self.caller, self.message)
            }
            Form::Console => format!("{at}\t{}\t{}\t{}\t{more}", self.level, self.caller, self.message),
            Form::Json => {
                let head = format!(
                    r#"{{"level":"{}","ts":"{at}","caller":{},"msg":{}"#,
                    self.level,
                    quoted(&self.caller),
                    quoted(&self.message)
                );
                // The fields of a document follow in the same one.
                if self.fields.is_empty() { head + "}" } else { format!("{head},{}", &more[1..]) }
            }
        }
    }
}

/// `2026-12-01T03:00:00.123456Z`.
fn timestamp(at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", since.subsec_micros())
}

/// The date of a day since 1 January 1970, by eras of 400 years that begin on 1 March.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_line_is_a_document_as_zap_writes_it() {
        let mut line = Line {
            level: "info",
            at: UNIX_EPOCH + Duration::from_micros(1_772_323_199_000_042),
            caller: caller("apps/volvox/src/node/ready.rs", 7),
            message: "a \"quoted\"\nline".to_owned(),
            fields: Map::new(),
        };
        let head = r#"{"level":"info","ts":"2026-02-28T23:59:59.000042Z","caller":"node/ready.rs:7","msg":"a \"quoted\"\nline""#;
        assert_eq!(line.text(Form::Json), format!("{head}}}"));
        line.fields.insert("n".to_owned(), 1.into());
        assert_eq!(line.text(Form::Json), format!("{head},\"n\":1}}"));
        line.message = "a".to_owned();
        assert_eq!(line.text(Form::Console), "2026-02-28T23:59:59.000042Z\tinfo\tnode/ready.rs:7\ta\t{\"n\":1}");
    }

    #[test]
    fn dates_follow_the_calendar() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (59, (1970, 3, 1)),
            (11_016, (2000, 2, 29)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(date(days), expected);
        }
    }

    #[test]
    fn wrong_settings_are_refused() {
        assert!(LogSettings::new("zap", "json", "info", &["stderr", "stdout"]).is_ok());
        for (logger, form, level, outputs) in [
            ("capnslog", "json", "info", &[][..]),
            ("zap", "xml", "info", &[]),
            ("zap", "json", "loud", &[]),
            ("zap", "json", "info", &["default", "stdout"]),
        ] {
            assert!(LogSettings::new(logger, form, level, outputs).is_err(), "{logger} {form} {level} {outputs:?}");
        }
    }
}
