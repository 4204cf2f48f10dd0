//! The laboratory: runs, draws, breaks and checks protocols.
//!
//! # Chapters
//! A *chapter* is a protocol with its models, claims and scenario ([`chapter`]). The chapters of a family are a crate
//! below `chapters/`, and the crate `chapters` contains the [`registry`] of all families; this crate knows no protocol.
//! Its worlds are compiled once, for [erased processes](volvox_core::erased): a chapter adds its [`shell`], its models
//! and its measurements, which use the worlds through the typed fronts [`check`] and [`sim`]. Everything else is
//! derived:
//!
//! | what | module | on the command line |
//! |---|---|---|
//! | a scenario is run in the simulator, and judged | [`scenario`], [`study`] | `volvox lab run P` |
//! | the same with one OS process per node, real sockets and files | [`live`] | `volvox lab run P --live` |
//! | a run is drawn | [`diagram`] | `--diagram`, `--svg FILE` |
//! | every schedule of small instances is explored | [`model`] | `volvox lab check P` |
//! | so are instances that a reader asks for | [`ask`] | `volvox lab check P --nodes 4` |
//! | seeds are swept, and failures are shrunk | [`shrink`] | `volvox lab sweep P` |
//! | a script is replayed | [`shrink::file`] | `volvox lab script FILE` |
//! | a person chooses what happens next | [`walk`] | `volvox lab step P` |
//! | nodes restart in the middle of a question | [`restarts`] | in the test of each family |
//! | numbers of the textbook are measured | [`claim`] | `volvox lab claim --all` |
//! | the demands of the rows of the catalogue, and their evidence | [`catalogue`], [`evidence`] | `volvox lab show MTX-03` |
//! | the gaps in the models of a chapter, with reasons | [`mod@never`] | `volvox lab check P` |
//! | the coverage of the catalogue, as the tests found | [`coverage`] | `volvox lab list` |
//! | in which order a reader takes the entries | [`reading`] | `volvox lab list` |
//! | questions whose answers a command prints | [`questions`] | `volvox lab questions P` |
//!
//! Not every mechanism is a protocol of its own: the [`registry`] knows chapters, *experiments* over existing
//! processes, and *service rows*, which the product itself realises.
//!
//! The largest protocol, the whole service, has a sweep of its own: `volvox-sweep`.
#![forbid(unsafe_code)]

pub mod ask;
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
pub mod never;
mod pinned;
pub mod plans;
pub mod plot;
pub mod prose;
pub mod questions;
pub mod reading;
pub mod recorded;
pub mod registry;
pub mod restart_survey;
pub mod restarts;
pub mod scenario;
pub mod shell;
pub mod shrink;
pub mod sim;
pub mod study;
pub mod walk;
