//! `--auto-tls` and `--peer-auto-tls`: a certificate that the member issues to itself, and keeps in its data folder.
//!
//! The other end cannot verify it: it protects from eavesdroppers, and not from a program that answers in the member's place.

use anyhow::{Context, Result};
use rcgen::{CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// The most years that `--self-signed-cert-validity` may ask for.
const YEARS_MAX: i64 = 1000;

/// The files of a certificate for these hosts. They are made once; an existing pair is kept, as etcd keeps it.
///
/// # Errors
/// When they cannot be made or written.
pub fn certificate(folder: &Path, hosts: &[String], years: i64) -> Result<(PathBuf, PathBuf)> {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if certificate.is_file() && key.is_file() {
        return Ok((certificate, key));
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let pair = KeyPair::generate().context("cannot generate a key")?;
    let mut parameters = CertificateParams::new(hosts.to_vec()).context("the hosts of a certificate")?;
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "etcd");
    parameters.distinguished_name = name;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let years = u32::try_from(years.clamp(1, YEARS_MAX)).unwrap_or(1);
    // An hour early, for a client whose clock is behind.
    let now = SystemTime::now();
    parameters.not_before = (now - Duration::from_secs(3600)).into();
    parameters.not_after = (now + YEAR * years).into();
    let signed = parameters.self_signed(&pair).context("cannot sign a certificate")?;
    // The key first: both exist only once the pair is complete.
    write(&key, &pair.serialize_pem(), 0o600)?;
    write(&certificate, &signed.pem(), 0o644)?;
    Ok((certificate, key))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path);
    open.and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_secret() {
        let folder = std::env::temp_dir().join(format!("volvox-etcd-self-signed-{}", std::process::id()));
        let hosts = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let (certificate, key) = certificate(&folder, &hosts, 1).expect("made");
        let tls = volvox_etcd::TlsPaths { certificate: certificate.clone(), key: key.clone(), client_authority: None };
        assert!(volvox_etcd::ServerTls::load(tls).is_ok());
        assert_eq!(fs::metadata(&key).expect("a file").permissions().mode() & 0o777, 0o600);
        let before = fs::read(&certificate).expect("read");
        super::certificate(&folder, &hosts, 1).expect("kept");
        assert_eq!(fs::read(&certificate).expect("read"), before);
        fs::remove_dir_all(&folder).expect("removed");
    }
}
