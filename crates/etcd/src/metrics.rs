//! The counters of the door.

mod exposition;
mod process;

pub use exposition::{CONTENT_TYPE, render};

use crate::grpc::Code;
use crate::method::Method;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use volvox_store::{ResponseOp, TxnResponse};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds this many.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// Subtracts this many: for what is open at the moment.
    pub fn sub(&self, less: u64) {
        self.0.fetch_sub(less, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one method.
#[derive(Debug, Default)]
pub struct MethodCounts {
    started: Count,
    received: Count,
    sent: Count,
    handled: [Count; Code::ALL.len()],
}

/// Operations on the store that were done.
#[derive(Debug, Default)]
pub struct Operations {
    /// Ranges read.
    pub ranges: Count,
    /// Pairs written.
    pub puts: Count,
    /// Ranges deleted.
    pub deletes: Count,
}

impl Operations {
    /// The operations of a transaction.
    pub fn add_all(&self, txn: &TxnResponse) {
        // Nested no deeper than the decoder let in.
        for response in &txn.responses {
            match response {
                ResponseOp::Range(_) => self.ranges.add(1),
                ResponseOp::Put(_) => self.puts.add(1),
                ResponseOp::DeleteRange(_) => self.deletes.add(1),
                ResponseOp::Txn(inner) => self.add_all(inner),
            }
        }
    }
}

/// All counters of the door.
#[derive(Debug)]
pub struct Metrics {
    methods: Vec<MethodCounts>,
    /// Bytes of messages received.
    pub received_bytes: Count,
    /// Bytes of messages sent.
    pub sent_bytes: Count,
    /// Watch events sent.
    pub events: Count,
    /// Lists of watch events encoded; watchers that get the same list share one.
    pub encodings: Count,
    /// The operations of clients on the store, including those inside transactions.
    pub operations: Operations,
    /// Leases renewed.
    pub renewals: Count,
    /// Linearizable reads that failed.
    pub failed_reads: Count,
    /// Connections that are open.
    pub connections: Count,
    /// Connections turned away because there were too many.
    pub connections_refused: Count,
    /// Health checks that found the member healthy.
    pub health_success: Count,
    /// Health checks that did not.
    pub health_failures: Count,
}

impl Metrics {
    /// All zero.
    pub fn new() -> Metrics {
        Metrics {
            methods: Method::ALL.iter().map(|_| MethodCounts::default()).collect(),
            received_bytes: Count::default(),
            sent_bytes: Count::default(),
            events: Count::default(),
            encodings: Count::default(),
            operations: Operations::default(),
            renewals: Count::default(),
            failed_reads: Count::default(),
            connections: Count::default(),
            connections_refused: Count::default(),
            health_success: Count::default(),
            health_failures: Count::default(),
        }
    }

    /// How often a method has been handled with a code.
    pub fn handled(&self, method: Method, code: Code) -> u64 {
        self.methods[method as usize].handled[code as usize].get()
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

/// One call in progress: counts it exactly once, however it ends. Dropped before it was finished, it was canceled.
#[derive(Debug)]
pub struct Call {
    metrics: Arc<Metrics>,
    method: Method,
    finished: bool,
}

impl Call {
    /// A call begins.
    pub fn start(metrics: &Arc<Metrics>, method: Method) -> Call {
        metrics.methods[method as usize].started.add(1);
        Call { metrics: Arc::clone(metrics), method, finished: false }
    }

    /// A message came.
    pub fn received_message(&self, bytes: usize) {
        self.metrics.methods[self.method as usize].received.add(1);
        self.metrics.received_bytes.add(bytes as u64);
    }

    /// A message goes out.
    pub fn sent_message(&self) {
        self.metrics.methods[self.method as usize].sent.add(1);
    }

    /// Bytes go out.
    pub fn sent_bytes(&self, bytes: usize) {
        self.metrics.sent_bytes.add(bytes as u64);
    }

    /// The call is over.
    pub fn finish(mut self, code: Code) {
        self.count(code);
    }

    /// For a stream: counts the messages of the call from elsewhere.
    pub fn counter(&self) -> MessageCounter {
        MessageCounter { metrics: Arc::clone(&self.metrics), method: self.method }
    }

    fn count(&mut self, code: Code) {
        self.finished = true;
        self.metrics.methods[self.method as usize].handled[code as usize].add(1);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.finished {
            self.count(Code::Canceled);
        }
    }
}

/// Counts the messages of a stream.
#[derive(Clone, Debug)]
pub struct MessageCounter {
    metrics: Arc<Metrics>,
    method: Method,
}

impl MessageCounter {
    /// A message came.
    pub fn received(&self, bytes: usize) {
        self.metrics.methods[self.method as usize].received.add(1);
        self.metrics.received_bytes.add(bytes as u64);
    }

    /// Messages go out.
    pub fn sent(&self, messages: u64) {
        self.metrics.methods[self.method as usize].sent.add(messages);
    }
}
