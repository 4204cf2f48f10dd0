//! The guarantees of channels (Cachin, Guerraoui, Rodrigues 2011, 2.4 and 3.9), judged by the words said and heard.

use super::Event;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{NodeId, Picture, Process, Property, When};

/// The words said and heard, for each pair.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct History {
    ways: BTreeMap<(NodeId, NodeId), Way>,
    /// The listener, the speaker and the number of the last word that violated a guarantee.
    invented: Option<(NodeId, NodeId, u64)>,
    repeated: Option<(NodeId, NodeId, u64)>,
    disordered: Option<(NodeId, NodeId, u64)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Way {
    said: u64,
    /// All numbers up to here were heard.
    through: u64,
    /// The numbers heard beyond that.
    beyond: BTreeSet<u64>,
}

impl<P: Process<Event = Event>> volvox_core::History<P> for History {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        match event {
            Event::Said { to, .. } => self.ways.entry((node, *to)).or_default().said += 1,
            Event::Heard { from, word } => self.on_heard(*from, node, word.number),
        }
    }
}

impl History {
    /// The number of words said.
    pub fn said(&self) -> u64 {
        self.ways.values().map(|way| way.said).sum()
    }

    /// The number of different words heard.
    pub fn heard(&self) -> u64 {
        self.ways.values().map(|way| way.through + way.beyond.len() as u64).sum()
    }

    fn on_heard(&mut self, from: NodeId, to: NodeId, number: u64) {
        let way = self.ways.entry((from, to)).or_default();
        let what = Some((to, from, number));
        if number == 0 || number > way.said {
            self.invented = what;
        } else if number <= way.through || way.beyond.contains(&number) {
            self.repeated = what;
        } else {
            if number != way.through + 1 || !way.beyond.is_empty() {
                self.disordered = what;
            }
            way.beyond.insert(number);
            while way.beyond.remove(&(way.through + 1)) {
                way.through += 1;
            }
        }
    }
}

/// The properties of a reliable FIFO channel; a lower layer satisfies fewer of these.
pub fn properties<P: Process<Event = Event>>() -> Vec<Property<P, History>> {
    vec![
        Property {
            name: "no creation",
            source: "Cachin and others 2011, 2.4; FND-01",
            when: When::Always,
            holds: no_creation,
        },
        Property {
            name: "no duplication",
            source: "Cachin and others 2011, 2.4; FND-01",
            when: When::Always,
            holds: no_duplication,
        },
        Property {
            name: "FIFO delivery",
            source: "Cachin and others 2011, 3.9; NET-06",
            when: When::Always,
            holds: fifo_delivery,
        },
        Property {
            name: "reliable delivery",
            source: "Cachin and others 2011, 2.4; FND-01",
            when: When::AtEnd,
            holds: reliable_delivery,
        },
    ]
}

fn against(promise: Option<(NodeId, NodeId, u64)>, how: &str) -> Result<(), String> {
    match promise {
        None => Ok(()),
        Some((to, from, number)) => Err(format!("{to} heard word {number} of {from} {how}")),
    }
}

fn no_creation<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    against(picture.history.invented, "which was never said")
}

fn no_duplication<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    against(picture.history.repeated, "once more")
}

fn fifo_delivery<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    against(picture.history.disordered, "out of order")
}

fn reliable_delivery<P>(picture: &Picture<'_, P, History>) -> Result<(), String> {
    let (said, heard) = (picture.history.said(), picture.history.heard());
    if said == heard { Ok(()) } else { Err(format!("{heard} of {said} words were heard")) }
}
