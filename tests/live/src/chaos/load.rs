//! Clients that write and read all the time, and record what was acknowledged.
//!
//! Every writer has a key space of its own, writes each key once, and a register that only rises. A read must never
//! show less than what was acknowledged, or seen by a read that had ended, before it began. A write whose outcome is
//! unknown may happen at any later time, so after one the writer turns to another register.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tonic::transport::{Channel, Endpoint};
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::{PutRequest, RangeRequest};

/// A client gives a request up after this, and asks another node.
const REQUEST_LIMIT: Duration = Duration::from_secs(4);
const CONNECT_LIMIT: Duration = Duration::from_millis(500);
/// After an error a client does not storm the next node.
const PAUSE: Duration = Duration::from_millis(10);

/// One acknowledged write.
#[derive(Clone, Copy, Debug)]
pub struct Acknowledged {
    /// When the request began.
    pub began: Instant,
    /// When it was acknowledged.
    pub ended: Instant,
}

/// The acknowledged writes of one writer.
#[derive(Default)]
pub struct Promises {
    /// The sequences whose key was acknowledged.
    pub written: Mutex<Vec<u64>>,
    register: Mutex<Register>,
}

/// The register that a writer uses now.
#[derive(Clone, Copy, Default)]
struct Register {
    /// One more after every write whose outcome is unknown.
    generation: u64,
    /// The newest value that was acknowledged, or seen by a finished read.
    floor: u64,
}

impl Promises {
    fn register(&self) -> Register {
        *self.register.lock().expect("no panic holds this lock")
    }

    /// A value of this generation is known.
    fn on_known(&self, generation: u64, value: u64) {
        let mut register = self.register.lock().expect("no panic holds this lock");
        if register.generation == generation {
            register.floor = register.floor.max(value);
        }
    }

    /// The outcome of a write is not known.
    fn on_unknown(&self) {
        let mut register = self.register.lock().expect("no panic holds this lock");
        *register = Register { generation: register.generation + 1, floor: 0 };
    }
}

/// All clients.
pub struct Load {
    /// One for each writer.
    pub promises: Vec<Arc<Promises>>,
    /// Every acknowledged write, for the gaps.
    pub acknowledged: Mutex<Vec<Acknowledged>>,
    /// Reads that went back in time.
    pub violations: Mutex<Vec<String>>,
    /// Requests that failed, whatever the reason.
    pub errors: AtomicU64,
    /// Reads that were answered.
    pub reads: AtomicU64,
    /// Keeps the keys of one load apart from those of another.
    pub run: String,
    /// The nodes that the clients may use; they move to another one when their present node fails.
    endpoints: Mutex<Vec<String>>,
    /// How often all clients were called back to their first node.
    recalls: AtomicU64,
    stop: AtomicBool,
}

impl Load {
    /// Starts `writers` writers and as many readers on these nodes, with keys of their own.
    pub fn start(run: &str, endpoints: &[String], writers: usize) -> (Arc<Load>, Vec<tokio::task::JoinHandle<()>>) {
        let load = Arc::new(Load {
            promises: (0..writers).map(|_| Arc::default()).collect(),
            acknowledged: Mutex::default(),
            violations: Mutex::default(),
            errors: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            run: run.to_owned(),
            endpoints: Mutex::new(endpoints.to_vec()),
            recalls: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        });
        let mut tasks = Vec::new();
        for number in 0..writers {
            tasks.push(tokio::spawn(write(Arc::clone(&load), number, Client::new(&load, number))));
            tasks.push(tokio::spawn(read(Arc::clone(&load), number, Client::new(&load, number + 1))));
        }
        (load, tasks)
    }

    /// The members are others now.
    pub fn set_endpoints(&self, endpoints: &[String]) {
        *self.endpoints.lock().expect("no panic holds this lock") = endpoints.to_vec();
    }

    /// Calls every client back to its first node. Each fault drives some away from a node; eventually all would be at
    /// the leader, and the measurement would show how long a client waits for a node that cannot answer.
    pub fn spread(&self) {
        self.recalls.fetch_add(1, Ordering::Relaxed);
    }

    fn endpoint(&self, turn: usize) -> String {
        let endpoints = self.endpoints.lock().expect("no panic holds this lock");
        endpoints[turn % endpoints.len()].clone()
    }

    /// Tells every client to end after its present request.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// How long after `moment` the first write was acknowledged that began after it.
    pub fn gap_after(&self, moment: Instant) -> Option<Duration> {
        let acknowledged = self.acknowledged.lock().expect("no panic holds this lock");
        let after =
            acknowledged.iter().rev().take_while(|write| write.ended > moment).filter(|write| write.began >= moment);
        after.map(|write| write.ended - moment).min()
    }
}

