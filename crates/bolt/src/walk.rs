//! A walk over a bucket: down the left side of its tree, then from leaf to leaf.

use crate::bucket::{Bucket, Place};
use crate::error::{Error, Problem};
use crate::file::PageFile;
use crate::format::{BRANCH, DEPTH_MAX, NESTING_MAX};
use crate::page::{Kind, Page};
use std::io::{Read, Seek};

/// The entries of a bucket, in the order of their keys. An error ends it.
pub struct Walk<'a, R> {
    file: &'a mut PageFile<R>,
    nesting: usize,
    is_inline: bool,
    /// The branch pages above the leaf, from the root down, each with the index of its next child.
    branches: Vec<(Page, usize)>,
    /// The present leaf, and the index of its next entry.
    leaf: Option<(Page, usize)>,
    /// The greatest key so far.
    last: Vec<u8>,
    /// One bit per page: this walk has met it.
    met: Vec<u64>,
}

/// An entry of a bucket.
#[derive(Debug)]
pub enum Item<'a> {
    /// A key and its value.
    Pair {
        /// Never empty.
        key: &'a [u8],
        /// Opaque.
        value: &'a [u8],
    },
    /// A bucket inside the bucket.
    Bucket {
        /// Never empty.
        name: &'a [u8],
        /// Its place, to walk over it.
        bucket: Bucket,
    },
}

impl<'a, R: Read + Seek> Walk<'a, R> {
    pub(crate) fn new(file: &'a mut PageFile<R>, bucket: &Bucket) -> Result<Walk<'a, R>, Error> {
        let mut walk = Walk {
            nesting: bucket.nesting,
            is_inline: false,
            branches: Vec::new(),
            leaf: None,
            last: Vec::new(),
            met: Vec::new(),
            file,
        };
        match &bucket.place {
            Place::Page(number) => walk.descend(*number)?,
            Place::Inline(bytes) => {
                let page = Page::new(bucket.named_in, bytes.clone())?;
                if page.kind() == Kind::Branch {
                    return Err(Error::Page { page: page.number, problem: Problem::WrongKind(BRANCH) });
                }
                walk.is_inline = true;
                walk.leaf = Some((page, 0));
            }
        }
        Ok(walk)
    }

    /// The next entry; `None` at the end.
    ///
    /// # Errors
    /// When a page is damaged. The entries returned before are those before the damage.
    #[allow(clippy::should_implement_trait)] // An iterator cannot lend out its page.
    pub fn next(&mut self) -> Result<Option<Item<'_>>, Error> {
        let result = self.advance();
        if result.is_err() {
            (self.leaf, self.branches) = (None, Vec::new());
        }
        if !result? {
            return Ok(None);
        }
        let (page, next) = self.leaf.as_ref().expect("an entry was found in it");
        let (number, index) = (page.number, next - 1);
        let entry = page.entry(index);
        if !entry.is_bucket {
            return Ok(Some(Item::Pair { key: entry.key, value: entry.value }));
        }
        let wrong = |problem| Error::Page { page: number, problem };
        if self.is_inline {
            return Err(wrong(Problem::BucketInInline(index)));
        }
        if self.nesting >= NESTING_MAX {
            return Err(wrong(Problem::NestedTooDeep(index)));
        }
        let bucket = Bucket::parse(entry.value, self.nesting + 1, number);
        let bucket = bucket.ok_or_else(|| wrong(Problem::Bucket(index)))?;
        Ok(Some(Item::Bucket { name: entry.key, bucket }))
    }

    /// Steps to the next entry: whether there is one.
    fn advance(&mut self) -> Result<bool, Error> {
        loop {
            if let Some((page, next)) = &mut self.leaf
                && *next < page.count()
            {
                let key = page.key(*next);
                if key <= self.last.as_slice() {
                    return Err(Error::Page { page: page.number, problem: Problem::KeyOrder(*next) });
                }
                self.last.clear();
                self.last.extend_from_slice(key);
                *next += 1;
                return Ok(true);
            }
            let Some((branch, next)) = self.branches.last_mut() else {
                self.leaf = None;
                return Ok(false);
            };
            if *next == branch.count() {
                self.branches.pop();
                continue;
            }
            // A key that a search finds left of the separator must be less than it.
            if branch.key(*next) <= self.last.as_slice() {
                return Err(Error::Page { page: branch.number, problem: Problem::KeyOrder(*next) });
            }
            let child = branch.child(*next);
            *next += 1;
            self.descend(child)?;
        }
    }

    /// Reads the page below the present branch, and those below its first entries, down to a leaf.
    fn descend(&mut self, mut number: u64) -> Result<(), Error> {
        loop {
            let (page, pages) = self.file.read(number)?;
            self.meet(number, pages)?;
            if let Some((above, next)) = self.branches.last()
                && page.count() > 0
                && page.key(0) < above.key(next - 1)
            {
                return Err(Error::Page { page: number, problem: Problem::KeyOrder(0) });
            }
            if page.kind() == Kind::Leaf {
                self.leaf = Some((page, 0));
                return Ok(());
            }
            if self.branches.len() == DEPTH_MAX {
                return Err(Error::Page { page: number, problem: Problem::TooDeep });
            }
            number = page.child(0);
            self.branches.push((page, 1));
        }
    }

    fn meet(&mut self, number: u64, pages: u64) -> Result<(), Error> {
        if self.met.is_empty() {
            self.met.resize(self.file.meta.pages.div_ceil(64) as usize, 0);
        }
        for page in number..number + pages {
            let (word, bit) = ((page / 64) as usize, 1 << (page % 64));
            if self.met[word] & bit != 0 {
                return Err(Error::Page { page, problem: Problem::PageTwice });
            }
            self.met[word] |= bit;
        }
        Ok(())
    }
}
