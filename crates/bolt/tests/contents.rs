//! The contents of a database in memory, to write it and to compare what was read.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use volvox_bolt::{Bucket, Database, Error, Image, Item, WriteError, Writer};
use volvox_core::Rng;

/// An entry of a bucket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Entry {
    Value(Vec<u8>),
    Bucket(Contents),
}

/// The entries of a bucket.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contents(pub BTreeMap<Vec<u8>, Entry>);

impl Contents {
    /// A root bucket of seeded buckets: empty ones, inline ones, large ones, nested ones.
    pub fn seeded(seed: u64, pairs: u64, value_bytes: u64) -> Contents {
        let mut rng = Rng::new(seed);
        let mut root = Contents::default();
        for name in ["alarm", "key", "lease", "meta"] {
            let mut bucket = Contents::default();
            let size = pairs >> (4 * rng.below(4));
            for _ in 0..size {
                bucket.put(&mut rng, value_bytes);
            }
            if name == "meta" {
                let mut inner = bucket.clone();
                inner.0.insert(b"innermost".to_vec(), Entry::Bucket(Contents::default()));
                bucket.0.insert(b"nested".to_vec(), Entry::Bucket(inner));
            }
            root.0.insert(name.as_bytes().to_vec(), Entry::Bucket(bucket));
        }
        root
    }

    fn put(&mut self, rng: &mut Rng, value_bytes: u64) {
        let mut bytes = |most: u64| -> Vec<u8> { (0..rng.below(most)).map(|_| rng.next_u64() as u8).collect() };
        let mut key = bytes(40);
        key.push(1);
        let value = bytes(value_bytes + 1);
        self.0.insert(key, Entry::Value(value));
    }

    /// How many pairs it has, in all its buckets.
    pub fn pairs(&self) -> usize {
        let inside = |entry: &Entry| match entry {
            Entry::Value(_) => 1,
            Entry::Bucket(bucket) => bucket.pairs(),
        };
        self.0.values().map(inside).sum()
    }

    fn fill<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), WriteError> {
        for (key, entry) in &self.0 {
            match entry {
                Entry::Value(value) => writer.put(key, value)?,
                Entry::Bucket(bucket) => {
                    writer.open_bucket(key)?;
                    bucket.fill(writer)?;
                    writer.close_bucket()?;
                }
            }
        }
        Ok(())
    }

    /// The file.
    pub fn write(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let image = volvox_bolt::write(&mut file, |writer| self.fill(writer)).expect("a vector takes everything");
        assert_eq!(image.byte_length(), file.len() as u64);
        file
    }

    /// The file, with other pages than the usual ones.
    pub fn write_with_pages_of(&self, page_bytes: usize) -> Vec<u8> {
        let mut pages = Vec::new();
        let mut writer = Writer::new(&mut pages, page_bytes);
        self.fill(&mut writer).expect("a vector takes everything");
        let image: Image = writer.finish().expect("as above");
        [image.head(), pages].concat()
    }
}

/// Reads everything.
pub fn read(file: &[u8]) -> Result<Contents, Error> {
    let mut database = Database::open(Cursor::new(file))?;
    let root = database.root();
    read_bucket(&mut database, &root, &mut 0)
}

/// Reads one bucket with those inside; `bytes` counts what was taken from the file.
pub fn read_bucket(
    database: &mut Database<Cursor<&[u8]>>,
    bucket: &Bucket,
    bytes: &mut u64,
) -> Result<Contents, Error> {
    let mut contents = Contents::default();
    let mut inner = Vec::new();
    let mut walk = database.walk(bucket)?;
    while let Some(item) = walk.next()? {
        match item {
            Item::Pair { key, value } => {
                *bytes += (key.len() + value.len()) as u64;
                contents.0.insert(key.to_vec(), Entry::Value(value.to_vec()));
            }
            Item::Bucket { name, bucket } => inner.push((name.to_vec(), bucket)),
        }
    }
    for (name, bucket) in inner {
        let entry = Entry::Bucket(read_bucket(database, &bucket, bytes)?);
        contents.0.insert(name, entry);
    }
    Ok(contents)
}
