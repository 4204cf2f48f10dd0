//! The nodes that a certificate names.
//!
//! A certificate may carry DNS names of the form `node-<id>.volvox` among its subject alternative names. If it has
//! any, the node that shows it must be one of those. A certificate without such names is valid for every node: then
//! only the authority vouches for the node.

use volvox_core::NodeId;

/// The name under which a certificate names a node.
pub(crate) fn certificate_name(id: NodeId) -> String {
    format!("node-{}.volvox", id.0)
}

/// Whether the holder of this certificate may be `id`. The certificate was verified against the authority before.
pub(crate) fn allows(certificate: &[u8], id: NodeId) -> bool {
    let Some(names) = dns_names(certificate) else { return false };
    let mut nodes = names
        .iter()
        .filter_map(|name| name.strip_prefix("node-")?.strip_suffix(".volvox")?.parse().ok().map(NodeId))
        .peekable();
    nodes.peek().is_none() || nodes.any(|named| named == id)
}

/// The DNS names among the subject alternative names (RFC 5280 4.2.1.6), or `None` if the bytes are not a certificate.
fn dns_names(certificate: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut outer = Der(certificate);
    let mut certificate = Der(outer.expect(SEQUENCE)?);
    let mut to_be_signed = Der(certificate.expect(SEQUENCE)?);
    while let Some((tag, content)) = to_be_signed.next()? {
        if tag != EXTENSIONS {
            continue;
        }
        let mut extensions = Der(Der(content).expect(SEQUENCE)?);
        while let Some((_, extension)) = extensions.next()? {
            let mut extension = Der(extension);
            if extension.expect(OBJECT_IDENTIFIER)? != SUBJECT_ALTERNATIVE_NAME {
                continue;
            }
            let (mut tag, mut content) = extension.next()??;
            if tag == BOOLEAN {
                (tag, content) = extension.next()??;
            }
            if tag != OCTET_STRING {
                return None;
            }
            let mut general_names = Der(Der(content).expect(SEQUENCE)?);
            while let Some((tag, name)) = general_names.next()? {
                if tag == DNS_NAME {
                    names.push(std::str::from_utf8(name).ok()?.to_ascii_lowercase());
                }
            }
        }
    }
    Some(names)
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const OCTET_STRING: u8 = 0x04;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
/// 2.5.29.17
const SUBJECT_ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// A walk over elements of the distinguished encoding rules (X.690).
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        match self.next()?? {
            (tag, content) if tag == wanted => Some(content),
            _ => None,
        }
    }

    /// The next tag and content; `Some(None)` at the end, `None` if malformed.
    fn next(&mut self) -> Option<Option<(u8, &'a [u8])>> {
        let [tag, first, rest @ ..] = self.0 else {
            return if self.0.is_empty() { Some(None) } else { None };
        };
        let (length, rest) = match *first {
            short @ 0..0x80 => (usize::from(short), rest),
            long => {
                let count = usize::from(long & 0x7f);
                if count == 0 || count > 4 || rest.len() < count {
                    return None;
                }
                let length = rest[..count].iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
                (length, &rest[count..])
            }
        };
        if rest.len() < length {
            return None;
        }
        self.0 = &rest[length..];
        Some(Some((*tag, &rest[..length])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(names: &[&str]) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| String::from(*name)).collect();
        rcgen::generate_simple_self_signed(names).expect("a certificate").cert.der().to_vec()
    }

    #[test]
    fn a_certificate_that_names_nodes_stands_for_no_others() {
        let one = certificate(&["localhost", "node-1.volvox"]);
        assert!(allows(&one, NodeId(1)));
        assert!(!allows(&one, NodeId(2)));
        let two = certificate(&["node-1.volvox", "node-2.volvox"]);
        assert!(allows(&two, NodeId(2)));
        assert!(allows(&certificate(&["localhost"]), NodeId(7)));
    }

    #[test]
    fn damaged_certificates_never_panic() {
        let good = certificate(&["node-1.volvox"]);
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0xff;
            allows(&bad, NodeId(1));
            assert!(!allows(&good[..at], NodeId(1)), "cut at {at}");
        }
    }
}
