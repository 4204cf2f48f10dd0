//! The bytes of every layer.

use volvox_channel::arq;
use volvox_channel::links::{fifo, perfect, stubborn};
use volvox_channel::talk::{self, Command, TEXT_MAX, Text};
use volvox_core::{Decode, Encode, Rng, decode_all};

type Stack = stubborn::Message<perfect::Message<fifo::Message<talk::Message>>>;
type Frame = arq::Message<talk::Message>;

fn word() -> talk::Message {
    talk::Message { number: 300, text: "hello".parse().expect("a line") }
}

fn stack() -> Vec<Stack> {
    let placed = fifo::Message { number: 7, message: word() };
    vec![
        stubborn::Message::Try { number: 1 << 40, message: perfect::Message { number: 8, message: placed } },
        stubborn::Message::Ack { number: u64::MAX },
    ]
}

fn frames() -> Vec<Frame> {
    vec![Frame::Data { sequence: u16::MAX, message: word() }, Frame::Ack { sequence: 3 }]
}

#[test]
fn messages_and_commands_come_back() {
    for message in stack() {
        assert_eq!(decode_all::<Stack>(&message.to_bytes()), Ok(message));
    }
    for frame in frames() {
        assert_eq!(decode_all::<Frame>(&frame.to_bytes()), Ok(frame));
    }
    for (text, is_word) in [("x".repeat(TEXT_MAX), true), ("x".repeat(TEXT_MAX + 1), false), (" x".into(), false)] {
        let bytes = (1u64, text.clone()).to_bytes();
        assert_eq!((decode_all::<talk::Message>(&bytes).is_ok(), text.parse::<Text>().is_ok()), (is_word, is_word));
    }
    for text in ["say hello to n2", "say to to n2 to n3", "say ü  two to n18446744073709551615"] {
        assert_eq!(text.parse::<Command>().map(|say| say.to_string()).as_deref(), Ok(text));
    }
    for text in ["", "say", "say  to n2", "say a to", "say a to n", "say a to n+2", "say a\tb to n2"] {
        assert!(text.parse::<Command>().is_err(), "{text:?}");
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
