//! `--config-file`: etcd's YAML, as untrusted text.
//!
//! The keys are the names of flags; those of TLS are in two sections. Only what a configuration needs is read: one
//! document, text and numbers, lists of them, and sections one level deep. Anchors and aliases, by which a short text
//! can describe an endless one, are refused.

use super::flag::{Flag, Kind};
use super::flags::{checked, find};
use anyhow::{Context, Result, bail};
use saphyr_parser::{Event, Parser, ScalarStyle};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The longest file.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// The deepest nesting: the document, a section, a list in it.
const DEPTH_MAX: usize = 8;

/// The content of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FromFile {
    /// The values of flags.
    pub given: BTreeMap<&'static str, String>,
    /// Keys that are no flags.
    pub unknown: Vec<String>,
}

/// Reads the file.
///
/// # Errors
/// When it cannot be read, is too long, or is not a configuration; says where.
pub fn read(path: &Path) -> Result<FromFile> {
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read {}", path.display()))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        bail!("{} is longer than {FILE_BYTES_MAX} bytes: is it a configuration?", path.display());
    }
    parse(&text).with_context(|| format!("in {}", path.display()))
}

/// Reads the text of a file.
///
/// # Errors
/// When it is not a configuration; says where.
pub fn parse(text: &str) -> Result<FromFile> {
    let mut events = Events { parser: Parser::new_from_str(text), line: 1 };
    let mut found = FromFile::default();
    loop {
        match events.next()? {
            Event::StreamStart | Event::DocumentStart(_) => {}
            Event::MappingStart(0, _) => break,
            // An empty file says nothing.
            Event::StreamEnd => return Ok(found),
            Event::Scalar(text, ..) if is_null(&text) => return Ok(found),
            _ => bail!("line {}: expected `key: value`", events.line),
        }
    }
    section(&mut events, &mut found, "")?;
    loop {
        match events.next()? {
            Event::DocumentEnd => {}
            Event::StreamEnd => return Ok(found),
            _ => bail!("line {}: expected one document", events.line),
        }
    }
}

struct Events<'a> {
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    line: usize,
}

impl<'a> Events<'a> {
    fn next(&mut self) -> Result<Event<'a>> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => bail!("not YAML: {error}"),
            None => Ok(Event::StreamEnd),
        }
    }
}

/// Reads `key: value` pairs until the section ends.
fn section(events: &mut Events<'_>, found: &mut FromFile, name: &str) -> Result<()> {
    loop {
        let key = match events.next()? {
            Event::MappingEnd => return Ok(()),
            Event::Scalar(key, _, 0, _) => key.into_owned(),
            _ => bail!("line {}: expected a key", events.line),
        };
        let flag = find(&flag_name(name, &key));
        match events.next()? {
            Event::MappingStart(0, _) if name.is_empty() && is_section(&key) => section(events, found, &key)?,
            Event::MappingStart(0, _) | Event::SequenceStart(0, _) if flag.is_none() => {
                skip(events)?;
                found.unknown.push(key);
            }
            Event::SequenceStart(0, _) => put(events, found, flag, &key, None)?,
            Event::Scalar(value, style, 0, _) => {
                let is_unset = style == ScalarStyle::Plain && is_null(&value);
                if !is_unset {
                    put(events, found, flag, &key, Some(value.into_owned()))?;
                }
            }
            Event::Alias(_) => bail!("line {}: aliases are not supported", events.line),
            _ => bail!("line {}: {key}: expected a text, a number or a list, without an anchor", events.line),
        }
    }
}

/// Takes a value, or with `None` the list that follows.
fn put(
    events: &mut Events<'_>,
    found: &mut FromFile,
    flag: Option<&'static Flag>,
    key: &str,
    value: Option<String>,
) -> Result<()> {
    let line = events.line;
    let Some(flag) = flag else {
        found.unknown.push(key.to_owned());
        return Ok(());
    };
    let value = match value {
        // A duration without a unit is a number of nanoseconds, as etcd writes it.
        Some(value) if flag.kind == Kind::Time && value.parse::<i64>().is_ok() => format!("{value}ns"),
        Some(value) => value,
        None => list(events)?.join(","),
    };
    let value = checked(flag, value).map_err(|error| anyhow::anyhow!("line {line}: {error}"))?;
    if found.given.insert(flag.name, value).is_some() {
        bail!("line {line}: {key} is given twice");
    }
    Ok(())
}

