//! The node loop.
//!
//! A turn takes waiting inputs, a bounded number of each kind: results of the disk, messages, commands, and timers that
//! are due. Each input is one step of the process; the clocks are read for each, after the input was taken. At the end
//! of a turn, in this order: the disk gets its next batch, the links get their frames, the view is published, and the
//! events are handed out.

use crate::accept::accept_links;
use crate::error::NodeError;
use crate::handle::Shared;
use crate::inbox::Arrived;
use crate::links::Links;
use crate::live::Live;
use crate::site::Site;
use crate::timers::Timers;
use crate::unwritten::{DiskThreadEnded, Progress, Unwritten};
use crate::writer::{CheckpointStep, Failure, Writer};
use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use tokio::task::{AbortHandle, yield_now};
use volvox_core::trace::Line;
use volvox_core::{
    Context, Duration, Effect, EffectOf, Environment, Instant, MessageKind, NodeId, Now, Outbox, Position,
};

/// Everything the loop owns.
pub(crate) struct Runner<P: Live> {
    process: P,
    environment: Environment,
    shared: Arc<Shared<P>>,
    site: Arc<Site>,
    listener: Option<TcpListener>,
    unwritten: Unwritten,
    links: Links,
    timers: Timers<P::Timer>,
    /// Timers that this turn set for now, each with its moment.
    immediate: Vec<(P::Timer, Instant)>,
    outbox: Outbox<Outgoing<P>>,
    /// The buffer of a handler's effects; empty between steps.
    effects: Vec<EffectOf<P>>,
    /// The events of this turn.
    events: Vec<P::Event>,
    on_event: Box<dyn FnMut(P::Event)>,
    messages: Vec<Arrived<P::Message>>,
    commands: Vec<P::Command>,
    stepped: bool,
    /// Inputs are left that this turn did not take.
    more_waits: bool,
    /// Timers were due at the start of this turn, and the sockets have been polled since.
    sockets_were_read: bool,
    /// Due timers waited for one more poll of the sockets.
    timers_put_off: bool,
    /// Turns since the loop last yielded the thread.
    hurried_turns: u32,
}

/// An effect that may have to wait for the disk.
enum Outgoing<P: Live> {
    Message(NodeId, P::Message),
    Event(P::Event),
}

/// A longer step keeps heartbeats and reads waiting.
const STEP_TIME_MAX: Duration = Duration::from_millis(5);
/// How many turns may follow one another before other tasks on the thread get a chance.
const HURRIED_TURNS_MAX: u32 = 8;
/// How long a stopping node waits for its disk.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

impl<P: Live> Runner<P> {
    pub(crate) fn new(
        process: P,
        environment: Environment,
        shared: Arc<Shared<P>>,
        listener: TcpListener,
        writer: Writer,
        on_event: Box<dyn FnMut(P::Event)>,
    ) -> Runner<P> {
        let site = Arc::clone(&shared.site);
        let durable = environment.last_position;
        Runner {
            process,
            environment,
            unwritten: Unwritten::new(writer, durable),
            links: Links::new(Arc::clone(&site)),
            timers: Timers::new(),
            immediate: Vec::new(),
            outbox: Outbox::new(durable),
            effects: Vec::new(),
            events: Vec::new(),
            on_event,
            messages: Vec::new(),
            commands: Vec::new(),
            stepped: false,
            more_waits: false,
            sockets_were_read: false,
            timers_put_off: false,
            hurried_turns: 0,
            listener: Some(listener),
            site,
            shared,
        }
    }

    pub(crate) async fn run(mut self) -> Result<(), NodeError> {
        let listener = self.listener.take().expect("a node runs once");
        let listener = tokio::net::TcpListener::from_std(listener).map_err(|source| self.system(source))?;
        let accepting = accept_links(listener, Arc::clone(&self.shared.inbox), Arc::clone(&self.site));
        let _accepting = AbortOnDrop(tokio::spawn(accepting).abort_handle());
        let _stopped = StoppedOnDrop(Arc::clone(&self.site));

        self.links.follow_book();
        self.step("start", |process, cx| process.on_start(cx));
        self.end_turn();
        let mut alarm = Alarm::new();
        while !self.site.stop.load(Ordering::Acquire) {
            self.wait(&mut alarm).await;
            self.turn().await?;
        }
        self.finish().await
    }

