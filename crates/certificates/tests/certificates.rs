//! Files that are right, wrong, damaged, too long, and changed while they are in use.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use volvox_certificates::{Authorities, CertificatesError, FILE_BYTES_MAX, Files, Identity, client, server};

/// A folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("volvox-certificates-{}-{turn}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The certificate of an authority, one that it signed, and its key.
    fn issue(&self, name: &str) -> [PathBuf; 3] {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = certificate.signed_by(&key, &authority).unwrap();
        [
            self.write(&format!("{name}-ca.pem"), authority.pem()),
            self.write(&format!("{name}.pem"), certificate.pem()),
            self.write(&format!("{name}-key.pem"), key.serialize_pem()),
        ]
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn refused(certificate: &Path, key: &Path) -> CertificatesError {
    Identity::read(certificate, key).err().expect("refused")
}

#[test]
fn good_files_make_both_ends() {
    let folder = Folder::new();
    let [ca, certificate, key] = folder.issue("good");
    let (identity, authorities) = (Identity::read(&certificate, &key).unwrap(), Authorities::read(&ca).unwrap());
    server(&identity, None);
    server(&identity, Some(&authorities));
    let anonymous = client(authorities.of_servers(), None);
    assert!(!anonymous.client_auth_cert_resolver.has_certs());
    assert!(client(authorities.of_servers(), Some(&identity)).client_auth_cert_resolver.has_certs());
}

#[test]
fn each_error_names_its_file_and_says_what_to_do() {
    let folder = Folder::new();
    let [ca, certificate, key] = folder.issue("good");
    let [_, _, other_key] = folder.issue("other");
    let said = |error: CertificatesError, file: &Path, what_to_do: &str| {
        let text = error.to_string();
        assert!(text.starts_with(&format!("{}: ", file.display())), "{text}");
        assert!(text.contains(what_to_do), "{text}");
        error
    };
    let nowhere = folder.0.join("nowhere.pem");
    let error = said(refused(&nowhere, &key), &nowhere, "; name a file that this program may read");
    assert!(matches!(error, CertificatesError::Read { .. }), "{error:?}");
    let error = said(refused(&folder.0, &key), &folder.0, "; name a file that this program may read");
    assert!(matches!(error, CertificatesError::Read { .. }), "a folder: {error:?}");
    let error = said(refused(&key, &certificate), &key, "it contains no certificate in PEM; name the file that does");
    assert!(matches!(error, CertificatesError::Missing { .. }), "{error:?}");
    let error = said(refused(&certificate, &ca), &ca, "it contains no private key in PEM; name the file that does");
    assert!(matches!(error, CertificatesError::Missing { .. }), "{error:?}");
    let error = said(refused(&certificate, &other_key), &certificate, "other-key.pem; name two that belong together");
    assert!(matches!(error, CertificatesError::Unpaired { .. }), "{error:?}");

    let text = std::fs::read_to_string(&certificate).unwrap();
    let half = folder.write("half.pem", &text[..text.len() / 2]);
    let error = said(refused(&half, &key), &half, "it is not PEM");
    assert!(matches!(error, CertificatesError::Pem { .. }), "{error:?}");
    let section =
        |name: &str, kind: &str| folder.write(name, format!("-----BEGIN {kind}-----\nAAAA\n-----END {kind}-----\n"));
    let zeros = section("zeros.pem", "CERTIFICATE");
    let error = said(refused(&zeros, &key), &zeros, "have it reissued");
    assert!(matches!(error, CertificatesError::Certificate { .. }), "{error:?}");
    let error = said(Authorities::read(&zeros).unwrap_err(), &zeros, "have it reissued");
    assert!(matches!(error, CertificatesError::Certificate { .. }), "{error:?}");
    let zeros = section("zeros-key.pem", "PRIVATE KEY");
    let error = said(refused(&certificate, &zeros), &zeros, "create an RSA, ECDSA or Ed25519 key");
    assert!(matches!(error, CertificatesError::Key { .. }), "{error:?}");
}

#[test]
fn a_file_without_an_end_is_refused_after_a_bounded_part_of_it() {
    let folder = Folder::new();
    let [ca, certificate, key] = folder.issue("good");
    let good = std::fs::read(&ca).unwrap();
    let padded = |length: u64| {
        let mut bytes = good.clone();
        bytes.resize(length as usize, b'\n');
        folder.write("long.pem", bytes)
    };
    assert!(Authorities::read(&padded(FILE_BYTES_MAX)).is_ok());
    let long = padded(FILE_BYTES_MAX + 1);
    let error = Authorities::read(&long).unwrap_err();
    assert!(matches!(&error, CertificatesError::TooLong { path } if *path == long), "{error}");
    let endless = Path::new("/dev/zero");
    assert!(matches!(refused(&certificate, endless), CertificatesError::TooLong { .. }));
    assert!(matches!(refused(endless, &key), CertificatesError::TooLong { .. }));
}

#[test]
fn damaged_files_are_used_or_refused_and_never_a_panic() {
    let folder = Folder::new();
    let [ca, certificate, key] = folder.issue("good");
    let mut outcomes = [0; 2];
    for path in [&ca, &certificate, &key] {
        let good = std::fs::read(path).unwrap();
        for at in 0..good.len() {
            let mut bytes = good.clone();
            // A different base64 letter, an invalid byte, the end of a line, the end of the file.
            match at % 4 {
                0 => bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' },
                1 => bytes[at] = 0xff,
                2 => bytes[at] = b'\n',
                _ => bytes.truncate(at),
            }
            std::fs::write(path, &bytes).unwrap();
            let whole = Authorities::read(&ca).is_ok() && Identity::read(&certificate, &key).is_ok();
            outcomes[usize::from(whole)] += 1;
        }
        std::fs::write(path, &good).unwrap();
    }
    assert!(outcomes[0] > 100, "hardly any damage is noticed: {outcomes:?}");
    assert!(Authorities::read(&ca).is_ok() && Identity::read(&certificate, &key).is_ok());
}

/// Files whose contents are the text of the first of them; empty if it cannot be used.
fn watched(path: &Path) -> Files<String> {
    let path = path.to_owned();
    let read = {
        let path = path.clone();
        move || match std::fs::read_to_string(&path) {
            Ok(text) if !text.is_empty() => Ok(text),
            _ => Err(CertificatesError::Missing { path: path.clone(), wanted: "text" }),
        }
    };
    Files::load(vec![path], read).unwrap()
}

#[test]
fn what_changed_is_read_again_and_what_cannot_be_used_is_not_used() {
    let folder = Folder::new();
    let path = folder.write("text", "one");
    let files = watched(&path);
    let first = files.latest();
    assert_eq!(*first, "one");
    assert!(Arc::ptr_eq(&first, &files.latest()), "nothing changed, and it was read again");
    folder.write("text", "three");
    assert_eq!(*files.latest(), "three");
    folder.write("text", "");
    assert_eq!(*files.latest(), "three", "the last good one");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(*files.latest(), "three", "gone");
    folder.write("text", "seven");
    assert_eq!(*files.latest(), "seven", "as long as the last good one, and not the last that was seen");
}

#[test]
fn a_change_of_any_of_the_files_is_seen() {
    let folder = Folder::new();
    let [first, second] = ["first", "second"].map(|name| folder.write(name, "good"));
    let read = {
        let second = second.clone();
        move || Ok(std::fs::read(&second).unwrap().len())
    };
    let files = Files::load(vec![first, second], read).unwrap();
    folder.write("second", "longer");
    assert_eq!(*files.latest(), 6);
}

#[test]
fn a_pipe_in_place_of_a_file_holds_nobody_up() {
    let folder = Folder::new();
    let path = folder.write("text", "one");
    let files = watched(&path);
    std::fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let (answer, answered) = mpsc::channel();
    // Opening a pipe blocks until its other end is opened, which never happens here.
    std::thread::spawn(move || answer.send(files.latest().to_string()));
    assert_eq!(answered.recv_timeout(Duration::from_secs(30)).as_deref(), Ok("one"));
}
