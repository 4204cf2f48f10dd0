//! The actions that happened in an exploration, and those that never did.
//!
//! A property that holds says nothing about a command that was never given, or a message that no node ever sent. All
//! steps are kept with their effects, so the exercised parts are read from there after the exploration, at no cost.
//! Only events that are not steps of a node are noted where they become possible: losses, duplications and restarts.

use super::network::envelope_of;
use super::outcomes::{Key, Outcome};
use super::{CRASHES, Checked, DOUBLES, Durability, LOSSES, System};
use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use volvox_core::{MessageKind, Process, fingerprint_of};

/// Everything that happened in some explored state. Messages are identified by their kind; commands, timers, records and
/// events by the names that [`Naming`] gives them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Exercised {
    /// Commands that were given.
    pub commands: BTreeSet<String>,
    /// Commands of the alphabet that never were, in full: `n3 release`. They are impossible when no node is up, or
    /// where [`System::commands`] does not allow them.
    pub never_given: BTreeSet<String>,
    /// Messages that left a node.
    pub sent: BTreeSet<String>,
    /// Messages that a node handled.
    pub delivered: BTreeSet<String>,
    /// Messages that the network lost.
    pub lost: BTreeSet<String>,
    /// Messages that were duplicated.
    pub doubled: BTreeSet<String>,
    /// Timers that fired.
    pub timers: BTreeSet<String>,
    /// Records that were persisted.
    pub records: BTreeSet<String>,
    /// Events that were emitted.
    pub events: BTreeSet<String>,
    /// The texts of notes: each is a branch of a handler that says itself that it ran.
    pub notes: BTreeSet<&'static str>,
    /// Faults that happened.
    pub faults: BTreeSet<&'static str>,
    /// Faults that the system allows but that never happened.
    pub never_failed: BTreeSet<&'static str>,
}

/// How the words of a protocol are called.
pub trait Naming<P: Process> {
    /// The name of a command.
    fn command(&self, command: &P::Command) -> String {
        first_word(&command.to_string())
    }

    /// The name of a timer.
    fn timer(&self, timer: &P::Timer) -> String {
        first_word(&format!("{timer:?}"))
    }

    /// The name of a record.
    fn record(&self, record: &P::Record) -> String {
        first_word(&record.to_string())
    }

    /// The name of an event.
    fn event(&self, event: &P::Event) -> String {
        first_word(&event.to_string())
    }
}

/// Each goes by the first word of its text.
pub struct FirstWords;

impl<P: Process> Naming<P> for FirstWords {}

/// The kinds of a protocol, by their words, for the comparison in [`Exercised::missing`].
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Universe<'a> {
    /// Of commands.
    pub commands: &'a [&'a str],
    /// Of messages.
    pub messages: &'a [&'a str],
    /// Of timers.
    pub timers: &'a [&'a str],
    /// Of records.
    pub records: &'a [&'a str],
    /// Of events.
    pub events: &'a [&'a str],
    /// Of faults, by the names of [`Exercised::FAULTS`].
    pub faults: &'a [&'a str],
    /// The texts of notes.
    pub notes: &'a [&'a str],
}

/// A process ended.
const CRASH: &str = "crash";
/// A process that had ended started again.
const RESTART: &str = "restart";
/// The network lost a message to a node that was up.
const LOSS: &str = "loss";
/// A message was duplicated.
const DOUBLING: &str = "doubling";
/// Records became durable by a separate event.
const LATE_SYNC: &str = "late sync";
/// A message arrived at a node that was down.
const RECEIVER_DOWN: &str = "receiver down";

impl Exercised {
    /// The faults that a model may show. A message to a node that is down is part of a crash.
    pub const FAULTS: &'static [&'static str] = &[CRASH, RESTART, LOSS, DOUBLING, LATE_SYNC];

    /// Adds what happened in another exploration of the same protocol.
    pub fn absorb(&mut self, other: &Exercised) {
        let add = |into: &mut BTreeSet<String>, more: &BTreeSet<String>| into.extend(more.iter().cloned());
        add(&mut self.commands, &other.commands);
        add(&mut self.never_given, &other.never_given);
        add(&mut self.sent, &other.sent);
        add(&mut self.delivered, &other.delivered);
        add(&mut self.lost, &other.lost);
        add(&mut self.doubled, &other.doubled);
        add(&mut self.timers, &other.timers);
        add(&mut self.records, &other.records);
        add(&mut self.events, &other.events);
        self.notes.extend(&other.notes);
        self.faults.extend(&other.faults);
        self.never_failed.extend(&other.never_failed);
    }

    /// The kinds of this universe that never happened, line by line: as [`Exercised::missing`], without what only one
    /// model allows.
    pub fn never(&self, universe: &Universe<'_>) -> Vec<String> {
        let without = BTreeSet::new();
        Exercised { never_given: without, never_failed: BTreeSet::new(), ..self.clone() }.missing(universe)
    }

    /// The actions that never happened, line by line: `command release`, `message Release`, `timer Expire`, `fault
    /// crash`. A message that was sent and never arrived is listed as `delivery of Release`.
    pub fn missing(&self, universe: &Universe<'_>) -> Vec<String> {
        let mut missing = Vec::new();
        let mut compare = |what: &str, all: &[&str], happened: &BTreeSet<String>| {
            let never = all.iter().filter(|kind| !happened.contains(**kind));
            missing.extend(never.map(|kind| format!("{what} {kind}")));
        };
        for (all, happened) in [(universe.messages, &self.sent), (universe.records, &self.records)] {
            let unknown = happened.iter().find(|kind| !all.is_empty() && !all.contains(&kind.as_str()));
            assert!(unknown.is_none(), "the table of its kinds lacks {unknown:?}: {all:?}");
        }
        compare("command", universe.commands, &self.commands);
        compare("message", universe.messages, &self.sent);
        let sent: Vec<&str> = self.sent.iter().map(String::as_str).collect();
        compare("delivery of", &sent, &self.delivered);
        compare("timer", universe.timers, &self.timers);
        compare("record", universe.records, &self.records);
        compare("event", universe.events, &self.events);
        let texts = |all: &BTreeSet<&'static str>| all.iter().map(|text| (*text).to_string()).collect();
        compare("fault", universe.faults, &texts(&self.faults));
        compare("note", universe.notes, &texts(&self.notes));
        missing.extend(self.never_given.iter().map(|command| format!("given {command}")));
        missing.extend(self.never_failed.iter().map(|fault| format!("fault {fault}")));
        missing
    }
}

