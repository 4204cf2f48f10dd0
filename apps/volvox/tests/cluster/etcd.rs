//! The program called `etcd`, started as process managers start it.

use crate::member::{Member, etcd, run};
use crate::volvox::{Folder, free_ports};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// The flags of member `number` of a cluster of members a, b, c, ..., as the framework of etcd's own tests passes them.
struct Cluster {
    base: u16,
    scheme: &'static str,
    further: Vec<&'static str>,
}

impl Cluster {
    fn new() -> Cluster {
        Cluster { base: free_ports(), scheme: "http", further: Vec::new() }
    }

    fn client(&self, number: u16) -> String {
        format!("{}://localhost:{}", self.scheme, self.base + 10 * number)
    }

    fn peer(&self, number: u16) -> String {
        format!("{}://localhost:{}", self.scheme, self.base + 10 * number + 1)
    }

    fn initial(&self, size: u16) -> String {
        let member = |number| format!("{}={}", name(number), self.peer(number));
        (0..size).map(member).collect::<Vec<_>>().join(",")
    }

    fn flags(&self, number: u16, size: u16, state: &str) -> Vec<String> {
        let (name, client, peer) = (name(number), self.client(number), self.peer(number));
        [
            format!("--name={name}"),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            "--initial-cluster-token=new".to_owned(),
            format!("--data-dir={name}"),
            "--snapshot-count=10000".to_owned(),
            format!("--initial-cluster={}", self.initial(size)),
            format!("--initial-cluster-state={state}"),
        ]
        .into_iter()
        .chain(self.further.iter().map(|flag| (*flag).to_owned()))
        .collect()
    }

    fn start(&self, folder: &Folder, number: u16, size: u16, state: &str) -> Member {
        let flags = self.flags(number, size, state);
        Member::start(etcd(&folder.path(""), &flags.iter().map(String::as_str).collect::<Vec<_>>()))
    }

    /// Starts all members at once, and waits until all are ready.
    fn up(&self, folder: &Folder, size: u16) -> Vec<Member> {
        let mut members: Vec<Member> = (0..size).map(|number| self.start(folder, number, size, "new")).collect();
        members.iter_mut().for_each(Member::is_ready);
        members
    }
}

fn name(number: u16) -> char {
    char::from(b'a' + number as u8)
}

fn put(folder: &Folder, endpoint: &str, key: &str, further: &[&str]) {
    folder.volvox("none", &[&["--endpoints", endpoint, "put", key, "value"], further].concat());
}

fn get(folder: &Folder, endpoint: &str, key: &str) -> String {
    folder.volvox("none", &["--endpoints", endpoint, "get", key])
}

