//! The syntax of flags, which is Go's.

use super::flag::{Flag, Kind};
use super::flag_table::TABLE;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The flag of this name.
pub fn find(name: &str) -> Option<&'static Flag> {
    TABLE.iter().find(|flag| flag.name == name)
}

/// Why a command line is refused; the program then ends with exit code 2.
#[derive(PartialEq, Eq, Debug)]
pub enum SyntaxError {
    Unknown(String),
    NeedsValue(String),
    BadName(String),
    BadValue { name: String, value: String, kind: Kind },
}

impl fmt::Display for SyntaxError {
    /// In the words of Go's package `flag`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SyntaxError::Unknown(name) => write!(f, "flag provided but not defined: -{name}"),
            SyntaxError::NeedsValue(name) => write!(f, "flag needs an argument: -{name}"),
            SyntaxError::BadName(word) => write!(f, "bad flag syntax: {word}"),
            SyntaxError::BadValue { name, value, kind: Kind::Switch } => {
                write!(f, "invalid boolean value {value:?} for -{name}: parse error")
            }
            SyntaxError::BadValue { name, value, .. } => {
                write!(f, "invalid value {value:?} for flag -{name}: parse error")
            }
        }
    }
}

/// The words of a command line, taken apart.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The flags that were given; the last of several counts.
    pub given: BTreeMap<&'static str, String>,
    /// Whether help was asked for.
    pub help: bool,
    /// The words behind the flags.
    pub rest: Vec<String>,
}

/// Takes the words of a command line apart as Go does: `-name value`, `--name value`, `--name=value`, and a switch
/// alone. The first word that is no flag ends them.
///
/// # Errors
/// When a flag is unknown, or its value is missing or of another kind.
pub fn parse(words: &[String]) -> Result<Parsed, SyntaxError> {
    let mut parsed = Parsed::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(text) = word.strip_prefix('-').filter(|text| !text.is_empty()) else {
            parsed.rest.push(word.clone());
            break;
        };
        if text == "-" {
            break;
        }
        let text = text.strip_prefix('-').unwrap_or(text);
        if text.is_empty() || text.starts_with(['-', '=']) {
            return Err(SyntaxError::BadName(word.clone()));
        }
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value.to_owned())));
        let Some(flag) = find(name) else {
            if matches!(name, "h" | "help") {
                parsed.help = true;
                return Ok(parsed);
            }
            return Err(SyntaxError::Unknown(name.to_owned()));
        };
        let value = match value {
            Some(value) => value,
            None if flag.kind == Kind::Switch => "true".to_owned(),
            None => words.next().cloned().ok_or_else(|| SyntaxError::NeedsValue(name.to_owned()))?,
        };
        parsed.given.insert(flag.name, checked(flag, value)?);
    }
    parsed.rest.extend(words.cloned());
    Ok(parsed)
}

/// The value, if it is of the flag's kind.
///
/// # Errors
/// When it is not.
pub fn checked(flag: &Flag, value: String) -> Result<String, SyntaxError> {
    let is_good = match flag.kind {
        Kind::Text => true,
        Kind::Switch => switch(&value).is_some(),
        Kind::Number => value.parse::<i64>().is_ok(),
        Kind::Time => duration(&value).is_some(),
    };
    if is_good { Ok(value) } else { Err(SyntaxError::BadValue { name: flag.name.to_owned(), value, kind: flag.kind }) }
}

/// Whether two values of this kind say the same.
pub fn is_same(kind: Kind, one: &str, other: &str) -> bool {
    match kind {
        Kind::Text => one == other,
        Kind::Switch => switch(one) == switch(other),
        Kind::Number => one.parse::<i64>().ok() == other.parse::<i64>().ok(),
        Kind::Time => duration(one) == duration(other),
    }
}

