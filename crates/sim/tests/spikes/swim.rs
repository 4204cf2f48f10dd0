//! SWIM with relayed probes, suspicion and refutation (Das, Gupta and Motivala 2002, sections 3 and 4).
//!
//! Each period a node probes one other; when no answer comes in time it asks a few others to probe for it, and when
//! that brings none either it suspects. Who is suspected and lives refutes, with a greater number of its own. What is
//! new travels on every probe and answer.

use super::followed::{SEEDS, everything, follow};
use super::{Never, ms, shown_as_debugged};
use std::collections::BTreeMap;
use volvox_core::fault::LinkFault;
use volvox_core::{Context, Duration, MessageKind, NodeId, Process};
use volvox_sim::{Builder, Happening, Latency, Network, Simulation, Stop};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum State {
    Alive,
    Suspect,
    Dead,
}

/// About a member: its own number, then how bad it is. The greater pair is the newer news (section 4.2).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct News {
    member: NodeId,
    number: u64,
    state: State,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Message {
    /// For whom the answer is in the end, and which probe it answers.
    Probe {
        origin: NodeId,
        number: u64,
        news: Vec<News>,
    },
    Relay {
        target: NodeId,
        number: u64,
        news: Vec<News>,
    },
    Answer {
        about: NodeId,
        origin: NodeId,
        number: u64,
        news: Vec<News>,
    },
}

/// This node changed its mind.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Believes(NodeId, State);

shown_as_debugged!(Message, Believes);

