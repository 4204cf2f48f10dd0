//! The messages, clients and servers of the etcd v3 protocol, generated from `proto/`.
//!
//! One module per protocol package, nested as the packages refer to each other. Keys and values are
//! [`bytes::Bytes`]: decoding a request shares the buffer that it arrived in.

/// What the store holds and what happens to it.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod mvccpb {
    include!(concat!(env!("OUT_DIR"), "/mvccpb.rs"));
}

/// Users, roles and permissions.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod authpb {
    include!(concat!(env!("OUT_DIR"), "/authpb.rs"));
}

/// The services KV, Watch, Lease, Cluster, Maintenance and Auth.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod etcdserverpb {
    include!(concat!(env!("OUT_DIR"), "/etcdserverpb.rs"));
}

/// Leader election as a service.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod v3electionpb {
    include!(concat!(env!("OUT_DIR"), "/v3electionpb.rs"));
}

/// Locks as a service.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod v3lockpb {
    include!(concat!(env!("OUT_DIR"), "/v3lockpb.rs"));
}
