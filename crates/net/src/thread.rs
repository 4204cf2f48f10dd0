//! A node on a thread of its own.

use crate::error::{NodeError, NodeOpenError};
use crate::handle::NodeHandle;
use crate::node::{Live, Node};
use std::sync::mpsc::sync_channel;
use std::thread;

/// A node that runs on its own thread, with its own current-thread runtime.
#[derive(Debug)]
pub struct NodeThread {
    thread: thread::JoinHandle<Result<(), NodeError>>,
}

impl NodeThread {
    /// Waits until the node has ended, and says why.
    ///
    /// # Errors
    /// When it had to stop.
    ///
    /// # Panics
    /// When the node panicked.
    pub fn join(self) -> Result<(), NodeError> {
        match self.thread.join() {
            Ok(ended) => ended,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Whether the node has ended.
    pub fn is_finished(&self) -> bool {
        self.thread.is_finished()
    }
}

/// Opens a node on a new thread and runs it there. A door on another thread reaches it through the handle; without
/// this, a caller polls [`Node::run`] on the runtime that its doors use, and nothing crosses threads but the disk.
///
/// # Errors
/// When the thread cannot be started or the node not be opened.
pub fn spawn_thread<P: Live>(
    name: &str,
    open: impl FnOnce() -> Result<(Node<P>, NodeHandle<P>), NodeOpenError> + Send + 'static,
) -> Result<(NodeHandle<P>, NodeThread), NodeOpenError> {
    let (opened, result) = sync_channel(1);
    let body = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = opened.send(Err(NodeOpenError::Thread(error)));
                return Ok(());
            }
        };
        match open() {
            Ok((node, handle)) => {
                let _ = opened.send(Ok(handle));
                runtime.block_on(node.run())
            }
            Err(error) => {
                let _ = opened.send(Err(error));
                Ok(())
            }
        }
    };
    let thread = thread::Builder::new().name(name.to_owned()).spawn(body).map_err(NodeOpenError::Thread)?;
    match result.recv() {
        Ok(opened) => opened.map(|handle| (handle, NodeThread { thread })),
        Err(_) => Err(NodeOpenError::Thread(std::io::Error::other("the thread ended while it opened the node"))),
    }
}
