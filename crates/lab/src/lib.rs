//! The laboratory: protocols run, watched, broken and proved.
//!
//! # Chapters
//! A *chapter* is a protocol with everything that is shown about it ([`chapter`]). The chapters of a family are a crate below
//! `chapters/`, and the crate `chapters` holds the [`registry`] of all families; this crate knows no protocol. Its worlds are
//! compiled once, for [erased processes](volvox_core::erased): a chapter adds its [`shell`], and its models and measurements,
//! which see the worlds through the typed fronts [`check`] and [`sim`]. Everything else is derived:
//!
//! | what | module | on the command line |
//! |---|---|---|
//! | a scenario is run in the simulator, and judged | [`scenario`], [`study`] | `volvox lab run P` |
//! | the same with a process a node, real sockets and files | [`live`] | `volvox lab run P --live` |
//! | a run is drawn | [`diagram`] | `--diagram`, `--svg FILE` |
//! | every schedule of small instances is explored | [`model`] | `volvox lab check P` |
//! | seeds are swept, and what fails is made short | [`shrink`] | `volvox lab sweep P` |
//! | a run that is written down is followed | [`shrink::file`] | `volvox lab script FILE` |
//! | somebody chooses what happens next | [`walk`] | `volvox lab step P` |
//! | nodes restart in the middle of a question | [`restarts`] | in the test of each family |
//! | numbers of the textbook are measured | [`claim`] | `volvox lab claim --all` |
//! | what the rows of the catalogue demand, and what shows that it is met | [`catalogue`], [`evidence`] | `volvox lab show MTX-03` |
//! | how much of the catalogue is done, as the tests found | [`coverage`] | `volvox lab list` |
//!
//! Not every mechanism is a protocol of its own: the [`registry`] knows chapters, *experiments* over processes that exist,
//! and *service rows*, which the product itself realises.
//!
//! The largest protocol, the whole service, has a sweep of its own: `volvox-sweep`.
#![forbid(unsafe_code)]

pub mod catalogue;
pub mod chapter;
pub mod check;
pub mod claim;
pub mod coverage;
pub mod diagram;
pub mod evidence;
pub mod exploring;
pub mod live;
pub mod model;
mod pinned;
pub mod plans;
pub mod plot;
pub mod registry;
pub mod restarts;
pub mod scenario;
pub mod shell;
pub mod shrink;
pub mod sim;
pub mod study;
pub mod walk;
