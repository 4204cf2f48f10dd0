//! A process small enough to know by heart: a node with the command to poll asks all nodes for a yes, once, and repeats
//! the request. A node that says yes persists it first, and never says it to another node.

use std::fmt;
use std::str::FromStr;
use volvox_core::{Context, Duration, MessageKind, NodeId, Process, Restored};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    Ask,
    Yes,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SaidYes(pub NodeId);

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Told {
    Won,
    /// The monotonic clock in milliseconds, the wall clock in seconds.
    Clocks(u64, i64),
    Drew(u32),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Do {
    Poll,
    ReadClocks,
    Draw,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    Again,
    GiveUp,
}

impl FromStr for Do {
    type Err = String;
    fn from_str(text: &str) -> Result<Do, String> {
        match text {
            "poll" => Ok(Do::Poll),
            "read clocks" => Ok(Do::ReadClocks),
            "draw" => Ok(Do::Draw),
            _ => Err(format!("poll, read clocks or draw, and not {text:?}")),
        }
    }
}

impl fmt::Display for Do {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Do::Poll => "poll",
            Do::ReadClocks => "read clocks",
            Do::Draw => "draw",
        })
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl fmt::Display for SaidYes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "yes to {}", self.0)
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Told::Won => f.write_str("won"),
            Told::Clocks(now, wall) => write!(f, "clocks {now} ms and {wall} s"),
            Told::Drew(number) => write!(f, "drew {number}"),
        }
    }
}

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Ask => "Ask",
            Message::Yes => "Yes",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Poll {
    members: Vec<NodeId>,
    polls: bool,
    pub said_yes_to: Option<NodeId>,
    pub yes_from: Vec<NodeId>,
    pub draws: Vec<u32>,
}

impl Process for Poll {
    type Config = ();
    type Message = Message;
    type Timer = Timer;
    type Record = SaidYes;
    type Command = Do;
    type Event = Told;
    type View = ();

    fn new(_: NodeId, members: &[NodeId], (): &()) -> Poll {
        Poll { members: members.to_vec(), polls: false, said_yes_to: None, yes_from: Vec::new(), draws: Vec::new() }
    }

    fn on_restore(&mut self, restored: Restored<SaidYes>) {
        if let Restored::Record { record, .. } = restored {
            self.said_yes_to = Some(record.0);
        }
    }

    fn on_start(&mut self, _: &mut Context<'_, Poll>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Poll>) {
        match message {
            Message::Ask => match self.said_yes_to {
                None => {
                    self.said_yes_to = Some(from);
                    cx.persist(SaidYes(from));
                    cx.send(from, Message::Yes);
                }
                Some(one) if one == from => cx.send(from, Message::Yes),
                Some(_) => cx.note("said yes to another", 0),
            },
            Message::Yes => {
                if !self.yes_from.contains(&from) {
                    self.yes_from.push(from);
                    if self.yes_from.len() == self.members.len() / 2 {
                        cx.emit(Told::Won);
                        cx.cancel_timer(Timer::Again);
                    }
                }
            }
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Poll>) {
        match timer {
            Timer::Again => self.ask(cx),
            Timer::GiveUp => cx.cancel_timer(Timer::Again),
        }
    }

    fn on_command(&mut self, command: Do, cx: &mut Context<'_, Poll>) {
        match command {
            Do::Poll => {
                self.polls = true;
                cx.set_timer(Timer::GiveUp, Duration::from_millis(35));
                self.ask(cx);
            }
            Do::ReadClocks => {
                let (now, wall) = (cx.now().0 / 1_000_000, cx.wall().0 / 1_000_000_000);
                cx.emit(Told::Clocks(now, wall));
            }
            Do::Draw => {
                self.draws = (0..2).map(|_| cx.choose(6)).collect();
                self.draws.clone().into_iter().for_each(|number| cx.emit(Told::Drew(number)));
            }
        }
    }

    fn view(&self) {}
}

impl Poll {
    fn ask(&mut self, cx: &mut Context<'_, Poll>) {
        cx.broadcast(&self.members, Message::Ask);
        cx.set_timer(Timer::Again, Duration::from_millis(10));
    }
}
