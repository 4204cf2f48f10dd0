//! Certificates and keys from files, for all users of TLS here.
//!
//! # The problem
//!
//! Certificates expire, and an unattended program overwrites them with their successors while connections come and go.
//! A program that starts with a wrong file must report which file it is and what to do; one that has run for months
//! must not stop because of it. The peer port, the client port and the client itself need the same from such files.
//!
//! # The idea
//!
//! * One end presents an [`Identity`] and trusts its [`Authorities`]. [`server`] and [`client`] convert them to rustls
//!   configurations, with the cryptography that [`provider`] names for all.
//! * [`Files`] checks the files on every call, which is once per connection, and reloads them when a length or a
//!   modification time differs. While they cannot be used, the last good value stays in use, and the log reports it
//!   once per change.
//! * A file is hostile until checked: at most [`FILE_BYTES_MAX`] bytes are read, bytes that are not a certificate are
//!   an error and never a panic, and a file that has become a pipe does not block.
//! * A key that was made for another certificate is refused when it is read, not at the first connection.
//!
//! # Caveats
//!
//! Certificate and key are two files: between their two writes they do not match, and the old pair serves until they
//! do. A rewrite of the same length within one tick of the file system's clock goes unnoticed. Expiry is not checked
//! here; the other end checks it, and refuses. Revocation lists are not read.
#![forbid(unsafe_code)]

mod error;
mod files;
mod identity;
mod pem;

pub use error::{CertificatesError, FILE_BYTES_MAX};
pub use files::Files;
pub use identity::{Authorities, Identity, any_server, client, provider, server};
