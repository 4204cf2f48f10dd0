//! A chapter without its type: everything that the worlds of the laboratory need from it.
//!
//! A [`Chapter`] names the types of its protocol. [`Shell`] is the same chapter over erased values, so that everything that
//! works on chapters is compiled once; this module and the typed [`fronts`](crate::check) of the worlds are the only
//! code of the laboratory that is compiled for each chapter.

use crate::chapter::{Card, Cell, Chapter, Settings};
use crate::claim::Claim;
use crate::exploring::Shown;
use crate::model::CheckedModel;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::rc::Rc;
use std::str::FromStr;
use volvox_core::erased::{AnyCommand, AnyConfig, AnyEvent, AnyHistory, AnyMessage, AnyProcess, AnyRecord, AnyTimer};
use volvox_core::{History, Kinds, NodeId, Picture, Process, Property, When};
use volvox_sim::{Carrier, Described, FaultPlan};

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

    /// The kind of an event.
    fn event_kind(&self, event: &AnyEvent) -> &'static str;

    /// The replicated log of a node, where the protocol has one.
    fn log(&self, process: &AnyProcess) -> Option<Vec<Cell>>;

    /// The small instances that are explored.
    fn models(&self) -> Vec<CheckedModel>;

    /// The numbers of the textbook that are measured.
    fn claims(&self) -> Vec<Claim>;

    /// The configuration of every node.
    fn config(&self, settings: &Settings) -> AnyConfig;

    /// The faults that it claims to survive.
    fn faults(&self, settings: &Settings) -> FaultPlan;

    /// The properties.
    fn properties(&self) -> Box<dyn Properties>;

    /// The state of a node, in a word or two.
    fn state(&self, process: &AnyProcess) -> String;

    /// Whether a node would say of itself that it leads.
    fn is_leader(&self, process: &AnyProcess) -> bool;

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

/// A chapter as its worlds ask it what of a message is the protocol's own.
#[derive(Clone, Copy)]
pub struct Carried(pub &'static dyn Shell);

impl Carried {
    /// How the chapter shows a run.
    pub fn shown(self) -> Shown {
        Shown { carrier: Rc::new(self), state_of: Rc::new(move |node| self.0.state(node)) }
    }
}

impl Carrier<AnyProcess> for Carried {
    fn message<'a>(&self, message: &'a AnyMessage) -> Option<&'a dyn Described> {
        self.0.carried(message)
    }

    fn timer<'a>(&self, timer: &'a AnyTimer) -> Option<&'a dyn Debug> {
        self.0.carried_timer(timer)
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
        C::card()
    }

    fn role(&self, node: NodeId, nodes: u64) -> &'static str {
        C::role(node, nodes)
    }

    fn carried<'a>(&self, message: &'a AnyMessage) -> Option<&'a dyn Described> {
        match message.get() {
            Some(message) => C::carried(message),
            // Bytes that are not decoded yet.
            None => Some(message),
        }
    }

    fn carried_timer<'a>(&self, timer: &'a AnyTimer) -> Option<&'a dyn Debug> {
        C::carried_timer(timer.get())
    }

    fn event_kind(&self, event: &AnyEvent) -> &'static str {
        event.get().map_or("told", <<C::Process as Process>::Event as Kinds>::kind)
    }

    fn log(&self, process: &AnyProcess) -> Option<Vec<Cell>> {
        C::log(process.expect())
    }

    fn models(&self) -> Vec<CheckedModel> {
        C::models()
    }

    fn claims(&self) -> Vec<Claim> {
        C::claims()
    }

    fn config(&self, settings: &Settings) -> AnyConfig {
        AnyConfig::of::<C::Process>(C::config(settings))
    }

    fn faults(&self, settings: &Settings) -> FaultPlan {
        C::faults(settings)
    }

    fn properties(&self) -> Box<dyn Properties> {
        Box::new(PropertiesOf::<C>(C::properties()))
    }

    fn state(&self, process: &AnyProcess) -> String {
        C::state(process.expect())
    }

    fn is_leader(&self, process: &AnyProcess) -> bool {
        C::is_leader(process.expect())
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
