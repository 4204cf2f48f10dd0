//! A member of the group: the process.

use super::message::{Command, Event, Message, Timer, UPDATES_MAX};
use super::standing::{Standing, Update, Verdict};
use super::{Config, Dissemination, MEMBERS_MAX, Rule};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::convert::Infallible;
use volvox_core::{Boot, Context, Duration, NodeId, Process, Serial};

/// A member of a group that runs SWIM.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Swim {
    id: NodeId,
    config: Config,
    /// The standing of this member: alive, unless it left or was expelled.
    own: Standing,
    /// Its beliefs about the others, including dead ones.
    members: BTreeMap<NodeId, Standing>,
    /// The members about which it spreads an update, and how many times it has forwarded it.
    news: BTreeMap<NodeId, u32>,
    /// The order in which the others are probed, and the index of the next.
    order: Vec<NodeId>,
    next: usize,
    /// The member that it probes in this period and that has not answered.
    probing: Option<NodeId>,
    /// The boot, which names its probes together with their count: an ack to an earlier boot is not for this one.
    boot: Boot,
    number: u32,
    is_joined: bool,
}

impl Process for Swim {
    type Config = Config;
    type Message = Message;
    type Timer = Timer;
    type Record = Infallible;
    type Command = Command;
    type Event = Event;
    /// The number of members that it believes to be alive or suspect, including itself.
    type View = usize;

    fn new(id: NodeId, members: &[NodeId], config: &Config) -> Swim {
        assert!(config.updates_max <= UPDATES_MAX, "at most {UPDATES_MAX} updates per message");
        assert!(config.numbers > 1, "pings are numbered, so that an ack can be told from a late one");
        let contact = config.contact.filter(|contact| *contact != id);
        let known = members.iter().filter(|member| **member != id).take(MEMBERS_MAX);
        let known = known.filter(|member| config.contact.is_none() || contact == Some(**member));
        Swim {
            id,
            own: Standing::FIRST,
            members: known.map(|member| (*member, Standing::FIRST)).collect(),
            news: BTreeMap::new(),
            order: Vec::new(),
            next: 0,
            probing: None,
            boot: Boot::FIRST,
            number: config.numbers,
            is_joined: contact.is_none(),
            config: config.clone(),
        }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Swim>) {
        self.boot = cx.boot();
        self.order = self.members.keys().copied().collect();
        self.shuffle(cx);
        cx.emit(Event::Announces(self.own));
        if let (false, Some(contact)) = (self.is_joined, self.config.contact) {
            cx.send(contact, Message::Join(self.own));
        }
        let period = volvox_core::time::nanos(self.config.period);
        let offset = if self.config.out_of_step { cx.rng().below(period.max(1)) } else { 0 };
        cx.set_timer(Timer::Period, Duration::from_nanos(offset));
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Swim>) {
        if self.own.is_faulty() {
            return;
        }
        for update in message.updates() {
            self.on_update(*update, cx);
        }
        match message {
            Message::Ping { origin, number, .. } => {
                let updates = self.updates_for(from);
                cx.send(from, Message::Ack { about: self.id, origin, number, updates });
            }
            Message::PingReq { target, number, .. } if target != self.id => {
                let updates = self.updates_for(target);
                cx.send(target, Message::Ping { origin: from, number, updates });
            }
            Message::Ack { about, origin, number, .. } if origin == self.id => {
                if self.probing == Some(about) && number == self.probe() {
                    self.probing = None;
                    cx.cancel_timer(Timer::Ack);
                }
            }
            // The ack is for a member that had asked for it.
            Message::Ack { about, origin, number, .. } if about == from => {
                let updates = self.updates_for(origin);
                cx.send(origin, Message::Ack { about, origin, number, updates });
            }
            Message::Join(standing) => self.on_join(from, standing, cx),
            Message::Members(_) => self.is_joined = true,
            Message::News(_) | Message::PingReq { .. } | Message::Ack { .. } => {}
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Swim>) {
        if self.own.is_faulty() {
            return;
        }
        match timer {
            Timer::Period => self.on_period(cx),
            Timer::Ack => self.ask_relays(cx),
            Timer::Suspicion(member) => {
                if let Some(standing) = self.members.get(&member).filter(|standing| standing.is_suspect()) {
                    let standing = Standing { verdict: Verdict::Faulty, ..*standing };
                    self.observe(Update { member, standing }, cx);
                }
            }
        }
    }

    fn on_command(&mut self, Command::Leave: Command, cx: &mut Context<'_, Swim>) {
        let gone = Standing { verdict: Verdict::Faulty, ..self.own };
        let farewell = Message::News(alloc::vec![Update { member: self.id, standing: gone }]);
        for member in self.draw_others(self.config.relays.max(1), None, cx) {
            cx.send(member, farewell.clone());
        }
        self.leave(cx);
    }

    fn view(&self) -> usize {
        1 + self.members.values().filter(|standing| !standing.is_faulty()).count()
    }
}

/// Detection (section 3.1).
impl Swim {
    fn on_period(&mut self, cx: &mut Context<'_, Swim>) {
        cx.set_timer(Timer::Period, self.config.period);
        if let Some(silent) = self.probing.take() {
            cx.note("no ack in the period", 0);
            self.accuse(silent, cx);
        }
        if let (false, Some(contact)) = (self.is_joined, self.config.contact) {
            return cx.send(contact, Message::Join(self.own));
        }
        let Some(target) = self.next_target(cx) else { return };
        self.number = self.number % self.config.numbers + 1;
        self.probing = Some(target);
        let updates = self.updates_for(target);
        cx.send(target, Message::Ping { origin: self.id, number: self.probe(), updates });
        cx.set_timer(Timer::Ack, self.config.ack_timeout);
    }

