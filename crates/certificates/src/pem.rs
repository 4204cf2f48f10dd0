//! PEM files, as untrusted bytes.

use crate::error::{CertificatesError, FILE_BYTES_MAX};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The certificates of a file, in their order; at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificatesError> {
    let bytes = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|error| no_pem(path, "certificate", &error))?;
    if found.is_empty() { Err(missing(path, "certificate")) } else { Ok(found) }
}

/// The first private key of a file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificatesError> {
    let bytes = read(path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| no_pem(path, "private key", &error))
}

fn no_pem(path: &Path, wanted: &'static str, error: &pem::Error) -> CertificatesError {
    match error {
        pem::Error::NoItemsFound => missing(path, wanted),
        other => CertificatesError::Pem { path: path.to_owned(), reason: other.to_string() },
    }
}

fn missing(path: &Path, wanted: &'static str) -> CertificatesError {
    CertificatesError::Missing { path: path.to_owned(), wanted }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificatesError> {
    let failed = |source| CertificatesError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    // The length may have changed since it was queried, and that of a pipe or a device means nothing.
    let length = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes));
    if length.map_err(failed)? as u64 > FILE_BYTES_MAX {
        return Err(CertificatesError::TooLong { path: path.to_owned() });
    }
    Ok(bytes)
}
