//! The layers and the windows: each guarantee over the worst link that it is made for, and violated where a rule is
//! missing.

mod codec;
mod links;
mod scripts;
mod windows;

use volvox_channel::talk::{Command, Event, History, properties};
use volvox_check::{Checked, Checker, Ended, Network as Links, System};
use volvox_core::{Duration, NodeId, Picture, Process, When};
use volvox_sim::{Happening, Simulation};

const ONE: NodeId = NodeId(1);
const TWO: NodeId = NodeId(2);

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn say(text: &str, to: u64) -> Command {
    format!("say {text} to n{to}").parse().expect("a command")
}

/// Adds the new events to the history; then evaluates every property of this kind.
fn judge<P>(sim: &mut Simulation<P>, words: &mut History, when: When) -> Result<(), String>
where
    P: Process<Event = Event> + 'static,
{
    let told: Vec<_> = sim.happened().collect();
    for one in told {
        if let Happening::Event(event) = &one.what {
            volvox_core::History::<P>::on_event(words, one.node, event);
        }
    }
    let nodes: Vec<_> = sim.live().collect();
    let picture = Picture { nodes: &nodes, history: words };
    for property in properties::<P>().into_iter().filter(|property| property.when == when) {
        (property.holds)(&picture).map_err(|why| format!("{}: {why}", property.name))?;
    }
    Ok(())
}

/// Words between all nodes, at random times within a second.
fn chatter<P: Process<Command = Command> + 'static>(sim: &mut Simulation<P>, nodes: u64, words: u64) {
    let mut rng = sim.rng(0);
    for number in 0..words {
        let from = rng.between(1, nodes);
        let to = (from - 1 + rng.between(1, nodes - 1)) % nodes + 1;
        sim.command_after(ms(rng.below(1_000)), NodeId(from), say(&format!("w{number}"), to));
    }
}

/// Runs until every word said is heard; evaluates every guarantee on the way.
fn until_all_is_heard<P>(sim: &mut Simulation<P>, words: u64) -> Result<(), String>
where
    P: Process<Event = Event> + 'static,
{
    let mut history = History::default();
    for _ in 0..600 {
        let _ = sim.run_for(ms(100));
        judge(sim, &mut history, When::Always)?;
        if history.said() == words && judge(sim, &mut history, When::AtEnd).is_ok() {
            return Ok(());
        }
    }
    judge(sim, &mut history, When::AtEnd)
}

/// Every schedule of this many words from n1 to n2: returns the first property that breaks, if any. `promised` are the
/// properties that are evaluated; with `live` also reliable delivery.
fn every_schedule<P>(
    config: P::Config,
    links: Links,
    words: u32,
    promised: &[&str],
    live: bool,
) -> (Ended, u64, Option<(String, usize)>)
where
    P: Checked + Process<Event = Event, Command = Command>,
    P::Config: Send + Sync,
{
    let world = System::<P, History>::with_history(2, config).network(links);
    let world = world.command(ONE, say("w", 2), words);
    let mut checker = Checker::new(&world)
        .bounds_are_budgets("a full link drops the newest message, as every link does; it is sent again")
        .reachable("all words are delivered", move |world, state| {
            world.view(state).history().heard() == u64::from(words)
        });
    for property in properties::<P>() {
        if property.when == When::Always && promised.contains(&property.name) {
            checker = checker.invariant(property.name, move |world, state| {
                let view = world.view(state);
                let nodes: Vec<_> = view.nodes().collect();
                (property.holds)(&Picture { nodes: &nodes, history: view.history() }).is_ok()
            });
        }
    }
    if live {
        checker = checker.leads_to(
            "reliable delivery",
            |world, state| world.view(state).history().said() > 0,
            |world, state| world.view(state).history().heard() == world.view(state).history().said(),
        );
    }
    let report = checker.run();
    println!("{report}");
    (report.ended, report.states, report.violation.map(|found| (found.property.clone(), found.actions().len())))
}
