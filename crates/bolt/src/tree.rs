//! The tree of one bucket, built from the left: full leaves go out, and the branches above them follow at the end.

use crate::error::WriteError;
use crate::format::{BRANCH, BUCKET_BYTES, ENTRY_BYTES, HEADER_BYTES};
use crate::leaves::Leaf;
use crate::page::header;
use crate::pages::Pages;
use std::io::Write;

/// A branch page has at least this many entries, however long their keys are, or the tree would not become narrower.
const BRANCH_ENTRIES_MIN: usize = 2;

/// A bucket under construction.
#[derive(Default)]
pub(crate) struct Tree {
    leaf: Leaf,
    /// The first key of each leaf written so far, and its number.
    children: Vec<Child>,
    /// The greatest key so far.
    last: Vec<u8>,
}

struct Child {
    key: Vec<u8>,
    page: u64,
}

impl Tree {
    /// Adds an entry, whose key must be greater than those before.
    pub fn push<W: Write>(
        &mut self,
        key: &[u8],
        value: &[u8],
        is_bucket: bool,
        pages: &mut Pages<W>,
    ) -> Result<(), WriteError> {
        if key <= self.last.as_slice() {
            return Err(WriteError::KeyOrder);
        }
        self.last.clear();
        self.last.extend_from_slice(key);
        if !self.leaf.is_empty() && self.leaf.byte_length_with(key, value) > pages.page_bytes() {
            self.write_leaf(pages)?;
        }
        self.leaf.push(key, value, is_bucket);
        Ok(())
    }

    /// The value of the bucket's entry: the tree is complete. A small bucket without others in it is inline.
    pub fn finish<W: Write>(mut self, pages: &mut Pages<W>) -> Result<Vec<u8>, WriteError> {
        let small = self.leaf.byte_length() <= pages.page_bytes() / 4;
        if self.children.is_empty() && small && !self.leaf.has_buckets() {
            let mut value = vec![0; BUCKET_BYTES];
            value.extend_from_slice(&self.leaf.to_page(0, 0));
            return Ok(value);
        }
        let root = self.finish_root(pages)?;
        let mut value = root.to_le_bytes().to_vec();
        value.resize(BUCKET_BYTES, 0);
        Ok(value)
    }

    /// The number of the root page, which exists even if there is no entry.
    pub fn finish_root<W: Write>(&mut self, pages: &mut Pages<W>) -> Result<u64, WriteError> {
        if !self.leaf.is_empty() || self.children.is_empty() {
            self.write_leaf(pages)?;
        }
        let mut level = std::mem::take(&mut self.children);
        while level.len() > 1 {
            level = write_branches(&level, pages)?;
        }
        Ok(level[0].page)
    }

    fn write_leaf<W: Write>(&mut self, pages: &mut Pages<W>) -> Result<(), WriteError> {
        let key = self.leaf.first_key().unwrap_or_default().to_vec();
        let leaf = &self.leaf;
        let page = pages.write(leaf.byte_length(), |number, overflow| leaf.to_page(number, overflow))?;
        self.children.push(Child { key, page });
        self.leaf.clear();
        Ok(())
    }
}

/// Writes the branch pages above a level, and returns the level that they are.
fn write_branches<W: Write>(level: &[Child], pages: &mut Pages<W>) -> Result<Vec<Child>, WriteError> {
    let mut above = Vec::new();
    let mut rest = level;
    while !rest.is_empty() {
        let (group, others) = rest.split_at(entries_of_next_branch(rest, pages.page_bytes()));
        let length = HEADER_BYTES + group.iter().map(|child| ENTRY_BYTES + child.key.len()).sum::<usize>();
        let page = pages.write(length, |number, overflow| branch_page(group, number, overflow))?;
        above.push(Child { key: group[0].key.clone(), page });
        rest = others;
    }
    Ok(above)
}

/// How many children the next branch page gets: as many as fit, and no single one is left over.
fn entries_of_next_branch(rest: &[Child], page_bytes: usize) -> usize {
    let mut length = HEADER_BYTES;
    let fits = |child: &&Child| {
        length += ENTRY_BYTES + child.key.len();
        length <= page_bytes
    };
    let fitting = rest.iter().take_while(fits).count().max(BRANCH_ENTRIES_MIN);
    match rest.len().checked_sub(fitting) {
        None | Some(0) => rest.len(),
        Some(left) if left >= BRANCH_ENTRIES_MIN => fitting,
        Some(_) if fitting > BRANCH_ENTRIES_MIN => fitting - 1,
        Some(_) => rest.len(),
    }
}

fn branch_page(group: &[Child], number: u64, overflow: u32) -> Vec<u8> {
    let mut page = header(number, BRANCH, group.len() as u16, overflow).to_vec();
    let mut position = group.len() * ENTRY_BYTES;
    for child in group {
        page.extend_from_slice(&(position as u32).to_le_bytes());
        page.extend_from_slice(&(child.key.len() as u32).to_le_bytes());
        page.extend_from_slice(&child.page.to_le_bytes());
        position += child.key.len();
        position -= ENTRY_BYTES;
    }
    group.iter().for_each(|child| page.extend_from_slice(&child.key));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    fn children(count: usize, key: usize) -> Vec<Child> {
        (0..count).map(|nth| Child { key: vec![1; key], page: nth as u64 }).collect()
    }

    #[test]
    fn no_branch_page_has_a_single_entry() {
        for (key, most) in [(17, 30), (300, 3), (2000, 2)] {
            for count in 2..100 {
                let level = children(count, key);
                let mut rest = level.as_slice();
                while !rest.is_empty() {
                    let entries = entries_of_next_branch(rest, 1024);
                    assert!((2..=most + 1).contains(&entries), "{entries} of {} keys of {key}", rest.len());
                    rest = &rest[entries..];
                }
            }
        }
    }
}
