//! The grantor: it grants the lease to one client for a term, by its own clock.

use super::{Config, Leases, Message, Record, Rule, Timer};
use volvox_core::{Context, NodeId, Serial};

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Grantor {
    /// The last token that was issued.
    pub(super) token: u64,
    /// The client that holds the lease, and which of its requests obtained it, during the term.
    pub(super) granted: Option<(NodeId, Serial)>,
    /// The grantor restarted, and a lease that it granted before may still be held.
    pub(super) waits_out: bool,
}

impl Grantor {
    pub(super) fn on_acquire(&mut self, from: NodeId, request: Serial, config: &Config, cx: &mut Context<'_, Leases>) {
        match self.granted {
            _ if self.waits_out => return cx.send(from, Message::Busy { request }),
            Some((holder, _)) if holder != from => return cx.send(from, Message::Busy { request }),
            // A duplicated request is answered twice, and extends nothing.
            Some((_, last)) if request == last => {
                return cx.send(from, Message::Granted { request, token: self.token });
            }
            Some((_, last)) if request < last => return cx.note("ignored: an older request of the holder", from.0),
            Some(_) if !config.keeps(Rule::NewToken) => {}
            // The holder believes that it holds none: it released the lease, let it expire, or crashed. Its messages
            // under the last token may still arrive, and do not belong to this lease.
            Some(_) | None => {
                self.token += 1;
                cx.persist(Record::Given(self.token));
            }
        }
        self.grant(from, request, config, cx);
    }

    pub(super) fn on_extend(
        &mut self,
        from: NodeId,
        request: Serial,
        token: u64,
        config: &Config,
        cx: &mut Context<'_, Leases>,
    ) {
        match self.granted {
            Some((holder, last)) if holder == from && token == self.token && request > last => {
                self.grant(from, request, config, cx);
            }
            Some((holder, last)) if holder == from && token == self.token && request == last => {
                cx.send(from, Message::Granted { request, token });
            }
            _ => cx.send(from, Message::Busy { request }),
        }
    }

    fn grant(&mut self, to: NodeId, request: Serial, config: &Config, cx: &mut Context<'_, Leases>) {
        self.granted = Some((to, request));
        cx.set_timer(Timer::Term, config.term);
        cx.send(to, Message::Granted { request, token: self.token });
    }

    pub(super) fn on_release(&mut self, from: NodeId, token: u64, cx: &mut Context<'_, Leases>) {
        if self.granted.is_some_and(|(holder, _)| holder == from) && self.token == token {
            self.granted = None;
            cx.cancel_timer(Timer::Term);
        }
    }
}
