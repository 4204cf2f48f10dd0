//! Volvox: etcd.

pub mod proto;
