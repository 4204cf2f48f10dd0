//! The watch streams of this node: the hub, and what it decided to send.

use super::Replica;
use crate::message::Timer;
use crate::request::{Event, WatchCommand};
use crate::watch::{Hub, HubLimits, StreamId, WatchResponse};
use alloc::vec::Vec;
use core::time::Duration;
use volvox_core::{Context, Position};

/// The watch hub, and its responses until the end of the step.
#[derive(Clone)]
pub(super) struct Watches {
    hub: Hub,
    out: Vec<(StreamId, WatchResponse)>,
}

impl Watches {
    pub fn new(limits: HubLimits, revision: i64) -> Watches {
        Watches { hub: Hub::new(limits, revision), out: Vec::new() }
    }

    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// A snapshot replaced the store, which stands at `revision` now.
    pub fn on_replaced(&mut self, revision: i64) {
        self.hub.on_replaced(revision);
    }

    pub fn on_progress_tick(&mut self) {
        self.hub.on_progress_tick(&mut self.out);
    }
}

impl Replica {
    /// Hands the changes of this step to the watch hub.
    pub(super) fn publish_changes(&mut self, cx: &mut Context<'_, Replica>) {
        let changes = self.machine.take_changes();
        let revision = self.machine.store().revision();
        if !changes.is_empty() {
            self.watches.hub.on_changes(&changes, revision, &mut self.watches.out);
        }
        if self.watches.hub.wants_catch_up() {
            cx.set_timer(Timer::CatchUp, Duration::ZERO);
        }
    }

    pub(super) fn on_catch_up(&mut self, cx: &mut Context<'_, Replica>) {
        if self.watches.hub.catch_up(&self.machine.store().view(), &mut self.watches.out) {
            cx.set_timer(Timer::CatchUp, Duration::ZERO);
        }
    }

    pub(super) fn on_watch_command(&mut self, command: WatchCommand, cx: &mut Context<'_, Replica>) {
        let Watches { hub, out } = &mut self.watches;
        match command {
            WatchCommand::Open { stream } => {
                if !hub.on_open(stream) {
                    cx.note("too many watch streams", stream.0);
                }
            }
            WatchCommand::Credit { stream, responses } => hub.on_credit(stream, responses, out),
            WatchCommand::Create { stream, create } => hub.on_create(stream, create, &self.machine.store().view(), out),
            WatchCommand::Refuse { stream, refusal } => {
                hub.on_refuse(stream, refusal, self.machine.store().revision(), out);
            }
            WatchCommand::Cancel { stream, watch_id } => hub.on_cancel(stream, watch_id, out),
            WatchCommand::Progress { stream } => hub.on_progress(stream, out),
            WatchCommand::Close { stream } => hub.on_close(stream),
        }
        if self.watches.hub.wants_catch_up() {
            cx.set_timer(Timer::CatchUp, Duration::ZERO);
        }
    }

    /// Sends what the watch hub decided. It reveals only committed changes, which are already durable on a majority, so
    /// it need not wait for this node's disk.
    pub(super) fn flush_watch(&mut self, cx: &mut Context<'_, Replica>) {
        for (stream, response) in self.watches.out.drain(..) {
            cx.emit_after(Position::NONE, Event::Watch { stream, response });
        }
    }
}
