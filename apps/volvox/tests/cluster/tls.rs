//! A cluster that speaks TLS to its clients and between its nodes, by the flags of the command line alone.

use crate::volvox::{Folder, free_ports, wait_until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::PathBuf;

/// An authority, and where it writes what it signs.
struct Authority(CertifiedIssuer<'static, KeyPair>, PathBuf);

impl Authority {
    fn new(folder: PathBuf) -> Authority {
        std::fs::create_dir_all(&folder).expect("made");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        // Each has a name of its own: by it a certificate says who signed it.
        let name = folder.display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("signed");
        std::fs::write(folder.join("ca.pem"), issuer.pem()).expect("written");
        Authority(issuer, folder)
    }

    fn file(&self, name: &str) -> String {
        self.1.join(name).to_str().expect("a path is text").to_owned()
    }

    /// A certificate for this machine, and its key.
    fn issue(&self, name: &str) -> [String; 2] {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("signed");
        let files = [self.file(&format!("{name}.pem")), self.file(&format!("{name}-key.pem"))];
        std::fs::write(&files[0], certificate.pem()).expect("written");
        std::fs::write(&files[1], key.serialize_pem()).expect("written");
        files
    }
}

#[test]
fn clients_and_peers_speak_tls_by_flags_alone() {
    let mut folder = Folder::new("tls");
    let authority = Authority::new(folder.path("authority"));
    let stranger = Authority::new(folder.path("stranger"));
    let (ca, strange_ca) = (authority.file("ca.pem"), stranger.file("ca.pem"));
    let [certificate, key] = authority.issue("node");
    let [client_certificate, client_key] = authority.issue("client");
    let base = free_ports().to_string();
    folder.owns("a");
    let flags = [
        "up",
        "--port-base",
        &base,
        "--detach",
        "--",
        "--cert-file",
        &certificate,
        "--key-file",
        &key,
        "--trusted-ca-file",
        &ca,
        "--client-cert-auth",
        "--peer-trusted-ca-file",
        &ca,
        "--peer-cert-file",
        &certificate,
        "--peer-key-file",
        &key,
    ];
    let missing = folder.refused("a", &flags);
    assert!(missing.contains("--cacert"), "{missing}");
    let identity = ["--cacert", &ca, "--cert", &client_certificate, "--key", &client_key];
    let said = folder.volvox("a", &[&identity[..], &flags].concat());
    assert!(said.contains(&format!("https://127.0.0.1:{base}")), "{said}");

    let run = |arguments: &[&str]| folder.volvox("a", &[&identity[..], arguments].concat());
    run(&["put", "greeting", "hello"]);
    let single = format!("https://127.0.0.1:{base}");
    assert_eq!(run(&["--endpoints", &single, "get", "greeting"]), "greeting\nhello\n");
    let members = run(&["--json", "members"]);
    let members: serde_json::Value = serde_json::from_str(&members).expect("a document");
    for member in members["members"].as_array().expect("a list") {
        let urls = [&member["peerURLs"][0], &member["clientURLs"][0]];
        assert!(urls.iter().all(|url| url.as_str().is_some_and(|url| url.starts_with("https://"))), "{member}");
    }
    run(&["status"]);

    let refused = folder.refused("a", &["--cacert", &strange_ca, "get", "greeting"]);
    assert!(refused.contains("not signed by the authority in --cacert"), "{refused}");
    let nameless = folder.refused("a", &["--cacert", &ca, "get", "greeting"]);
    assert!(nameless.contains("--cert and --key"), "{nameless}");
    let [strange_certificate, strange_key] = stranger.issue("client");
    let strange = ["--cacert", &ca, "--cert", &strange_certificate, "--key", &strange_key, "get", "greeting"];
    let distrusted = folder.refused("a", &strange);
    assert!(distrusted.contains("does not trust the certificate in --cert"), "{distrusted}");
    let plain = format!("http://127.0.0.1:{base}");
    let plain = folder.refused("a", &["--endpoints", &plain, "get", "greeting"]);
    assert!(plain.contains("this port speaks TLS"), "{plain}");
    let log = folder.path("a").join("n1.log");
    wait_until("the node says whom it refused, and why", || {
        let log = std::fs::read_to_string(&log).expect("the log of the node");
        log.lines().any(|line| {
            line.contains("rejected connection on client endpoint") && line.contains("it does not speak TLS")
        })
    });
}

#[test]
fn files_for_tls_that_do_not_fit_are_said_at_the_start() {
    let mut folder = Folder::new("tls-flags");
    let authority = Authority::new(folder.path("authority"));
    let (ca, [certificate, key]) = (authority.file("ca.pem"), authority.issue("node"));
    let node = ["node", "--id", "1", "--folder", "n", "--cluster", "1", "--initial-cluster", "1=127.0.0.1:1"];
    let refused = |flags: &[&str]| folder.refused("a", &[&node[..], flags].concat());
    assert!(refused(&["--cert-file", &certificate]).contains("--cert-file and --key-file go together"));
    assert!(refused(&["--trusted-ca-file", &ca]).contains("--trusted-ca-file needs --cert-file"));
    let whose = refused(&["--cert-file", &certificate, "--key-file", &key, "--client-cert-auth"]);
    assert!(whose.contains("--client-cert-auth needs --trusted-ca-file"), "{whose}");
    let alone = folder.refused("a", &["--cert", &certificate, "--endpoints", "127.0.0.1:1", "get", "k"]);
    assert!(alone.contains("--cacert"), "{alone}");
    let base = free_ports().to_string();
    folder.owns("a");
    let swapped = [
        "--cacert",
        &ca,
        "up",
        "--port-base",
        &base,
        "--detach",
        "--",
        "--cert-file",
        &key,
        "--key-file",
        &certificate,
    ];
    let swapped = folder.refused("a", &swapped);
    assert!(swapped.contains("node-key.pem") || swapped.contains("node.pem"), "{swapped}");
}
