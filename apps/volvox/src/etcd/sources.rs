//! Where the values of flags come from: the command line, then `ETCD_*` variables; a configuration file replaces both.

use super::config_file;
use super::flag::{Flag, Kind, Meaning};
use super::flag_table::TABLE;
use super::flags::{checked, duration, find, is_same, switch};
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The effective value of every flag.
#[derive(Debug, Default)]
pub struct Values {
    given: BTreeMap<&'static str, String>,
    /// The lines for the log once it is open.
    pub warnings: Vec<String>,
}

impl Values {
    /// Merges the sources. `variables` are those of the environment.
    ///
    /// # Errors
    /// When a value is wrong, or a flag has no meaning here that could be ignored.
    pub fn merge(
        flags: BTreeMap<&'static str, String>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> Result<Values> {
        let mut values = Values { given: flags, warnings: Vec::new() };
        values.take_variables(variables)?;
        if let Some(path) = values.given.get("config-file").filter(|path| !path.is_empty()).cloned() {
            let found = config_file::read(Path::new(&path))?;
            values.given = found.given;
            values.warnings = vec![
                "loaded server configuration, other configuration command line flags and environment variables \
                      will be ignored if provided"
                    .to_owned(),
            ];
            values.warnings.extend(found.unknown.iter().map(|key| format!("{key} is no setting, and is ignored")));
        }
        values.rename()?;
        values.judge()?;
        Ok(values)
    }

    fn take_variables(&mut self, variables: impl Iterator<Item = (String, String)>) -> Result<()> {
        let known: BTreeMap<String, &'static str> = TABLE
            .iter()
            .map(|flag| (format!("ETCD_{}", flag.name.to_uppercase().replace('-', "_")), flag.name))
            .collect();
        let mut variables: Vec<_> = variables.filter(|(name, _)| name.starts_with("ETCD_")).collect();
        variables.sort();
        for (variable, value) in variables {
            match known.get(&variable) {
                // The framework of etcd's own tests sets it for all its programs.
                None if variable == "ETCD_VERIFY" => {}
                None => self.warnings.push(format!("unrecognized environment variable {variable}={value}")),
                Some(&"version") => {}
                Some(name) if self.given.contains_key(name) => self.warnings.push(format!(
                    "recognized environment variable {variable}, but unused: shadowed by corresponding flag"
                )),
                Some(_) if value.is_empty() => {}
                Some(name) => {
                    let flag = find(name).expect("it is in the table");
                    match checked(flag, value) {
                        Ok(value) => drop(self.given.insert(name, value)),
                        Err(error) => bail!("invalid value for environment variable {variable}: {error}"),
                    }
                }
            }
        }
        Ok(())
    }

    /// Old names become the new ones.
    fn rename(&mut self) -> Result<()> {
        for flag in TABLE {
            let Meaning::Renamed(to) = flag.meaning else { continue };
            let Some(value) = self.given.remove(flag.name) else { continue };
            if self.given.contains_key(to) {
                bail!("cannot set both --{} and --{to}: --{} is deprecated, use --{to} only", flag.name, flag.name);
            }
            self.warnings.push(format!("--{} is deprecated, use --{to} instead", flag.name));
            self.given.insert(to, value);
        }
        Ok(())
    }

    /// Warns of values that have no effect, and refuses those that must not be ignored.
    fn judge(&mut self) -> Result<()> {
        for (name, value) in &self.given {
            let flag = find(name).expect("it is in the table");
            if is_same(flag.kind, value, flag.default) {
                continue;
            }
            match flag.meaning {
                Meaning::Unused(reason) => {
                    self.warnings.push(format!("--{name}={value} has no effect: {reason}"));
                }
                Meaning::Refused(reason) => bail!("--{name} is not supported: {reason}"),
                Meaning::Same | Meaning::Given | Meaning::Renamed(_) => {}
            }
        }
        Ok(())
    }

    /// Whether a source named the flag.
    pub fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The value of the flag.
    pub fn text(&self, name: &'static str) -> &str {
        self.given.get(name).map_or_else(|| find(name).expect("it is in the table").default, String::as_str)
    }

