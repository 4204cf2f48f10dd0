//! A backend of one node that is always the leader and applies at once: a real store behind a lock.

use std::sync::{Arc, Mutex};
use volvox_core::{NodeId, Process};
use volvox_etcd::{Backend, Dispatcher, Overloaded};
use volvox_replica::members::{MemberAction, Members};
use volvox_replica::{Command, Config, Error, Event, Member, MemberRequest, Replica, Reply, Request, Ticket, View};
use volvox_store::quota::cost;
use volvox_store::{AlarmAction, AlarmRequest, AlarmType, Command as Write, Store, StoreConfig};

/// The member that the fake is.
pub const MEMBER: u64 = 3;
/// Its cluster.
pub const CLUSTER: u64 = 0xc1;
/// An encoded request may not be larger.
pub const REQUEST_BYTES_MAX: usize = 1_572_864;

/// The backend.
#[derive(Clone)]
pub struct Fake {
    pub dispatcher: Arc<Dispatcher>,
    state: Arc<Mutex<State>>,
}

pub struct State {
    /// The view of a replica that has done nothing yet.
    blank: View,
    pub store: Store,
    pub members: Members,
    pub leader: Option<NodeId>,
    pub is_learner: bool,
    pub quota_bytes: i64,
    /// Every command that was not a request.
    pub others: Vec<Command>,
    /// Requests are kept and not answered.
    pub silent: bool,
    pub unanswered: Vec<Ticket>,
    pub overloaded: bool,
}

impl Fake {
    pub fn new() -> Fake {
        let mut members = Members::default();
        let member = Member {
            id: NodeId(MEMBER),
            name: "three".to_owned(),
            peer_urls: vec!["http://127.0.0.1:2380".to_owned()],
            client_urls: vec!["http://127.0.0.1:2379".to_owned()],
            is_learner: false,
        };
        members.apply(&MemberAction::Bootstrap(vec![member])).unwrap();
        let id = NodeId(MEMBER);
        let config = Config::new(volvox_raft::Config::default(), CLUSTER, Vec::new(), id);
        let state = State {
            blank: Replica::new(id, &[id], &config).view(),
            store: Store::new(StoreConfig::default()),
            members,
            leader: Some(NodeId(MEMBER)),
            is_learner: false,
            quota_bytes: 0,
            others: Vec::new(),
            silent: false,
            unanswered: Vec::new(),
            overloaded: false,
        };
        Fake { dispatcher: Arc::new(Dispatcher::new()), state: Arc::new(Mutex::new(state)) }
    }

    /// Looks at the state, or changes it.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }
}

impl Backend for Fake {
    fn command(&self, command: Command) -> Result<(), Overloaded> {
        let mut state = self.state.lock().unwrap();
        if state.overloaded {
            return Err(Overloaded);
        }
        let Command::Request { ticket, request } = command else {
            state.others.push(command);
            return Ok(());
        };
        if state.silent {
            state.unanswered.push(ticket);
            return Ok(());
        }
        let result = state.answer(request);
        drop(state);
        self.dispatcher.on_event(Event::Reply { ticket, result });
        Ok(())
    }

    fn view(&self) -> Arc<View> {
        Arc::new(self.state.lock().unwrap().view())
    }
}

impl State {
    fn view(&self) -> View {
        let mut view = self.blank.clone();
        view.store = self.store.view();
        view.members = Arc::new(self.members.list());
        view.status.leader = self.leader;
        view.status.is_learner = self.is_learner;
        view.status.quota_bytes = self.quota_bytes;
        view
    }

    fn answer(&mut self, request: Request) -> Result<Reply, Error> {
        match request {
            Request::Write(write) => self.write(&write),
            Request::ForUser { request, .. } => self.answer(*request),
            Request::UseToken { .. } => Ok(Reply::TokenUsed),
            Request::Read if self.leader.is_none() => Err(Error::NoLeader),
            Request::Read => Ok(Reply::ReadReady),
            Request::LeaseKeepAlive { lease } => {
                Ok(Reply::KeptAlive { ttl: self.store.state().lease(lease).map_or(0, |lease| lease.granted_ttl) })
            }
            Request::LeaseTimeToLive { lease } => Ok(match self.store.state().lease(lease) {
                None => Reply::TimeToLive { ttl: -1, granted_ttl: 0, keys: Vec::new() },
                Some(found) => Reply::TimeToLive {
                    ttl: found.granted_ttl,
                    granted_ttl: found.granted_ttl,
                    keys: self.store.state().lease_keys(lease),
                },
            }),
            Request::Member(MemberRequest::Add { peer_urls, is_learner }) => {
                self.change(&MemberAction::Add { peer_urls, is_learner })
            }
            Request::Member(MemberRequest::Remove { id }) => self.change(&MemberAction::Remove(id)),
            Request::Member(MemberRequest::Update { id, peer_urls }) => {
                self.change(&MemberAction::Update(id, peer_urls))
            }
            Request::Member(MemberRequest::Promote { id }) => self.change(&MemberAction::Promote(id)),
            Request::MoveLeader { to } if self.leader != Some(NodeId(MEMBER)) => {
                let _ = to;
                Err(Error::NotLeader)
            }
            Request::MoveLeader { to } => match self.members.get(to) {
                Some(member) if !member.is_learner => Ok(Reply::LeaderMoved),
                _ => Err(Error::BadTransferee),
            },
        }
    }

    fn write(&mut self, write: &Write) -> Result<Reply, Error> {
        if volvox_core::Encode::to_bytes(write).len() > REQUEST_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        if self.store.state().exceeds_quota(cost(write), self.quota_bytes) {
            let (action, alarm) = (AlarmAction::Activate, AlarmType::NoSpace);
            let alarm = Write::Alarm(AlarmRequest { action, member_id: MEMBER, alarm });
            self.store.apply(&alarm).map_err(Error::Store)?;
        }
        let reply = self.store.apply(write).map_err(Error::Store)?;
        self.store.take_events();
        Ok(Reply::Written(reply))
    }

    fn change(&mut self, action: &MemberAction) -> Result<Reply, Error> {
        let added = self.members.apply(action)?;
        Ok(Reply::Members { added, members: self.members.list() })
    }
}
