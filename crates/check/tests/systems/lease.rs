//! A lock with leases: safe while clocks and links keep their bounds, and no longer. The fencing token that the store
//! compares is safe without bounds.
//!
//! Node 1 grants the lock and is the store that it protects; the others are clients. A client counts its lease from
//! when it *asked*, so it ends before the server's, by the least delay of the grant.

use super::{Never, shown_as_debugged};
use volvox_check::{Checker, Ended, Network, System, Timed};
use volvox_core::{Context, Duration, MessageKind, NodeId, Process};

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Message {
    Request,
    Granted(u64),
    Write(u64),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Ask {
    Lock,
    Write,
}

/// The store accepted a write with this token.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Stored(u64);

shown_as_debugged!(Message, Ask, Stored);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Request => "Request",
            Message::Granted(_) => "Granted",
            Message::Write(_) => "Write",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Rules {
    /// How long a client believes in its lease, in ticks, counted from when it asked.
    client_ticks: u32,
    /// Whether the store refuses tokens smaller than one that it has seen.
    fencing: bool,
}

const SERVER: NodeId = NodeId(1);
const TICK: Duration = Duration::from_millis(10);
const LEASE_TICKS: u32 = 4;

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Node {
    rules: Rules,
    /// On the server: the last token issued, whether the lease is active, and the highest token that was written.
    number: u64,
    is_taken: bool,
    written: u64,
    /// On a client: whether it waits for a grant that would still be useful, and the token under which it holds.
    asking: bool,
    holds: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Expire;

impl Process for Node {
    type Config = Rules;
    type Message = Message;
    type Timer = Expire;
    type Record = Never;
    type Command = Ask;
    type Event = Stored;
    type View = ();

    fn new(_: NodeId, _: &[NodeId], rules: &Rules) -> Node {
        Node { rules: *rules, number: 0, is_taken: false, written: 0, asking: false, holds: None }
    }

    fn on_start(&mut self, _: &mut Context<'_, Node>) {}

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Node>) {
        match message {
            Message::Request if self.is_taken => cx.note("taken", self.number),
            Message::Request => {
                self.is_taken = true;
                self.number += 1;
                cx.set_timer(Expire, TICK * LEASE_TICKS);
                cx.send(from, Message::Granted(self.number));
            }
            Message::Granted(number) if self.asking => (self.asking, self.holds) = (false, Some(number)),
            Message::Granted(number) => cx.note("granted too late", number),
            Message::Write(number) if self.rules.fencing && number < self.written => cx.note("fenced off", number),
            Message::Write(number) => {
                self.written = self.written.max(number);
                cx.emit(Stored(number));
            }
        }
    }

    fn on_timer(&mut self, Expire: Expire, _: &mut Context<'_, Node>) {
        (self.is_taken, self.asking, self.holds) = (false, false, None);
    }

    fn on_command(&mut self, ask: Ask, cx: &mut Context<'_, Node>) {
        match ask {
            Ask::Lock if self.asking || self.holds.is_some() => cx.note("has it or asks for it", 0),
            Ask::Lock => {
                self.asking = true;
                cx.set_timer(Expire, TICK * self.rules.client_ticks);
                cx.send(SERVER, Message::Request);
            }
            Ask::Write => {
                if let Some(number) = self.holds {
                    cx.send(SERVER, Message::Write(number));
                }
            }
        }
    }

    fn view(&self) {}
}

/// The highest token stored, and whether a lower one came after it.
type Stores = (u64, bool);
type World = System<Node, Stores>;

fn world(rules: Rules) -> World {
    let observe = |stores: &mut Stores, _, Stored(number): &Stored| {
        *stores = (stores.0.max(*number), stores.1 || *number < stores.0);
    };
    let world = System::observed(3, rules, (0, false), observe).network(Network::unordered());
    [2, 3]
        .into_iter()
        .fold(world, |world, client| world.command(NodeId(client), Ask::Lock, 1).command(NodeId(client), Ask::Write, 1))
}

fn timed(rules: Rules, drift_ppm: i32) -> World {
    let drifts_ppm = if drift_ppm == 0 { vec![0] } else { vec![-drift_ppm, 0, drift_ppm] };
    world(rules).timed(Timed { tick: TICK, delivery_min: 1, delivery_max: 2, drifts_ppm })
}

fn one_holder(world: &World) -> Checker<'_, World> {
    Checker::new(world)
        .invariant("mutual exclusion", |world, state| {
            world.view(state).nodes().filter(|(_, node)| node.holds.is_some()).count() < 2
        })
        .reachable("both in turn", |world, state| {
            world.view(state).node(NodeId(3)).is_some_and(|node| node.holds == Some(2))
        })
}

const PLAIN: Rules = Rules { client_ticks: LEASE_TICKS, fencing: false };

#[test]
fn with_true_clocks_and_timely_links_there_is_one_holder() {
    let report = one_holder(&timed(PLAIN, 0)).run();
    println!("{report}");
    assert_eq!((report.ended, report.states), (Ended::Exhausted, 2_308), "{report}");
}

#[test]
fn clocks_that_drift_need_a_margin() {
    // A quarter slow at the client, a quarter fast at the server: the same four ticks last six on one and four on the
    // other.
    let world = timed(PLAIN, 250_000);
    let report = one_holder(&world).run();
    println!("{report}");
    let found = report.violation.as_ref().expect("the slow client holds on");
    assert!(world.ends_in(&world.schedule(found), found.last()));
    let careful = timed(Rules { client_ticks: 2, ..PLAIN }, 250_000);
    let report = one_holder(&careful).run();
    println!("{report}");
    assert_eq!((report.ended, report.states), (Ended::Exhausted, 39_691), "{report}");
}

#[test]
fn without_time_there_are_two_holders() {
    let report = one_holder(&world(PLAIN)).run();
    println!("{report}");
    assert_eq!(report.violation.expect("the server's timer fires at once").actions().len(), 7);
}

fn in_order(world: &World) -> Checker<'_, World> {
    Checker::new(world)
        .invariant("no write after a later holder's", |world, state| !world.view(state).history().1)
        .reachable("both write", |world, state| world.view(state).history().0 == 2)
}

