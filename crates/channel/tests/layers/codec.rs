//! The bytes of every layer.

use volvox_channel::arq::Frame;
use volvox_channel::links::{Numbered, Placed, Retry};
use volvox_channel::talk::{Say, TEXT_MAX, Word};
use volvox_core::{Decode, Encode, Rng, decode_all};

type Stack = Retry<Numbered<Placed<Word>>>;

fn word() -> Word {
    Word { number: 300, text: "hello".into() }
}

fn stack() -> Vec<Stack> {
    let placed = Placed { number: 7, message: word() };
    vec![
        Retry::Try { number: 1 << 40, message: Numbered { number: 8, message: placed } },
        Retry::Ack { number: u64::MAX },
    ]
}

fn frames() -> Vec<Frame<Word>> {
    vec![Frame::Data { sequence: u16::MAX, message: word() }, Frame::Ack { sequence: 3 }]
}

#[test]
fn messages_and_commands_come_back() {
    for message in stack() {
        assert_eq!(decode_all::<Stack>(&message.to_bytes()), Ok(message));
    }
    for frame in frames() {
        assert_eq!(decode_all::<Frame<Word>>(&frame.to_bytes()), Ok(frame));
    }
    let too_long = Word { number: 1, text: "x".repeat(TEXT_MAX + 1) };
    assert!(decode_all::<Word>(&too_long.to_bytes()).is_err());
    for text in ["say hello to n2", "say to to n2 to n3", "say ü  two to n18446744073709551615"] {
        assert_eq!(text.parse::<Say>().map(|say| say.to_string()).as_deref(), Ok(text));
    }
    for text in ["", "say", "say  to n2", "say a to", "say a to 2", "say a to n+2", "say a  to n2", "say a to n2 "] {
        assert!(text.parse::<Say>().is_err(), "{text:?}");
    }
}

fn hostile<M: Encode + Decode + PartialEq + std::fmt::Debug>(examples: &[M]) {
    let mut rng = Rng::new(11);
    let mut refused = 0;
    for _ in 0..50_000 {
        let mut bytes = examples[rng.below(examples.len() as u64) as usize].to_bytes();
        for _ in 0..rng.between(1, 3) {
            let place = rng.below(bytes.len() as u64) as usize;
            bytes[place] = rng.next_u64() as u8;
        }
        bytes.truncate(rng.between(0, bytes.len() as u64) as usize);
        match decode_all::<M>(&bytes) {
            Ok(message) => assert_eq!(decode_all::<M>(&message.to_bytes()), Ok(message)),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 10_000, "{refused}");
}

#[test]
fn hostile_bytes_are_refused_and_never_panic() {
    hostile(&stack());
    hostile(&frames());
}