impl<P: Checked, H: Clone + Eq + Hash + Send + Sync> System<P, H> {
    /// Everything that happened in the states that were explored so far, each by the first word of its text.
    pub fn exercised(&self) -> Exercised {
        self.exercised_as(&FirstWords)
    }

    /// The same with these names.
    pub fn exercised_as(&self, naming: &dyn Naming<P>) -> Exercised {
        let mut happened = Exercised::default();
        let mut given = vec![false; self.alphabet.len()];
        let mut known = Known::default();
        for (_, step) in self.outcomes.iter() {
            match step.key {
                Key::Deliver(envelope) => {
                    happened.delivered.insert(self.kind_of(envelope));
                }
                Key::Fire(timer) => {
                    let timer = &self.timers.get(timer).timer;
                    add(&mut happened.timers, &mut known.timers, timer, |timer| naming.timer(timer));
                }
                Key::Command(command) => given[command as usize] = true,
                Key::Sync(_) => {
                    happened.faults.insert(LATE_SYNC);
                }
                Key::Crash(_) => {
                    happened.faults.insert(CRASH);
                }
                Key::Start | Key::Pass => {}
            }
            for outcome in &step.outcomes {
                self.add_outcome(step.node, outcome, naming, &mut happened, &mut known);
            }
        }
        for ((node, command), was_given) in self.alphabet.iter().zip(given) {
            match was_given {
                true => happened.commands.insert(naming.command(command)),
                false => happened.never_given.insert(format!("{} {command}", self.ids[*node])),
            };
        }
        happened.notes.extend(self.notes.lock().unwrap_or_else(PoisonError::into_inner).iter());
        self.add_faults(&mut happened);
        happened
    }

    fn kind_of(&self, envelope: u32) -> String {
        self.envelopes.get(envelope).message.kind().to_string()
    }

    fn add_outcome(
        &self,
        node: u32,
        outcome: &Outcome<P>,
        naming: &dyn Naming<P>,
        happened: &mut Exercised,
        known: &mut Known,
    ) {
        happened.sent.extend(outcome.sends.iter().map(|flight| self.kind_of(envelope_of(*flight))));
        for event in &outcome.events {
            add(&mut happened.events, &mut known.events, event, |event| naming.event(event));
        }
        let (before, after) = (&self.nodes.get(node).node.disk, &self.nodes.get(outcome.node).node.disk);
        let new = after.last().0.saturating_sub(before.last().0);
        for record in after.records.iter().rev().take(new as usize) {
            add(&mut happened.records, &mut known.records, record, |record| naming.record(record));
        }
    }

    fn add_faults(&self, happened: &mut Exercised) {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        for (_, envelope) in self.envelopes.iter() {
            let kind = envelope.message.kind();
            if is(&envelope.is_lost) {
                happened.lost.insert(kind.to_string());
                happened.faults.insert(LOSS);
            }
            if is(&envelope.is_doubled) {
                happened.doubled.insert(kind.to_string());
                happened.faults.insert(DOUBLING);
            }
            if is(&envelope.finds_receiver_down) {
                happened.faults.insert(RECEIVER_DOWN);
            }
        }
        if is(&self.has_restarted) {
            happened.faults.insert(RESTART);
        }
        let crashes = self.budgets[CRASHES] > 0;
        let allowed = [
            (CRASH, crashes),
            (RESTART, crashes && self.restarts),
            (LOSS, self.budgets[LOSSES] > 0),
            (DOUBLING, self.budgets[DOUBLES] > 0),
            (LATE_SYNC, self.durability == Durability::Separate),
        ];
        let never = allowed.into_iter().filter(|(fault, is_allowed)| *is_allowed && !happened.faults.contains(fault));
        happened.never_failed = never.map(|(fault, _)| fault).collect();
    }
}

/// The values whose words are already known, by fingerprint: there are few words and many values.
#[derive(Default)]
struct Known {
    timers: BTreeSet<u128>,
    records: BTreeSet<u128>,
    events: BTreeSet<u128>,
}

fn add<T: Hash>(words: &mut BTreeSet<String>, known: &mut BTreeSet<u128>, value: &T, text: impl Fn(&T) -> String) {
    if known.insert(fingerprint_of(value)) {
        words.insert(text(value));
    }
}

/// The first word of a text: `Granted(3)` is `Granted`, `Vote-req 1.1` is `Vote-req`; a text without letters is itself.
pub fn first_word(text: &str) -> String {
    let end = text.find(|c: char| !(c.is_alphanumeric() || c == '-' || c == '_')).unwrap_or(text.len());
    if end == 0 { text.to_string() } else { text[..end].to_string() }
}
