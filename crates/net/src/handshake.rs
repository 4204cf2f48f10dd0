//! The handshake of two nodes.
//!
//! ```text
//! dialling node                          accepting node
//!   "VOLVOX", version, Hello  ------->     right program, version, cluster, addressee, sender?
//!                             <-------   "VOLVOX", version, Welcome       (or Refused, with the reason)
//!   right cluster, right node?
//!   Ready                     ------->     from here on this is the link; an older one is closed
//! ```
//! Why three steps: connections that died may still lie in the accepting node's backlog, for instance while it was
//! paused. `Hello` alone would let a dead connection displace a living one. Every `Hello` gets an order number when it
//! is answered, and `Ready` takes the link over only when its number is the highest: a dialling node opens its next
//! connection after it gave the last one up, so that the number of a dead connection is always the lower one.

use crate::error::LinkError;
use crate::frame::{FrameBuffer, Kind, put_frame};
use crate::refusal::Refusal;
use crate::site::Site;
use crate::stream::Stream;
use std::sync::atomic::Ordering;
use tokio::io::AsyncWriteExt;
use volvox_core::{Decode, DecodeError, Encode, Incarnation, NodeId, Reader, decode_all};

/// The version of the peer protocol: framing and handshake, but not the content of messages.
pub const PEER_PROTOCOL_VERSION: u16 = 1;

const MAGIC: &[u8; 6] = b"VOLVOX";
const PREAMBLE_BYTES: usize = 8;
/// Far longer than any frame of the handshake.
const HANDSHAKE_FRAME_BYTES_MAX: usize = 128;
/// The most bytes buffered for a connection before it has identified itself.
pub(crate) const STRANGER_BUFFER_BYTES: usize = 256;

/// How a node introduces itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Introduction {
    pub(crate) cluster: u64,
    pub(crate) node: NodeId,
    pub(crate) incarnation: Incarnation,
    /// The node that it addresses.
    pub(crate) to: NodeId,
}

impl Encode for Introduction {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.cluster.to_le_bytes());
        ((self.node, self.incarnation), self.to).encode(out);
    }
}

impl Decode for Introduction {
    fn decode(input: &mut Reader<'_>) -> Result<Introduction, DecodeError> {
        Ok(Introduction {
            cluster: input.u64()?,
            node: NodeId::decode(input)?,
            incarnation: Incarnation::decode(input)?,
            to: NodeId::decode(input)?,
        })
    }
}

/// The dialling half. Returns the introduction of the accepting node.
pub(crate) async fn dial(
    stream: &mut Stream,
    buffer: &mut FrameBuffer,
    wanted: NodeId,
    site: &Site,
) -> Result<Introduction, LinkError> {
    let mut out = preamble();
    put_frame(Kind::Hello, &mut out, |out| introduce(site, wanted).encode(out));
    send(stream, &out).await?;
    read_preamble(stream, buffer).await?;
    let welcome = match read_frame(stream, buffer).await? {
        (Kind::Welcome, body) => decode_all::<Introduction>(&body)?,
        (Kind::Refused, body) => return Err(LinkError::RefusedByPeer(decode_all(&body)?)),
        _ => return Err(LinkError::Unexpected),
    };
    if welcome.cluster != site.cluster {
        return Err(LinkError::Refused(Refusal::Cluster { theirs: site.cluster, ours: welcome.cluster }));
    }
    if welcome.node != wanted {
        return Err(LinkError::Refused(Refusal::Addressee { wanted, here: welcome.node }));
    }
    if site.verifies_peers() && !stream.certificate_allows(wanted) {
        return Err(LinkError::Refused(Refusal::Certificate(wanted)));
    }
    out.clear();
    put_frame(Kind::Ready, &mut out, |_| {});
    send(stream, &out).await?;
    Ok(welcome)
}

