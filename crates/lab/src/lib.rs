//! The laboratory: protocols run, watched, broken and proved.
//!
//! # Chapters
//! A *chapter* is a protocol with everything that is shown about it ([`chapter`]); the registry ([`chapters::all`]) holds one
//! line for each. Everything else is derived from these lines:
//!
//! | what | module | on the command line |
//! |---|---|---|
//! | a scenario is run in the simulator, and judged | [`scenario`], [`study`] | `volvox lab run P` |
//! | the same with a process a node, real sockets and files | [`live`] | `volvox lab run P --live` |
//! | a run is drawn | [`diagram`] | `--diagram`, `--svg FILE` |
//! | every schedule of small instances is explored | [`model`] | `volvox lab check P` |
//! | seeds are swept, and what fails is made short | [`shrink`] | `volvox lab sweep P`, `volvox lab replay FILE` |
//! | numbers of the textbook are measured | [`claim`] | `volvox lab claim --all` |
//! | how much of the catalogue is done, as the tests found | [`coverage`] | `volvox lab list` |
//!
//! The largest protocol, the whole service, has a sweep of its own: `volvox-sweep`.
#![forbid(unsafe_code)]

pub mod chapter;
pub mod chapters;
pub mod claim;
pub mod coverage;
pub mod diagram;
pub mod live;
pub mod model;
pub mod plot;
pub mod registry;
pub mod scenario;
pub mod shrink;
pub mod study;
