//! Mutual TLS between nodes.

use crate::support::{Folder, RawPeer, Running, answered, call, introduce, options, start, until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::Path;
use volvox_disk::SimulatedDirectory;
use volvox_net::{NodeOpenError, NodeOptions, PeerTls};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("self-signed"))
    }

    /// Writes the three files of one node.
    fn issue(&self, folder: &Path, names: &[&str]) -> PeerTls {
        std::fs::create_dir_all(folder).expect("made");
        let key = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|name| String::from(*name)).collect();
        let certificate = CertificateParams::new(names).expect("names").signed_by(&key, &self.0).expect("signed");
        let files = PeerTls {
            ca: Some(folder.join("ca.pem")),
            certificate: folder.join("node.pem"),
            key: folder.join("node-key.pem"),
        };
        std::fs::write(folder.join("ca.pem"), self.0.pem()).expect("written");
        std::fs::write(&files.certificate, certificate.pem()).expect("written");
        std::fs::write(&files.key, key.serialize_pem()).expect("written");
        files
    }
}

fn secure(id: u64, tls: PeerTls) -> Running {
    start(NodeOptions { tls: Some(tls), ..options(id) }, SimulatedDirectory::new(id))
}

fn last_error(node: &Running) -> String {
    node.handle.peers().first().and_then(|peer| peer.last_error.clone()).unwrap_or_default()
}

/// Makes both know one another, without waiting for a link.
fn acquaint(one: &Running, two: &Running) {
    one.handle.set_peer(two.handle.life().node, two.address());
    two.handle.set_peer(one.handle.life().node, one.address());
}

#[test]
fn certificates_of_one_authority_make_a_link() {
    let folder = Folder::new();
    let authority = Authority::new();
    // One is recognised by its address, the other by its node name alone.
    let one = secure(1, authority.issue(&folder.0.join("1"), &["127.0.0.1"]));
    let two = secure(2, authority.issue(&folder.0.join("2"), &["node-2.volvox"]));
    introduce(&[&one, &two]);
    one.handle.command(call(2, 1)).expect("room");
    one.expect("an answer", answered(1));
    two.handle.command(call(1, 2)).expect("room");
    two.expect("an answer", answered(2));
}

#[test]
fn another_authority_is_refused_until_the_files_are_replaced() {
    let folder = Folder::new();
    let (right, wrong) = (Authority::new(), Authority::new());
    let one = secure(1, right.issue(&folder.0.join("1"), &["127.0.0.1"]));
    let two = secure(2, wrong.issue(&folder.0.join("2"), &["127.0.0.1"]));
    acquaint(&one, &two);
    for node in [&one, &two] {
        until("refused", || last_error(node).contains("TLS") && node.handle.counters().connections_refused > 0);
        assert_eq!(node.handle.counters().messages_in, 0);
    }
    // No node is restarted.
    right.issue(&folder.0.join("2"), &["127.0.0.1"]);
    introduce(&[&one, &two]);
    one.handle.command(call(2, 1)).expect("room");
    one.expect("an answer", answered(1));
}

#[test]
fn a_plain_node_and_a_plain_stranger_are_refused() {
    let folder = Folder::new();
    let authority = Authority::new();
    let one = secure(1, authority.issue(&folder.0.join("1"), &["127.0.0.1"]));
    let two = start(options(2), SimulatedDirectory::new(2));
    acquaint(&one, &two);
    until("the plain one is refused", || !last_error(&two).is_empty() && one.handle.counters().connections_refused > 0);
    until("it refuses as well", || last_error(&one).contains("TLS") && two.handle.counters().connections_refused > 0);
    let mut plain = RawPeer::connect(&one.address());
    plain.hello(volvox_net::PEER_PROTOCOL_VERSION, crate::support::CLUSTER, 2, 1);
    plain.expect_closed();
    assert!(!one.handle.peers()[0].connected && !two.handle.peers()[0].connected);
}

#[test]
fn a_certificate_that_names_another_node_is_refused() {
    let folder = Folder::new();
    let authority = Authority::new();
    let one = secure(1, authority.issue(&folder.0.join("1"), &["127.0.0.1", "node-1.volvox"]));
    // Node 3's certificate in the hands of node 2.
    let two = secure(2, authority.issue(&folder.0.join("2"), &["127.0.0.1", "node-3.volvox"]));
    acquaint(&one, &two);
    for node in [&one, &two] {
        until("refused", || last_error(node).contains("the certificate names other nodes than n2"));
    }
    assert!(!one.handle.peers()[0].connected && !two.handle.peers()[0].connected);
}

#[test]
fn a_certificate_for_another_host_is_refused() {
    let folder = Folder::new();
    let authority = Authority::new();
    let one = secure(1, authority.issue(&folder.0.join("1"), &["127.0.0.1"]));
    let two = secure(2, authority.issue(&folder.0.join("2"), &["elsewhere.example"]));
    acquaint(&one, &two);
    until("refused", || last_error(&one).contains("names neither"));
}

#[test]
fn each_of_the_three_files_is_read_at_the_start() {
    let folder = Folder::new();
    let good = Authority::new().issue(&folder.0, &["127.0.0.1"]);
    let open = |tls: PeerTls| {
        let options = NodeOptions { tls: Some(tls), ..options(1) };
        match crate::support::try_start(options, SimulatedDirectory::new(1), |_| {}) {
            Ok(_) => panic!("opened"),
            Err(NodeOpenError::Tls(error)) => error.to_string(),
            Err(other) => panic!("{other}"),
        }
    };
    let nowhere = folder.0.join("nowhere.pem");
    for tls in [
        PeerTls { ca: Some(nowhere.clone()), ..good.clone() },
        PeerTls { certificate: nowhere.clone(), ..good.clone() },
        PeerTls { key: nowhere.clone(), ..good },
    ] {
        let said = open(tls);
        assert!(said.contains("nowhere.pem"), "{said}");
    }
}

#[test]
fn without_an_authority_links_are_encrypted_and_certificates_are_not_verified() {
    let folder = Folder::new();
    // Two authorities, and names that neither node has.
    let unverified = |name: &str| PeerTls { ca: None, ..Authority::new().issue(&folder.0.join(name), &["elsewhere"]) };
    let (one, two) = (secure(1, unverified("1")), secure(2, unverified("2")));
    introduce(&[&one, &two]);
    one.handle.command(call(2, 1)).expect("room");
    one.expect("an answer", answered(1));
    let plain = start(options(3), SimulatedDirectory::new(3));
    acquaint(&one, &plain);
    until("a node without TLS is refused", || !last_error(&plain).is_empty());
}
