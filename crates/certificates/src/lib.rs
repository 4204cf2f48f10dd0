//! Certificates and keys from files, for whoever speaks TLS here.
//!
//! # The problem
//!
//! Certificates end, and their successors are written over them by a program that nobody watches, while connections come
//! and go. Whoever starts with a wrong file must be told which file it is and what to do; whoever has run for months must
//! not stop for one. The port of the peers, the port of the clients and the client itself want the same of such files.
//!
//! # The idea
//!
//! * What one end shows is an [`Identity`]; whom it believes are its [`Authorities`]. [`server`] and [`client`] make of
//!   them what rustls wants, with the cryptography that [`provider`] names, for all.
//! * [`Files`] looks at the files whenever somebody asks, which is once a connection, and reads them again when a length
//!   or a time of change is another. While they cannot be used, what was last made of good ones stays in use, and the log
//!   says so once a change.
//! * A file is hostile until it is read: no more than [`FILE_BYTES_MAX`] bytes of it are, bytes that are no certificate
//!   are an error and never a panic, and what was a file and is a pipe now is not waited for.
//! * A key that was made for another certificate is refused where it is read, not by the first who connects.
//!
//! # Caveats
//!
//! Certificate and key are two files: between their two writes they do not fit, and the old pair serves until they do. Who
//! writes a file of the same length within one tick of the file system's clock is not seen. What has ended by the clock is
//! not looked at here; the other end does that, and refuses. Revocation lists are not read.
#![forbid(unsafe_code)]

mod error;
mod files;
mod identity;
mod pem;

pub use error::{CertificatesError, FILE_BYTES_MAX};
pub use files::Files;
pub use identity::{Authorities, Identity, client, provider, server};
