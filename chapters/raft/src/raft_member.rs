//! A member of Raft as the laboratory runs it: the production crate, inside a parent that changes nothing unless a rule
//! is removed or an experiment of the paper is repeated. And its properties.

use std::collections::{BTreeMap, BTreeSet};
use volvox_core::{
    Context, Duration, Effect, EffectOf, History, Instant, NodeId, Picture, Position, Process, Property, Restored,
    Scratch, When, fingerprint_of, rules, time::nanos,
};
use volvox_raft::invariants::Observer;
use volvox_raft::{
    Body, Command, Config, Entry, Event, Index, Member as Voter, Message, Raft, Record, RoleKind, Status, Term, Ticket,
    Timer,
};

rules! {
    /// The rules that the parent removes, at the border of the member (Raft figure 2; 5.4.1; 5.4.2 and figure 8; 5.2).
    pub enum Rule of Settings;
    VoteOnDisk = "vote-on-disk": "a vote is on the disk before it is sent" /
        "a crash forgets the vote, and two members lead",
    AckOnDisk = "ack-on-disk": "entries are on the disk before they are acknowledged" /
        "a crash forgets committed entries",
    LogComparison = "log-comparison": "voters refuse a candidate with an older log" /
        "a leader lacks committed entries",
    OwnTerm = "own-term": "a leader counts replicas only of entries of its own term" /
        "committed entries are replaced",
    RandomTimeouts = "random-timeouts": "election timeouts are random" / "votes split repeatedly",
}

/// The configuration of a member in the laboratory.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Settings {
    /// The production configuration.
    pub raft: Config,
    /// The rule to remove.
    pub without: Option<Rule>,
    /// The range of election timeouts, if an experiment sets it; otherwise the member's own.
    pub timeouts: Option<Timeouts>,
    /// Whether only the leader and a granted vote restart the timeout (figure 2). Production also restarts it with any
    /// later term, and when a candidacy is lost.
    pub keeps_waiting: bool,
    /// Whether this member campaigns as soon as it starts.
    pub is_eager: bool,
    /// The last entry that this member takes, so that logs differ in length, as in the paper's experiment.
    pub log_most: Option<Index>,
}

/// No rule removed, no experiment.
pub fn made(raft: Config) -> Settings {
    Settings { raft, without: None, timeouts: None, keeps_waiting: false, is_eager: false, log_most: None }
}

/// A range of election timeouts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Timeouts {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
    /// Until then all are a hundred times longer, so that a cluster forms undisturbed, whatever the range.
    pub since: Instant,
}

/// A member.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Member {
    raft: Raft,
    settings: Settings,
    /// Without [`Rule::OwnTerm`]: the last entry that this leader has committed because a majority holds it.
    counted: Index,
    scratch: Scratch<Raft>,
}

impl Process for Member {
    type Config = Settings;
    type Message = Message;
    type Timer = Timer;
    type Record = Record;
    type Command = Command;
    type Event = Event;
    type View = Status;

    fn new(id: NodeId, members: &[NodeId], settings: &Settings) -> Member {
        let raft = Raft::new(id, members, &settings.raft);
        Member { raft, settings: settings.clone(), counted: Index::ZERO, scratch: Scratch::default() }
    }

    fn on_restore(&mut self, restored: Restored<Record>) {
        self.raft.on_restore(restored);
    }

    fn on_start(&mut self, cx: &mut Context<'_, Member>) {
        self.run(cx, Raft::on_start);
        if self.settings.is_eager {
            cx.set_timer(Timer::Election, Duration::from_millis(1));
        }
    }

    fn on_message(&mut self, from: NodeId, mut message: Message, cx: &mut Context<'_, Member>) {
        if let (Some(most), Body::Append { prev_index, entries, .. }) = (self.settings.log_most, &message.body)
            && prev_index.0 + entries.len() as u64 > most.0
        {
            return cx.note("ignored: entries beyond what this member takes", prev_index.0);
        }
        if self.lacks(Rule::LogComparison)
            && let Body::Vote { last_index, last_term, .. } | Body::PreVote { last_index, last_term } =
                &mut message.body
        {
            // The voter compares with itself.
            let last = self.raft.last_index();
            (*last_index, *last_term) = (last, self.raft.term_at(last).unwrap_or_default());
        }
        let is_of_election = matches!(message.body, Body::Vote { .. } | Body::VoteReply { .. });
        let keeps_waiting = self.settings.keeps_waiting && is_of_election && self.raft.role() != RoleKind::Leader;
        self.run_with(keeps_waiting, cx, |raft, cx| raft.on_message(from, message, cx));
    }

    fn on_timer(&mut self, timer: Timer, cx: &mut Context<'_, Member>) {
        self.run(cx, |raft, cx| raft.on_timer(timer, cx));
    }

