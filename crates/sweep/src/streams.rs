//! The clients' ends of watch streams: opening them, granting credit quickly or slowly, and starting over elsewhere.

use crate::driver::{LIMITS, Run, Wake, World, caller, view_of};
use crate::watchers::{Heard, Stream, Watcher, watch};
use volvox_core::NodeId;
use volvox_replica::{Command, StreamId, WatchCommand, WatchCreate, WatchResponse};
use volvox_service::{Leaderless, Request, admit};

/// How many streams there are.
const STREAMS: usize = 6;
/// The most credit that a stream holds.
const CREDIT_MAX: i64 = 64;

impl Run {
    pub(crate) fn begin_streams(&mut self, world: &mut World) {
        const RANGES: [(&str, &str); 8] =
            [("r", "s"), ("m", "n"), ("\0", "\0"), ("r00", ""), ("m1", "m3"), ("l", "m"), ("r01", ""), ("m20", "\0")];
        for stream in 0..STREAMS {
            let watchers = 1 + self.rng.below(3);
            let watchers = (0..watchers).map(|_| {
                let (key, range_end) = RANGES[self.rng.below(RANGES.len() as u64) as usize];
                let rng = &mut self.rng;
                Watcher::new(WatchCreate {
                    prev_kv: rng.below(3) == 0,
                    no_put: rng.below(10) == 0,
                    no_delete: rng.below(10) == 0,
                    fragment: rng.below(2) == 0,
                    progress_notify: rng.below(2) == 0,
                    ..watch(key, range_end)
                })
            });
            let watchers = watchers.collect();
            self.streams.push(Stream { id: StreamId(0), node: None, watchers, credit: 0 });
            self.wake_between(world, 50, 3_000, Wake::Stream(stream));
        }
    }

    /// Opens the stream if it is not, grants credit, asks for progress; at random gives it up or pauses for a long
    /// time.
    pub(crate) fn look_after_stream(&mut self, world: &mut World, place: usize) {
        let removed = &self.membership.removed;
        if self.healing && self.streams[place].node.is_some_and(|node| removed.contains(&node)) {
            self.streams[place].interrupt();
        }
        let Some(node) = self.streams[place].node else {
            if let Some(node) = self.some_member(world) {
                self.open_stream(world, place, node);
            }
            return self.wake_between(world, 20, 500, Wake::Stream(place));
        };
        let stream = self.streams[place].id;
        if self.is_cut_off(world, node, place) {
            self.counts.add("watch streams cut off");
            world.command(node, Command::Watch(WatchCommand::Close { stream }));
            self.streams[place].interrupt();
            return self.wake_between(world, 10, 500, Wake::Stream(place));
        }
        let chance = self.rng.below(100);
        if chance < 2 && !self.healing {
            world.command(node, Command::Watch(WatchCommand::Close { stream }));
            self.streams[place].interrupt();
            return self.wake_between(world, 10, 3_000, Wake::Stream(place));
        }
        if chance < 10 {
            world.command(node, Command::Watch(WatchCommand::Progress { stream }));
        }
        let most = if place.is_multiple_of(2) { CREDIT_MAX } else { 4 };
        let responses = (most - self.streams[place].credit).max(0) as u32;
        if responses > 0 {
            self.streams[place].credit += i64::from(responses);
            world.command(node, Command::Watch(WatchCommand::Credit { stream, responses }));
        }
        self.create_missing(world, place);
        let slow = !place.is_multiple_of(2) && !self.healing;
        let (low, high) = if slow && self.rng.below(8) == 0 { (500, 5_000) } else { (5, 200) };
        self.wake_between(world, low, high, Wake::Stream(place));
    }

    /// Whether the door of a node ends a stream now.
    fn is_cut_off(&mut self, world: &World, node: NodeId, place: usize) -> bool {
        self.observe_leader(world, node);
        self.leaderless.get(&node).is_some_and(|waits| waits.ends_streams_of(&caller(place), world.now()))
    }

    /// A node may have gained or lost its leader.
    pub(crate) fn observe_leader(&mut self, world: &World, node: NodeId) {
        let Some(view) = view_of(world, node) else {
            self.leaderless.remove(&node);
            return;
        };
        let election_timeout = self.shape.config(node).raft.election_timeout;
        let waits = self.leaderless.entry(node).or_insert_with(|| Leaderless::new(election_timeout));
        waits.observe(&view, world.now());
    }

    fn open_stream(&mut self, world: &mut World, place: usize, node: NodeId) {
        let Some(view) = view_of(world, node) else { return };
        if let Err(error) = admit(view, &caller(place), Request::Contact, &LIMITS) {
            return self.count_refusal(error);
        }
        let id = StreamId(self.next_stream);
        self.next_stream += 1;
        self.stream_of.insert(id, place);
        let stream = &mut self.streams[place];
        stream.id = id;
        stream.node = Some(node);
        world.command(node, Command::Watch(WatchCommand::Open { stream: id }));
        for watch_place in 0..self.streams[place].watchers.len() {
            self.create_watcher(world, place, watch_place);
        }
    }

    /// Canceled watchers start over.
    fn create_missing(&mut self, world: &mut World, place: usize) {
        for watch_place in 0..self.streams[place].watchers.len() {
            if self.streams[place].watchers[watch_place].must_begin {
                self.create_watcher(world, place, watch_place);
            }
        }
    }

    fn create_watcher(&mut self, world: &mut World, place: usize, watch_place: usize) {
        let (truth, old) = (self.truth.borrow().revision(), self.rng.below(4) == 0);
        let stream = &mut self.streams[place];
        let Some(node) = stream.node else { return };
        let watcher = &mut stream.watchers[watch_place];
        if watcher.next == 0 && old {
            // From an old revision, which may be compacted.
            watcher.next = 1 + self.rng.below(truth as u64) as i64;
        }
        let create = watcher.request(watch_place);
        if std::mem::take(&mut watcher.must_begin) {
            // A lost watcher keeps its id until it is canceled.
            watcher.canceling = true;
            let cancel = WatchCommand::Cancel { stream: stream.id, watch_id: create.watch_id };
            world.command(node, Command::Watch(cancel));
        }
        world.command(node, Command::Watch(WatchCommand::Create { stream: stream.id, create }));
    }

    pub(crate) fn on_watch_response(
        &mut self,
        node: NodeId,
        id: StreamId,
        response: &WatchResponse,
    ) -> Result<(), String> {
        let Some(place) = self.stream_of.get(&id).copied() else {
            return Err(format!("a response on stream {}, which no client opened", id.0));
        };
        let stream = &mut self.streams[place];
        if stream.id != id || stream.node != Some(node) {
            return Ok(());
        }
        let result = stream.on_response(&self.truth.borrow(), response);
        let (heard, watch_place) = result.map_err(|text| format!("watch stream {}: {text}", id.0))?;
        self.counts.add(match heard {
            Heard::Created => "watchers created",
            Heard::Events => "watch responses",
            Heard::Fragment => "watch responses in fragments",
            Heard::Progress => "watch progress told",
            Heard::Compacted => "compaction under a watcher",
            Heard::Canceled => "lost watchers canceled",
        });
        if heard == Heard::Compacted {
            self.streams[place].watchers[watch_place].must_begin = true;
        }
        Ok(())
    }

    /// A node is gone, and with it the streams that it served.
    pub(crate) fn interrupt_streams(&mut self, node: NodeId) {
        self.streams.iter_mut().filter(|stream| stream.node == Some(node)).for_each(Stream::interrupt);
    }
}
