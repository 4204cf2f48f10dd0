//! Every message decodes to what was encoded; no input breaks the decoder.

use volvox_core::{Encode, NodeId, Rng, decode_all};
use volvox_membership::swim::{Command, MEMBERS_MAX, Message, Standing, UPDATES_MAX, Update, Verdict};

fn update(member: u64, life: u64, verdict: Verdict) -> Update {
    Update { member: NodeId(member), standing: Standing { life, verdict } }
}

fn messages() -> Vec<Message> {
    let updates = vec![
        update(1, 0, Verdict::Alive(0)),
        update(2, 3, Verdict::Suspect(1 << 40)),
        update(u64::MAX, 1, Verdict::Faulty),
    ];
    let (about, origin, number) = (NodeId(7), NodeId(9), 1 << 20);
    vec![
        Message::Ping { origin, number, updates: updates.clone() },
        Message::PingReq { target: about, number, updates: Vec::new() },
        Message::Ack { about, origin, number: u32::MAX, updates: updates.clone() },
        Message::Join(Standing::FIRST),
        Message::Members(updates.clone()),
        Message::News(updates),
    ]
}

#[test]
fn what_is_written_is_read_back() {
    for message in messages() {
        assert_eq!(decode_all::<Message>(&message.to_bytes()), Ok(message));
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
            damaged[rng.below(bytes.len() as u64) as usize] ^= 1 << rng.below(8);
            if let Ok(other) = decode_all::<Message>(&damaged) {
                assert_eq!(decode_all::<Message>(&other.to_bytes()), Ok(other));
            }
        }
    }
    let many = |count: usize| vec![update(1, 0, Verdict::Faulty); count];
    assert!(decode_all::<Message>(&Message::News(many(UPDATES_MAX)).to_bytes()).is_ok());
    assert!(decode_all::<Message>(&Message::News(many(UPDATES_MAX + 1)).to_bytes()).is_err());
    assert!(decode_all::<Message>(&Message::Members(many(MEMBERS_MAX + 1)).to_bytes()).is_err());
    // A life or an incarnation that would leave no room to count.
    for verdict in [Verdict::Alive(u64::MAX), Verdict::Suspect(u64::MAX)] {
        assert!(decode_all::<Update>(&update(1, 0, verdict).to_bytes()).is_err());
    }
    assert!(decode_all::<Update>(&update(1, u64::MAX, Verdict::Faulty).to_bytes()).is_err());
}

#[test]
fn commands_are_read_back_as_written() {
    assert_eq!(Command::Leave.to_string().parse::<Command>(), Ok(Command::Leave));
    for text in ["", "leave now", "Leave", "join"] {
        assert!(text.parse::<Command>().is_err(), "{text}");
    }
}