    fn on_command(&mut self, command: Command, cx: &mut Context<'_, Member>) {
        self.run(cx, |raft, cx| raft.on_command(command, cx));
    }

    fn on_persisted(&mut self, through: Position, cx: &mut Context<'_, Member>) {
        self.run(cx, |raft, cx| raft.on_persisted(through, cx));
    }

    fn view(&self) -> Status {
        self.raft.view()
    }
}

impl Member {
    /// The production member.
    pub fn raft(&self) -> &Raft {
        &self.raft
    }

    fn run(&mut self, cx: &mut Context<'_, Member>, step: impl FnOnce(&mut Raft, &mut Context<'_, Raft>)) {
        self.run_with(false, cx, step);
    }

    /// `keeps_waiting`: the election timer is left unchanged, unless a vote is granted or the election is won.
    fn run_with(
        &mut self,
        keeps_waiting: bool,
        cx: &mut Context<'_, Member>,
        step: impl FnOnce(&mut Raft, &mut Context<'_, Raft>),
    ) {
        let mut scratch = std::mem::take(&mut self.scratch);
        let believes_at_once = self.lacks(Rule::AckOnDisk);
        let mut counted = Vec::new();
        let step = |member: &mut Member, cx: &mut Context<'_, Raft>| {
            let before = cx.last_position();
            step(&mut member.raft, cx);
            if believes_at_once && cx.last_position() > before && member.raft.role() == RoleKind::Follower {
                member.raft.on_persisted(cx.last_position(), cx);
            }
            counted = member.count_replicas();
        };
        let (mut held, mut is_granted) = (None, false);
        cx.scope_with(self, &mut scratch, step, |member, effect, cx| match &effect {
            Effect::SetTimer { timer: Timer::Election, .. } if keeps_waiting => held = Some(effect),
            Effect::Send { message, .. } => {
                is_granted |= matches!(message.body, Body::VoteReply { granted: true });
                member.pass_on(effect, cx);
            }
            _ => member.pass_on(effect, cx),
        });
        self.scratch = scratch;
        if !counted.is_empty() {
            cx.emit_after(Position::NONE, Event::Committed { entries: counted });
        }
        if let Some(timer) = held
            && (is_granted || self.raft.role() == RoleKind::Leader)
        {
            self.pass_on(timer, cx);
        }
    }

    /// Without [`Rule::OwnTerm`]: the entries of any term that a majority holds and that are not yet committed. The
    /// member itself waits until a majority holds an entry of the leader's own term.
    fn count_replicas(&mut self) -> Vec<Entry> {
        if !self.lacks(Rule::OwnTerm) || self.raft.role() != RoleKind::Leader {
            self.counted = Index::ZERO;
            return Vec::new();
        }
        let matched: BTreeMap<Voter, Index> =
            self.raft.progress().map(|(member, matched, _)| (member, matched)).collect();
        let on_majority = self.raft.configuration().quorum_index(|member| match matched.get(&member) {
            Some(matched) => *matched,
            None if member == self.raft.member() => self.raft.durable_index(),
            None => Index::ZERO,
        });
        let known = self.counted.max(self.raft.commit_index());
        if on_majority <= known {
            return Vec::new();
        }
        self.counted = on_majority;
        (known.0 + 1..=on_majority.0).filter_map(|index| self.raft.entry(Index(index)).cloned()).collect()
    }

    /// The member's effects become its parent's, except for the removed rule.
    fn pass_on(&mut self, effect: EffectOf<Raft>, cx: &mut Context<'_, Member>) {
        match effect {
            Effect::Send { to, mut message, after } => {
                // The counted index is announced as the commit index: zero unless the rule is removed.
                if let Body::Append { commit, .. } | Body::Heartbeat { commit, .. } = &mut message.body {
                    *commit = self.counted.max(*commit);
                }
                let is_early = match message.body {
                    Body::VoteReply { .. } => self.lacks(Rule::VoteOnDisk),
                    Body::Appended { .. } => self.lacks(Rule::AckOnDisk),
                    _ => false,
                };
                cx.send_after(if is_early { Position::NONE } else { after }, to, message);
            }
            Effect::Emit { event: Event::Committed { mut entries }, after } => {
                entries.retain(|entry| entry.index > self.counted);
                if !entries.is_empty() {
                    cx.emit_after(after, Event::Committed { entries });
                }
            }
            Effect::SetTimer { timer: Timer::Election, after } => {
                let drawn = self.election_timeout(after, cx);
                cx.set_timer(Timer::Election, drawn);
            }
            other => cx.forward(other),
        }
    }

    fn election_timeout(&self, drawn: Duration, cx: &mut Context<'_, Member>) -> Duration {
        if self.lacks(Rule::RandomTimeouts) {
            return self.settings.raft.election_timeout;
        }
        let Some(Timeouts { least, most, since }) = self.settings.timeouts else { return drawn };
        let chosen = Duration::from_nanos(cx.rng().between(nanos(least), nanos(most)));
        if since > Instant::ZERO && cx.now() < since { chosen * 100 } else { chosen }
    }

    fn lacks(&self, rule: Rule) -> bool {
        !self.settings.keeps(rule)
    }
}

