//! A node on a thread of its own.

use crate::error::{NodeError, NodeOpenError};
use crate::handle::NodeHandle;
use crate::live::Live;
use crate::node::Node;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread;

/// A node that runs on its own thread, with its own current-thread runtime.
#[derive(Debug)]
pub struct NodeThread {
    thread: thread::JoinHandle<Result<(), NodeError>>,
}

impl NodeThread {
    /// Waits until the node has ended, and returns the reason.
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
/// When the thread cannot be started or the node cannot be opened.
pub fn spawn_thread<P: Live>(
    name: &str,
    open: impl FnOnce() -> Result<(Node<P>, NodeHandle<P>), NodeOpenError> + Send + 'static,
) -> Result<(NodeHandle<P>, NodeThread), NodeOpenError> {
    let (opened, is_open) = sync_channel::<()>(1);
    let result = Arc::new(Mutex::new(None));
    let put = Arc::clone(&result);
    let tell = move |result| {
        *put.lock().expect("no panic holds this lock") = Some(result);
        let _ = opened.send(());
    };
    let body = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tell(Err(NodeOpenError::Thread(error)));
                return Ok(());
            }
        };
        match open() {
            Ok((node, handle)) => {
                tell(Ok(handle));
                runtime.block_on(node.run())
            }
            Err(error) => {
                tell(Err(error));
                Ok(())
            }
        }
    };
    let thread = start(name, Box::new(body))?;
    // It ends silently when the thread does.
    let _ = is_open.recv();
    let result = result.lock().expect("no panic holds this lock").take();
    let ended = || NodeOpenError::Thread(std::io::Error::other("the thread ended while it opened the node"));
    Ok((result.ok_or_else(ended)??, NodeThread { thread }))
}

/// The work of the thread; one type for all processes, so that threads and channels are not compiled again for each.
type Body = Box<dyn FnOnce() -> Result<(), NodeError> + Send>;

fn start(name: &str, body: Body) -> Result<thread::JoinHandle<Result<(), NodeError>>, NodeOpenError> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(NodeOpenError::Thread)
}
