//! Every entry of the laboratory, by family; a value that programs hand over.

use crate::coverage::{self, Line};
use crate::shell::Shell;
use crate::spelling::nearest;
use std::fmt;

pub use crate::shell::shell;

/// The chapters of one family of protocols: a crate below `chapters/`.
#[derive(Clone, Copy)]
pub struct Family {
    /// The name of its folder.
    pub name: &'static str,
    /// Its chapters, in the order in which a reader may take them.
    pub chapters: &'static [&'static dyn Shell],
    /// What its test found of each chapter: its `coverage.txt`.
    pub coverage: &'static str,
}

/// Every family. The one value of this type is in the crate `chapters`.
#[derive(Clone, Copy)]
pub struct Registry(pub &'static [&'static Family]);

impl Registry {
    /// Every chapter, family by family.
    pub fn chapters(self) -> impl Iterator<Item = &'static dyn Shell> {
        self.0.iter().flat_map(|family| family.chapters.iter().copied())
    }

    /// The chapter of this name.
    ///
    /// # Errors
    /// When there is none: with what there is.
    pub fn find(self, id: &str) -> Result<&'static dyn Shell, Unknown> {
        let found = self.chapters().find(|shell| shell.card().id == id);
        found.ok_or_else(|| Unknown {
            name: id.to_string(),
            known: self.chapters().map(|shell| shell.card().id).collect(),
        })
    }

    /// What the tests of all families found when they last wrote it down.
    pub fn recorded(self) -> Vec<Line> {
        self.0.iter().flat_map(|family| coverage::read(family.coverage)).collect()
    }
}

/// There is no chapter of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// What was asked for.
    pub name: String,
    /// What there is.
    pub known: Vec<&'static str>,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no protocol {:?}", self.name)?;
        match nearest(&self.name, self.known.iter().copied()) {
            Some(near) => write!(f, "; did you mean {near}? `volvox lab list` names all"),
            None => write!(f, "; `volvox lab list` names all"),
        }
    }
}

impl std::error::Error for Unknown {}