    /// Returns when there is something to do.
    async fn wait(&mut self, alarm: &mut Alarm) {
        if self.more_waits && !self.sockets_were_read {
            // Sockets and doors share this thread: let them run before the next turn.
            yield_now().await;
            return;
        }
        // A callback from the events of a turn could wake the loop forever without letting any other task run.
        let mut notified = std::pin::pin!(self.site.wake.notified());
        if std::future::poll_fn(|cx| Poll::Ready(notified.as_mut().poll(cx).is_ready())).await {
            self.hurried_turns += 1;
            if self.hurried_turns >= HURRIED_TURNS_MAX {
                self.hurried_turns = 0;
                yield_now().await;
            }
            return;
        }
        self.hurried_turns = 0;
        // Delayed messages are not taken while too much is unwritten: to wake for them would be to spin.
        let next_due = if self.takes_inputs() { self.shared.inbox.next_due() } else { None };
        let deadlines = [self.timers.next_deadline(), next_due, self.unwritten.next_deadline()];
        let deadline = deadlines.into_iter().flatten().min();
        let site = &self.site;
        tokio::select! {
            () = notified => {}
            () = alarm.ring(deadline, site) => {}
        }
    }

    async fn turn(&mut self) -> Result<(), NodeError> {
        self.more_waits = false;
        self.site.tallies.turns.add(1);
        for gone in self.links.follow_book() {
            self.shared.inbox.close(gone);
        }
        self.take_progress()?;
        let began = self.site.clock.now();
        let timers_are_due = self.timers.next_deadline().is_some_and(|deadline| deadline <= began);
        let all = timers_are_due && std::mem::take(&mut self.sockets_were_read);
        if self.takes_inputs() {
            self.take_messages(all);
            self.take_commands();
        }
        // Messages that arrived during a stall of this turn are handled first, but not forever.
        let stood_still = self.site.clock.now().since(began) > STEP_TIME_MAX && !self.timers_put_off;
        let fires = all && !stood_still;
        self.timers_put_off = all && stood_still;
        if fires {
            self.fire_timers();
        }
        self.fire_immediate();
        self.end_turn();
        if timers_are_due && !fires {
            // After a stall, messages that already wait are handled before timers that are due: a follower that stalled
            // must not call an election while the heartbeats wait in its socket. One yield polls the sockets, the next
            // lets their tasks run whatever the place of this task in the queue.
            yield_now().await;
            yield_now().await;
            self.sockets_were_read = true;
            self.site.wake.notify_one();
        }
        Ok(())
    }

    /// While too much is unwritten, only timers and the disk proceed: records have to wait somewhere.
    fn takes_inputs(&self) -> bool {
        self.unwritten.bytes() < self.site.limits.unwritten_bytes_max
    }

    fn take_progress(&mut self) -> Result<(), NodeError> {
        loop {
            let now = self.site.clock.now();
            let progress = self.unwritten.progress(now, self.site.limits.idle_after);
            let node = self.site.me;
            match progress.map_err(|DiskThreadEnded| NodeError::DiskThread { node })? {
                None => return Ok(()),
                Some(Progress::Appended(batch)) => {
                    self.site.tallies.batches.add(1);
                    self.site.tallies.records.add(batch.records.count());
                    self.unwritten.recycle(batch);
                }
                Some(Progress::Other) => {}
                Some(Progress::Full) => {
                    self.site.tallies.disk_full.add(1);
                    let waiting = self.unwritten.bytes();
                    if let Some(suppressed) = self.site.limiter.admit("disk full", 0, now, Duration::from_secs(1)) {
                        tracing::error!(%node, waiting, suppressed, "the disk is full: nothing is acknowledged until there is space");
                    }
                }
                Some(Progress::Failed(Failure::Log(source))) => return Err(NodeError::Log { node, source }),
                Some(Progress::Failed(Failure::Checkpoint(source))) => {
                    return Err(NodeError::Checkpoint { node, source });
                }
            }
            if let Some(through) = self.unwritten.newly_durable() {
                self.persisted(through);
            }
        }
    }

