//! Branches of a bank that pay one another: an application whose total never changes.
//!
//! At every moment the balances and what is under way add up to what the branches opened with. Who writes down each
//! balance at another moment, or forgets what is under way, gets another sum: money made or lost by looking.

use alloc::vec::Vec;
use core::convert::Infallible;
use core::fmt;
use core::str::FromStr;
use volvox_core::{Context, Decode, DecodeError, Encode, MessageKind, NodeId, Process, Reader};

/// What a branch opens with.
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

/// Money under way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Payment(pub u64);

/// What a branch can be asked: `pay 10 to n2`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Pay {
    /// How much.
    pub amount: u64,
    /// Whom.
    pub to: NodeId,
}

/// What a branch tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Booked {
    /// It opens with this balance.
    Opened(u64),
    /// It pays.
    Paid(Pay),
    /// It was paid.
    Received {
        /// How much.
        amount: u64,
        /// By whom.
        from: NodeId,
    },
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
    type Message = Payment;
    type Timer = Infallible;
    type Record = Infallible;
    type Command = Pay;
    type Event = Booked;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Bank {
        Bank { id, members: members.to_vec(), balance: config.opening }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Bank>) {
        cx.emit(Booked::Opened(self.balance));
    }

    fn on_message(&mut self, from: NodeId, Payment(amount): Payment, cx: &mut Context<'_, Bank>) {
        match self.balance.checked_add(amount) {
            Some(balance) if self.members.contains(&from) => {
                self.balance = balance;
                cx.emit(Booked::Received { amount, from });
            }
            _ => cx.note("ignored: nobody has so much", from.0),
        }
    }

    fn on_timer(&mut self, timer: Infallible, _: &mut Context<'_, Bank>) {
        match timer {}
    }

    fn on_command(&mut self, pay: Pay, cx: &mut Context<'_, Bank>) {
        match self.balance.checked_sub(pay.amount) {
            Some(balance) if pay.to != self.id && self.members.contains(&pay.to) => {
                self.balance = balance;
                cx.emit(Booked::Paid(pay));
                cx.send(pay.to, Payment(pay.amount));
            }
            _ => cx.note("refused: no such branch, or not enough money", pay.amount),
        }
    }

    fn view(&self) {}
}

impl Bank {
    /// What it has.
    pub fn balance(&self) -> u64 {
        self.balance
    }
}

impl fmt::Display for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "balance {}", self.balance)
    }
}

impl MessageKind for Payment {
    fn kind(&self) -> &'static str {
        "Payment"
    }
}

impl fmt::Display for Payment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payment {}", self.0)
    }
}

impl fmt::Display for Pay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pay {} to {}", self.amount, self.to)
    }
}

impl fmt::Display for Booked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Booked::Opened(balance) => write!(f, "opens with {balance}"),
            Booked::Paid(Pay { amount, to }) => write!(f, "pays {amount} to {to}"),
            Booked::Received { amount, from } => write!(f, "receives {amount} from {from}"),
        }
    }
}

/// Why a text is no command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PayError;

impl fmt::Display for PayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 'pay AMOUNT to NODE', such as 'pay 10 to n2'")
    }
}

impl core::error::Error for PayError {}

impl FromStr for Pay {
    type Err = PayError;
    fn from_str(text: &str) -> Result<Pay, PayError> {
        let (amount, to) = text.strip_prefix("pay ").and_then(|rest| rest.split_once(" to n")).ok_or(PayError)?;
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().map_err(|_| PayError),
            false => Err(PayError),
        };
        Ok(Pay { amount: number(amount)?, to: NodeId(number(to)?) })
    }
}

impl Encode for Payment {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode for Payment {
    fn decode(input: &mut Reader<'_>) -> Result<Payment, DecodeError> {
        input.varint().map(Payment)
    }
}