    /// The next of the list, which is reshuffled after the last (section 4.3).
    fn next_target(&mut self, cx: &mut Context<'_, Swim>) -> Option<NodeId> {
        if self.order.is_empty() {
            return None;
        }
        if !self.config.keeps(Rule::RoundRobin) {
            return Some(self.order[cx.choose(self.order.len() as u32) as usize]);
        }
        if self.next >= self.order.len() {
            self.shuffle(cx);
        }
        self.next += 1;
        Some(self.order[self.next - 1])
    }

    fn shuffle(&mut self, cx: &mut Context<'_, Swim>) {
        for last in (1..self.order.len()).rev() {
            let other = cx.choose(last as u32 + 1) as usize;
            self.order.swap(last, other);
        }
        self.next = 0;
    }

    /// The name of the current probe. Counts wrap within a boot only after any ack that bears them has expired.
    fn probe(&self) -> Serial {
        Serial { boot: self.boot, count: u64::from(self.number) }
    }

    /// So neither a lost message nor a bad link between the two leads to an accusation.
    fn ask_relays(&mut self, cx: &mut Context<'_, Swim>) {
        let Some(target) = self.probing else { return };
        if !self.config.keeps(Rule::Relays) {
            return;
        }
        for relay in self.draw_others(self.config.relays, Some(target), cx) {
            let updates = self.updates_for(relay);
            cx.send(relay, Message::PingReq { target, number: self.probe(), updates });
        }
    }

    /// A random choice of this many of the members that are not believed faulty.
    fn draw_others(&self, count: u32, but: Option<NodeId>, cx: &mut Context<'_, Swim>) -> Vec<NodeId> {
        let mut others: Vec<NodeId> = self.order.iter().copied().filter(|other| Some(*other) != but).collect();
        let mut drawn = Vec::new();
        while drawn.len() < count as usize && !others.is_empty() {
            drawn.push(others.swap_remove(cx.choose(others.len() as u32) as usize));
        }
        drawn
    }

    /// The target did not answer (section 4.2).
    fn accuse(&mut self, member: NodeId, cx: &mut Context<'_, Swim>) {
        let Some(standing) = self.members.get(&member).copied() else { return };
        let Verdict::Alive(incarnation) = standing.verdict else { return };
        let has_time = self.config.keeps(Rule::Suspicion);
        let verdict = if has_time { Verdict::Suspect(incarnation) } else { Verdict::Faulty };
        self.observe(Update { member, standing: Standing { verdict, ..standing } }, cx);
    }
}

/// Dissemination (sections 3.2, 4.1) and beliefs (section 4.2).
impl Swim {
    /// Adopts an update that this member observed first-hand, and starts to spread it.
    fn observe(&mut self, update: Update, cx: &mut Context<'_, Swim>) {
        if self.config.dissemination == Dissemination::Multicast {
            // The accused is informed as well: it may refute, or learn that it is out.
            cx.broadcast(self.members.keys(), Message::News(alloc::vec![update]));
        }
        self.believe(update, cx);
    }

    /// Adopts an update that another member spreads.
    fn on_update(&mut self, update: Update, cx: &mut Context<'_, Swim>) {
        if update.member != self.id {
            self.believe(update, cx);
        } else if !update.standing.is_alive() && !self.own.is_faulty() {
            self.refute(update.standing, cx);
        }
    }

    /// Another member accuses this one.
    fn refute(&mut self, accusation: Standing, cx: &mut Context<'_, Swim>) {
        match accusation.verdict {
            // The accuser is behind: inform it again.
            _ if self.own.overrides(accusation) => {}
            Verdict::Suspect(incarnation) => {
                let raised = incarnation + u64::from(self.config.keeps(Rule::Incarnation));
                self.own = Standing { life: accusation.life, verdict: Verdict::Alive(raised) };
                cx.emit(Event::Announces(self.own));
            }
            _ if self.config.rejoins => {
                self.own = Standing { life: accusation.life + 1, verdict: Verdict::Alive(0) };
                cx.emit(Event::Announces(self.own));
            }
            _ => return self.leave(cx),
        }
        self.news.insert(self.id, 0);
        if self.config.dissemination == Dissemination::Multicast {
            let refutation = Update { member: self.id, standing: self.own };
            cx.broadcast(self.members.keys(), Message::News(alloc::vec![refutation]));
        }
    }

