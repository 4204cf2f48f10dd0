//! Branches of a bank that pay one another: an application whose total never changes.
//!
//! At every moment the balances and the money in transit add up to the opening balances. An observer that reads the
//! balances at different moments, or ignores money in transit, gets a different sum: money appears or disappears by
//! observation.

use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use volvox_core::{Context, NodeId, Process, commands, payload};

/// The opening balance of a branch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Config {
    /// The balance.
    pub opening: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config { opening: 100 }
    }
}

/// Money in transit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Message(pub u64);

payload! { struct Message(amount) as "Payment" => "Payment {amount}" }

/// The commands to a branch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Command {
    /// Pays another branch: `pay 10 to n2`.
    Pay {
        /// The amount.
        amount: u64,
        /// The receiver.
        to: NodeId,
    },
}

commands! { Command; Pay { amount, to } = "pay {amount} to {to}" }

/// The events of a branch.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// The branch opens with this balance.
    Opened(u64),
    /// The branch pays.
    Paid {
        /// The amount.
        amount: u64,
        /// The receiver.
        to: NodeId,
    },
    /// The branch was paid.
    Received {
        /// The amount.
        amount: u64,
        /// The payer.
        from: NodeId,
    },
}

payload! { Event;
    Opened(balance)           => "opens with {balance}",
    Paid { amount, to }       => "pays {amount} to {to}",
    Received { amount, from } => "receives {amount} from {from}",
}

/// A branch.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Bank {
    id: NodeId,
    members: Vec<NodeId>,
    balance: u64,
}

impl Process for Bank {
    type Config = Config;
    type Message = Message;
    type Timer = Infallible;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Bank {
        Bank { id, members: members.to_vec(), balance: config.opening }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Bank>) {
        cx.emit(Event::Opened(self.balance));
    }

    fn on_message(&mut self, from: NodeId, Message(amount): Message, cx: &mut Context<'_, Bank>) {
        match self.balance.checked_add(amount) {
            Some(balance) if self.members.contains(&from) => {
                self.balance = balance;
                cx.emit(Event::Received { amount, from });
            }
            _ => cx.note("ignored: more money than there is", from.0),
        }
    }

    fn on_timer(&mut self, timer: Infallible, _: &mut Context<'_, Bank>) {
        match timer {}
    }

    fn on_command(&mut self, Command::Pay { amount, to }: Command, cx: &mut Context<'_, Bank>) {
        match self.balance.checked_sub(amount) {
            Some(balance) if to != self.id && self.members.contains(&to) => {
                self.balance = balance;
                cx.emit(Event::Paid { amount, to });
                cx.send(to, Message(amount));
            }
            _ => cx.note("refused: no such branch, or not enough money", amount),
        }
    }

    fn view(&self) {}
}

impl Bank {
    /// The balance.
    pub fn balance(&self) -> u64 {
        self.balance
    }
}

impl fmt::Display for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "balance {}", self.balance)
    }
}
