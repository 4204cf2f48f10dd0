//! A process with a disk, to see that a layer hides nothing from the process above it: its start, its records, their durability,
//! and its restart.

use std::collections::VecDeque;
use std::convert::Infallible;
use volvox_channel::talk::{Command, Event, History, Message};
use volvox_core::erased::Erasable;
use volvox_core::{Context, NodeId, Position, Process, Restored, payload};
use volvox_lab::check::{Checker, Durability, Network, System};
use volvox_lab::model::{Explored, explore};

/// A word was heard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Record {
    /// Its number.
    pub number: u64,
}

payload! { struct Record { number } as "Heard" => "heard {number}" }

/// The first node says a word when it starts; a node that hears one writes it down, and tells when that is durable.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Diary {
    /// The listener, at the node that speaks.
    listener: Option<NodeId>,
    /// The number of words that were written down, in this life of the process or an earlier one.
    written: u64,
    /// The words that are not durable.
    pending: VecDeque<(Position, NodeId, Message)>,
}

impl Process for Diary {
    type Config = ();
    type Message = Message;
    type Timer = Infallible;
    type Record = Record;
    type Command = Command;
    type Event = Event;
    type View = u64;

    fn new(id: NodeId, members: &[NodeId], (): &()) -> Diary {
        let listener = members.iter().copied().find(|member| members.first() == Some(&id) && *member != id);
        Diary { listener, written: 0, pending: VecDeque::new() }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        if let Restored::Record { .. } = restored {
            self.written += 1;
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Diary>) {
        if let Some(to) = self.listener {
            let word = Message { number: 1, text: "word".parse().expect("a line") };
            cx.emit(Event::Said { to, word: word.clone() });
            cx.send(to, word);
        }
    }

    fn on_message(&mut self, from: NodeId, word: Message, cx: &mut Context<'_, Diary>) {
        self.written += 1;
        let position = cx.persist(Record { number: word.number });
        self.pending.push_back((position, from, word));
    }

    fn on_timer(&mut self, timer: Infallible, _: &mut Context<'_, Diary>) {
        match timer {}
    }

    fn on_command(&mut self, Command::Say { to, .. }: Command, cx: &mut Context<'_, Diary>) {
        cx.note("speaks when it starts", to.0);
    }

    fn on_persisted(&mut self, through: Position, cx: &mut Context<'_, Diary>) {
        while let Some((_, from, word)) = self.pending.pop_front_if(|(position, _, _)| *position <= through) {
            cx.emit(Event::Heard { from, word });
        }
    }

    fn view(&self) -> u64 {
        self.written
    }
}

/// Explores two of these under some layers, of which one crashes and restarts.
pub fn passes_through<P>(config: P::Config) -> Explored
where
    P: Erasable + Process<Event = Event, Command = Command, Record = Record, View = u64>,
{
    let links = Network::ordered().queue_max(2);
    let world = System::<P, History>::with_history(2, config).network(links).durability(Durability::Prompt);
    let world = world.crashes_and_restarts(1);
    let checker = Checker::new(&world)
        .invariant("a process knows its records", |world, state| {
            let view = world.view(state);
            view.nodes().all(|(id, node)| node.view() >= view.records(id).1 as u64)
        })
        .reachable("a word is heard", |world, state| world.view(state).history().heard() > 0);
    explore(&world, checker)
}