/// A client with one connection at a time; it goes to the next node after an error.
struct Client {
    load: Arc<Load>,
    home: usize,
    recalls: u64,
    turn: usize,
    /// The node at the other end of the connection.
    endpoint: String,
    connection: Option<KvClient<Channel>>,
}

impl Client {
    fn new(load: &Arc<Load>, turn: usize) -> Client {
        Client { load: Arc::clone(load), home: turn, recalls: 0, turn, endpoint: String::new(), connection: None }
    }

    async fn ask<T, Answer>(&mut self, call: impl FnOnce(KvClient<Channel>) -> Answer) -> Option<T>
    where
        Answer: Future<Output = Result<T, tonic::Status>>,
    {
        let recalls = self.load.recalls.load(Ordering::Relaxed);
        if recalls != self.recalls {
            (self.recalls, self.turn, self.connection) = (recalls, self.home, None);
        }
        if self.connection.is_none() {
            self.endpoint = self.load.endpoint(self.turn);
            let endpoint = Endpoint::from_shared(self.endpoint.clone()).expect("an address of ours");
            match endpoint.connect_timeout(CONNECT_LIMIT).tcp_nodelay(true).connect().await {
                Ok(channel) => self.connection = Some(KvClient::new(channel)),
                Err(_) => return self.turn_away().await,
            }
        }
        let connection = self.connection.clone().expect("just connected");
        match tokio::time::timeout(REQUEST_LIMIT, call(connection)).await {
            Ok(Ok(answer)) => Some(answer),
            _ => self.turn_away().await,
        }
    }

    async fn turn_away<T>(&mut self) -> Option<T> {
        self.connection = None;
        self.turn += 1;
        tokio::time::sleep(PAUSE).await;
        None
    }
}

impl Load {
    /// The key that writer `number` writes as its `sequence`-th.
    pub fn key_of(&self, number: usize, sequence: u64) -> Vec<u8> {
        format!("chaos/{}/{number:03}/{sequence:010}", self.run).into_bytes()
    }

    fn register_of(&self, number: usize, generation: u64) -> Vec<u8> {
        format!("chaos/{}/register/{number:03}/{generation:06}", self.run).into_bytes()
    }
}

async fn write(load: Arc<Load>, number: usize, mut client: Client) {
    let promises = Arc::clone(&load.promises[number]);
    let mut sequence = 0;
    while !load.stop.load(Ordering::Relaxed) {
        sequence += 1;
        let is_register = sequence % 2 == 0;
        let generation = promises.register().generation;
        let key = if is_register { load.register_of(number, generation) } else { load.key_of(number, sequence) };
        let put = PutRequest { key: key.into(), value: sequence.to_string().into(), ..PutRequest::default() };
        let began = Instant::now();
        match client.ask(|mut kv| async move { kv.put(put).await }).await {
            Some(_) => {
                if is_register {
                    promises.on_known(generation, sequence);
                } else {
                    promises.written.lock().expect("no panic holds this lock").push(sequence);
                }
                let write = Acknowledged { began, ended: Instant::now() };
                load.acknowledged.lock().expect("no panic holds this lock").push(write);
            }
            None => {
                load.errors.fetch_add(1, Ordering::Relaxed);
                promises.on_unknown();
            }
        }
    }
}

async fn read(load: Arc<Load>, number: usize, mut client: Client) {
    let promises = Arc::clone(&load.promises[number]);
    while !load.stop.load(Ordering::Relaxed) {
        let Register { generation, floor } = promises.register();
        let range = RangeRequest { key: load.register_of(number, generation).into(), ..RangeRequest::default() };
        let Some(answer) = client.ask(|mut kv| async move { kv.range(range).await }).await else {
            load.errors.fetch_add(1, Ordering::Relaxed);
            continue;
        };
        load.reads.fetch_add(1, Ordering::Relaxed);
        let pairs = answer.into_inner().kvs;
        let value = pairs
            .first()
            .map_or(0, |pair| std::str::from_utf8(&pair.value).map_or(0, |text| text.parse().unwrap_or(0)));
        if value < floor {
            let node = &client.endpoint;
            let said = format!("register {number}: {node} said {value} after {floor} was known");
            load.violations.lock().expect("no panic holds this lock").push(said);
        }
        promises.on_known(generation, value);
    }
}
