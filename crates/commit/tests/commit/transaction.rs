//! Commands, and the properties that every protocol of this family shares.

use volvox_commit::transaction::{Command, Content, Decision, Event, Outcomes, Transaction, Vote, properties};
use volvox_commit::two_phase::TwoPhase;
use volvox_core::{Boot, History, NodeId, Picture, Serial};
use volvox_sim::bench::check_codec;

const FIRST: Transaction = Transaction { origin: NodeId(1), number: Serial::first_boot(1) };
const NONE: Content = Content(0);

/// What is wrong after these events, by the name of the property.
fn broken(events: &[(u64, Event)]) -> Vec<&'static str> {
    let mut history = Outcomes::default();
    for (node, event) in events {
        History::<TwoPhase>::on_event(&mut history, NodeId(*node), event);
    }
    let picture = Picture { nodes: &[], history: &history };
    let properties = properties::<TwoPhase>();
    properties.iter().filter(|property| (property.holds)(&picture).is_err()).map(|property| property.name).collect()
}

#[test]
fn each_property_breaks_by_what_it_forbids() {
    let begun = (1, Event::Begun(FIRST, 2));
    let yes = |node| (node, Event::Voted(FIRST, Vote::Yes, NONE));
    let decided = |node, decision| (node, Event::Decided(FIRST, decision));
    let (commit, abort) = (Decision::Commit, Decision::Abort);
    assert!(broken(&[begun, yes(2), yes(3), decided(1, commit), decided(2, commit)]).is_empty());
    assert!(
        broken(&[begun, yes(2), (3, Event::Voted(FIRST, Vote::No, NONE)), decided(3, abort), decided(2, abort)])
            .is_empty()
    );
    let differ = broken(&[begun, yes(2), yes(3), decided(2, commit), decided(3, abort)]);
    assert_eq!(differ, ["no two decide differently"]);
    let wavers = broken(&[begun, decided(2, abort), decided(2, abort), decided(2, commit)]);
    assert_eq!(wavers, ["a decision is final"]);
    assert_eq!(broken(&[begun, yes(2), decided(1, commit)]), ["commit only if all voted yes"]);
    assert_eq!(broken(&[decided(1, commit)]), ["commit only if all voted yes"]);
    let other = (3, Event::Voted(FIRST, Vote::Yes, Content(2)));
    assert!(broken(&[begun, yes(2), other]).is_empty(), "nobody commits");
    assert_eq!(broken(&[begun, yes(2), other, decided(1, commit)]), ["agreement on the content"]);
}

#[test]
fn commands_are_read_as_they_are_printed() {
    for command in [Command::Begin, Command::BeginWith(Content(30)), Command::Refuse] {
        assert_eq!(command.to_string().parse(), Ok(command));
    }
    assert_eq!("commit".parse::<Command>(), Err("expected begin, begin CONTENT or refuse, such as begin 30"));
    assert!("begin -1".parse::<Command>().is_err());
    check_codec(&[FIRST, Transaction { origin: NodeId(u64::MAX), number: Serial { boot: Boot(300), count: 1 << 62 } }]);
}
