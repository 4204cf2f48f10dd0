//! Keys of a node, end to end in one buffer.

use alloc::vec::Vec;

/// An ordered list of byte strings.
#[derive(Clone, Default)]
pub(super) struct Keys {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Keys {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many bytes the keys take.
    pub fn byte_length(&self) -> usize {
        self.bytes.len()
    }

    pub fn get(&self, at: usize) -> &[u8] {
        &self.bytes[self.start(at)..self.ends[at] as usize]
    }

    /// The place of a key, present or not.
    pub fn find(&self, key: &[u8]) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            match self.get(middle).cmp(key) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Equal => return Ok(middle),
                core::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    pub fn insert(&mut self, at: usize, key: &[u8]) {
        let start = self.start(at);
        let old_length = self.bytes.len();
        reserve_tightly(&mut self.bytes, key.len());
        self.bytes.extend_from_slice(key);
        self.bytes.copy_within(start..old_length, start + key.len());
        self.bytes[start..start + key.len()].copy_from_slice(key);
        reserve_tightly(&mut self.ends, 1);
        self.ends.insert(at, start as u32);
        for end in &mut self.ends[at..] {
            *end += key.len() as u32;
        }
    }

    pub fn remove(&mut self, at: usize) {
        let (start, end) = (self.start(at), self.ends[at] as usize);
        self.bytes.copy_within(end.., start);
        self.bytes.truncate(self.bytes.len() - (end - start));
        self.ends.remove(at);
        for later in &mut self.ends[at..] {
            *later -= (end - start) as u32;
        }
    }

    /// Keeps the keys before `at`; those from there on.
    pub fn split_off(&mut self, at: usize) -> Keys {
        let start = self.start(at);
        let right = Keys {
            bytes: self.bytes[start..].to_vec(),
            ends: self.ends[at..].iter().map(|end| end - start as u32).collect(),
        };
        self.bytes.truncate(start);
        self.ends.truncate(at);
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
        right
    }

    pub fn append(&mut self, other: &Keys) {
        let base = self.bytes.len() as u32;
        self.bytes.extend_from_slice(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| end + base));
    }

    fn start(&self, at: usize) -> usize {
        if at == 0 { 0 } else { self.ends[at - 1] as usize }
    }
}

/// Makes room for `more` and an eighth beyond. Doubling, as a vector does by itself, would leave a third of the
/// memory of all nodes unused.
pub(super) fn reserve_tightly<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more + list.len() / 8);
    }
}
