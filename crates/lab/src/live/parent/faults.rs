//! The faults of a live run: nodes are killed and started, links are cut, and everything is healed at the end.

use super::{LAG, PATIENCE, Run};
use crate::live::LiveError;
use crate::study::{Prepared, damages};
use std::os::unix::process::ExitStatusExt;
use volvox_core::fault::{LinkFault, Target};
use volvox_core::{Duration, Fault, Instant, NodeId, Scheduled};
use volvox_sim::What;

impl Run<'_> {
    pub(super) fn fault(&mut self, fault: Fault) -> Result<(), LiveError> {
        let now = self.now();
        // Earlier happenings come earlier in the picture too.
        self.applied.push(Scheduled { fault: fault.clone(), at: Duration::from_millis(now.0 / 1_000_000) });
        self.shadows.record(now, NodeId(0), What::Fault(fault.clone()));
        match &fault {
            Fault::Crash { who, without_disk } => {
                let id = match who {
                    Target::Node(id) => Some(*id),
                    Target::Leader => self.leader(),
                };
                if id.is_none_or(|id| !self.running.contains_key(&id)) {
                    let why = if id.is_none() { "there was no leader" } else { "the node was down already" };
                    self.in_vain.push(format!("{fault} @ {now}: {why}"));
                }
                if let Some(id) = id.filter(|id| self.running.contains_key(id)) {
                    self.kill(id)?;
                    if *without_disk {
                        let _ = std::fs::remove_dir_all(self.folder.join(id.to_string()));
                        self.replaced.push(id);
                    }
                }
            }
            Fault::Start(id) => self.start(*id)?,
            Fault::Pause(id) | Fault::Resume(id) => {
                let is_pause = matches!(fault, Fault::Pause(_));
                if let Some(running) = self.running.get_mut(id)
                    && running.is_paused != is_pause
                {
                    running.signal(if is_pause { "-STOP" } else { "-CONT" });
                    running.is_paused = is_pause;
                    self.shadows.record(now, *id, if is_pause { What::Paused } else { What::Resumed });
                }
            }
            Fault::Heal => {
                self.active.clear();
                self.tell_faults();
            }
            other => {
                self.active.push(other.clone());
                self.tell_faults();
            }
        }
        Ok(())
    }

    pub(super) fn tell_faults(&mut self) {
        let line = faults_line(&self.active);
        self.running.values_mut().for_each(|running| running.say(&line));
    }

    /// `kill -9`. The earlier reports of the process are replayed first.
    pub(super) fn kill(&mut self, id: NodeId) -> Result<(), LiveError> {
        if self.ended.contains(&id) {
            // Another thread was first.
            return self.found_dead(id);
        }
        let Some(mut running) = self.running.remove(&id) else { return Ok(()) };
        running.child.kill().map_err(LiveError::machine(format!("killing the process of {id}")))?;
        running.child.wait().map_err(LiveError::machine(format!("waiting for the end of {id}")))?;
        let died = self.now();
        let deadline = std::time::Instant::now() + PATIENCE;
        loop {
            match self.heard.recv_timeout(deadline.saturating_duration_since(std::time::Instant::now())) {
                Ok((node, None)) if node == id => break,
                Ok((node, None)) => self.ended.push(node),
                Ok((node, Some(told))) => self.hear(node, told),
                Err(_) => return Err(LiveError::Node { node: id, problem: "is dead but still sends".to_string() }),
            }
        }
        self.buried(id, died)
    }

    /// A process whose output ended without a kill from here: `kill -9` from another shell is part of the run.
    pub(super) fn found_dead(&mut self, id: NodeId) -> Result<(), LiveError> {
        let Some(mut running) = self.running.remove(&id) else { return Ok(()) };
        let died = self.now();
        let status = running.child.wait().map_err(LiveError::machine(format!("waiting for the end of {id}")))?;
        if status.signal().is_none() {
            return Err(LiveError::Node { node: id, problem: format!("ended by itself: {status}") });
        }
        let fault = Fault::Crash { who: Target::Node(id), without_disk: false };
        self.applied.push(Scheduled { fault: fault.clone(), at: Duration::from_millis(died.0 / 1_000_000) });
        self.shadows.record(died, NodeId(0), What::Fault(fault));
        self.buried(id, died)
    }

    /// Replays the reports before a crash, the last one included.
    pub(super) fn buried(&mut self, id: NodeId, died: Instant) -> Result<(), LiveError> {
        std::thread::sleep(LAG);
        while let Ok((node, told)) = self.heard.try_recv() {
            match told {
                Some(told) => self.hear(node, told),
                None => self.ended.push(node),
            }
        }
        self.follow(self.began + died.0)?;
        self.shadows.killed(died, id);
        Ok(())
    }

    pub(super) fn is_damaged(&self, starts_again: bool) -> bool {
        let paused = self.running.values().any(|running| running.is_paused);
        self.active.iter().any(damages) || paused || (starts_again && self.running.len() < self.addresses.len())
    }

    pub(super) fn heal(&mut self, starts_again: bool) -> Result<(), LiveError> {
        self.shadows.record(self.now(), NodeId(0), What::Healed);
        self.active.clear();
        self.tell_faults();
        for running in self.running.values_mut().filter(|running| running.is_paused) {
            running.signal("-CONT");
            running.is_paused = false;
        }
        if starts_again {
            for id in (1..=self.addresses.len() as u64).map(NodeId) {
                self.start(id)?;
            }
        }
        Ok(())
    }
}

/// The scenario's faults of every link, if a live link can have them.
pub(super) fn losses(prepared: &Prepared) -> Vec<Fault> {
    let LinkFault { loss_ppm, .. } = prepared.scenario.network.fault;
    let link = LinkFault { loss_ppm, ..LinkFault::default() };
    if loss_ppm == 0 {
        return Vec::new();
    }
    let nodes = 1..=prepared.settings.nodes;
    let pairs = nodes.clone().flat_map(|from| nodes.clone().map(move |to| (NodeId(from), NodeId(to))));
    pairs.filter(|(from, to)| from != to).map(|(from, to)| Fault::Slow(from, to, link)).collect()
}

pub(super) fn faults_line(active: &[Fault]) -> String {
    let texts: Vec<String> = active.iter().map(ToString::to_string).collect();
    format!("faults {}", texts.join(";"))
}
