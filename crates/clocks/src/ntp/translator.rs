//! Translates between a process and foreign programs: messages to packets, and packets to messages.
//!
//! A [`Message`] gives T1 in nanoseconds. The T1 of a foreign client need not be a time at all: careful clients send a
//! random number, so that only a server that has seen the request can answer, and expect it back bit by bit. So each
//! request is kept here until it is answered, and the process receives only the times.
//!
//! Packets from foreign programs must pass [`Packet::decode`] and [`Packet::check_answer`]; and since an answer is
//! never longer than its request, the server cannot be abused for amplification.

use super::Message;
use super::packet::{Distrust, Mode, PACKET_BYTES, Packet, PacketError, Timestamp};
use alloc::collections::BTreeMap;
use core::fmt;
use volvox_core::NodeId;

/// Why a datagram is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The sender's bytes are not a packet.
    NoPacket(PacketError),
    /// The sender sent an answer that may not be used.
    Distrusted(Distrust),
    /// The sender sent neither a request nor an answer.
    Mode(u8),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NoPacket(why) => why.fmt(f),
            Refusal::Distrusted(why) => why.fmt(f),
            Refusal::Mode(mode) => write!(f, "the sender uses mode {mode}, not 3 or 4"),
        }
    }
}

impl core::error::Error for Refusal {}

/// See the [module](self). One per process; it stores one timestamp for each server that the process asks, and one
/// request.
#[derive(Clone, Debug, Default)]
pub struct Translator {
    /// The transmit timestamp of the last request to each server.
    asked: BTreeMap<NodeId, Timestamp>,
    /// The request that the process currently handles, and its sender.
    heard: Option<(NodeId, Packet)>,
}

impl Translator {
    /// Encodes a message of the process for the wire. `None` when it answers a node without an open request.
    pub fn encode(&mut self, to: NodeId, message: &Message) -> Option<[u8; PACKET_BYTES]> {
        match message {
            Message::Request { t1 } => {
                let transmit = Timestamp::of(*t1);
                self.asked.insert(to, transmit);
                Some(Packet::request(transmit).encode())
            }
            Message::Response { t2, t3, .. } => {
                let (_, request) = self.heard.take_if(|(asker, _)| *asker == to)?;
                Some(request.answer(Timestamp::of(*t2), Timestamp::of(*t3)).encode())
            }
        }
    }

