//! A chapter without its type: everything that the worlds of the laboratory need from it.
//!
//! A [`Chapter`] names the types of its protocol. [`Shell`] is the same chapter over erased values, so that everything that
//! works on chapters is compiled once; this module and the typed [`fronts`](crate::check) of the worlds are the only
//! code of the laboratory that is compiled for each chapter.

use crate::ask::Asking;
use crate::chapter::{Card, Cell, Chapter, Settings};
use crate::claim::Claim;
use crate::exploring::{Interpreter, Judged};
use crate::model::CheckedModel;
use crate::restarts::Restarts;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::rc::Rc;
use std::str::FromStr;
use volvox_check::{Exercised, Naming, Universe, first_word};
use volvox_core::erased::{AnyCommand, AnyConfig, AnyEvent, AnyHistory, AnyMessage, AnyProcess, AnyRecord, AnyTimer};
use volvox_core::{Forms, History, Kinds, NodeId, Picture, Process, Property, When};
use volvox_sim::script::World;
use volvox_sim::{Carrier, Described, FaultPlan, NodeState};

/// All of an erased system at one moment.
pub type AnyPicture<'a> = Picture<'a, AnyProcess, AnyHistory>;

/// A property, without what decides it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PropertyCard {
    /// Its name.
    pub name: &'static str,
    /// Its source: a paper with its section.
    pub source: &'static str,
    /// When it is asked.
    pub when: When,
}

impl PropertyCard {
    /// The card of a property.
    pub fn of<P, H>(property: &Property<P, H>) -> PropertyCard {
        PropertyCard { name: property.name, source: property.source, when: property.when }
    }
}

/// A chapter without its type.
pub trait Shell: Send + Sync {
    /// The card, known without running it.
    fn card(&self) -> &'static Card;

    /// The fixed role of a node.
    fn role(&self, node: NodeId, nodes: u64) -> &'static str;

    /// The protocol's own part of a message; `None` when it is only the carrier's.
    fn carried<'a>(&self, message: &'a AnyMessage) -> Option<&'a dyn Described>;

    /// The protocol's own part of a timer; `None` when it is only the carrier's.
    fn carried_timer<'a>(&self, timer: &'a AnyTimer) -> Option<&'a dyn Debug>;

    /// The kinds of all that the protocol is made of.
    fn universe(&self) -> Universe<'static>;

    /// The kind of a word of the protocol; `None` where it is one that only models have.
    fn kind_of(&self, word: Word<'_>) -> Option<&'static str>;

    /// The kind of an event.
    fn event_kind(&self, event: &AnyEvent) -> &'static str;

    /// The replicated log of a node, where the protocol has one.
    fn log(&self, process: &AnyProcess) -> Option<Vec<Cell>>;

    /// The small instances that are explored.
    fn models(&self) -> Vec<CheckedModel>;

    /// The bounds of models that a reader may ask for, where there are any.
    fn asking(&self) -> Option<Asking>;

    /// The numbers of the textbook that are measured.
    fn claims(&self) -> Vec<Claim>;

    /// The configuration of every node.
    fn config(&self, settings: &Settings) -> AnyConfig;

    /// The faults that it claims to survive.
    fn faults(&self, settings: &Settings) -> FaultPlan;

    /// The promise for nodes that restart in the middle of a question.
    fn restarts(&self) -> Restarts;

    /// The properties.
    fn properties(&self) -> Box<dyn Properties>;

    /// Whether the process is one of the chapter's. Models may explore it without what carries it.
    fn is_own(&self, process: &AnyProcess) -> bool;

    /// The state of a node.
    fn state(&self, process: &AnyProcess) -> NodeState;

    /// Whether an event says no more than what its node is.
    fn tells_state(&self, event: &AnyEvent) -> bool;

    /// Whether a record replaces the one before it, when that does so too.
    fn replaces(&self, record: &AnyRecord) -> bool;

    /// Whether a node would say of itself that it leads.
    fn is_leader(&self, process: &AnyProcess) -> bool;

    /// The forms of its commands, as a person types them: `tell {to}`.
    fn forms(&self) -> &'static [&'static str];

    /// Reads a command as a person types it; what is wrong with it otherwise.
    ///
    /// # Errors
    /// When the protocol knows no such command.
    fn command(&self, text: &str) -> Result<AnyCommand, String>;

    /// Decodes a message; `None` if it is not one of this protocol.
    fn message(&self, message: AnyMessage) -> Option<AnyMessage>;

    /// Decodes a record; `None` if it is not one of this protocol.
    fn record(&self, record: AnyRecord) -> Option<AnyRecord>;
}

