//! The checked world as the models of a chapter see it: a typed front of one erased world.
//!
//! [`System`], [`View`] and [`Checker`] have the methods of their namesakes in `volvox_check`, and erase the types of
//! the protocol at once: the explorer, liveness and reports are compiled once for all chapters. A model whose states
//! are plain values uses `volvox_check` itself.

use std::hash::Hash;
use std::marker::PhantomData;
use volvox_check as erased;
pub use volvox_check::{Durability, Exercised, NO_STEP_FAILS, Network, Progress, State, Timed};
use volvox_core::erased::{AnyCommand, AnyConfig, AnyEvent, AnyHistory, AnyProcess, AnyTimer, Erasable};
use volvox_core::{History, Instant, NodeId};

pub(crate) type AnySystem = erased::System<AnyProcess, AnyHistory>;

/// The history of an observer of a checked system.
pub trait Memory: Clone + Eq + Hash + Send + Sync + 'static {}

impl<H: Clone + Eq + Hash + Send + Sync + 'static> Memory for H {}

/// A system of nodes that run `P`, observed by `H`: see [`erased::System`].
pub struct System<P, H = ()> {
    pub(crate) erased: AnySystem,
    types: PhantomData<fn() -> (P, H)>,
}

impl<P: Erasable> System<P> {
    /// See [`erased::System::new`].
    pub fn new(nodes: u64, config: P::Config) -> System<P> {
        System::observed(nodes, config, (), |(), _, _| {})
    }
}

impl<P: Erasable, H: Memory> System<P, H> {
    /// See [`erased::System::observed`].
    pub fn observed(
        nodes: u64,
        config: P::Config,
        history: H,
        observe: impl Fn(&mut H, NodeId, &P::Event) + Send + Sync + 'static,
    ) -> System<P, H> {
        let observe = move |history: &mut AnyHistory, node, event: &AnyEvent| {
            observe(history.expect_mut(), node, event.get().expect("the event of a node of this system"));
        };
        let erased = AnySystem::observed(nodes, AnyConfig::of::<P>(config), AnyHistory::of(history), observe);
        System { erased, types: PhantomData }
    }

    /// See [`erased::System::with_history`].
    pub fn with_history(nodes: u64, config: P::Config) -> System<P, H>
    where
        H: History<P>,
    {
        System::observed(nodes, config, H::default(), H::on_event)
    }

    fn with(self, change: impl FnOnce(AnySystem) -> AnySystem) -> System<P, H> {
        System { erased: change(self.erased), types: PhantomData }
    }

    /// See [`erased::System::configs`].
    pub fn configs(self, config_of: impl Fn(NodeId) -> P::Config + Send + Sync + 'static) -> Self {
        self.with(|system| system.configs(move |id| AnyConfig::of::<P>(config_of(id))))
    }

    /// See [`erased::System::network`].
    pub fn network(self, network: Network) -> Self {
        self.with(|system| system.network(network))
    }

    /// See [`erased::System::durability`].
    pub fn durability(self, durability: Durability) -> Self {
        self.with(|system| system.durability(durability))
    }

    /// See [`erased::System::timed`].
    pub fn timed(self, timed: Timed) -> Self {
        self.with(|system| system.timed(timed))
    }

    /// See [`erased::System::crashes`].
    pub fn crashes(self, at_most: u32) -> Self {
        self.with(|system| system.crashes(at_most))
    }

    /// See [`erased::System::crashes_and_restarts`].
    pub fn crashes_and_restarts(self, at_most: u32) -> Self {
        self.with(|system| system.crashes_and_restarts(at_most))
    }

    /// See [`erased::System::counting_boots`].
    pub fn counting_boots(self) -> Self {
        self.with(AnySystem::counting_boots)
    }

    /// See [`erased::System::keeping_wall_clocks`].
    pub fn keeping_wall_clocks(self) -> Self {
        self.with(AnySystem::keeping_wall_clocks)
    }

    /// See [`erased::System::command`].
    pub fn command(self, node: NodeId, command: P::Command, times: u32) -> Self {
        self.with(|system| system.command(node, AnyCommand::of(command), times))
    }

    /// See [`erased::System::timer_budget`].
    pub fn timer_budget(self, test: impl Fn(&P::Timer) -> bool + Send + Sync + 'static, times: u32) -> Self {
        self.with(|system| system.timer_budget(move |timer| test(timer.get()), times))
    }

    /// See [`erased::System::timers`].
    pub fn timers(self, test: impl Fn(&P, &P::Timer) -> bool + Send + Sync + 'static) -> Self {
        self.with(|system| system.timers(move |process, timer| test(process.expect(), timer.get())))
    }

    /// See [`erased::System::commands`].
    pub fn commands(self, test: impl Fn(&P, &P::Command) -> bool + Send + Sync + 'static) -> Self {
        let test = move |process: &AnyProcess, command: &AnyCommand| {
            test(process.expect(), command.get().expect("a command of this system"))
        };
        self.with(|system| system.commands(test))
    }

    /// See [`erased::System::nodes_within`].
    pub fn nodes_within(self, test: impl Fn(NodeId, &P) -> bool + Send + Sync + 'static) -> Self {
        self.with(|system| system.nodes_within(move |id, process| test(id, process.expect())))
    }

