//! How every layer handles the effects of the process above it.

use volvox_core::{Context, Effect, EffectOf, NodeId, Position, Process};

/// Forwards an effect of the process above to the world unchanged, except for messages, which the layer handles.
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
        // An event waits for the same position as above.
        other => cx.forward(other.map(
            |_| unreachable!("the arm above takes every message"),
            timer,
            |record| record,
            |event| event,
        )),
    }
}
