//! The bounds of a model that is asked for, as arguments: `--nodes 4 --order fifo`.
//!
//! Each chapter has its own table of bounds, so the arguments are those of all chapters together. Which of them a chapter
//! knows, and how far, the chapter says.

use anyhow::Result;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgMatches, Command};
use std::collections::BTreeMap;
use volvox_chapters::REGISTRY;
use volvox_lab::ask::{Bound, Range};

/// The bounds that were given, with their values as text.
#[derive(Clone, Default, Debug)]
pub struct BoundArguments(BTreeMap<&'static str, String>);

impl BoundArguments {
    /// The names and values.
    pub fn asked(&self) -> Vec<(&str, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }
}

/// The bounds of all chapters by their names; of those that several chapters have, the first.
fn known() -> BTreeMap<&'static str, Bound> {
    let mut known = BTreeMap::new();
    for bound in REGISTRY.chapters().filter_map(|shell| shell.asking()).flat_map(|asking| asking.bounds()) {
        known.entry(bound.name).or_insert(bound);
    }
    known
}

impl clap::Args for BoundArguments {
    fn augment_args(command: Command) -> Command {
        known().into_values().fold(command, |command, bound| {
            let value = match bound.range {
                Range::Numbers { .. } => "COUNT",
                Range::Words(_) => "WORD",
            };
            let argument = Arg::new(bound.name)
                .long(bound.name)
                .value_name(value)
                .allow_hyphen_values(true)
                .requires("protocol")
                .conflicts_with("all")
                .help_heading("Bounds of a model that is asked for (`volvox lab show P` says which, and how far)")
                .help(bound.help());
            command.arg(argument)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        BoundArguments::augment_args(command)
    }
}

impl clap::FromArgMatches for BoundArguments {
    fn from_arg_matches(matches: &ArgMatches) -> Result<BoundArguments, clap::Error> {
        let value = |name: &'static str| Some((name, matches.get_one::<String>(name)?.clone()));
        Ok(BoundArguments(known().into_keys().filter_map(value).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = BoundArguments::from_arg_matches(matches)?;
        Ok(())
    }
}

/// An error of the command line; where `lab check P` was given a bound that no chapter knows, with those that P knows.
pub fn explained(mut error: clap::Error, words: &[String]) -> clap::Error {
    let place = words.windows(2).position(|pair| pair == ["lab", "check"]);
    let (ErrorKind::UnknownArgument, Some(place)) = (error.kind(), place) else { return error };
    let protocol = words[place + 2..].iter().find_map(|word| REGISTRY.find(word).ok());
    let Some((shell, asking)) = protocol.and_then(|shell| Some((shell, shell.asking()?))) else { return error };
    let names: Vec<String> = asking.bounds().iter().map(|bound| format!("--{}", bound.name)).collect();
    let id = shell.card().id;
    let text = format!("the models of {id} have {}; `volvox lab show {id}` says how far", names.join(", "));
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![text.into()]));
    error
}
