//! What channels promise (Cachin, Guerraoui, Rodrigues 2011, 2.4 and 3.9), told from what was said and heard.

use super::Told;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use volvox_core::{History, NodeId, Picture, Process, Property, When};

/// What was said and heard, from each to each.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Words {
    ways: BTreeMap<(NodeId, NodeId), Way>,
    /// Who heard from whom which number against a promise, the latest of each.
    invented: Option<(NodeId, NodeId, u64)>,
    repeated: Option<(NodeId, NodeId, u64)>,
    disordered: Option<(NodeId, NodeId, u64)>,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Way {
    said: u64,
    /// Everything up to here was heard.
    through: u64,
    /// Heard beyond that.
    beyond: BTreeSet<u64>,
}

impl<P: Process<Event = Told>> History<P> for Words {
    fn on_event(&mut self, node: NodeId, event: &Told) {
        match event {
            Told::Said { to, .. } => self.ways.entry((node, *to)).or_default().said += 1,
            Told::Heard { from, word } => self.on_heard(*from, node, word.number),
        }
    }
}

impl Words {
    /// How many words were said.
    pub fn said(&self) -> u64 {
        self.ways.values().map(|way| way.said).sum()
    }

    /// How many different words were heard.
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

/// What must hold of a reliable FIFO channel; a lower one keeps fewer of these.
pub fn properties<P: Process<Event = Told>>() -> Vec<Property<P, Words>> {
    vec![
        Property {
            name: "nothing is invented",
            source: "FND-01: no creation",
            when: When::Always,
            holds: not_invented,
        },
        Property { name: "nothing twice", source: "FND-01: no duplication", when: When::Always, holds: not_repeated },
        Property { name: "in order", source: "FND-01: FIFO; NET-06", when: When::Always, holds: in_order },
        Property {
            name: "what is said is heard",
            source: "FND-01: reliable delivery",
            when: When::AtEnd,
            holds: all_heard,
        },
    ]
}

fn against(promise: Option<(NodeId, NodeId, u64)>, how: &str) -> Result<(), String> {
    match promise {
        None => Ok(()),
        Some((to, from, number)) => Err(format!("{to} hears word {number} of {from} {how}")),
    }
}

fn not_invented<P>(picture: &Picture<'_, P, Words>) -> Result<(), String> {
    against(picture.history.invented, "that was never said")
}

fn not_repeated<P>(picture: &Picture<'_, P, Words>) -> Result<(), String> {
    against(picture.history.repeated, "once more")
}

fn in_order<P>(picture: &Picture<'_, P, Words>) -> Result<(), String> {
    against(picture.history.disordered, "out of order")
}

fn all_heard<P>(picture: &Picture<'_, P, Words>) -> Result<(), String> {
    let (said, heard) = (picture.history.said(), picture.history.heard());
    if said == heard { Ok(()) } else { Err(format!("{heard} of {said} words were heard")) }
}