/// The lease is checked when the write is sent, and the write may be delayed. No clock helps, only the store.
#[test]
fn only_fencing_keeps_late_writes_out() {
    assert!(in_order(&world(PLAIN)).run().violation.is_some());
    let fenced = world(Rules { fencing: true, ..PLAIN });
    let report = in_order(&fenced).run();
    println!("{report}");
    assert_eq!((report.ended, report.states), (Ended::Exhausted, 1_054), "{report}");
}

#[test]
fn asking_for_the_time_in_a_model_without_is_an_error() {
    #[derive(Clone, PartialEq, Eq, Hash, Debug)]
    struct Asks;
    impl Process for Asks {
        type Config = ();
        type Message = Message;
        type Timer = Expire;
        type Record = Never;
        type Command = Ask;
        type Event = Never;
        type View = ();
        fn new(_: NodeId, _: &[NodeId], (): &()) -> Asks {
            Asks
        }
        fn on_start(&mut self, _: &mut Context<'_, Asks>) {}
        fn on_message(&mut self, _: NodeId, _: Message, _: &mut Context<'_, Asks>) {}
        fn on_timer(&mut self, Expire: Expire, _: &mut Context<'_, Asks>) {}
        fn on_command(&mut self, _: Ask, cx: &mut Context<'_, Asks>) {
            let _ = cx.now();
        }
        fn view(&self) {}
    }
    let world = System::<Asks>::new(1, ()).command(SERVER, Ask::Lock, 1);
    let report = Checker::new(&world).run();
    let found = report.violation.expect("it asks for the time");
    assert_eq!(found.actions(), ["n1 command Lock"]);
    let (action, why) = found.failed.expect("the step that failed");
    assert_eq!(world.action(&action).to_string(), "n1 command Lock");
    assert_eq!(why, "n1 reads now(), but in an asynchronous model no time passes");
}
