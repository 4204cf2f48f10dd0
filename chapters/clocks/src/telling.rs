//! Models that the chapters of logical clocks share: processes that work, and tell one another.

use volvox_clocks::happened_before::{Action, Command, Event, History, Stamp};
use volvox_core::erased::Erasable;
use volvox_core::{NodeId, Process, Property};
use volvox_lab::check::{Checker, Memory, Network, System};
use volvox_lab::model::{Explored, explore, hold};
use volvox_lab::{bounds, words};

words! {
    /// The receivers of a process.
    pub enum Told { Next = "next", All = "all" }
}

/// The same bounds for each of the chapters: a table belongs to one of them.
macro_rules! telling {
    ($name:ident) => {
        bounds! {
            /// Processes that work, and tell one another; any order, any loss.
            pub struct $name;
            nodes: u64 = 3, "that work, and tell one another" in 2..=4 processes;
            works: u32 = 1, "of each process" in 0..=2 events;
            tells: u32 = 1, "of each process, to each of those that it tells" in 1..=2 messages;
            told: Told = Told::Next, "whom a process tells: the next one round, or all others";
            copies: u32 = 1, "of messages, which arrive once more" in 0..=2 copies;
        }

        impl $name {
            /// Asks for all this.
            pub fn asked<P, H: Memory>(self, system: System<P, H>) -> System<P, H>
            where
                P: Erasable + Process<Command = Command>,
            {
                let system = system.network(Network::unordered().doubles(self.copies));
                (1..=self.nodes).map(NodeId).fold(system, |system, from| {
                    let system = match self.works {
                        0 => system,
                        works => system.command(from, Command::Work, works),
                    };
                    let next = NodeId(from.0 % self.nodes + 1);
                    let others = (1..=self.nodes).map(NodeId).filter(|to| *to != from);
                    let told = others.filter(|to| self.told == Told::All || *to == next);
                    told.fold(system, |system, to| system.command(from, Command::Tell(to), self.tells))
                })
            }
        }
    };
}

telling!(LamportBounds);
telling!(VectorBounds);

/// Processes of which each tells one that the world chooses: each of the others can be chosen, and the telling is an event.
pub fn tells_any<P, S>(nodes: u64, config: P::Config, properties: &[Property<P, History<S>>]) -> Explored
where
    P: Erasable + Process<Command = Command, Event = Event<S>>,
    S: Stamp + Send + Sync + 'static,
{
    let ids = move || (1..=nodes).map(NodeId);
    let world = System::<P, History<S>>::with_history(nodes, config).network(Network::unordered());
    let world = ids().fold(world, |world, id| world.command(id, Command::TellAny, 1));
    let checker = hold(Checker::new(&world), properties).invariant("every telling is an event", move |world, state| {
        let view = world.view(state);
        let is_by =
            |id, (node, _, event): (NodeId, usize, &Event<S>)| node == id && receiver(event).is_some_and(|to| to != id);
        let has_told = |id| view.history().events().any(|one| is_by(id, one));
        ids().enumerate().all(|(command, id)| (view.commands_left(command) == 0) == has_told(id))
    });
    let pairs = ids().flat_map(|from| ids().filter(move |to| *to != from).map(move |to| (from, to)));
    let checker = pairs.fold(checker, |checker, (from, to)| {
        checker.reachable(&format!("{from} tells {to}"), move |world, state| {
            let view = world.view(state);
            view.history().events().any(|(node, _, event)| node == from && receiver(event) == Some(to))
        })
    });
    explore(&world, checker)
}

/// The receiver of what an event sends.
fn receiver<S>(event: &Event<S>) -> Option<NodeId> {
    match event.action {
        Action::Send { to, .. } => Some(to),
        Action::Work | Action::Receive { .. } => None,
    }
}
