//! The client: it requests a lease, believes a grant until the lease is over by its own clock, and releases it.

use super::{Config, Event, Leases, Message, Role, Rule, Timer};
use volvox_core::{Context, Serial, Serials};

/// A resource that a client wants to hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) enum Wish {
    #[default]
    Nothing,
    /// The lease, for one term; the wish ends with the grant.
    Once,
    /// The lease, until it is released.
    Keep,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Lease {
    /// The request that obtained it, or its last extension.
    pub(super) request: Serial,
    pub(super) token: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Client {
    pub(super) wish: Wish,
    /// The serials of its requests.
    pub(super) requests: Serials,
    /// The unanswered request.
    pub(super) asking: Option<Serial>,
    pub(super) lease: Option<Lease>,
}

impl Leases {
    fn client(&mut self) -> &mut Client {
        match &mut self.role {
            Role::Client(client) => client,
            role => panic!("no client: {role:?}"),
        }
    }

    pub(super) fn wish(&mut self, wish: Wish, cx: &mut Context<'_, Self>) {
        let waited = self.waits();
        let client = self.client();
        if client.lease.is_some() && wish == Wish::Once {
            return cx.note("it holds the lease", 0);
        }
        client.wish = wish;
        if !waited && client.lease.is_none() {
            cx.emit(Event::Asked);
        }
        self.ask_if_wished(cx);
    }

    pub(super) fn ask_if_wished(&mut self, cx: &mut Context<'_, Self>) {
        let (config, grantor, client) = (self.config, self.grantor, self.client());
        if client.wish == Wish::Nothing || client.asking.is_some() {
            return;
        }
        let request = client.requests.issue();
        client.asking = Some(request);
        // The lease's term starts here, whenever the grant arrives.
        cx.set_timer(Timer::End(request), config.holder_term());
        let message = match client.lease {
            Some(Lease { token, .. }) => Message::Extend { request, token },
            None => Message::Acquire { request },
        };
        cx.send(grantor, message);
    }

    pub(super) fn on_granted(&mut self, request: Serial, token: u64, cx: &mut Context<'_, Self>) {
        let (config, client) = (self.config, self.client());
        if client.asking != Some(request) {
            return cx.note("ignored: an outdated grant", request.count);
        }
        client.asking = None;
        if !config.keeps(Rule::FromSend) {
            cx.set_timer(Timer::End(request), config.holder_term());
        }
        match client.lease.replace(Lease { request, token }) {
            Some(before) => cx.cancel_timer(Timer::End(before.request)),
            None => cx.emit(Event::Acquired { token }),
        }
        match client.wish {
            Wish::Keep => cx.set_timer(Timer::Renew, config.holder_term().saturating_sub(config.renew_before)),
            _ => client.wish = Wish::Nothing,
        }
    }

    /// The lease of this request is over, or can no longer be obtained.
    pub(super) fn on_end(&mut self, request: Serial, cx: &mut Context<'_, Self>) {
        let client = self.client();
        if client.asking == Some(request) {
            client.asking = None;
        }
        if client.lease.is_some_and(|lease| lease.request == request) {
            client.lease = None;
            cx.emit(Event::Ended);
            if client.wish == Wish::Keep {
                cx.emit(Event::Asked);
            }
        }
        self.ask_if_wished(cx);
    }

    pub(super) fn release(&mut self, cx: &mut Context<'_, Self>) {
        let (grantor, client) = (self.grantor, self.client());
        client.wish = Wish::Nothing;
        if let Some(request) = client.asking.take() {
            cx.cancel_timer(Timer::End(request));
        }
        cx.emit(Event::Ended);
        if let Some(lease) = client.lease.take() {
            cx.cancel_timer(Timer::End(lease.request));
            cx.send(grantor, Message::Release { token: lease.token });
        }
    }
}

impl Client {
    pub(super) fn on_busy(&mut self, request: Serial, config: &Config, cx: &mut Context<'_, Leases>) {
        if self.asking == Some(request) {
            self.asking = None;
            cx.cancel_timer(Timer::End(request));
            cx.set_timer(Timer::Retry, config.retry);
        }
    }
}
