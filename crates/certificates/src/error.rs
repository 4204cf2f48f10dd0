//! The errors of a file, its length included.

use std::path::PathBuf;

/// The longest file that is read: a system's bundle of every public authority is a quarter as long.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// Why files cannot be used. Nothing was loaded from them; what was loaded before is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// The operating system denies the file: the path is wrong, or the file belongs to another user.
    #[error("{path}: {source}; name a file that this program may read")]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// A folder, a pipe or a device has replaced the file. It is not read, which could block forever.
    #[error("{path}: it is no longer a regular file; replace it by one")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file is longer than any certificates: a different file was named.
    #[error("{path}: it is longer than {FILE_BYTES_MAX} bytes; name a file that contains only certificates or a key")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// A section of the file begins as PEM but does not continue as such: it was truncated or damaged.
    #[error("{path}: it is not PEM: {reason}; rewrite it")]
    Pem {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file contains nothing of the wanted kind: often the path of one of the other files was given.
    #[error("{path}: it contains no {wanted} in PEM; name the file that does")]
    Missing {
        /// The file.
        path: PathBuf,
        /// The wanted kind.
        wanted: &'static str,
    },
    /// The section is marked as a certificate, but its content cannot be used: it was issued incorrectly.
    #[error("{path}: a certificate in it cannot be used: {reason}; have it reissued")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The section is marked as a private key, but its content is not of a supported kind.
    #[error("{path}: its private key cannot be used: {reason}; create an RSA, ECDSA or Ed25519 key")]
    Key {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// Both are valid but do not match: one of the two was replaced, or one of the two paths is wrong.
    #[error("{certificate}: it was issued for another key than that in {key}; name two that belong together")]
    Unpaired {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
}
