//! The first stage of shrinking a course: drops whole ranges of many thousands of actions at a time.
//!
//! Three things make an attempt cheap. Actions are never copied: the remaining ones are a list of indices. An attempt
//! starts where the two courses part: snapshots along the course are kept, and a clone of the last one before that
//! place continues. And the largest things are tried first: everything of one node, every command of a kind, halves and
//! quarters of the run; one action at a time comes last, when the list is short.
//!
//! Work is counted in actions that were followed, never in seconds: what comes out is the same on every machine.

use crate::follow::{Became, Moment};
use std::borrow::Cow;
use std::collections::BTreeMap;
use volvox_core::{Instant, MessageKind, NodeId};
use volvox_replica::{Command, Replica, Request, WatchCommand};
use volvox_sim::script::{Action, Breach, What, Which, WhichTimer};

/// How many snapshots are kept along a course.
const MOMENTS: usize = 24;
/// Snapshots this close to one another are not worth their memory.
const SPACING_MIN: usize = 16;

/// An action that is left.
#[derive(Clone, Copy)]
struct Left {
    /// Its place in the course.
    place: usize,
    /// It happens as soon as possible, and not at its moment.
    soon: bool,
}

/// The course, followed with the bug or without it, with moments along what is left of it.
struct Lane {
    /// How many of those that are left came before, and the moment after them; by number.
    moments: Vec<(usize, Moment)>,
}

/// Plants the bug that is looked for on this thread (`true`), or takes it out.
pub type Planting<'p> = &'p dyn Fn(bool);

/// A course that becomes shorter.
pub(crate) struct Pruner<'c> {
    plant: Option<Planting<'c>>,
    left: Vec<Left>,
    /// The property that must break.
    wanted: String,
    planted: Lane,
    /// If a bug is planted: without it nothing may break.
    sound: Option<Lane>,
    run: Run<'c>,
}

/// The limits of replaying, and the cost so far.
struct Run<'c> {
    actions: &'c [Action<Replica>],
    /// By place: how far behind the revision of its node the one is that a command names.
    behind: BTreeMap<usize, i64>,
    /// Actions that were followed,
    done: usize,
    /// and how many may be.
    most: usize,
}

/// How a list of actions ended.
struct End {
    breach: Option<Breach>,
    possible: Vec<Left>,
}

