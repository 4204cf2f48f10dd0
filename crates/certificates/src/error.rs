//! What can be wrong with a file, its length included.

use std::path::PathBuf;

/// The longest file that is read: a system's bundle of every public authority is a quarter as long.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why files cannot be used. Nothing was made of them; what was made before stays as it was.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// The operating system does not give the file: the path is wrong, or it is another user's.
    #[error("{path}: {source}; name a file that this program may read")]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Somebody put a folder, a pipe or a device where a file was. It is not read: that could take for ever.
    #[error("{path}: it is no regular file any more; put one in its place")]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
    /// Nobody's certificates are as long: another file was named.
    #[error("{path}: it is longer than {FILE_BYTES_MAX} bytes; name a file that holds certificates or a key only")]
    TooLong {
        /// Which file.
        path: PathBuf,
    },
    /// A section of the file begins as PEM and does not go on so: whoever wrote it did not finish, or damaged it.
    #[error("{path}: it is not PEM: {reason}; write it anew")]
    Pem {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Nothing in the file is what was looked for: often the path of another of the files was given.
    #[error("{path}: it holds no {wanted} in PEM; name the file that does")]
    Missing {
        /// Which file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// The section says that it is a certificate, and what it holds is none that can be used: whoever issued it erred.
    #[error("{path}: a certificate in it cannot be used: {reason}; have it issued anew")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The section says that it is a private key, and what it holds is none of a kind that is known here.
    #[error("{path}: its private key cannot be used: {reason}; make one of RSA, ECDSA or Ed25519")]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Both are good, and not a pair: one of the two was replaced, or one of the two paths is wrong.
    #[error("{certificate}: it was issued for another key than that in {key}; name two that belong together")]
    Unpaired {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
}
