//! `--help` and `--version`, in etcd's form.

use super::flag::{Flag, Kind, Meaning};
use super::flag_table::TABLE;
use std::fmt::Write;

/// The first lines of the help, and what follows an error.
pub const USAGE: &str = "Usage:

  etcd [flags]
    Start an etcd server.

  etcd --version
    Show the version of etcd.

  etcd -h | --help
    Show the help information about etcd.

  etcd --config-file
    Path to the server configuration file. Note that if a configuration file is provided, other command line flags and \
environment variables will be ignored.
";

/// The whole help: every flag with its default, grouped by what it means here.
pub fn text() -> String {
    let mut text = format!("{USAGE}\nThis is Volvox {}, with the flags of etcd.\n", env!("CARGO_PKG_VERSION"));
    let mut group = |title: &str, belongs: fn(&Flag) -> bool| {
        write!(text, "\n{title}:\n").expect("a String grows as far as it must");
        for flag in TABLE.iter().filter(|flag| belongs(flag)) {
            let value = match flag.kind {
                Kind::Text if flag.default.is_empty() => " ''".to_owned(),
                Kind::Text => format!(" '{}'", flag.default),
                Kind::Switch | Kind::Number | Kind::Time => format!(" {}", flag.default),
            };
            let note = match flag.meaning {
                Meaning::Unused(reason) | Meaning::Refused(reason) => format!("\n        {reason}"),
                Meaning::Renamed(to) => format!("\n        now --{to}"),
                Meaning::Same | Meaning::Given => String::new(),
            };
            writeln!(text, "  --{}{value}{note}", flag.name).expect("a String grows as far as it must");
        }
    };
    group("Flags that mean what they mean in etcd", |flag| flag.meaning == Meaning::Same);
    group("Accepted, and always so here", |flag| flag.meaning == Meaning::Given);
    group("Accepted with a warning, without effect", |flag| matches!(flag.meaning, Meaning::Unused(_)));
    group("Refused", |flag| matches!(flag.meaning, Meaning::Refused(_)));
    group("Names of earlier versions", |flag| matches!(flag.meaning, Meaning::Renamed(_)));
    text
}

/// The lines of `--version`, which scripts read.
pub fn version() -> String {
    format!(
        "etcd Version: {}\nGit SHA: volvox-{}\nGo Version: none (Rust)\nGo OS/Arch: {}/{}",
        volvox_etcd::VERSION,
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_listed_once() {
        let text = text();
        for flag in TABLE {
            assert_eq!(text.matches(&format!("\n  --{} ", flag.name)).count(), 1, "{}", flag.name);
        }
        assert!(version().starts_with("etcd Version: 3."));
    }
}
