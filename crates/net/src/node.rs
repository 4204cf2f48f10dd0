//! Opening a node: from a folder to a restored process.

use crate::boot;
use crate::clock::wall_nanos;
use crate::error::{NodeError, NodeOpenError};
use crate::handle::{NodeHandle, Shared};
use crate::inbox::Inbox;
use crate::life::{Began, Life};
use crate::live::Live;
use crate::options::{FreshLife, NodeOptions};
use crate::run::Runner;
use crate::site::{Name, Site};
use crate::tls::TlsFiles;
use crate::writer::Writer;
use arc_swap::ArcSwap;
use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use volvox_core::{Environment, Incarnation, Position, Restored, Rng, WhichBoot, decode_shared};
use volvox_disk::{Directory, Identity, Log, Loss, Outcome, Recovered};

/// A node that is open and does not run yet. [`Node::run`] runs it.
pub struct Node<P: Live> {
    runner: Runner<P>,
}

impl<P: Live> Node<P> {
    /// Opens the folder, determines the incarnation, and restores the process. Blocks on the disk.
    ///
    /// `config_of` makes the configuration of the process, which may depend on the life. `on_event` is handed every
    /// event, on the thread of the node and after the view that contains it was published; it must be quick.
    ///
    /// # Errors
    /// When the log, the peer address or the files for TLS are not usable.
    pub fn open<D: Directory + 'static>(
        options: NodeOptions,
        directory: D,
        config_of: impl FnOnce(&Life) -> P::Config,
        on_event: impl FnMut(P::Event) + 'static,
    ) -> Result<(Node<P>, NodeHandle<P>), NodeOpenError> {
        let failed = |source| NodeOpenError::Listen { address: options.listen, source };
        let tls = options.tls.clone().map(TlsFiles::load).transpose()?;
        let listener = TcpListener::bind(options.listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let listen = listener.local_addr().map_err(failed)?;

        let (mut log, recovered) = Log::open(directory, options.log.clone())?;
        let life = begin_life(&mut log, &recovered, &options)?;
        let boot = boot::count(log.directory(), life.incarnation)?;
        let mut process = P::new(options.id, &options.members, &config_of(&life));
        if life.began == Began::Resumed {
            restore(&mut process, &log, recovered)?;
        }
        let name = Name { me: life.node, cluster: life.cluster, incarnation: life.incarnation };
        let site = Arc::new(Site::new(name, options.limits.clone(), options.development, tls, options.peers.clone()));
        let seed = Rng::new(options.seed.unwrap_or_else(random_u64));
        let last = Position(log.next_position().0 - 1);
        let mut environment = Environment::new(life.node, life.incarnation, last, &seed);
        environment.boot = WhichBoot::Known(boot);
        let shared = Arc::new(Shared {
            inbox: Arc::new(Inbox::new(options.limits.inbox_messages_max, options.limits.inbox_bytes_max)),
            commands: Mutex::new(VecDeque::new()),
            view: ArcSwap::from_pointee(process.view()),
            site: Arc::clone(&site),
            life,
            listen,
        });
        let writer = Writer::start(log, site).map_err(NodeOpenError::Thread)?;
        let runner = Runner::new(process, environment, Arc::clone(&shared), listener, writer, Box::new(on_event));
        Ok((Node { runner }, NodeHandle { shared }))
    }

    /// Runs the node until it is asked to stop, or has to. Any runtime of tokio with time and I/O will do; on a
    /// current-thread one, node and sockets share its thread.
    ///
    /// # Errors
    /// When the log failed: the node must not continue, because the state of the disk is unknown.
    pub async fn run(self) -> Result<(), NodeError> {
        self.runner.run().await
    }
}

/// Determines the incarnation; a new one is on the disk when this returns.
fn begin_life<D: Directory>(
    log: &mut Log<D>,
    recovered: &Recovered,
    options: &NodeOptions,
) -> Result<Life, NodeOpenError> {
    if let Some(found) = &recovered.identity
        && (found.node, found.cluster) != (options.id, options.cluster)
    {
        return Err(NodeOpenError::Foreign {
            found_node: found.node,
            found_cluster: found.cluster,
            node: options.id,
            cluster: options.cluster,
        });
    }
    let node = options.id;
    let life = |incarnation, began| Life { cluster: options.cluster, node, incarnation, began };
    let before = recovered.identity.map(|identity| identity.incarnation);
    let life = match (&recovered.outcome, before) {
        (Outcome::Fresh, _) => life(first_incarnation(options.fresh), Began::Fresh),
        (Outcome::Lost(loss), _) => {
            tracing::error!(%node, ?before, "records are lost: {loss:?}; the node continues as a new incarnation, with nothing");
            life(fresh_incarnation(before), Began::AfterLoss(loss.clone()))
        }
        (Outcome::Intact | Outcome::TornTail { .. }, None) => {
            life(fresh_incarnation(None), Began::AfterLoss(Loss::Identity))
        }
        (outcome, Some(incarnation)) => {
            if let Outcome::TornTail { segment, bytes, first } = outcome {
                tracing::warn!(%node, segment, ?bytes, %first, "an unacknowledged write was cut from the end of the log");
            }
            return Ok(life(incarnation, Began::Resumed));
        }
    };
    tracing::info!(%node, incarnation = %life.incarnation, began = ?life.began, "a new life");
    let identity = Identity { cluster: life.cluster, node, incarnation: life.incarnation, nonce: random_u64() };
    log.start_life(identity).map_err(NodeOpenError::Identity)?;
    Ok(life)
}

fn first_incarnation(fresh: FreshLife) -> Incarnation {
    match fresh {
        FreshLife::Bootstrap => Incarnation::FIRST,
        FreshLife::Join => fresh_incarnation(None),
    }
}

/// An incarnation that this node never had: the wall clock has moved since the last choice, and if it is known not to
/// have moved, the next number is taken.
fn fresh_incarnation(before: Option<Incarnation>) -> Incarnation {
    let wall = u64::try_from(wall_nanos()).unwrap_or(0);
    Incarnation(wall.max(before.map_or(0, |before| before.0) + 1).max(2))
}

fn restore<P: Live, D: Directory>(process: &mut P, log: &Log<D>, recovered: Recovered) -> Result<(), NodeOpenError> {
    for number in &recovered.parts {
        process.on_restore(Restored::Part(log.read_part(*number)?));
    }
    if recovered.covers.0 > 0 || !recovered.parts.is_empty() {
        process.on_restore(Restored::CheckpointEnd { covers: recovered.covers });
    }
    for (position, bytes) in recovered.records {
        let record = decode_shared(&bytes).map_err(|source| NodeOpenError::Record { position, source })?;
        process.on_restore(Restored::Record { position, record });
    }
    Ok(())
}

/// From the operating system.
fn random_u64() -> u64 {
    let mut bytes = [0; 8];
    match volvox_certificates::provider().secure_random.fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => fastrand::u64(..) ^ wall_nanos() as u64,
    }
}
