//! Commands, and the properties that every protocol of this family shares.

use volvox_commit::transaction::{Command, Content, Decision, Event, History, Transaction, Vote, properties};
use volvox_commit::two_phase::TwoPhase;
use volvox_core::{Boot, NodeId, Picture, Serial};
use volvox_sim::bench::check_codec;

const FIRST: Transaction = Transaction { origin: NodeId(1), number: Serial::first_boot(1) };
const NONE: Content = Content(0);

/// The names of the properties that are violated after these events.
fn broken(events: &[(u64, Event)]) -> Vec<&'static str> {
    let mut history = History::default();
    for (node, event) in events {
        volvox_core::History::<TwoPhase>::on_event(&mut history, NodeId(*node), event);
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
    assert_eq!(differ, ["agreement"]);
    let wavers = broken(&[begun, decided(2, abort), decided(2, abort), decided(2, commit)]);
    assert_eq!(wavers, ["irrevocability"]);
    assert_eq!(broken(&[begun, yes(2), decided(1, commit)]), ["validity"]);
    assert_eq!(broken(&[decided(1, commit)]), ["validity"]);
    let other = (3, Event::Voted(FIRST, Vote::Yes, Content(2)));
    assert!(broken(&[begun, yes(2), other]).is_empty(), "no node commits");
    assert_eq!(broken(&[begun, yes(2), other, decided(1, commit)]), ["agreement on the content"]);
}

#[test]
fn commands_are_read_as_they_are_printed() {
    for command in [Command::Begin, Command::BeginWith(Content(30)), Command::Refuse] {
        assert_eq!(command.to_string().parse(), Ok(command));
    }
    let error = "commit".parse::<Command>().expect_err("incomplete").to_string();
    assert_eq!(error, "`commit` is not a command; the commands are `begin`, `begin <content>` or `refuse`");
    assert!("begin -1".parse::<Command>().is_err());
    check_codec(&[FIRST, Transaction { origin: NodeId(u64::MAX), number: Serial { boot: Boot(300), count: 1 << 62 } }]);
}