/// The accepting half. Returns the introduction of the dialling node, and the order number of its connection. `claimed`
/// names the dialling node also when it is refused, once it is known to be a peer.
pub(crate) async fn accept(
    stream: &mut Stream,
    buffer: &mut FrameBuffer,
    site: &Site,
    claimed: &mut Option<NodeId>,
) -> Result<(Introduction, u64), LinkError> {
    if let Err(error) = read_preamble(stream, buffer).await {
        if let LinkError::Version { .. } = error {
            // Our preamble tells the peer our version; it could not read the rest.
            send(stream, &preamble()).await?;
        }
        return Err(error);
    }
    let (Kind::Hello, body) = read_frame(stream, buffer).await? else {
        return Err(LinkError::Unexpected);
    };
    let hello = decode_all::<Introduction>(&body)?;
    *claimed = site.knows(hello.node).then_some(hello.node);
    let mut out = preamble();
    if let Err(refusal) = check(&hello, stream, site) {
        put_frame(Kind::Refused, &mut out, |out| refusal.encode(out));
        send(stream, &out).await?;
        return Err(LinkError::Refused(refusal));
    }
    let order = site.connection_order.fetch_add(1, Ordering::SeqCst) + 1;
    put_frame(Kind::Welcome, &mut out, |out| introduce(site, hello.node).encode(out));
    send(stream, &out).await?;
    match read_frame(stream, buffer).await? {
        (Kind::Ready, body) if body.is_empty() => Ok((hello, order)),
        _ => Err(LinkError::Unexpected),
    }
}

fn check(hello: &Introduction, stream: &Stream, site: &Site) -> Result<(), Refusal> {
    if hello.cluster != site.cluster {
        return Err(Refusal::Cluster { theirs: hello.cluster, ours: site.cluster });
    }
    if hello.to != site.me {
        return Err(Refusal::Addressee { wanted: hello.to, here: site.me });
    }
    if hello.node == site.me {
        return Err(Refusal::OwnId(site.me));
    }
    if !site.knows(hello.node) {
        return Err(Refusal::UnknownNode(hello.node));
    }
    if site.verifies_peers() && !stream.certificate_allows(hello.node) {
        return Err(Refusal::Certificate(hello.node));
    }
    Ok(())
}

fn introduce(site: &Site, to: NodeId) -> Introduction {
    Introduction { cluster: site.cluster, node: site.me, incarnation: site.incarnation, to }
}

fn preamble() -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&PEER_PROTOCOL_VERSION.to_le_bytes());
    out
}

async fn send(stream: &mut Stream, bytes: &[u8]) -> Result<(), LinkError> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    Ok(())
}

async fn read_preamble(stream: &mut Stream, buffer: &mut FrameBuffer) -> Result<(), LinkError> {
    loop {
        if let Some(preamble) = buffer.raw(PREAMBLE_BYTES) {
            if &preamble[..MAGIC.len()] != MAGIC {
                return Err(LinkError::NotVolvox);
            }
            let theirs = u16::from_le_bytes([preamble[6], preamble[7]]);
            if theirs != PEER_PROTOCOL_VERSION {
                return Err(LinkError::Version { theirs, ours: PEER_PROTOCOL_VERSION });
            }
            return Ok(());
        }
        if buffer.read_from(stream).await? == 0 {
            return Err(LinkError::Closed);
        }
    }
}

async fn read_frame(stream: &mut Stream, buffer: &mut FrameBuffer) -> Result<(Kind, Vec<u8>), LinkError> {
    loop {
        if let Some((kind, body)) = buffer.next(HANDSHAKE_FRAME_BYTES_MAX)? {
            return Ok((kind, body.to_vec()));
        }
        if buffer.read_from(stream).await? == 0 {
            return Err(LinkError::Closed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_comes_back() {
        let hello =
            Introduction { cluster: u64::MAX, node: NodeId(u64::MAX), incarnation: Incarnation(9), to: NodeId(2) };
        assert_eq!(decode_all(&hello.to_bytes()), Ok(hello));
        assert!(hello.to_bytes().len() <= HANDSHAKE_FRAME_BYTES_MAX);
        for refusal in [
            Refusal::Cluster { theirs: 1, ours: u64::MAX },
            Refusal::Addressee { wanted: NodeId(1), here: NodeId(2) },
            Refusal::OwnId(NodeId(3)),
            Refusal::UnknownNode(NodeId(4)),
            Refusal::Certificate(NodeId(5)),
        ] {
            assert_eq!(decode_all(&refusal.to_bytes()), Ok(refusal));
        }
        assert!(decode_all::<Refusal>(&[9]).is_err());
    }

    #[test]
    fn what_is_mangled_is_refused_or_read_but_never_panics() {
        let mut rng = volvox_core::Rng::new(12);
        for _ in 0..5000 {
            let bytes: Vec<u8> = (0..rng.below(40)).map(|_| rng.next_u64() as u8).collect();
            if let Ok(hello) = decode_all::<Introduction>(&bytes) {
                assert_eq!(decode_all(&hello.to_bytes()), Ok(hello));
            }
            if let Ok(refusal) = decode_all::<Refusal>(&bytes) {
                assert_eq!(decode_all(&refusal.to_bytes()), Ok(refusal));
            }
        }
    }
}
