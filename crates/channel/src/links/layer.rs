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
        // Waits for what it waited for above.
        Effect::Emit { event, after } => cx.emit_after(after, event),
        Effect::Persist { record, .. } => drop(cx.persist(record)),
        Effect::SetTimer { timer: of_child, after } => cx.set_timer(timer(of_child), after),
        Effect::CancelTimer { timer: of_child } => cx.cancel_timer(timer(of_child)),
        Effect::CheckpointPart { part } => cx.checkpoint(part),
        Effect::CheckpointDone { covers, parts } => cx.checkpoint_done(covers, parts),
        Effect::Note(note) => cx.note(note.text, note.value),
    }
}