/// A word of an erased process.
#[derive(Clone, Copy, Debug)]
pub enum Word<'a> {
    /// A command.
    Command(&'a AnyCommand),
    /// A timer.
    Timer(&'a AnyTimer),
    /// A record.
    Record(&'a AnyRecord),
    /// An event.
    Event(&'a AnyEvent),
}

type CommandOf<C> = <<C as Chapter>::Process as Process>::Command;
type MessageOf<C> = <<C as Chapter>::Process as Process>::Message;
type TimerOf<C> = <<C as Chapter>::Process as Process>::Timer;
type RecordOf<C> = <<C as Chapter>::Process as Process>::Record;
type EventOf<C> = <<C as Chapter>::Process as Process>::Event;

/// A chapter as its worlds ask it what of a message is the protocol's own.
#[derive(Clone, Copy)]
pub struct Carried(pub &'static dyn Shell);

impl Carried {
    /// The chapter, as an exploration needs it.
    pub fn interpreter(self) -> Rc<dyn Interpreter> {
        Rc::new(self)
    }

    fn name(self, word: Word<'_>, text: &dyn std::fmt::Display) -> String {
        self.0.kind_of(word).map_or_else(|| first_word(&text.to_string()), str::to_string)
    }
}

impl Interpreter for Carried {
    fn universe(&self) -> Universe<'static> {
        self.0.universe()
    }

    fn state(&self, process: &AnyProcess) -> NodeState {
        self.0.state(process)
    }

    fn judge(&self, world: &mut World<AnyProcess>) -> Option<Judged> {
        if !world.live().all(|(_, process)| self.0.is_own(process)) {
            return None;
        }
        let (properties, mut events) = (self.0.properties(), Vec::new());
        let mut history = properties.history();
        for (node, event) in world.take_told() {
            properties.observe(&mut history, node, &event);
            let kind = self.0.event_kind(&event);
            match events.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => events.push((kind, 1)),
            }
        }
        let cards = properties.cards();
        let always: Vec<usize> = (0..cards.len()).filter(|number| cards[*number].when == When::Always).collect();
        let nodes: Vec<_> = world.live().collect();
        let answers = properties.ask(&always, &Picture { nodes: &nodes, history: &history });
        let properties = always.iter().map(|number| cards[*number].name).zip(answers).collect();
        Some(Judged { properties, events })
    }
}

impl Naming<AnyProcess> for Carried {
    fn command(&self, command: &AnyCommand) -> String {
        self.name(Word::Command(command), command)
    }

    fn timer(&self, timer: &AnyTimer) -> String {
        self.name(Word::Timer(timer), &format_args!("{timer:?}"))
    }

    fn record(&self, record: &AnyRecord) -> String {
        self.name(Word::Record(record), record)
    }

    fn event(&self, event: &AnyEvent) -> String {
        self.name(Word::Event(event), event)
    }
}

impl Carrier<AnyProcess> for Carried {
    fn message<'a>(&self, message: &'a AnyMessage) -> Option<&'a dyn Described> {
        self.0.carried(message)
    }

    fn timer<'a>(&self, timer: &'a AnyTimer) -> Option<&'a dyn Debug> {
        self.0.carried_timer(timer)
    }

    fn tells_state(&self, event: &AnyEvent) -> bool {
        self.0.tells_state(event)
    }

    fn replaces(&self, record: &AnyRecord) -> bool {
        self.0.replaces(record)
    }
}

/// The properties of a chapter, and how they remember.
pub trait Properties {
    /// The description of each, in order.
    fn cards(&self) -> Vec<PropertyCard>;

    /// The history before any event.
    fn history(&self) -> AnyHistory;

    /// An event of a node is remembered.
    fn observe(&self, history: &mut AnyHistory, node: NodeId, event: &AnyEvent);

    /// Asks the properties of these numbers; answers in the same order.
    fn ask(&self, numbers: &[usize], picture: &AnyPicture<'_>) -> Vec<Result<(), String>>;

    /// Whether a run has done its work.
    fn is_done(&self, picture: &AnyPicture<'_>) -> bool;
}

/// The shell of a chapter: one line of its family.
pub const fn shell<C: Chapter>() -> &'static dyn Shell {
    &ShellOf::<C>(PhantomData)
}

struct ShellOf<C>(PhantomData<fn() -> C>);

impl<C: Chapter> Shell for ShellOf<C> {
    fn card(&self) -> &'static Card {
        C::CARD
    }