impl MessageKind for Message {
    fn kind(&self) -> &'static str {
        match self {
            Message::Probe { .. } => "Probe",
            Message::Relay { .. } => "Relay",
            Message::Answer { .. } => "Answer",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Timer {
    Period,
    Direct,
    Suspicion(NodeId),
}

const PERIOD: Duration = Duration::from_millis(200);
const DIRECT: Duration = Duration::from_millis(60);
const SUSPICION: Duration = Duration::from_millis(1_000);
const RELAYS: usize = 3;
const NEWS_MAX: usize = 6;

#[derive(Hash)]
struct Swim {
    id: NodeId,
    number: u64,
    others: BTreeMap<NodeId, (u64, State)>,
    /// What to tell, and how often it was told.
    news: Vec<(News, u32)>,
    probing: Option<NodeId>,
    round: u64,
}

impl Process for Swim {
    type Config = ();
    type Message = Message;
    type Timer = Timer;
    type Record = Never;
    type Command = Never;
    type Event = Believes;
    type View = ();

    fn new(id: NodeId, members: &[NodeId], (): &()) -> Swim {
        let others = members.iter().filter(|member| **member != id).map(|member| (*member, (0, State::Alive)));
        Swim { id, number: 0, others: others.collect(), news: Vec::new(), probing: None, round: 0 }
    }

    fn on_start(&mut self, cx: &mut Context<'_, Swim>) {
        let offset = cx.rng().below(volvox_core::time::nanos(PERIOD));
        cx.set_timer(Timer::Period, Duration::from_nanos(offset));
    }

    fn on_message(&mut self, from: NodeId, message: Message, cx: &mut Context<'_, Swim>) {
        match message {
            Message::Probe { origin, number, news } => {
                self.take(news, cx);
                let news = self.some_news();
                cx.send(from, Message::Answer { about: self.id, origin, number, news });
            }
            Message::Relay { target, number, news } => {
                self.take(news, cx);
                let news = self.some_news();
                cx.send(target, Message::Probe { origin: from, number, news });
            }
            Message::Answer { about, origin, number, news } => {
                self.take(news, cx);
                if origin != self.id {
                    let news = self.some_news();
                    cx.send(origin, Message::Answer { about, origin, number, news });
                } else if number == self.round && self.probing == Some(about) {
                    self.probing = None;
                    cx.cancel_timer(Timer::Direct);
                }
            }
        }
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Swim>) {
        match timer {
            Timer::Period => {
                if let Some(silent) = self.probing.take() {
                    let number = self.others[&silent].0;
                    self.believe(News { member: silent, number, state: State::Suspect }, cx);
                }
                self.probe(cx);
                cx.set_timer(Timer::Period, PERIOD);
            }
            Timer::Direct => {
                let Some(target) = self.probing else { return };
                let mut relays: Vec<NodeId> = self.others.keys().copied().filter(|id| *id != target).collect();
                for _ in 0..RELAYS.min(relays.len()) {
                    let relay = relays.swap_remove(cx.choose(relays.len() as u32) as usize);
                    let news = self.some_news();
                    cx.send(relay, Message::Relay { target, number: self.round, news });
                }
            }
            Timer::Suspicion(member) => {
                let (number, _) = self.others[&member];
                self.believe(News { member, number, state: State::Dead }, cx);
            }
        }
    }

    fn on_command(&mut self, command: Never, _: &mut Context<'_, Swim>) {
        match command {}
    }

    fn view(&self) {}
}

impl Swim {
    fn probe(&mut self, cx: &mut Context<'_, Swim>) {
        let living: Vec<NodeId> =
            self.others.iter().filter(|(_, (_, state))| *state != State::Dead).map(|(id, _)| *id).collect();
        if living.is_empty() {
            return;
        }
        let target = living[cx.choose(living.len() as u32) as usize];
        self.round += 1;
        self.probing = Some(target);
        let news = self.some_news();
        cx.send(target, Message::Probe { origin: self.id, number: self.round, news });
        cx.set_timer(Timer::Direct, DIRECT);
    }

    fn take(&mut self, news: Vec<News>, cx: &mut Context<'_, Swim>) {
        for item in news {
            if item.member != self.id {
                self.believe(item, cx);
            } else if item.state != State::Alive && item.number >= self.number {
                self.number = item.number + 1;
                self.news.push((News { member: self.id, number: self.number, state: State::Alive }, 0));
                cx.note("refutes", self.number);
            }
        }
    }

    fn believe(&mut self, news: News, cx: &mut Context<'_, Swim>) {
        let Some(known) = self.others.get_mut(&news.member) else { return };
        if (news.number, news.state) <= *known {
            return;
        }
        *known = (news.number, news.state);
        self.news.retain(|(other, _)| other.member != news.member);
        self.news.push((news, 0));
        match news.state {
            State::Suspect => cx.set_timer(Timer::Suspicion(news.member), SUSPICION),
            State::Alive | State::Dead => cx.cancel_timer(Timer::Suspicion(news.member)),
        }
        cx.emit(Believes(news.member, news.state));
    }

    /// What was told least; each item is told about 3 log2(n) times.
    fn some_news(&mut self) -> Vec<News> {
        let often = 3 * (usize::BITS - self.others.len().leading_zeros());
        self.news.retain(|(_, told)| *told < often);
        self.news.sort_by_key(|(_, told)| *told);
        let picked = self.news.iter_mut().take(NEWS_MAX);
        picked.map(|(news, told)| (*told += 1, *news).1).collect()
    }
}

fn cluster(seed: u64) -> Simulation<Swim> {
    let latency = Latency::Uniform(ms(1), ms(10));
    let mut sim = Builder::<Swim>::new(seed, 20, ()).latency(latency).build();
    assert_eq!(sim.run_for(ms(1_000)), Stop::Deadline);
    sim
}

fn believed(sim: &Simulation<Swim>, member: NodeId) -> Vec<State> {
    sim.live().filter(|(id, _)| *id != member).map(|(_, node)| node.others[&member].1).collect()
}

#[test]
fn a_dead_member_is_found_by_all_and_nobody_else_is_suspected() {
    for seed in 0..20 {
        let mut sim = cluster(seed);
        sim.apply_fault(&"crash 7".parse().expect("a fault"));
        let all = |sim: &mut Simulation<Swim>| believed(sim, NodeId(7)).iter().all(|state| *state == State::Dead);
        assert_eq!(sim.run_until(ms(10_000), all), Stop::Done, "seed {seed}");
        let wrongly = sim.happened().any(|one| matches!(one.what, Happening::Event(Believes(who, _)) if who.0 != 7));
        assert!(!wrongly, "seed {seed}");
    }
}

#[test]
fn relays_carry_probes_around_a_bad_link() {
    let mut relayed = 0;
    for seed in 0..20 {
        let mut sim = cluster(seed);
        for text in ["partition 1|2", "partition 3->4"] {
            sim.apply_fault(&text.parse().expect("a fault"));
        }
        assert_eq!(sim.run_for(ms(20_000)), Stop::Deadline);
        let beliefs = sim.happened().filter(|one| matches!(one.what, Happening::Event(_))).count();
        assert_eq!(beliefs, 0, "seed {seed}");
        relayed += sim.statistics().kinds.of("Relay");
    }
    assert!(relayed > 100, "{relayed}");
}

#[test]
fn a_member_that_stood_still_for_a_moment_refutes() {
    let mut refuted = 0;
    for seed in 0..40 {
        let mut sim = cluster(seed);
        sim.apply_fault(&"pause 7".parse().expect("a fault"));
        let suspected = |sim: &mut Simulation<Swim>| believed(sim, NodeId(7)).contains(&State::Suspect);
        assert_eq!(sim.run_until(ms(10_000), suspected), Stop::Done);
        sim.apply_fault(&"resume 7".parse().expect("a fault"));
        assert_eq!(sim.run_for(ms(5_000)), Stop::Deadline);
        assert!(believed(&sim, NodeId(7)).iter().all(|state| *state == State::Alive), "seed {seed}");
        refuted += sim.statistics().notes.of("refutes");
    }
    assert!(refuted >= 40);
}

#[test]
fn a_run_with_jitter_over_datagrams_is_followed_by_hand() {
    let fault = LinkFault { loss_ppm: 20_000, duplicate_ppm: 20_000, reorder_ppm: 50_000, ..LinkFault::default() };
    let network = Network { ordered: false, fault, ..Network::default() };
    let build = |builder: Builder<Swim>| builder.network(network).faults(everything(2_500)).build();
    let actions: usize = (0..SEEDS).map(|seed| follow(seed, build, 3_000)).sum();
    assert!(actions > 10_000, "{actions}");
}
