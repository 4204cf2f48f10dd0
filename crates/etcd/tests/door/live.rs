//! A backend of one node: the replica itself, in a small world of its own whose disk is always durable.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant as Clock;
use volvox_core::{Context, Effect, EffectOf, Environment, Incarnation, Instant, NodeId, Now, Position, Process, Rng};
use volvox_etcd::{Backend, Dispatcher, Overloaded};
use volvox_replica::{Command, Config, Event, Member, Replica, View};

/// The member.
pub const MEMBER: u64 = 3;
/// Its cluster.
pub const CLUSTER: u64 = 0xc1;

/// The backend.
#[derive(Clone)]
pub struct Live {
    pub dispatcher: Arc<Dispatcher>,
    commands: mpsc::UnboundedSender<Command>,
    view: Arc<Mutex<Arc<View>>>,
}

impl Live {
    /// A node that leads its cluster of one.
    pub async fn start() -> Live {
        Live::start_with(|_| {}).await
    }

    pub async fn start_with(configure: impl FnOnce(&mut Config)) -> Live {
        let id = NodeId(MEMBER);
        let raft = volvox_raft::Config {
            initial: Some(volvox_raft::Configuration::of([volvox_raft::Member::new(MEMBER, 1)])),
            heartbeat: Duration::from_millis(5),
            election_timeout: Duration::from_millis(30),
            ..volvox_raft::Config::default()
        };
        let member = Member {
            id,
            name: String::new(),
            peer_urls: vec!["http://127.0.0.1:2380".to_owned()],
            client_urls: Vec::new(),
            is_learner: false,
        };
        let mut config = Config::new(raft, CLUSTER, vec![member], id);
        config.client_urls = vec!["http://127.0.0.1:2379".to_owned()];
        configure(&mut config);
        let replica = Replica::new(id, &[id], &config);
        let (commands, inbox) = mpsc::unbounded_channel();
        let view = Arc::new(Mutex::new(Arc::new(replica.view())));
        let live = Live { dispatcher: Arc::new(Dispatcher::new()), commands, view: Arc::clone(&view) };
        let environment = Environment::new(id, Incarnation(1), Position::NONE, &Rng::new(7));
        let dispatcher = Arc::clone(&live.dispatcher);
        let world = World {
            replica,
            environment,
            effects: Vec::new(),
            events: Vec::new(),
            timers: BTreeMap::new(),
            began: Clock::now(),
            view,
            dispatcher,
        };
        tokio::spawn(world.run(inbox));
        live.until(|view| view.members.iter().any(|member| !member.name.is_empty())).await;
        live
    }

    /// Waits until the view is as wished.
    pub async fn until(&self, wished: impl Fn(&View) -> bool) {
        let mut looks = tokio::time::interval(Duration::from_millis(1));
        crate::server::within(async {
            while !wished(&self.view()) {
                looks.tick().await;
            }
        })
        .await;
    }
}

impl Backend for Live {
    fn command(&self, command: Command) -> Result<(), Overloaded> {
        self.commands.send(command).map_err(|_| Overloaded)
    }

    fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.lock().unwrap())
    }
}

struct World {
    replica: Replica,
    environment: Environment,
    effects: Vec<EffectOf<Replica>>,
    events: Vec<Event>,
    timers: BTreeMap<<Replica as Process>::Timer, Clock>,
    began: Clock,
    view: Arc<Mutex<Arc<View>>>,
    dispatcher: Arc<Dispatcher>,
}

impl World {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Command>) {
        self.step(|replica, cx| replica.on_start(cx));
        loop {
            let due = self.timers.iter().min_by_key(|(_, at)| **at).map(|(timer, at)| (*timer, *at));
            let (timer, at) = due.expect("a replica always waits for something");
            tokio::select! {
                biased;
                command = inbox.recv() => match command {
                    Some(command) => self.step(|replica, cx| replica.on_command(command, cx)),
                    None => return,
                },
                () = tokio::time::sleep_until(at) => {
                    self.timers.remove(&timer);
                    self.step(|replica, cx| replica.on_timer(timer, cx));
                }
            }
        }
    }

    /// One step, and whatever its records being durable leads to.
    fn step(&mut self, handler: impl FnOnce(&mut Replica, &mut Context<'_, Replica>)) {
        self.environment.now = Now::Known(Instant(self.began.elapsed().as_nanos() as u64));
        handler(&mut self.replica, &mut Context::new(&mut self.environment, &mut self.effects));
        let mut durable = self.carry_out();
        while let Some(through) = durable.take() {
            self.replica.on_persisted(through, &mut Context::new(&mut self.environment, &mut self.effects));
            durable = self.carry_out();
        }
        // The view comes first: a client that receives an event may look at once.
        *self.view.lock().unwrap() = Arc::new(self.replica.view());
        for event in self.events.drain(..) {
            self.dispatcher.on_event(event);
        }
    }

    fn carry_out(&mut self) -> Option<Position> {
        let mut persisted = None;
        for effect in self.effects.drain(..) {
            match effect {
                Effect::Persist { position, .. } => persisted = Some(position),
                Effect::Emit { event, .. } => self.events.push(event),
                Effect::SetTimer { timer, after } => {
                    self.timers.insert(timer, Clock::now() + after);
                }
                Effect::CancelTimer { timer } => {
                    self.timers.remove(&timer);
                }
                Effect::Send { .. }
                | Effect::CheckpointPart { .. }
                | Effect::CheckpointDone { .. }
                | Effect::Note(_) => {}
            }
        }
        persisted
    }
}