    /// Decodes a datagram for the process. `machine_ns` is the reading of the machine's own clock, in nanoseconds since
    /// 1970: it determines the era that times on the wire leave open.
    ///
    /// # Errors
    /// When the datagram is refused; then nothing has changed.
    pub fn decode(&mut self, from: NodeId, bytes: &[u8], machine_ns: i64) -> Result<Message, Refusal> {
        let packet = Packet::decode(bytes).map_err(Refusal::NoPacket)?;
        match packet.mode {
            Mode::Client => {
                self.heard = Some((from, packet));
                Ok(Message::Request { t1: packet.transmit.near(machine_ns) })
            }
            Mode::Server => {
                let asked = self.asked.get(&from).copied().unwrap_or_default();
                packet.check_answer(asked).map_err(Refusal::Distrusted)?;
                // The wire's rounding is below a nanosecond, so T1 comes back as the process sent it.
                let [t1, t2, t3] = [asked, packet.receive, packet.transmit].map(|time| time.near(machine_ns));
                Ok(Message::Response { t1, t2, t3 })
            }
            Mode::Other(mode) => Err(Refusal::Mode(mode)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: NodeId = NodeId(2);
    const SERVER: NodeId = NodeId(1);
    /// 2026-11-22, with nanoseconds that no binary fraction hits.
    const NOW: i64 = 1_795_390_917_321_030_157;

    /// A question and its answer, through two translators.
    fn exchange(client: &mut Translator, t1: i64, t2: i64) -> Packet {
        let request = client.encode(SERVER, &Message::Request { t1 }).expect("a request always is one");
        let mut server = Translator::default();
        assert_eq!(server.decode(CLIENT, &request, t2), Ok(Message::Request { t1 }));
        let answer = server.encode(CLIENT, &Message::Response { t1, t2, t3: t2 + 7 }).expect("it was asked");
        assert_eq!(server.encode(CLIENT, &Message::Response { t1, t2, t3: t2 }), None, "one answer for a request");
        Packet::decode(&answer).expect("it is a packet")
    }

    #[test]
    fn times_cross_the_wire_to_the_nanosecond() {
        for t1 in [NOW, NOW + 1, 0, -1, 2_085_978_496_000_000_001] {
            let mut client = Translator::default();
            let (t2, machine) = (t1 + 2_500_000_003, t1 + 90_000);
            let answer = exchange(&mut client, t1, t2);
            let heard = client.decode(SERVER, &answer.encode(), machine);
            assert_eq!(heard, Ok(Message::Response { t1, t2, t3: t2 + 7 }));
        }
    }

    #[test]
    fn a_number_that_is_no_time_comes_back_bit_by_bit() {
        let mut rng = volvox_core::Rng::new(5);
        for _ in 0..1_000 {
            let request = Packet::request(Timestamp(rng.next_u64()));
            let mut server = Translator::default();
            let Ok(Message::Request { t1 }) = server.decode(CLIENT, &request.encode(), NOW) else {
                panic!("it is a request")
            };
            let bytes = server.encode(CLIENT, &Message::Response { t1, t2: NOW, t3: NOW }).expect("it was asked");
            let answer = Packet::decode(&bytes).expect("it is a packet");
            assert_eq!((answer.origin, answer.check_answer(request.transmit)), (request.transmit, Ok(())));
        }
    }

    #[test]
    fn an_answer_goes_to_who_asked() {
        let mut server = Translator::default();
        let response = Message::Response { t1: 0, t2: NOW, t3: NOW };
        assert_eq!(server.encode(CLIENT, &response), None, "no client asked");
        let request = Packet::request(Timestamp::of(NOW)).encode();
        assert!(server.decode(CLIENT, &request, NOW).is_ok());
        assert_eq!(server.encode(NodeId(3), &response), None, "another client asked");
        assert!(server.encode(CLIENT, &response).is_some());
    }

    #[test]
    fn what_is_no_answer_to_the_last_question_is_refused() {
        let mut client = Translator::default();
        let old = exchange(&mut client, NOW, NOW);
        let answer = exchange(&mut client, NOW + 1_000, NOW);
        let distrusted = |why| Err(Refusal::Distrusted(why));
        let refused: [(Packet, Result<Message, Refusal>); 5] = [
            (old, distrusted(Distrust::Bogus)),
            (Packet { stratum: 0, reference_id: *b"RATE", ..answer }, distrusted(Distrust::Unsynchronised)),
            (Packet { leap: 3, ..answer }, distrusted(Distrust::Unsynchronised)),
            (Packet { transmit: Timestamp::default(), ..answer }, distrusted(Distrust::NoTime)),
            (Packet { mode: Mode::Other(6), ..answer }, Err(Refusal::Mode(6))),
        ];
        for (packet, why) in refused {
            assert_eq!(client.decode(SERVER, &packet.encode(), NOW), why, "{packet:?}");
        }
        assert_eq!(client.decode(NodeId(9), &answer.encode(), NOW), distrusted(Distrust::Bogus), "from elsewhere");
        assert_eq!(
            client.decode(SERVER, &answer.encode()[..47], NOW),
            Err(Refusal::NoPacket(PacketError::TooShort)),
            "cut"
        );
        assert!(client.decode(SERVER, &answer.encode(), NOW).is_ok(), "and what is one is taken after all that");
    }

    /// A guess succeeds with probability 2^-64; this shows that nothing panics and nothing gets through.
    #[test]
    fn bytes_of_chance_are_no_answers() {
        let (mut client, mut rng) = (Translator::default(), volvox_core::Rng::new(7));
        let _ = client.encode(SERVER, &Message::Request { t1: NOW });
        for _ in 0..20_000 {
            let bytes: [u8; 64] = core::array::from_fn(|_| rng.next_u64() as u8);
            let length = rng.below(65) as usize;
            let machine_ns = rng.next_u64() as i64;
            let heard = client.decode(SERVER, &bytes[..length], machine_ns);
            assert!(!matches!(heard, Ok(Message::Response { .. })), "{bytes:?}");
        }
    }
}