    fn role(&self, node: NodeId, nodes: u64) -> &'static str {
        C::role(node, nodes)
    }

    fn carried<'a>(&self, message: &'a AnyMessage) -> Option<&'a dyn Described> {
        match message.get() {
            Some(message) => C::carried(message),
            // Bytes that no node has read yet, or a model without what carries the protocol.
            None => Some(message),
        }
    }

    fn carried_timer<'a>(&self, timer: &'a AnyTimer) -> Option<&'a dyn Debug> {
        match timer.find() {
            Some(timer) => C::carried_timer(timer),
            // Of a model without what carries the protocol.
            None => Some(timer),
        }
    }

    fn universe(&self) -> Universe<'static> {
        Universe {
            commands: <CommandOf<C> as Kinds>::KINDS,
            messages: <MessageOf<C> as Kinds>::KINDS,
            timers: <TimerOf<C> as Kinds>::KINDS,
            records: <RecordOf<C> as Kinds>::KINDS,
            events: <EventOf<C> as Kinds>::KINDS,
            faults: Exercised::FAULTS,
            notes: &[],
        }
    }

    fn kind_of(&self, word: Word<'_>) -> Option<&'static str> {
        match word {
            Word::Command(command) => command.get::<CommandOf<C>>().map(Kinds::kind),
            Word::Timer(timer) => timer.find::<TimerOf<C>>().map(Kinds::kind),
            Word::Record(record) => record.get::<RecordOf<C>>().map(Kinds::kind),
            Word::Event(event) => event.get::<EventOf<C>>().map(Kinds::kind),
        }
    }

    fn event_kind(&self, event: &AnyEvent) -> &'static str {
        event.get().map_or("told", <<C::Process as Process>::Event as Kinds>::kind)
    }

    fn log(&self, process: &AnyProcess) -> Option<Vec<Cell>> {
        C::log(process.expect())
    }

    fn models(&self) -> Vec<CheckedModel> {
        C::MODELS.to_vec()
    }

    fn asking(&self) -> Option<Asking> {
        C::ASKING
    }

    fn claims(&self) -> Vec<Claim> {
        C::CLAIMS.to_vec()
    }

    fn config(&self, settings: &Settings) -> AnyConfig {
        AnyConfig::of::<C::Process>(C::config(settings))
    }

    fn faults(&self, settings: &Settings) -> FaultPlan {
        C::faults(settings)
    }

    fn restarts(&self) -> Restarts {
        C::restarts()
    }

    fn properties(&self) -> Box<dyn Properties> {
        Box::new(PropertiesOf::<C>(C::properties()))
    }

    fn is_own(&self, process: &AnyProcess) -> bool {
        process.get::<C::Process>().is_some()
    }

    fn state(&self, process: &AnyProcess) -> NodeState {
        process.get().map_or_else(|| C::state_in_model(process), C::state)
    }

    fn tells_state(&self, event: &AnyEvent) -> bool {
        event.get().is_some_and(C::tells_state)
    }

    fn replaces(&self, record: &AnyRecord) -> bool {
        record.get().is_some_and(C::replaces)
    }

    fn is_leader(&self, process: &AnyProcess) -> bool {
        C::is_leader(process.expect())
    }

    fn forms(&self) -> &'static [&'static str] {
        <<C::Process as Process>::Command as Forms>::FORMS
    }

    fn command(&self, text: &str) -> Result<AnyCommand, String> {
        match <C::Process as Process>::Command::from_str(text) {
            Ok(command) => Ok(AnyCommand::of(command)),
            Err(error) => Err(error.to_string()),
        }
    }

    fn message(&self, message: AnyMessage) -> Option<AnyMessage> {
        message.read::<<C::Process as Process>::Message>().ok().map(AnyMessage::of)
    }

    fn record(&self, record: AnyRecord) -> Option<AnyRecord> {
        record.read::<<C::Process as Process>::Record>().ok().map(AnyRecord::of)
    }
}

struct PropertiesOf<C: Chapter>(Vec<Property<C::Process, C::History>>);

impl<C: Chapter> Properties for PropertiesOf<C> {
    fn cards(&self) -> Vec<PropertyCard> {
        self.0.iter().map(PropertyCard::of).collect()
    }

    fn history(&self) -> AnyHistory {
        AnyHistory::of(C::History::default())
    }

    fn observe(&self, history: &mut AnyHistory, node: NodeId, event: &AnyEvent) {
        let event = event.get().expect("the event of a node of this chapter");
        history.expect_mut::<C::History>().on_event(node, event);
    }

    fn ask(&self, numbers: &[usize], picture: &AnyPicture<'_>) -> Vec<Result<(), String>> {
        typed::<C, _>(picture, |picture| numbers.iter().map(|number| (self.0[*number].holds)(picture)).collect())
    }

    fn is_done(&self, picture: &AnyPicture<'_>) -> bool {
        typed::<C, _>(picture, C::is_done)
    }
}

/// The picture as the chapter's own properties see it.
fn typed<C: Chapter, T>(picture: &AnyPicture<'_>, see: impl FnOnce(&Picture<'_, C::Process, C::History>) -> T) -> T {
    let nodes: Vec<(NodeId, &C::Process)> = picture.nodes.iter().map(|(id, node)| (*id, node.expect())).collect();
    see(&Picture { nodes: &nodes, history: picture.history.expect() })
}