impl<'c> Pruner<'c> {
    /// Follows the whole course; `None` when it breaks nothing, or does so without the planted bug too.
    pub fn new(
        actions: &'c [Action<Replica>],
        first: &Moment,
        plant: Option<Planting<'c>>,
        most: usize,
    ) -> Option<Pruner<'c>> {
        let lane = || Lane { moments: vec![(0, first.clone())] };
        let mut pruner = Pruner {
            plant,
            left: Vec::new(),
            wanted: String::new(),
            planted: lane(),
            sound: plant.map(|_| lane()),
            run: Run { actions, behind: BTreeMap::new(), done: 0, most },
        };
        pruner.run.note_revisions(first);
        let all: Vec<Left> = (0..actions.len()).map(|place| Left { place, soon: false }).collect();
        let end = pruner.run.follow(first.clone(), &all);
        pruner.wanted = end.breach?.property;
        pruner.left = end.possible;
        pruner.is_harmless(0, &pruner.left.clone()).then_some(pruner)
    }

    /// The property that must break.
    pub fn wanted(&self) -> &str {
        &self.wanted
    }

    /// A copy of the remaining actions.
    pub fn actions(&self) -> Vec<Action<Replica>> {
        let mut moment = self.planted.moments[0].1.clone();
        let copy = |left: &Left| {
            let action = self.run.action(&moment, *left).into_owned();
            let at = self.run.at(*left);
            moment.act(at, &action);
            Action { at, ..action }
        };
        self.left.iter().map(copy).collect()
    }

    /// How many actions were followed.
    pub fn followed(&self) -> usize {
        self.run.done
    }

    /// Leaves out whatever can be left out, as long as there is work left: large things first, and smaller ones once that
    /// gains little.
    pub fn prune(&mut self) {
        self.forget_moments();
        let mut pieces = 16;
        loop {
            let before = self.left.len();
            self.leave_out_groups(pieces);
            self.leave_out_stretches(|_| true, pieces);
            self.leave_out_stretches(is_external, pieces);
            self.leave_out_stretches(is_timer, pieces);
            self.leave_out_stretches(is_delivery, pieces);
            let gained = before - self.left.len();
            if (gained == 0 && pieces >= before) || self.run.is_over() {
                break;
            }
            if gained < before / 8 {
                pieces *= 4;
            }
        }
        self.forget_moments();
    }

    /// Everything as soon as possible.
    fn forget_moments(&mut self) {
        let mut size = self.left.len();
        while size > 0 && size >= self.left.len() / 16 && !self.run.is_over() {
            let mut start = 0;
            while start < self.left.len() {
                let mut tail = self.left[start..].to_vec();
                tail.iter_mut().take(size).for_each(|left| left.soon = true);
                if self.left[start..].iter().take(size).any(|left| !left.soon) {
                    self.try_tail(start, &tail);
                }
                start += size;
            }
            size /= 2;
        }
    }

    /// Everything of one kind, of one node, or of one kind at one node; the most frequent first, and nothing smaller
    /// than one of this many pieces.
    fn leave_out_groups(&mut self, pieces: usize) {
        let mut groups: BTreeMap<String, usize> = BTreeMap::new();
        for left in &self.left {
            groups_of(&self.run.actions[left.place].what, |group| *groups.entry(group).or_default() += 1);
        }
        let smallest = (self.left.len() / pieces / 4).max(2);
        let mut groups: Vec<(String, usize)> = groups.into_iter().filter(|(_, count)| *count >= smallest).collect();
        groups.sort_by(|(name, count), (other, of_other)| of_other.cmp(count).then(name.cmp(other)));
        for (group, _) in groups {
            let belongs = |what: &What<Replica>| {
                let mut belongs = false;
                groups_of(what, |one| belongs |= one == group);
                belongs
            };
            let gone = self.places(belongs);
            self.try_without(&gone);
        }
    }

    /// Ranges of the actions for which `counts` holds: halves, quarters, down to one of this many pieces. From the end,
    /// since later actions depend on earlier ones.
    fn leave_out_stretches(&mut self, counts: impl Fn(&What<Replica>) -> bool, pieces: usize) {
        let count = self.places(&counts).len();
        let (mut size, smallest) = (count.div_ceil(2), (count / pieces).max(1));
        while size >= smallest && size > 0 && !self.run.is_over() {
            let before = self.left.len();
            let mut end = self.places(&counts).len();
            while end > 0 {
                let places = self.places(&counts);
                end = end.min(places.len());
                let start = end.saturating_sub(size);
                self.try_without(&places[start..end]);
                end = start;
            }
            size = if size == 1 && self.left.len() < before { 1 } else { size / 2 };
        }
    }

    fn places(&self, counts: impl Fn(&What<Replica>) -> bool) -> Vec<usize> {
        let counts = |(_, left): &(usize, &Left)| counts(&self.run.actions[left.place].what);
        self.left.iter().enumerate().filter(counts).map(|(number, _)| number).collect()
    }

    /// Without these of what is left; they are in order.
    fn try_without(&mut self, gone: &[usize]) -> bool {
        let Some(first) = gone.first().copied() else { return false };
        let tail = self.left.iter().enumerate().skip(first);
        let tail = tail.filter(|(number, _)| gone.binary_search(number).is_err()).map(|(_, left)| *left);
        let tail: Vec<Left> = tail.collect();
        self.try_tail(first, &tail)
    }

    /// The remaining actions up to `first`, and this one behind them.
    fn try_tail(&mut self, first: usize, tail: &[Left]) -> bool {
        if self.run.is_over() {
            return false;
        }
        let moment = self.planted.moment_at(first, &self.left, &mut self.run);
        let end = self.run.follow(moment, tail);
        if end.breach.is_none_or(|breach| breach.property != self.wanted) || !self.is_harmless(first, &end.possible) {
            return false;
        }
        self.left.truncate(first);
        self.left.extend(end.possible);
        self.planted.forget_after(first);
        self.sound.iter_mut().for_each(|lane| lane.forget_after(first));
        true
    }

    /// Whether the same breaks nothing without the bug.
    fn is_harmless(&mut self, first: usize, tail: &[Left]) -> bool {
        let (Some(plant), Some(sound)) = (self.plant, self.sound.as_mut()) else { return true };
        plant(false);
        let moment = sound.moment_at(first, &self.left, &mut self.run);
        let end = self.run.follow(moment, tail);
        plant(true);
        end.breach.is_none()
    }
}