fn list(events: &mut Events<'_>) -> Result<Vec<String>> {
    let mut items = Vec::new();
    loop {
        match events.next()? {
            Event::SequenceEnd => return Ok(items),
            Event::Scalar(item, _, 0, _) => items.push(item.into_owned()),
            _ => bail!("line {}: expected a list of texts", events.line),
        }
    }
}

/// Passes over the rest of what has begun.
fn skip(events: &mut Events<'_>) -> Result<()> {
    let mut depth = 1;
    while depth > 0 {
        match events.next()? {
            Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
            Event::MappingEnd | Event::SequenceEnd => depth -= 1,
            Event::StreamEnd => bail!("line {}: the file ends too early", events.line),
            _ => {}
        }
        if depth > DEPTH_MAX {
            bail!("line {}: nested too deeply", events.line);
        }
    }
    Ok(())
}

fn is_section(key: &str) -> bool {
    matches!(key, "client-transport-security" | "peer-transport-security")
}

/// The flag that a key of a section means.
fn flag_name(section: &str, key: &str) -> String {
    match (section, key) {
        ("client-transport-security", "crl-file") => "client-crl-file".to_owned(),
        ("client-transport-security", "allowed-cn") => "client-cert-allowed-cn".to_owned(),
        ("client-transport-security", "allowed-hostname") => "client-cert-allowed-hostname".to_owned(),
        ("peer-transport-security", "allowed-cn") => "peer-cert-allowed-cn".to_owned(),
        ("peer-transport-security", "allowed-hostname") => "peer-cert-allowed-hostname".to_owned(),
        ("peer-transport-security", key) => format!("peer-{key}"),
        (_, key) => key.to_owned(),
    }
}

fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str) -> Vec<(&'static str, String)> {
        parse(text).expect("correct").given.into_iter().collect()
    }

    fn refused(text: &str) -> String {
        format!("{:#}", parse(text).expect_err("wrong"))
    }

    #[test]
    fn keys_are_flags_and_tls_has_sections() {
        let text = "# a comment\nname: 'default'\nsnapshot-count: 10000\nlog-outputs: [stderr, stdout]\nwal-dir:\n\
                    watch-progress-notify-interval: 600000000000\nclient-transport-security:\n  cert-file: a.pem\n  \
                    auto-tls: true\npeer-transport-security:\n  cert-file: b.pem\n  client-cert-auth: false\n";
        let expected = [
            ("auto-tls", "true"),
            ("cert-file", "a.pem"),
            ("log-outputs", "stderr,stdout"),
            ("name", "default"),
            ("peer-cert-file", "b.pem"),
            ("peer-client-cert-auth", "false"),
            ("snapshot-count", "10000"),
            ("watch-progress-notify-interval", "600000000000ns"),
        ];
        assert_eq!(given(text), expected.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(given(""), []);
        assert_eq!(given("---\n"), []);
    }

    #[test]
    fn keys_that_are_no_flags_are_reported() {
        let found = parse("name: a\nnosuch: 1\nother: {a: [1, 2]}\n").expect("read");
        assert_eq!(found.unknown, ["nosuch", "other"]);
        assert_eq!(found.given.len(), 1);
    }

    #[test]
    fn a_text_that_is_no_configuration_is_refused_with_its_place() {
        for (text, said) in [
            ("- a\n- b\n", "line 1: expected `key: value`"),
            ("name: a\nname: b\n", "line 2: name is given twice"),
            ("name: &x a\nwal-dir: *x\n", "without an anchor"),
            ("heartbeat-interval: soon\n", "line 1: invalid value \"soon\" for flag -heartbeat-interval"),
            ("name: {a: b}\n", "line 1: name: expected a text, a number or a list"),
            ("name: [[a]]\n", "line 1: expected a list of texts"),
            ("name: a\n---\nname: b\n", "expected one document"),
            ("name: \"a\n", "not YAML: "),
            ("x: [[[[[[[[[[[[[[[[a]]]]]]]]]]]]]]]]\n", "nested too deeply"),
        ] {
            assert!(refused(text).contains(said), "{text:?}: {}", refused(text));
        }
    }

    #[test]
    fn hostile_text_ends_in_an_error_or_a_configuration() {
        let mut rng = fastrand::Rng::with_seed(10);
        let alphabet: Vec<char> = "abc-:[]{}&*!|>'\"#%@`,? \n\t~0é".chars().collect();
        for _ in 0..20_000 {
            let text: String = (0..rng.usize(..60)).map(|_| alphabet[rng.usize(..alphabet.len())]).collect();
            let _ = parse(&text);
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"x: ".repeat(10_000)).is_err());
    }
}
