//! What every layer does with what the process above it does.

use volvox_core::{Context, Effect, EffectOf, NodeId, Position, Process};

/// Passes an effect of the process above on to the world as it is, but for what it sends: that is the layer's business.
/// `timer` maps its timers into the layer's.
pub(crate) fn pass_on<L, P>(
    effect: EffectOf<P>,
    cx: &mut Context<'_, L>,
    timer: impl Fn(P::Timer) -> L::Timer,
    send: impl FnOnce(NodeId, P::Message, Position, &mut Context<'_, L>),
) where
    P: Process,
    L: Process<Record = P::Record, Event = P::Event>,
{
    match effect {
        Effect::Send { to, message, after } => send(to, message, after, cx),
        // An event waits for what it waited for above.
        other => cx.forward(other.map(
            |_| unreachable!("the arm above takes every message"),
            timer,
            |record| record,
            |event| event,
        )),
    }
}