    /// Releases the effects that waited for these records, then informs the process.
    fn persisted(&mut self, through: Position) {
        self.outbox.advance(through);
        while let Some(outgoing) = self.outbox.pop() {
            self.release(outgoing);
        }
        self.step("persisted", |process, cx| process.on_persisted(through, cx));
    }

    /// `all`: everything that waits now, because timers are due behind it. It is bounded by the inbox.
    fn take_messages(&mut self, all: bool) {
        let max = if all { usize::MAX } else { self.site.limits.turn_inputs_max };
        let mut messages = std::mem::take(&mut self.messages);
        let left = self.shared.inbox.take(max, self.site.clock.now(), &mut messages);
        self.more_waits |= left > 0;
        for Arrived { from, message, .. } in messages.drain(..) {
            let kind = message.kind();
            self.step(kind, |process, cx| process.on_message(from, message, cx));
        }
        self.messages = messages;
    }

    fn take_commands(&mut self) {
        let mut commands = std::mem::take(&mut self.commands);
        {
            let mut waiting = self.shared.commands.lock().expect("no panic holds this lock");
            let count = waiting.len().min(self.site.limits.turn_inputs_max);
            commands.extend((0..count).filter_map(|_| waiting.pop_front()));
            self.more_waits |= !waiting.is_empty();
        }
        for command in commands.drain(..) {
            self.step("command", |process, cx| process.on_command(command, cx));
        }
        self.commands = commands;
    }

    /// Fires the timers that were due when this began: a timer that is restarted for now waits for the next turn.
    fn fire_timers(&mut self) {
        let now = self.site.clock.now();
        while let Some(timer) = self.timers.pop_due(now) {
            self.step("timer", |process, cx| process.on_timer(timer, cx));
            if self.timers.next_deadline() == Some(now) {
                break;
            }
        }
    }

    /// Fires the timers that this turn set for now: the process wants to act once on all inputs of the turn. One that
    /// they set for now in turn waits for the next turn, so that long work in small steps keeps no one else waiting.
    fn fire_immediate(&mut self) {
        let mut immediate = std::mem::take(&mut self.immediate);
        for (timer, at) in immediate.drain(..) {
            if self.timers.take(&timer, at) {
                self.step("timer", |process, cx| process.on_timer(timer, cx));
            }
        }
        self.immediate.clear();
        std::mem::swap(&mut self.immediate, &mut immediate);
    }