impl Lane {
    /// The moment before the one at this number of what is left. Keeps moments on the way.
    fn moment_at(&mut self, number: usize, left: &[Left], run: &mut Run<'_>) -> Moment {
        let spacing = (left.len() / MOMENTS).max(SPACING_MIN);
        let known = self.moments.partition_point(|(before, _)| *before <= number) - 1;
        let (mut before, mut moment) = (self.moments[known].0, self.moments[known].1.clone());
        let next = self.moments.get(known + 1).map_or(usize::MAX, |(next, _)| *next);
        let (mut kept, mut at) = (before, known);
        while before < number {
            if before >= kept + spacing && before + spacing <= next {
                at += 1;
                self.moments.insert(at, (before, moment.clone()));
                kept = before;
            }
            run.act(&mut moment, left[before]);
            before += 1;
        }
        moment
    }

    fn forget_after(&mut self, number: usize) {
        self.moments.retain(|(before, _)| *before <= number);
    }
}

impl<'c> Run<'c> {
    fn is_over(&self) -> bool {
        self.done > self.most
    }

    /// Follows these from a moment on, until something breaks.
    fn follow(&mut self, mut moment: Moment, tail: &[Left]) -> End {
        let mut possible = Vec::with_capacity(tail.len());
        for left in tail {
            match self.act(&mut moment, *left) {
                Became::Impossible => {}
                Became::Done(_) => possible.push(*left),
                Became::Broke(breach) => {
                    possible.push(*left);
                    return End { breach: Some(breach), possible };
                }
            }
        }
        End { breach: None, possible }
    }

    fn act(&mut self, moment: &mut Moment, left: Left) -> Became {
        self.done += 1;
        moment.act(self.at(left), &self.action(moment, left))
    }

    fn at(&self, left: Left) -> Instant {
        if left.soon { Instant::ZERO } else { self.actions[left.place].at }
    }

    /// Follows the whole course to see how far behind their node the revisions are that commands name.
    fn note_revisions(&mut self, first: &Moment) {
        let mut moment = first.clone();
        for (place, action) in self.actions.iter().enumerate() {
            if let What::Command { node, command } = &action.what
                && let Some(named) = revision_in(&mut command.clone())
                && let Some(revision) = moment.revision_of(*node)
            {
                self.behind.insert(place, revision - *named);
            }
            if let Became::Broke(_) = moment.act(action.at, action) {
                break;
            }
        }
    }

    /// The action at a place. A revision that it names is as far behind that of its node as it was: where writes were
    /// left out, it is another one.
    fn action(&self, moment: &Moment, left: Left) -> Cow<'c, Action<Replica>> {
        let action = &self.actions[left.place];
        let (Some(behind), What::Command { node, command }) = (self.behind.get(&left.place), &action.what) else {
            return Cow::Borrowed(action);
        };
        let Some(revision) = moment.revision_of(*node) else { return Cow::Borrowed(action) };
        let mut command = command.clone();
        revision_in(&mut command).into_iter().for_each(|named| *named = (revision - behind).max(1));
        Cow::Owned(Action {
            at: action.at,
            what: What::Command { node: *node, command },
            choices: action.choices.clone(),
        })
    }
}

