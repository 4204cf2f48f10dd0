//! Every message and record decodes to what was encoded; no input breaks the decoder.

use volvox_core::{Decode, Encode, NodeId, Rng, decode_all};
use volvox_paxos::single::{Ballot, Command, Message, Record, Value};

fn messages() -> Vec<Message> {
    let (old, new) = (Ballot { round: 1, node: NodeId(3) }, Ballot { round: 300, node: NodeId(1) });
    vec![
        Message::Request(Value(7)),
        Message::Inquire,
        Message::Prepare(old),
        Message::Promise(new, None),
        Message::Promise(new, Some((old, Value(u64::MAX)))),
        Message::Accept(new, Value(0)),
        Message::Accepted(old, Value(7)),
        Message::Refused(old, new),
        Message::Chosen(Value(7)),
    ]
}

#[test]
fn what_is_written_is_read_back() {
    for message in messages() {
        assert_eq!(decode_all::<Message>(&message.to_bytes()), Ok(message));
    }
    let ballot = Ballot { round: 9, node: NodeId(2) };
    for record in [Record::Promised(ballot), Record::Accepted(ballot, Value(1))] {
        assert_eq!(decode_all::<Record>(&record.to_bytes()), Ok(record));
    }
}

#[test]
fn hostile_bytes_are_refused() {
    let mut rng = Rng::new(11);
    for message in messages() {
        let bytes = message.to_bytes();
        for cut in 0..bytes.len() {
            assert!(decode_all::<Message>(&bytes[..cut]).is_err(), "{message} cut at {cut}");
        }
        for _ in 0..2_000 {
            let mut damaged = bytes.clone();
            let place = rng.below(bytes.len() as u64) as usize;
            damaged[place] ^= 1 << rng.below(8);
            // The result is another message or none; never a panic.
            if let Ok(other) = decode_all::<Message>(&damaged) {
                assert_eq!(decode_all::<Message>(&other.to_bytes()), Ok(other));
            }
        }
    }
    // A round that would leave no room to count.
    let far = Ballot { round: u64::MAX, node: NodeId(1) };
    assert!(decode_all::<Ballot>(&far.to_bytes()).is_err());
    assert!(Message::decode(&mut volvox_core::Reader::new(&[8])).is_err());
    assert!(decode_all::<Record>(&[2, 1, 1]).is_err());
}

#[test]
fn commands_are_read_back_as_written() {
    for command in [Command::Propose(Value(7)), Command::Propose(Value(u64::MAX)), Command::Learn] {
        assert_eq!(command.to_string().parse::<Command>(), Ok(command));
    }
    for text in ["", "propose", "propose x", "propose -1", "propose 1 2", "learn now", "Propose 1"] {
        assert!(text.parse::<Command>().is_err(), "{text}");
    }
}
