//! The operations of one client.

use std::sync::Arc;

use bytes::Bytes;
use tonic::Status;
use volvox_etcd::proto::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use volvox_etcd::proto::etcdserverpb::request_op::Request;
use volvox_etcd::proto::etcdserverpb::{Compare, PutRequest, RangeRequest, RequestOp, TxnRequest};

use super::Workload;
use super::connection::Client;
use super::keyspace::{Keyspace, PREFIX, PREFIX_END};
use super::pairs;

/// The work of all clients of a load.
#[derive(Clone)]
pub struct WorkPlan {
    pub workload: Workload,
    pub keyspace: Arc<Keyspace>,
    pub serializable: bool,
    pub limit: i64,
    /// Keys by the number of the operation, not by chance.
    pub in_order: bool,
}

/// The outcome of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Pairs that were read or written.
    pub items: u64,
    /// Whether it completed a pass over all keys.
    pub whole_pass: bool,
}

/// The work of one client.
pub struct Work {
    plan: WorkPlan,
    random: fastrand::Rng,
    pass: Pass,
}

/// The progress of a client's pass over all keys.
#[derive(Default)]
struct Pass {
    /// The revision of the first page, at which the others are read; 0 before it.
    revision: i64,
    /// The key to continue from; empty before the first page.
    next_key: Bytes,
    /// Keys seen so far, and keys in total at the revision.
    seen: i64,
    expected: i64,
}

impl Work {
    /// The work of the client with this number.
    pub fn new(plan: &WorkPlan, client: u64) -> Work {
        let random = fastrand::Rng::with_seed(client + 1);
        Work { plan: plan.clone(), random, pass: Pass::default() }
    }

    /// Runs one operation.
    pub async fn perform(&mut self, client: &mut Client, number: u64) -> Result<Done, Status> {
        match self.plan.workload {
            Workload::Put | Workload::Watch => self.put(client, number).await,
            Workload::Get => self.get(client, number).await,
            Workload::Range => self.range(client).await,
            Workload::Page => self.page(client).await,
            Workload::Txn => self.txn(client, number).await,
        }
    }

    fn key(&mut self, number: u64) -> Bytes {
        let keyspace = &self.plan.keyspace;
        if self.plan.in_order { keyspace.key(number % keyspace.count()) } else { keyspace.random_key(&mut self.random) }
    }

    fn put_request(&mut self, number: u64) -> PutRequest {
        let key = self.key(number);
        let value = self.plan.keyspace.value(&mut self.random);
        PutRequest { key, value, ..PutRequest::default() }
    }

    async fn put(&mut self, client: &mut Client, number: u64) -> Result<Done, Status> {
        client.key_values.put(self.put_request(number)).await?;
        Ok(Done { items: 1, whole_pass: false })
    }

    async fn get(&mut self, client: &mut Client, number: u64) -> Result<Done, Status> {
        let request =
            RangeRequest { key: self.key(number), serializable: self.plan.serializable, ..RangeRequest::default() };
        let response = client.key_values.range(request).await?.into_inner();
        if response.kvs.len() != 1 {
            return Err(Status::data_loss("a key that was written is missing"));
        }
        Ok(Done { items: 1, whole_pass: false })
    }

    async fn range(&mut self, client: &mut Client) -> Result<Done, Status> {
        let request = RangeRequest {
            key: self.plan.keyspace.random_key(&mut self.random),
            range_end: Bytes::from_static(PREFIX_END),
            limit: self.plan.limit,
            serializable: self.plan.serializable,
            ..RangeRequest::default()
        };
        let response = pairs::range(&mut client.ranges, request).await?;
        let full = response.received == self.plan.limit;
        if response.received == 0 || full != (response.count >= self.plan.limit) {
            return Err(Status::data_loss("a range has fewer pairs than it should"));
        }
        Ok(Done { items: response.received as u64, whole_pass: false })
    }

    /// The next page of a pass over all keys at the revision of its first page.
    async fn page(&mut self, client: &mut Client) -> Result<Done, Status> {
        let pass = &mut self.pass;
        let is_first = pass.next_key.is_empty();
        let request = RangeRequest {
            key: if is_first { Bytes::from_static(PREFIX) } else { pass.next_key.clone() },
            range_end: Bytes::from_static(PREFIX_END),
            limit: self.plan.limit,
            revision: pass.revision,
            serializable: self.plan.serializable,
            ..RangeRequest::default()
        };
        let response = match pairs::range(&mut client.ranges, request).await {
            Ok(response) => response,
            Err(status) => {
                // The revision may have been compacted: start another pass.
                self.pass = Pass::default();
                return Err(status);
            }
        };
        if is_first {
            pass.revision = response.revision;
            pass.expected = response.count;
        }
        let items = response.received as u64;
        pass.seen += response.received;
        if response.more && response.received > 0 {
            pass.next_key = Bytes::from([&response.last_key[..], &[0]].concat());
            return Ok(Done { items, whole_pass: false });
        }
        let pass = std::mem::take(pass);
        if pass.seen != pass.expected {
            return Err(Status::data_loss("the pages of a pass are not all keys of its revision"));
        }
        Ok(Done { items, whole_pass: true })
    }

    /// A compare that always holds, so that every transaction writes.
    async fn txn(&mut self, client: &mut Client, number: u64) -> Result<Done, Status> {
        let put = self.put_request(number);
        let compare = Compare {
            result: CompareResult::Greater.into(),
            target: CompareTarget::Version.into(),
            key: put.key.clone(),
            range_end: Bytes::new(),
            target_union: Some(TargetUnion::Version(-1)),
        };
        let request = TxnRequest {
            compare: vec![compare],
            success: vec![RequestOp { request: Some(Request::RequestPut(put)) }],
            failure: Vec::new(),
        };
        let response = client.key_values.txn(request).await?.into_inner();
        if !response.succeeded {
            return Err(Status::data_loss("a compare that holds did not"));
        }
        Ok(Done { items: 1, whole_pass: false })
    }
}
