//! The messages, clients and servers of the etcd v3 protocol, generated from `proto/`.
//!
//! The generated code is checked in, since its generators take longer to build than all our protocols: a test compares it with
//! the output for `proto/`, and rewrites it with `UPDATE=1`.
//!
//! One module per protocol package, nested as the packages refer to each other. Keys and values are
//! [`bytes::Bytes`]: decoding a request shares the buffer that it arrived in.

/// The keys of the store and their changes.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod mvccpb {
    include!("generated/mvccpb.rs");
}

/// Users, roles and permissions.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod authpb {
    include!("generated/authpb.rs");
}

/// The services KV, Watch, Lease, Cluster, Maintenance and Auth.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod etcdserverpb {
    include!("generated/etcdserverpb.rs");
}

/// Leader election as a service.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod v3electionpb {
    include!("generated/v3electionpb.rs");
}

/// Locks as a service.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod v3lockpb {
    include!("generated/v3lockpb.rs");
}