/// The revision that a command names, if it names one.
fn revision_in(command: &mut Command) -> Option<&mut i64> {
    match command {
        Command::Request { request: Request::Write(volvox_store::Command::Compact(compact)), .. } => {
            Some(&mut compact.revision)
        }
        Command::Watch(WatchCommand::Create { create, .. }) if create.start_revision > 0 => {
            Some(&mut create.start_revision)
        }
        _ => None,
    }
}

fn is_external(what: &What<Replica>) -> bool {
    matches!(what, What::Start { .. } | What::Command { .. } | What::Crash { .. } | What::Clock { .. })
}

fn is_timer(what: &What<Replica>) -> bool {
    matches!(what, What::Fire { .. })
}

fn is_delivery(what: &What<Replica>) -> bool {
    matches!(what, What::Deliver { .. })
}

/// The groups that an action belongs to, by name.
fn groups_of(what: &What<Replica>, mut tell: impl FnMut(String)) {
    let (kind, nodes): (String, [Option<NodeId>; 2]) = match what {
        What::Start { node } => ("life".to_string(), [Some(*node), None]),
        What::Crash { node, .. } => ("life".to_string(), [Some(*node), None]),
        What::Command { node, command } => (kind_of(command).to_string(), [Some(*node), None]),
        What::Deliver { from, to, which } => (format!("deliver {}", message_of(which)), [Some(*from), Some(*to)]),
        What::Drop { from, to, .. } => ("drop".to_string(), [Some(*from), Some(*to)]),
        What::Duplicate { from, to, .. } => ("duplicate".to_string(), [Some(*from), Some(*to)]),
        What::Fire { node, timer: WhichTimer::Exactly(timer) } => (format!("{timer:?}"), [Some(*node), None]),
        What::Fire { node, timer: WhichTimer::Earliest } => ("timeout".to_string(), [Some(*node), None]),
        What::Sync { node, .. } => ("sync".to_string(), [Some(*node), None]),
        What::Clock { node, .. } => ("clock".to_string(), [Some(*node), None]),
        What::Wait => ("wait".to_string(), [None, None]),
    };
    if matches!(what, What::Command { .. }) {
        tell("every command".to_string());
        nodes[0].iter().for_each(|node| tell(format!("every command of {node}")));
    }
    for node in nodes.into_iter().flatten() {
        tell(format!("{kind} {node}"));
        tell(node.to_string());
    }
    if let [Some(from), Some(to)] = nodes {
        tell(format!("{kind} {from} {to}"));
        tell(format!("{from} {to}"));
    }
    tell(kind);
}

fn message_of(which: &Which<volvox_replica::Message>) -> &str {
    match which {
        Which::Equal(message) => message.kind(),
        Which::Kind(kind) => kind,
        Which::Oldest | Which::Place(_) => "oldest",
    }
}

fn kind_of(command: &Command) -> &'static str {
    match command {
        Command::Request { request: Request::Read, .. } => "read",
        Command::Request { request: Request::Write(volvox_store::Command::Put(_)), .. } => "put",
        Command::Request { request: Request::Write(volvox_store::Command::DeleteRange(_)), .. } => "delete",
        Command::Request { request: Request::Write(volvox_store::Command::Txn(_)), .. } => "txn",
        Command::Request { request: Request::Write(volvox_store::Command::Compact(_)), .. } => "compact",
        Command::Request { request: Request::Write(_), .. } => "write",
        Command::Request { request: Request::LeaseKeepAlive { .. } | Request::LeaseTimeToLive { .. }, .. } => "lease",
        Command::Request { .. } => "operator",
        Command::Forget { .. } => "forget",
        _ => "watch",
    }
}