#[test]
fn a_member_alone_keeps_its_data_over_restarts_with_other_flags() {
    let folder = Folder::new("etcd-alone");
    let cluster = Cluster::new();
    let mut member = cluster.up(&folder, 1).remove(0);
    let started = member.log.iter().find(|line| line.contains(r#""msg":"starting an etcd server""#));
    let started: serde_json::Value = serde_json::from_str(started.expect("one line")).expect("a document");
    assert_eq!((started["name"].as_str(), started["snapshot-count"].as_i64()), (Some("a"), Some(10000)));
    put(&folder, &cluster.client(0), "k", &[]);
    assert_eq!(member.stop(), Some(0), "an orderly end");
    // Another token, name in the list and state: a member that has started ignores them.
    let mut flags = cluster.flags(0, 1, "existing");
    flags[5] = "--initial-cluster-token=other".to_owned();
    flags[8] = "--initial-cluster=z=http://localhost:1".to_owned();
    member = Member::start(etcd(&folder.path(""), &flags.iter().map(String::as_str).collect::<Vec<_>>()));
    member.wait_for("the initial flags are ignored");
    member.is_ready();
    assert!(get(&folder, &cluster.client(0), "k").contains("value"));
}

#[test]
fn a_cluster_grows_by_a_member_that_knows_only_the_peers() {
    let folder = Folder::new("etcd-grows");
    let cluster = Cluster::new();
    let members = cluster.up(&folder, 3);
    put(&folder, &cluster.client(2), "k", &[]);

    // Not a member yet.
    let flags = cluster.flags(3, 4, "existing");
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let early = run(&folder.path(""), &flags);
    let said = String::from_utf8_lossy(&early.stderr);
    assert_eq!(early.status.code(), Some(1), "{said}");
    assert!(said.contains("error validating peerURLs") && said.contains("member count is unequal"), "{said}");

    let added = ["--endpoints", &cluster.client(0), "members", "add", "d", "--peer-urls", &cluster.peer(3)];
    folder.volvox("none", &added);
    let mut fourth = cluster.start(&folder, 3, 4, "existing");
    fourth.is_ready();
    assert!(get(&folder, &cluster.client(3), "k").contains("value"));
    fourth.kill();
    let mut fourth = cluster.start(&folder, 3, 4, "existing");
    fourth.is_ready();
    let listed = folder.json("none", &["--endpoints", &cluster.client(3), "members"]);
    let names: Vec<&str> =
        listed["members"].as_array().expect("a list").iter().filter_map(|m| m["name"].as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d"]);
    drop(members);
}

#[test]
fn a_member_that_lost_its_folder_does_not_form_the_cluster_again() {
    let folder = Folder::new("etcd-lost");
    let cluster = Cluster::new();
    let mut members = cluster.up(&folder, 3);
    members.remove(0).kill();
    std::fs::remove_dir_all(folder.path("a")).expect("removed");
    let mut again = cluster.start(&folder, 0, 3, "new");
    let line = again.wait_for(r#""level":"fatal""#);
    assert!(line.contains("has already been bootstrapped"), "{line}");
}

#[test]
fn certificates_are_made_for_clients_and_peers() {
    let folder = Folder::new("etcd-auto-tls");
    let mut cluster = Cluster::new();
    cluster.scheme = "https";
    cluster.further = vec!["--auto-tls", "--peer-auto-tls"];
    let _members = cluster.up(&folder, 3);
    let authority = folder.path("b").join("fixtures/client/cert.pem");
    put(&folder, &cluster.client(1), "k", &["--cacert", authority.to_str().expect("text")]);
    assert!(folder.path("b").join("fixtures/peer/key.pem").is_file());
}

#[test]
fn metrics_have_a_port_of_their_own() {
    let folder = Folder::new("etcd-metrics");
    let mut cluster = Cluster::new();
    let metrics = format!("--listen-metrics-urls=http://127.0.0.1:{}", cluster.base + 2);
    cluster.further = vec![&*metrics.leak()];
    let _members = cluster.up(&folder, 1);
    let get = |port: u16, path: &str| {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it serves");
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    for path in ["/health", "/metrics", "/readyz"] {
        assert!(get(cluster.base + 2, path).starts_with("HTTP/1.1 200"), "{path}");
    }
    assert!(get(cluster.base + 2, "/version").starts_with("HTTP/1.1 404"));
    // The peer port says who belongs to the cluster.
    let members = get(cluster.base + 1, "/members");
    assert!(members.contains("X-Etcd-Cluster-ID: ") && members.contains(r#""name":"a""#), "{members}");
}

#[test]
fn the_service_manager_is_notified() {
    let folder = Folder::new("etcd-notify");
    let socket = UnixDatagram::bind(folder.path("notify")).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let flags = Cluster::new().flags(0, 1, "new");
    let mut command = etcd(&folder.path(""), &flags.iter().map(String::as_str).collect::<Vec<_>>());
    command.env("NOTIFY_SOCKET", folder.path("notify"));
    let _member = Member::start(command);
    let mut line = [0; 64];
    let length = socket.recv(&mut line).expect("a line in time");
    assert_eq!(&line[..length], b"READY=1");
}

#[test]
fn variables_and_a_file_configure_a_member() {
    let folder = Folder::new("etcd-file");
    let cluster = Cluster::new();
    let (client, peer) = (cluster.client(0), cluster.peer(0));
    let text = format!(
        "name: from-file\ndata-dir: {}\nlisten-client-urls: {client}\nadvertise-client-urls: {client}\n\
         listen-peer-urls: {peer}\ninitial-advertise-peer-urls: {peer}\ninitial-cluster: from-file={peer}\n\
         log-outputs: [stderr]\nquota-backend-bytes: 0\nclient-transport-security:\n  auto-tls: false\n",
        folder.path("file").display()
    );
    std::fs::write(folder.path("etcd.yaml"), text).expect("written");
    let mut command = etcd(&folder.path(""), &[]);
    command.env("ETCD_CONFIG_FILE", "etcd.yaml").env("ETCD_NAME", "from-variable");
    let mut member = Member::start(command);
    member.is_ready();
    let listed = folder.json("none", &["--endpoints", &client, "members"]);
    assert_eq!(listed["members"][0]["name"], "from-file");
}

#[test]
fn wrong_flags_end_the_program_with_etcds_codes_and_words() {
    let folder = Folder::new("etcd-wrong");
    std::fs::write(folder.path("bad.yaml"), "name: [a: {b}]\n").expect("written");
    for (flags, code, said) in [
        (&["--no-such-flag"][..], 2, "flag provided but not defined: -no-such-flag"),
        (&["--name"], 2, "flag needs an argument: -name"),
        (&["--heartbeat-interval=x"], 2, "invalid value \"x\" for flag -heartbeat-interval: parse error"),
        (&["--pre-vote=x"], 2, "invalid boolean value \"x\" for -pre-vote: parse error"),
        (&["grpc-proxy", "start"], 2, "etcd grpc-proxy is not supported"),
        (&["gateway"], 2, "etcd gateway is not supported"),
        (&["word"], 1, "is not a valid flag"),
        (&["--force-new-cluster"], 1, "--force-new-cluster is not supported"),
        (&["--discovery-srv=example.com"], 1, "--discovery-srv is not supported"),
        (&["--config-file=bad.yaml"], 1, "bad.yaml"),
        (&["--config-file=missing.yaml"], 1, "cannot read missing.yaml"),
        (&["--log-level=loud"], 1, "unrecognized level"),
        (&["--initial-cluster=b=http://localhost:1"], 1, "couldn't find local name"),
        (&["--listen-client-urls=http://localhost:1"], 1, "--advertise-client-urls is required"),
        (&["--initial-cluster-state=existing"], 1, "cannot fetch cluster info from peer urls"),
    ] {
        let output = run(&folder.path(""), flags);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{flags:?}: {stderr}");
        assert!(stderr.contains(said), "{flags:?}: {stderr}");
    }
    let version = run(&folder.path(""), &["--version"]);
    assert!(version.status.success() && version.stdout.starts_with(b"etcd Version: 3."));
    let help = folder.volvox("none", &["etcd", "--help"]);
    assert!(help.contains("--listen-client-urls"), "{help}");
}