/// The history of leaders and committed entries.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Past {
    /// The leader of each term.
    pub leaders: BTreeMap<Term, NodeId>,
    /// The entry committed at each index: its term and fingerprint, and the latest term that had had a leader.
    pub committed: BTreeMap<Index, (Term, u128, Term)>,
    /// The reads that were served and the transfers that ended well.
    pub done: BTreeSet<Ticket>,
    /// The requests that were refused.
    pub refused: BTreeSet<Ticket>,
    two_leaders: Option<Term>,
    two_entries: Option<Index>,
}

impl History<Member> for Past {
    fn on_event(&mut self, node: NodeId, event: &Event) {
        match event {
            Event::RoleChanged { term, role: RoleKind::Leader, .. } => {
                let first = *self.leaders.entry(*term).or_insert(node);
                if first != node {
                    self.two_leaders = Some(*term);
                }
            }
            Event::Committed { entries } => {
                let latest = self.leaders.keys().next_back().copied().unwrap_or_default();
                for entry in entries {
                    let print = fingerprint_of(entry);
                    let known = self.committed.entry(entry.index).or_insert((entry.term, print, latest));
                    if known.1 != print {
                        self.two_entries = Some(entry.index);
                    }
                }
            }
            Event::ReadReady { ticket, .. } | Event::Transferred { ticket } => drop(self.done.insert(*ticket)),
            Event::Refused { ticket, .. } => drop(self.refused.insert(*ticket)),
            _ => {}
        }
    }
}

/// The properties of figure 3: over time by the events of members, and between all members at one moment by the code of
/// [`volvox_raft::invariants`].
pub fn properties() -> Vec<Property<Member, Past>> {
    let always = |name, source, holds| Property { name, source, when: When::Always, holds };
    vec![
        always("election safety", "Raft 5.2, figure 3", election_safety),
        always("log matching", "Raft 5.3, figure 3", log_matching),
        always("leader completeness", "Raft 5.4.3, figure 3", leader_completeness),
        always("state machine safety", "Raft 5.4.3, figure 3", state_machine_safety),
        Property { name: "termination", source: "Raft 5.2", when: When::AtEnd, holds: somebody_leads_all },
    ]
}

type Seen<'a> = Picture<'a, Member, Past>;

/// The verdict of production's invariants at this moment, if it concerns this property.
fn observed(picture: &Seen<'_>, property: &str) -> Result<(), String> {
    let mut observer = Observer::new();
    for (_, node) in picture.nodes {
        if let Err(violation) = observer.observe(node.raft())
            && violation.property == property
        {
            return Err(violation.detail);
        }
    }
    Ok(())
}

fn election_safety(picture: &Seen<'_>) -> Result<(), String> {
    match picture.history.two_leaders {
        Some(term) => Err(format!("two members reported that they lead {term}")),
        None => observed(picture, "election safety"),
    }
}

fn log_matching(picture: &Seen<'_>) -> Result<(), String> {
    observed(picture, "log matching")
}

/// Every entry committed before a term had its leader is in the log of that leader.
fn leader_completeness(picture: &Seen<'_>) -> Result<(), String> {
    for (id, node) in picture.nodes.iter().filter(|(_, node)| node.raft().role() == RoleKind::Leader) {
        let raft = node.raft();
        let since = picture.history.committed.range(raft.first_index()..);
        for (index, (term, _, committed_in)) in since.filter(|(_, known)| known.2 < raft.term()) {
            if raft.term_at(*index) != Some(*term) {
                let of = term.0;
                return Err(format!("{id} leads {} without {index}@{of}, committed by {committed_in}", raft.term()));
            }
        }
    }
    Ok(())
}

fn state_machine_safety(picture: &Seen<'_>) -> Result<(), String> {
    match picture.history.two_entries {
        Some(index) => Err(format!("two entries were committed at {index}")),
        None => observed(picture, "state machine safety"),
    }
}

fn somebody_leads_all(picture: &Seen<'_>) -> Result<(), String> {
    let leads_all = |leader: &(NodeId, &Member)| {
        let all = picture.nodes.iter().all(|(_, node)| node.raft().leader() == Some(leader.0));
        all && leader.1.raft().role() == RoleKind::Leader
    };
    if picture.nodes.iter().any(leads_all) { Ok(()) } else { Err("no leader is followed by all".to_string()) }
}