    /// See [`erased::System::within`].
    pub fn within(self, test: impl Fn(&View<'_, P, H>) -> bool + Send + Sync + 'static) -> Self {
        self.with(|system| system.within(move |view| test(&View { erased: *view, types: PhantomData })))
    }

    /// See [`erased::System::fingerprint`].
    pub fn fingerprint(self, projection: impl Fn(&P) -> u128 + Send + Sync + 'static) -> Self {
        self.with(|system| system.fingerprint(move |process| projection(process.expect())))
    }

    /// See [`erased::System::relative_to_now`].
    pub fn relative_to_now(self, relative: impl Fn(&P, Instant) -> u128 + Send + Sync + 'static) -> Self {
        self.with(|system| system.relative_to_now(move |process, now| relative(process.expect(), now)))
    }

    /// A state as a view.
    pub fn view<'a>(&'a self, state: &'a State) -> View<'a, P, H> {
        View { erased: self.erased.view(state), types: PhantomData }
    }
}

/// A view of a state: see [`erased::View`].
pub struct View<'a, P, H> {
    erased: erased::View<'a, AnyProcess, AnyHistory>,
    types: PhantomData<fn() -> (P, H)>,
}

impl<'a, P: Erasable, H: Memory> View<'a, P, H> {
    /// A node; `None` while it is down.
    pub fn node(&self, id: NodeId) -> Option<&'a P> {
        self.erased.node(id).map(AnyProcess::expect)
    }

    /// The nodes that run.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &'a P)> + '_ {
        self.erased.nodes().map(|(id, node)| (id, node.expect()))
    }

    /// The records of a node after its checkpoint, and how many of them are durable.
    pub fn records(&self, id: NodeId) -> (Vec<&'a P::Record>, usize) {
        let (records, durable) = self.erased.records(id);
        (records.iter().map(|record| record.get().expect("a record of this system")).collect(), durable)
    }

    /// Whether a timer of a running node is set.
    pub fn is_set(&self, id: NodeId, timer: P::Timer) -> bool {
        self.erased.is_set(id, AnyTimer::of(timer))
    }

    /// The observer's history of all events so far.
    pub fn history(&self) -> &'a H {
        self.erased.history().expect()
    }

    /// The messages in flight: sender, receiver, content.
    pub fn in_flight(&self) -> impl Iterator<Item = (NodeId, NodeId, &'a P::Message)> + '_ {
        let typed = |(from, to, message): (_, _, &'a volvox_core::erased::AnyMessage)| {
            (from, to, message.get().expect("a message of this system"))
        };
        self.erased.in_flight().map(typed)
    }

    /// See [`erased::View::commands_left`].
    pub fn commands_left(&self, command: usize) -> u32 {
        self.erased.commands_left(command)
    }
}

/// An exploration of a [`System`]: see [`erased::Checker`].
pub struct Checker<'m, S> {
    pub(crate) erased: erased::Checker<'m, AnySystem>,
    system: &'m S,
}

impl<'m, P: Erasable, H: Memory> Checker<'m, System<P, H>> {
    /// See [`erased::Checker::new`].
    pub fn new(system: &'m System<P, H>) -> Self {
        Checker { erased: erased::Checker::new(&system.erased), system }
    }

    fn with(
        self,
        change: impl FnOnce(erased::Checker<'m, AnySystem>) -> erased::Checker<'m, AnySystem>,
    ) -> Checker<'m, System<P, H>> {
        Checker { erased: change(self.erased), system: self.system }
    }

    /// See [`erased::Checker::invariant`].
    pub fn invariant(self, name: &str, holds: impl Fn(&System<P, H>, &State) -> bool + Send + Sync + 'm) -> Self {
        let system = self.system;
        self.with(|checker| checker.invariant(name, move |_, state| holds(system, state)))
    }

    /// A property of the states before and after every step.
    pub fn step_property(
        self,
        name: &str,
        holds: impl Fn(&System<P, H>, &State, &State) -> bool + Send + Sync + 'm,
    ) -> Self {
        let system = self.system;
        self.with(|checker| checker.step_property(name, move |_, before, _, after| holds(system, before, after)))
    }

    /// See [`erased::Checker::reachable`].
    pub fn reachable(self, name: &str, holds: impl Fn(&System<P, H>, &State) -> bool + Send + Sync + 'm) -> Self {
        let system = self.system;
        self.with(|checker| checker.reachable(name, move |_, state| holds(system, state)))
    }

    /// See [`erased::Checker::eventually`].
    pub fn eventually(self, name: &str, goal: impl Fn(&System<P, H>, &State) -> bool + Send + Sync + 'm) -> Self {
        let system = self.system;
        self.with(|checker| checker.eventually(name, move |_, state| goal(system, state)))
    }

    /// See [`erased::Checker::leads_to`].
    pub fn leads_to(
        self,
        name: &str,
        trigger: impl Fn(&System<P, H>, &State) -> bool + Send + Sync + 'm,
        goal: impl Fn(&System<P, H>, &State) -> bool + Send + Sync + 'm,
    ) -> Self {
        let system = self.system;
        let (trigger, goal) = (
            move |_: &AnySystem, state: &State| trigger(system, state),
            move |_: &AnySystem, state: &State| goal(system, state),
        );
        self.with(|checker| checker.leads_to(name, trigger, goal))
    }

    /// See [`erased::Checker::again_and_again`].
    pub fn again_and_again(self, name: &str, goal: impl Fn(&System<P, H>, &State) -> bool + Send + Sync + 'm) -> Self {
        let system = self.system;
        self.with(|checker| checker.again_and_again(name, move |_, state| goal(system, state)))
    }

    /// See [`erased::Checker::bounds_are_budgets`].
    pub fn bounds_are_budgets(self, why: &str) -> Self {
        self.with(|checker| checker.bounds_are_budgets(why))
    }

    /// See [`erased::Checker::states_max`].
    pub fn states_max(self, states: u64) -> Self {
        self.with(|checker| checker.states_max(states))
    }

    /// See [`erased::Checker::depth_max`].
    pub fn depth_max(self, depth: u32) -> Self {
        self.with(|checker| checker.depth_max(depth))
    }
}
