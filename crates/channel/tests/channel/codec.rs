use crate::child::Word;
use volvox_channel::{Message, Session};
use volvox_core::{Encode, Rng, Wall, decode_all};

fn examples() -> Vec<Message<Word>> {
    let (from, to) = (Session(300), Session(u64::MAX));
    vec![
        Message::Hello { from },
        Message::Welcome { from, to },
        Message::Data { from, to, number: 1, payload: Word { life: Wall(-5), number: 7 } },
        Message::Ack { from, to, through: 1 << 40 },
        Message::Refused { to, latest: from },
    ]
}

#[test]
fn messages_come_back() {
    for message in examples() {
        assert_eq!(decode_all::<Message<Word>>(&message.to_bytes()), Ok(message));
    }
}

#[test]
fn hostile_bytes_are_refused_and_never_panic() {
    let mut rng = Rng::new(11);
    let mut refused = 0;
    for _ in 0..200_000 {
        let mut bytes = examples()[rng.below(5) as usize].to_bytes();
        for _ in 0..rng.between(1, 3) {
            let place = rng.below(bytes.len() as u64) as usize;
            bytes[place] = rng.next_u64() as u8;
        }
        bytes.truncate(rng.between(0, bytes.len() as u64) as usize);
        match decode_all::<Message<Word>>(&bytes) {
            Ok(message) => assert_eq!(decode_all(&message.to_bytes()), Ok(message)),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 100_000);
}
