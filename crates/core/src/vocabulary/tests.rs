//! Tables of a made-up protocol, with every form of a row.

use crate::codec::{Decode, DecodeError, Encode, decode_all};
use crate::vocabulary::{edits, nearest};
use crate::{Bytes, CommandError, Kinds, Line, NodeId, RuleCard, commands, numbers, payload, rules};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Debug;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Ballot(u64);
numbers! { Ballot <= 1 << 20, "ballot" => "b"; }

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Vote {
    Yes,
    No,
}
payload! { Vote: "vote"; 1 Yes => "yes", 0 No => "no" }

#[derive(Clone, PartialEq, Eq, Debug)]
enum Message<M> {
    Begin,
    Say { to: NodeId, words: Vec<u64>, text: String },
    Vote(Ballot, Vote),
    Carried { number: u64, inner: M },
    Round(Ballot),
}
payload! { Message<M>: "made-up message";
    1 Begin                              => "Begin",
    2 Say { to, words <= 3, text <= 5 }  => "Say {text} to {to}",
    3 Vote(ballot, vote) as vote: Vote   => "Vote {vote} in {ballot}",
    7 Carried { number <= 300, inner } as inner: M => "#{number} {inner}",
    9 Round(ballot) as "New-round"       => ("New-round {}", ballot.0 + 1),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Timer {
    Ack(Ballot),
    Round,
}
payload! { Timer; Ack(ballot), Round }

#[derive(Clone, PartialEq, Eq, Debug)]
enum Event {
    Leads,
    Follows(NodeId),
}
payload! { Event; Leads => "leads", Follows(leader) => "follows {leader}" }

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Begun {
    number: u64,
    vote: Vote,
}
payload! { struct Begun { number, vote } as "Begun" => "begun {number} {vote}" }

#[derive(Clone, PartialEq, Eq, Debug)]
struct Placed<M> {
    number: u64,
    inner: M,
}
payload! { struct Placed<M> { number, inner } as inner: M => "{number} {inner}" }

#[derive(Clone, PartialEq, Eq, Debug)]
struct Words(Vec<Ballot>, Vote);
payload! { struct Words(ballots <= 2, vote) => ("{vote} {}", ballots.len()) }

#[derive(Clone, PartialEq, Eq, Debug)]
enum Command {
    Propose(Ballot),
    Say { text: Line<16>, to: NodeId },
    Tell(NodeId),
    TellAny,
    Learn,
}
commands! { Command;
    Propose(ballot)  = "propose {ballot}",
    Say { text, to } = "say {text} to {to}",
    Tell(to)         = "tell {to}",
    TellAny          = "tell",
    Learn            = "learn",
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Parent<C> {
    Snapshot,
    Application(C),
}
commands! { Parent<C>; Snapshot = "snapshot"; else Application: C }

struct Config {
    without: Option<Rule>,
}
rules! {
    /// Rules.
    enum Rule of Config;
    Order = "order": "a node that is behind waits" / "two are inside",
    /// A further word.
    Clock = "big-clock": "numbers grow" / "a later request is ahead",
}

struct Over<C> {
    child: C,
    without: Option<Only>,
}
rules! { enum Only of Over<C>; One = "one": "a" / "b" }

type Carrier = Message<Vote>;

fn comes_back<T: Encode + Decode + PartialEq + Debug>(value: T, bytes: &[u8]) {
    assert_eq!(value.to_bytes(), bytes);
    assert_eq!(decode_all::<T>(bytes).as_ref(), Ok(&value));
    for cut in 0..bytes.len() {
        assert_eq!(decode_all::<T>(&bytes[..cut]), Err(DecodeError::Truncated), "{value:?} cut to {cut} bytes");
    }
    let longer = [bytes, &[0]].concat();
    assert_eq!(decode_all::<T>(&longer), Err(DecodeError::Trailing));
}

fn said(words: &[u64], text: &str) -> Carrier {
    Message::Say { to: NodeId(2), words: words.to_vec(), text: text.to_string() }
}

#[test]
fn values_come_back_and_nothing_shorter_or_longer_is_taken_for_them() {
    comes_back(Carrier::Begin, &[1]);
    comes_back(Carrier::Vote(Ballot(300), Vote::Yes), &[3, 0xac, 2, 1]);
    comes_back(Carrier::Carried { number: 4, inner: Vote::No }, &[7, 4, 0]);
    comes_back(Carrier::Round(Ballot(1)), &[9, 1]);
    comes_back(Begun { number: 5, vote: Vote::No }, &[5, 0]);
    assert_eq!(decode_all::<Words>(&[1, 5, 1]), Ok(Words(vec![Ballot(5)], Vote::Yes)));
    assert_eq!(Words(vec![Ballot(5)], Vote::Yes).to_bytes(), [1, 5, 1]);
    let bytes = said(&[8], "a").to_bytes();
    assert_eq!(bytes, [2, 2, 1, 8, 1, b'a']);
    assert_eq!(decode_all::<Carrier>(&bytes), Ok(said(&[8], "a")));
}

#[test]
fn unknown_tags_and_what_is_beyond_a_bound_are_refused() {
    assert_eq!(decode_all::<Carrier>(&[4]), Err(DecodeError::Unknown("made-up message", 4)));
    assert_eq!(decode_all::<Vote>(&[2]), Err(DecodeError::Unknown("vote", 2)));
    assert_eq!(decode_all::<Carrier>(&said(&[1, 2, 3], "12345").to_bytes()), Ok(said(&[1, 2, 3], "12345")));
    assert_eq!(decode_all::<Carrier>(&said(&[1, 2, 3, 4], "").to_bytes()), Err(DecodeError::TooLong));
    assert_eq!(decode_all::<Carrier>(&said(&[], "123456").to_bytes()), Err(DecodeError::TooLong));
    assert_eq!(decode_all::<Carrier>(&[7, 0xac, 2, 0]), Ok(Carrier::Carried { number: 300, inner: Vote::No }));
    assert_eq!(decode_all::<Carrier>(&[7, 0xad, 2, 0]), Err(DecodeError::Invalid("number: out of range")));
    assert_eq!(decode_all::<Words>(&[3, 1, 2, 3, 0]), Err(DecodeError::TooLong));
    assert_eq!(decode_all::<Ballot>(&(1u64 << 20).to_bytes()), Ok(Ballot(1 << 20)));
    assert_eq!(decode_all::<Ballot>(&((1u64 << 20) + 1).to_bytes()), Err(DecodeError::Invalid("ballot")));
    let most: Vec<Bytes> = vec![Bytes::from("abc")];
    let mut reader = crate::Reader::new(&[1, 3, 97, 98, 99]);
    assert_eq!(crate::vocabulary::decode_at_most(&mut reader, 1), Ok(most));
}

#[test]
fn kinds_are_listed_and_named() {
    assert_eq!(Carrier::KINDS, ["Begin", "Say", "Yes", "No", "Yes", "No", "New-round"]);
    assert_eq!(Carrier::Vote(Ballot(1), Vote::No).kind(), "No");
    assert_eq!(Carrier::Carried { number: 1, inner: Vote::Yes }.kind(), "Yes");
    assert_eq!((Carrier::Begin.kind(), Carrier::Round(Ballot(1)).kind()), ("Begin", "New-round"));
    assert_eq!(
        (Timer::KINDS, Timer::Ack(Ballot(1)).kind(), Timer::Round.kind()),
        (&["Ack", "Round"][..], "Ack", "Round")
    );
    let placed = Placed { number: 1, inner: Vote::No };
    assert_eq!((Placed::<Vote>::KINDS, placed.kind(), placed.to_string().as_str()), (&["Yes", "No"][..], "No", "1 no"));
    assert_eq!((Event::KINDS, Event::Leads.kind()), (&["Leads", "Follows"][..], "Leads"));
    assert_eq!((Begun::KINDS, Begun { number: 1, vote: Vote::Yes }.kind()), (&["Begun"][..], "Begun"));
    assert_eq!(Command::KINDS, ["Propose", "Say", "Tell", "TellAny", "Learn"]);
    assert_eq!(Parent::<Command>::KINDS.len(), 6);
    assert_eq!(Parent::Application(Command::Learn).kind(), "Learn");
}

#[test]
fn texts_are_those_of_the_table() {
    assert_eq!(said(&[1], "hi").to_string(), "Say hi to n2");
    assert_eq!(Carrier::Vote(Ballot(3), Vote::No).to_string(), "Vote no in b3");
    assert_eq!(Carrier::Carried { number: 4, inner: Vote::Yes }.to_string(), "#4 yes");
    assert_eq!(Carrier::Round(Ballot(3)).to_string(), "New-round 4");
    assert_eq!(Words(vec![], Vote::No).to_string(), "no 0");
    assert_eq!(Event::Follows(NodeId(3)).to_string(), "follows n3");
    assert_eq!(Begun { number: 3, vote: Vote::Yes }.to_string(), "begun 3 yes");
}

#[test]
fn commands_are_read_back_as_they_are_printed() {
    let say = |text: &str, to| Command::Say { text: text.parse().expect("a line"), to: NodeId(to) };
    let all =
        [Command::Propose(Ballot(7)), Command::Learn, Command::Tell(NodeId(3)), Command::TellAny, say("go to n3", 2)];
    for command in all {
        assert_eq!(command.to_string().parse(), Ok(command));
    }
    assert_eq!("  say   hello  to 3 ".parse(), Ok(say("hello", 3)), "space around words and holes does not count");
    assert_eq!("tell   n2".parse(), Ok(Command::Tell(NodeId(2))));
    assert!("tell n+2".parse::<Command>().is_err() && "tell +2".parse::<Command>().is_err());
    assert_eq!("snapshot".parse(), Ok(Parent::<Command>::Snapshot));
    assert_eq!("learn".parse(), Ok(Parent::Application(Command::Learn)));
}

#[test]
fn an_error_says_what_was_read_and_what_is_known() {
    let error = |line: &str| line.parse::<Command>().expect_err("is not a command").to_string();
    assert_eq!(error("propose x"), "`propose x` is not a command; expected `propose <ballot>`");
    assert_eq!(error("propose 1048577"), "`propose 1048577` is not a command; expected `propose <ballot>`");
    assert_eq!(error("propose"), "`propose` is not a command; expected `propose <ballot>`");
    assert_eq!(error("tell n2 n3"), "`tell n2 n3` is not a command; expected `tell <to>` or `tell`");
    assert_eq!(error("say \u{7} to n2"), "`say \u{7} to n2` is not a command; expected `say <text> to <to>`");
    let long = "say 12345678901234567 to n2";
    assert_eq!(error(long), alloc::format!("`{long}` is not a command; expected `say <text> to <to>`"));
    let known = "he commands are `propose <ballot>`, `say <text> to <to>`, `tell <to>`, `tell` or `learn`";
    assert_eq!(error("laern"), alloc::format!("`laern` is not a command; did you mean `learn`? T{known}"));
    assert_eq!(error(""), alloc::format!("`` is not a command; t{known}"));
    let error = "snapshto".parse::<Parent<Command>>().expect_err("is not a command");
    assert_eq!((error.known.len(), error.known[0]), (6, "snapshot"));
    assert!(error.to_string().starts_with("`snapshto` is not a command; did you mean `snapshot`?"), "{error}");
    let long = CommandError::new(&"x".repeat(1_000_000), Vec::new());
    assert_eq!(long.read.len(), 80);
}

#[test]
fn rules_have_a_name_and_a_sentence() {
    assert_eq!(Rule::ALL, [Rule::Order, Rule::Clock]);
    assert_eq!(
        Rule::CARDS[0],
        RuleCard { name: "order", text: "a node that is behind waits; without it two are inside" }
    );
    for rule in Rule::ALL {
        assert_eq!(Rule::named(rule.name()), Some(*rule));
    }
    assert_eq!(Rule::Clock.text(), "numbers grow; without it a later request is ahead");
    assert_eq!(Rule::named("Order"), None);
    let config = Config { without: Some(Rule::Order) };
    assert_eq!((config.keeps(Rule::Order), config.keeps(Rule::Clock)), (false, true));
    assert!(Config { without: None }.keeps(Rule::Order));
    let over = Over { child: config, without: Some(Only::One) };
    assert_eq!((over.child.keeps(Rule::Clock), over.keeps(Only::One)), (true, false));
    assert_eq!(
        Only::ALL.iter().map(|rule| (rule.name(), rule.text())).collect::<Vec<_>>(),
        [("one", "a; without it b")]
    );
    assert_eq!(Only::named("one"), Some(Only::One));
}

#[test]
fn the_nearest_word_is_suggested_and_a_far_one_is_not() {
    let known = ["ricart-agrawala", "token-ring", "two-phase-commit", "three-phase-commit", "raft"];
    let near = |word: &str| nearest(word, known.into_iter());
    assert_eq!(near("ricart-agrawla"), Some("ricart-agrawala"));
    assert_eq!(near("Token-Rign"), Some("token-ring"));
    assert_eq!(near("two-fase-comit"), Some("two-phase-commit"));
    assert_eq!(near("rfat"), Some("raft"));
    assert_eq!(nearest("q-mtx-33", ["Q-MTX-3", "Q-ORD-1"].into_iter()), Some("Q-MTX-3"));
    assert_eq!(near("kubernetes"), None);
    assert_eq!((edits("", "abc"), edits("kitten", "sitting"), edits("ab", "ba")), (3, 3, 1));
}