    /// Keeps the stronger update, and spreads it if it is new.
    fn believe(&mut self, update: Update, cx: &mut Context<'_, Swim>) {
        let Update { member, standing } = update;
        let known = self.members.get(&member).copied();
        let is_news = match known {
            Some(known) if !self.config.keeps(Rule::Precedence) => known != standing,
            Some(known) => standing.overrides(known),
            None => true,
        };
        if !is_news {
            return;
        }
        if known.is_none() && self.members.len() >= MEMBERS_MAX {
            return cx.note("ignored: too many members", member.0);
        }
        self.members.insert(member, standing);
        self.news.insert(member, 0);
        self.keep_order(member, standing, cx);
        match standing.is_suspect() {
            true => cx.set_timer(Timer::Suspicion(member), self.config.suspicion),
            false if known.is_some_and(Standing::is_suspect) => cx.cancel_timer(Timer::Suspicion(member)),
            false => {}
        }
        cx.emit(Event::Believes(update));
    }

    /// Dead members are not probed; a new member gets a random place in the list (section 4.3).
    fn keep_order(&mut self, member: NodeId, standing: Standing, cx: &mut Context<'_, Swim>) {
        match (self.order.iter().position(|other| *other == member), standing.is_faulty()) {
            (Some(place), true) => {
                self.order.remove(place);
                self.next -= usize::from(place < self.next);
                if self.probing == Some(member) {
                    self.probing = None;
                    cx.cancel_timer(Timer::Ack);
                }
            }
            (None, false) => {
                let place = cx.choose(self.order.len() as u32 + 1) as usize;
                self.order.insert(place, member);
                self.next += usize::from(place < self.next);
            }
            _ => {}
        }
    }

    /// Selects a few updates, the least forwarded first; each a limited number of times (section 4.1).
    fn updates_for(&mut self, to: NodeId) -> Vec<Update> {
        let mut updates = Vec::new();
        if self.config.dissemination == Dissemination::Multicast {
            return updates;
        }
        if let Some(standing) = self.members.get(&to)
            && self.config.tells_the_accused
            && !standing.is_alive()
        {
            updates.push(Update { member: to, standing: *standing });
        }
        let limit = self.limit();
        let mut by_count: Vec<(u32, NodeId)> = self.news.iter().map(|(member, passed)| (*passed, *member)).collect();
        by_count.sort_unstable();
        by_count.retain(|(_, member)| !updates.iter().any(|update| update.member == *member));
        by_count.truncate(self.config.updates_max.saturating_sub(updates.len()));
        for (passed, member) in by_count {
            let standing = if member == self.id { self.own } else { self.members[&member] };
            updates.push(Update { member, standing });
            if passed + 1 >= limit && self.config.keeps(Rule::Limit) {
                self.news.remove(&member);
            } else {
                self.news.insert(member, (passed + 1).min(limit + 1));
            }
        }
        updates
    }

    fn on_join(&mut self, from: NodeId, standing: Standing, cx: &mut Context<'_, Swim>) {
        self.believe(Update { member: from, standing }, cx);
        let mut members = alloc::vec![Update { member: self.id, standing: self.own }];
        let others = self.members.iter().map(|(member, standing)| Update { member: *member, standing: *standing });
        members.extend(others.take(MEMBERS_MAX - 1));
        cx.send(from, Message::Members(members));
    }

    fn leave(&mut self, cx: &mut Context<'_, Swim>) {
        self.own.verdict = Verdict::Faulty;
        cx.cancel_timer(Timer::Period);
        cx.cancel_timer(Timer::Ack);
        for (member, _) in self.members.iter().filter(|(_, standing)| standing.is_suspect()) {
            cx.cancel_timer(Timer::Suspicion(*member));
        }
        cx.emit(Event::Out);
    }
}

/// Queries for observers.
impl Swim {
    /// The standing of this member.
    pub fn own(&self) -> Standing {
        self.own
    }

    /// Its belief about another member.
    pub fn standing(&self, member: NodeId) -> Option<Standing> {
        self.members.get(&member).copied()
    }

    /// Its beliefs about all others.
    pub fn members(&self) -> impl Iterator<Item = (NodeId, Standing)> + '_ {
        self.members.iter().map(|(member, standing)| (*member, *standing))
    }

    /// The member that it probes in this period and that has not answered.
    pub fn probed(&self) -> Option<NodeId> {
        self.probing
    }

    /// How many times each update that is still spread has been forwarded.
    pub fn passed_on(&self) -> impl Iterator<Item = (NodeId, u32)> + '_ {
        self.news.iter().map(|(member, passed)| (*member, *passed))
    }

    /// How many times one update is forwarded at most: lambda * ln(N + 1), with the logarithm rounded up.
    pub fn limit(&self) -> u32 {
        self.config.lambda * natural_logarithm(self.members.len() as u64 + 2)
    }
}

/// The smallest k with e^k at least `n`: in integers, so that the result is the same on every platform.
pub(super) fn natural_logarithm(n: u64) -> u32 {
    let (mut power, mut exponent) = (1_000_000u64, 0);
    while power < n * 1_000_000 {
        power = power * 2_718_282 / 1_000_000;
        exponent += 1;
    }
    exponent
}