/// The truth values of Go's `strconv.ParseBool`.
pub fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// A duration in Go's notation: numbers with units, such as `1h30m` or `1.5s`; `0` needs none. Negative ones are zero.
pub fn duration(text: &str) -> Option<Duration> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = unsigned;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit() && character != '.')?;
        let (number, tail) = rest.split_at(digits);
        let units = tail.find(|character: char| character.is_ascii_digit() || character == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(units);
        let scale = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * scale;
        rest = tail;
    }
    if unsigned.is_empty() {
        return None;
    }
    // Nanoseconds in an i64, as in Go.
    const SECONDS_MAX: f64 = 9_223_372_036.0;
    if seconds > SECONDS_MAX {
        return None;
    }
    Some(if text.starts_with('-') { Duration::ZERO } else { Duration::from_secs_f64(seconds) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::flag::Meaning;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn given(line: &str) -> Vec<(&'static str, String)> {
        parse(&words(line)).expect("correct").given.into_iter().collect()
    }

    fn refused(line: &str) -> String {
        parse(&words(line)).expect_err("wrong").to_string()
    }

    #[test]
    fn flags_are_written_as_in_go() {
        let expected = [("name", "a".to_owned()), ("pre-vote", "true".to_owned())];
        for line in ["--name a --pre-vote", "-name=a -pre-vote=true", "--name b --name a --pre-vote"] {
            assert_eq!(given(line), expected, "{line}");
        }
        // A switch takes no word: the next one is not a flag, and ends them.
        let parsed = parse(&words("--pre-vote false --name a")).expect("correct");
        assert_eq!(parsed.rest, ["false", "--name", "a"]);
        assert_eq!(given("--initial-cluster a=http://h:1,b=http://h:2")[0].1, "a=http://h:1,b=http://h:2");
        assert_eq!(given("--quota-backend-bytes -1")[0].1, "-1");
        assert!(parse(&words("--help")).expect("correct").help);
    }

    #[test]
    fn errors_are_in_the_words_of_go() {
        for (line, said) in [
            ("--nosuch", "flag provided but not defined: -nosuch"),
            ("-x=1", "flag provided but not defined: -x"),
            ("--name", "flag needs an argument: -name"),
            ("---name a", "bad flag syntax: ---name"),
            ("--=a", "bad flag syntax: --=a"),
            ("--pre-vote=maybe", "invalid boolean value \"maybe\" for -pre-vote: parse error"),
            ("--heartbeat-interval ten", "invalid value \"ten\" for flag -heartbeat-interval: parse error"),
            ("--grpc-keepalive-interval 5", "invalid value \"5\" for flag -grpc-keepalive-interval: parse error"),
        ] {
            assert_eq!(refused(line), said, "{line}");
        }
    }

    #[test]
    fn durations_are_those_of_go() {
        let milliseconds = |text: &str| duration(text).map(|time| time.as_millis());
        for (text, expected) in [
            ("0", Some(0)),
            ("0s", Some(0)),
            ("300ms", Some(300)),
            ("1m30s", Some(90_000)),
            ("1.5h", Some(5_400_000)),
            ("-5s", Some(0)),
            ("", None),
            ("-", None),
            ("5", None),
            ("s", None),
            ("5x", None),
            ("1..2s", None),
            ("9999999999999h", None),
        ] {
            assert_eq!(milliseconds(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_table_is_consistent() {
        for (at, flag) in TABLE.iter().enumerate() {
            assert!(TABLE[..at].iter().all(|other| other.name != flag.name), "{} is listed twice", flag.name);
            assert!(checked(flag, flag.default.to_owned()).is_ok(), "the default of {}", flag.name);
            if let Meaning::Renamed(to) = flag.meaning {
                let target = find(to).unwrap_or_else(|| panic!("{} is renamed to nothing", flag.name));
                assert_eq!((target.kind, target.default), (flag.kind, flag.default), "{}", flag.name);
                assert!(!matches!(target.meaning, Meaning::Renamed(_)), "{} is renamed twice", flag.name);
            }
        }
    }

    /// The lists are those of etcd 3.6, and flags that programs still pass to it.
    #[test]
    fn every_flag_of_etcd_is_known() {
        const SWITCHES: &str = include_str!("flags_of_etcd_switches.txt");
        const VALUES: &str = include_str!("flags_of_etcd_values.txt");
        for name in SWITCHES.split_whitespace() {
            assert_eq!(find(name).map(|flag| flag.kind), Some(Kind::Switch), "{name}");
        }
        for name in VALUES.split_whitespace() {
            assert!(find(name).is_some_and(|flag| flag.kind != Kind::Switch), "{name}");
        }
    }
}