    /// One step of the process, and its effects.
    fn step(&mut self, kind: &'static str, handle: impl FnOnce(&mut P, &mut Context<'_, P>)) {
        let now = self.begin_step();
        let mut effects = std::mem::take(&mut self.effects);
        handle(&mut self.process, &mut Context::new(&mut self.environment, &mut effects));
        self.end_step(kind, now, effects);
    }

    fn begin_step(&mut self) -> Instant {
        let now = self.site.clock.now();
        self.environment.now = Now::Known(now);
        self.environment.wall = self.site.clock.wall();
        now
    }

    fn end_step(&mut self, kind: &'static str, now: Instant, mut effects: Vec<EffectOf<P>>) {
        let tracing = tracing::enabled!(target: "volvox::trace", tracing::Level::TRACE);
        for effect in effects.drain(..) {
            if tracing {
                let line = Line { at: now, node: self.site.me, effect: &effect };
                tracing::trace!(target: "volvox::trace", "{line}");
            }
            self.act(effect, now);
        }
        self.effects = effects;
        self.stepped = true;
        self.measure(kind, now);
    }

    fn act(&mut self, effect: EffectOf<P>, now: Instant) {
        match effect {
            Effect::Send { to, message, after } => {
                if let Some(outgoing) = self.outbox.offer(after, Outgoing::Message(to, message)) {
                    self.release(outgoing);
                }
            }
            Effect::Emit { event, after } => {
                if let Some(outgoing) = self.outbox.offer(after, Outgoing::Event(event)) {
                    self.release(outgoing);
                }
            }
            Effect::Persist { position, record } => {
                self.unwritten.persist(position, &record, self.site.limits.batch_bytes_max);
            }
            Effect::SetTimer { timer, after } => {
                self.timers.set(timer.clone(), now + after);
                if after.is_zero() {
                    self.immediate.push((timer, now));
                }
            }
            Effect::CancelTimer { timer } => self.timers.cancel(&timer),
            Effect::CheckpointPart { part } => {
                self.unwritten.checkpoint(self.environment.last_position, CheckpointStep::Part(part));
            }
            Effect::CheckpointDone { covers, parts } => {
                self.unwritten.checkpoint(self.environment.last_position, CheckpointStep::Install { covers, parts });
            }
            Effect::Note(note) => tracing::debug!(target: "volvox::note", node = %self.site.me, "{note}"),
        }
    }

    fn release(&mut self, outgoing: Outgoing<P>) {
        match outgoing {
            Outgoing::Message(to, message) => self.links.send(to, &message),
            Outgoing::Event(event) => self.events.push(event),
        }
    }

    fn measure(&mut self, kind: &'static str, began: Instant) {
        let ended = self.site.clock.now();
        let took = ended.since(began);
        self.site.tallies.steps.add(1);
        if took < STEP_TIME_MAX {
            return;
        }
        self.site.tallies.slow_steps.add(1);
        let nanos = volvox_core::time::nanos(took);
        self.site.longest_step_nanos.set(self.site.longest_step_nanos.get().max(nanos));
        if let Some(suppressed) = self.site.limiter.admit("slow step", 0, ended, Duration::from_secs(1)) {
            tracing::warn!(node = %self.site.me, kind, ?took, suppressed, "a step took longer than {STEP_TIME_MAX:?}");
        }
    }

    fn end_turn(&mut self) {
        self.unwritten.submit(self.site.clock.now());
        self.links.flush();
        if std::mem::take(&mut self.stepped) {
            self.shared.view.store(Arc::new(self.process.view()));
        }
        for event in self.events.drain(..) {
            (self.on_event)(event);
        }
    }

    /// Writes the new records, unless the disk is full.
    async fn finish(mut self) -> Result<(), NodeError> {
        let until = self.site.clock.now() + STOP_TIME_MAX;
        let mut alarm = Alarm::new();
        while !self.unwritten.is_settled() && !self.unwritten.is_full() && self.site.clock.now() < until {
            self.unwritten.submit(self.site.clock.now());
            let site = Arc::clone(&self.site);
            tokio::select! {
                () = site.wake.notified() => {}
                () = alarm.ring(Some(until), &site) => {}
            }
            self.take_progress()?;
            self.end_turn();
        }
        tracing::info!(node = %self.site.me, "the node has stopped");
        Ok(())
    }

    fn system(&self, source: std::io::Error) -> NodeError {
        NodeError::System { node: self.site.me, source }
    }
}

/// One timer of the runtime, moved only when it would fire too late: firing early costs less than moving it with every
/// heartbeat.
struct Alarm {
    sleep: std::pin::Pin<Box<tokio::time::Sleep>>,
    at: Instant,
}

impl Alarm {
    fn new() -> Alarm {
        Alarm { sleep: Box::pin(tokio::time::sleep(Duration::ZERO)), at: Instant::ZERO }
    }

    async fn ring(&mut self, deadline: Option<Instant>, site: &Site) {
        let Some(deadline) = deadline else { return std::future::pending().await };
        if self.at > deadline || self.sleep.is_elapsed() {
            self.sleep.as_mut().reset(site.clock.at(deadline));
            self.at = deadline;
        }
        self.sleep.as_mut().await;
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct StoppedOnDrop(Arc<Site>);

impl Drop for StoppedOnDrop {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Release);
    }
}