    /// The value, unless it is empty.
    pub fn filled(&self, name: &'static str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// The items of a list.
    pub fn list(&self, name: &'static str) -> Vec<&str> {
        self.text(name).split(',').map(str::trim).filter(|item| !item.is_empty()).collect()
    }

    /// The value of a switch.
    pub fn is_on(&self, name: &'static str) -> bool {
        switch(self.text(name)).unwrap_or(false)
    }

    /// The value of a number.
    pub fn number(&self, name: &'static str) -> i64 {
        self.text(name).parse().unwrap_or(0)
    }

    /// The value of a duration.
    pub fn time(&self, name: &'static str) -> Duration {
        duration(self.text(name)).unwrap_or_default()
    }

    /// All effective values, for the first line of the log. Secrets are none among them.
    pub fn document(&self) -> serde_json::Map<String, serde_json::Value> {
        let shown = TABLE.iter().filter(|flag| {
            !matches!(flag.meaning, Meaning::Renamed(_)) && !matches!(flag.name, "discovery-password" | "version")
        });
        let value = |flag: &Flag| match flag.kind {
            Kind::Switch => self.is_on(flag.name).into(),
            Kind::Number => self.number(flag.name).into(),
            Kind::Text | Kind::Time => self.text(flag.name).into(),
        };
        shown.map(|flag| (flag.name.to_owned(), value(flag))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::flags::parse;

    fn merged(line: &str, variables: &[(&str, &str)]) -> Result<Values> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Values::merge(parse(&words).expect("correct").given, variables)
    }

    #[test]
    fn a_flag_wins_over_its_variable_and_a_file_over_both() {
        let variables = [("ETCD_NAME", "variable"), ("ETCD_DATA_DIR", "folder"), ("OTHER", "x"), ("ETCD_NOSUCH", "y")];
        let values = merged("--name flag", &variables).expect("merged");
        assert_eq!((values.text("name"), values.text("data-dir")), ("flag", "folder"));
        assert_eq!(values.warnings.len(), 2, "{:?}", values.warnings);
        assert!(values.warnings[0].contains("ETCD_NAME, but unused: shadowed"));
        assert!(values.warnings[1].contains("unrecognized environment variable ETCD_NOSUCH"));

        let path = std::env::temp_dir().join(format!("volvox-etcd-sources-{}.yaml", std::process::id()));
        std::fs::write(&path, "name: file\nspelled-wrong: 1\n").expect("written");
        let values = merged(&format!("--name flag --config-file {}", path.display()), &variables).expect("merged");
        std::fs::remove_file(&path).expect("removed");
        assert_eq!((values.text("name"), values.text("data-dir")), ("file", ""), "neither flag nor variable");
        assert!(values.warnings.iter().any(|line| line.contains("spelled-wrong is no setting")));
        let missing = merged("--config-file /nowhere.yaml", &[]).expect_err("missing");
        assert!(format!("{missing:#}").contains("cannot read /nowhere.yaml"));
    }

    #[test]
    fn old_names_are_taken_with_a_warning_and_never_both() {
        let values = merged("--experimental-watch-progress-notify-interval 10s", &[]).expect("merged");
        assert_eq!(values.time("watch-progress-notify-interval"), Duration::from_secs(10));
        assert!(values.warnings[0].contains("is deprecated, use --watch-progress-notify-interval instead"));
        let both = "--experimental-corrupt-check-time 1s --corrupt-check-time 1s";
        assert!(merged(both, &[]).expect_err("both").to_string().contains("cannot set both"));
    }

    #[test]
    fn a_default_that_is_spelled_out_is_no_news() {
        let defaults: Vec<String> = TABLE
            .iter()
            .filter(|flag| !matches!(flag.meaning, Meaning::Renamed(_)) && flag.name != "config-file")
            .map(|flag| format!("--{}={}", flag.name, flag.default))
            .collect();
        let values = Values::merge(parse(&defaults).expect("correct").given, std::iter::empty()).expect("merged");
        assert_eq!(values.warnings, Vec::<String>::new());
    }

    #[test]
    fn flags_without_effect_warn_once_each_and_dangerous_ones_are_refused() {
        let values = merged("--snapshot-count 100 --unsafe-no-fsync --pre-vote=false", &[]).expect("merged");
        assert_eq!(values.warnings.len(), 2, "{:?}", values.warnings);
        for refused in [
            "--force-new-cluster",
            "--discovery http://d/1",
            "--discovery-srv d",
            "--client-crl-file a.pem",
            "--peer-cert-allowed-cn a",
        ] {
            let error = merged(refused, &[]).expect_err(refused).to_string();
            let name = refused.split(' ').next().expect("a flag");
            assert!(error.starts_with(&format!("{name} is not supported: ")), "{error}");
        }
        assert!(merged("--force-new-cluster=false", &[]).is_ok());
        let bad = merged("", &[("ETCD_HEARTBEAT_INTERVAL", "soon")]).expect_err("no number").to_string();
        assert!(bad.contains("ETCD_HEARTBEAT_INTERVAL") && bad.contains("parse error"), "{bad}");
    }
}
