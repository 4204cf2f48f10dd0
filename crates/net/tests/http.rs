//! HTTP on the peer port.

use crate::support::{Running, options, start};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use volvox_disk::SimulatedDirectory;
use volvox_net::http::{Document, get};

const LIMIT: Duration = Duration::from_secs(10);

fn answering() -> Running {
    let node = start(options(1), SimulatedDirectory::new(1));
    node.handle.answer_http(|path| {
        let fields = vec![("X-Cluster".to_owned(), "7".to_owned())];
        (path == "/members").then(|| Document { fields, body: "[]".to_owned() })
    });
    node
}

/// Sends these bytes, and returns all that comes back.
fn raw(node: &Running, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(node.address()).expect("connected");
    stream.set_read_timeout(Some(LIMIT)).expect("a socket");
    // A node that refuses early closes the connection while this writes.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_document_is_served_beside_the_links() {
    let node = answering();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let asked = |path: &'static str| runtime.block_on(get(&node.address(), None, path, LIMIT));
    let members = asked("/members").expect("a document");
    assert_eq!((members.body.as_str(), members.field("X-Cluster")), ("[]", Some("7")));
    assert!(asked("/else").is_err());
    assert!(raw(&node, b"GET /else HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 Not Found\r\n"));
}

#[test]
fn a_head_without_an_end_or_without_a_path_gets_no_answer() {
    let node = answering();
    let long = [b"GET /members HTTP/1.1\r\nX: ".as_slice(), &vec![b'x'; 100_000]].concat();
    assert_eq!(raw(&node, &long), "", "beyond the limit of a head");
    assert_eq!(raw(&node, b"GET members\r\n\r\n"), "");
    // An incomplete head is cut off by the deadline of the handshake.
    assert_eq!(raw(&node, b"GET /mem"), "");
    assert!(raw(&node, b"GET /members HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n[]"), "others are served as before");
}

#[test]
fn a_node_without_answers_serves_no_http() {
    let node = start(options(1), SimulatedDirectory::new(1));
    assert_eq!(raw(&node, b"GET /members HTTP/1.1\r\n\r\n"), "");
}
