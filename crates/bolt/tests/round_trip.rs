//! A reader finds exactly what the writer wrote.

use crate::contents::{Contents, Entry, read};
use std::io::Cursor;
use volvox_bolt::{Database, Item, WriteError, Writer};

#[test]
fn databases_of_every_size_come_back() {
    for (seed, (pairs, value_bytes)) in
        [(0, 10), (1, 0), (5, 60), (300, 60), (5000, 20), (40, 20_000)].iter().enumerate()
    {
        let contents = Contents::seeded(seed as u64, *pairs, *value_bytes);
        assert_eq!(read(&contents.write()).unwrap(), contents, "seed {seed}");
        for page_bytes in [1024, 16 << 10] {
            assert_eq!(read(&contents.write_with_pages_of(page_bytes)).unwrap(), contents, "pages of {page_bytes}");
        }
    }
}

#[test]
fn an_empty_database_has_no_buckets() {
    let file = Contents::default().write();
    assert_eq!(file.len(), 4 * 4096);
    assert_eq!(read(&file).unwrap(), Contents::default());
}

#[test]
fn a_long_key_makes_branch_pages_with_overflow() {
    let mut bucket = Contents::default();
    for nth in 0..50u8 {
        bucket.0.insert(vec![nth; 30_000], Entry::Value(vec![nth]));
    }
    let mut root = Contents::default();
    root.0.insert(b"b".to_vec(), Entry::Bucket(bucket));
    assert_eq!(read(&root.write()).unwrap(), root);
}

#[test]
fn a_bucket_is_found_by_its_name() {
    let contents = Contents::seeded(3, 300, 60);
    let file = contents.write();
    let mut database = Database::open(Cursor::new(file.as_slice())).unwrap();
    assert_eq!((database.page_bytes(), database.byte_length()), (4096, file.len() as u64));
    assert!(database.bucket(b"absent").unwrap().is_none());
    let bucket = database.bucket(b"lease").unwrap().expect("it was written");
    let mut walk = database.walk(&bucket).unwrap();
    let mut found = 0;
    while let Some(item) = walk.next().unwrap() {
        assert!(matches!(item, Item::Pair { .. }));
        found += 1;
    }
    let Entry::Bucket(lease) = &contents.0[b"lease".as_slice()] else { panic!("a bucket") };
    assert_eq!(found, lease.pairs());
    assert!(walk.next().unwrap().is_none(), "the end stays the end");
}

#[test]
fn what_follows_the_database_is_not_part_of_it() {
    let contents = Contents::seeded(1, 30, 60);
    let mut file = contents.write();
    let length = file.len() as u64;
    file.extend_from_slice(&[0xff; 32]);
    assert_eq!(read(&file).unwrap(), contents);
    assert_eq!(Database::open(Cursor::new(file)).unwrap().byte_length(), length);
}

#[test]
fn what_cannot_be_written_is_refused() {
    let writer = || Writer::new(Vec::new(), 4096);
    assert!(matches!(writer().put(b"k", b"v"), Err(WriteError::NoBucket)));
    assert!(matches!(writer().close_bucket(), Err(WriteError::NoBucket)));
    assert!(matches!(writer().open_bucket(b""), Err(WriteError::KeyLength(0))));
    let mut open = writer();
    open.open_bucket(b"b").unwrap();
    assert!(matches!(open.put(&[1; 40_000], b"v"), Err(WriteError::KeyLength(40_000))));
    open.put(b"k", b"v").unwrap();
    assert!(matches!(open.put(b"k", b"v"), Err(WriteError::KeyOrder)));
    assert!(matches!(open.put(b"j", b"v"), Err(WriteError::KeyOrder)));
    assert!(matches!(open.finish(), Err(WriteError::NoBucket)));
    let mut deep = writer();
    for _ in 0..16 {
        deep.open_bucket(b"b").unwrap();
    }
    assert!(matches!(deep.open_bucket(b"b"), Err(WriteError::NestedTooDeep)));
    let mut times = 0;
    let changed = volvox_bolt::write(Vec::new(), |writer| {
        times += 1;
        writer.open_bucket(b"b")?;
        (0..100 * times).try_for_each(|nth: u32| writer.put(&nth.to_be_bytes(), &[0; 100]))?;
        writer.close_bucket()
    });
    assert!(matches!(changed, Err(WriteError::Changed)));
}
