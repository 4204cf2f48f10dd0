//! Pages that are well formed each, and make no tree: cycles, shared pages, depths, keys out of order.

use crate::contents::read;
use volvox_bolt::{DEPTH_MAX, Database, Error, Problem, Writer};

const PAGE: usize = 4096;
const ROOT_ENTRY: &[u8] = b"bucket";

/// A database of pages from number 3 on; the last one is the root.
fn forge(pages: &[Vec<u8>]) -> Vec<u8> {
    // The head of a database of as many pages: its root is its last page.
    let mut writer = Writer::new(Vec::new(), PAGE);
    writer.open_bucket(b"b").expect("a bucket");
    let fill = pages.len() - 1;
    if fill > 0 {
        // A value that takes all but the pages that are not its own.
        writer.put(b"k", &vec![0; fill * PAGE - 33]).expect("a pair");
    }
    writer.close_bucket().expect("closed");
    let image = writer.finish().expect("finished");
    assert_eq!(image.byte_length(), ((3 + pages.len()) * PAGE) as u64);
    let mut file = image.head();
    for page in pages {
        file.extend_from_slice(page);
    }
    file
}

fn page(number: u64, flags: u16, entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut page = number.to_le_bytes().to_vec();
    page.extend_from_slice(&flags.to_le_bytes());
    page.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    page.extend_from_slice(&[0; 4]);
    let mut position = entries.len() * 16;
    for (nth, (head, body)) in entries.iter().enumerate() {
        let at = (position - nth * 16) as u32;
        // A leaf's entry: flags, position, two lengths; a branch's: position, length, page.
        let mut entry = head.clone();
        let place = if flags == 2 { 4 } else { 0 };
        entry[place..place + 4].copy_from_slice(&at.to_le_bytes());
        page.extend_from_slice(&entry);
        position += body.len();
    }
    entries.iter().for_each(|(_, body)| page.extend_from_slice(body));
    page.resize(PAGE, 0);
    page
}

fn pair(key: &[u8], value: &[u8], flags: u32) -> (Vec<u8>, Vec<u8>) {
    let words = [flags, 0, key.len() as u32, value.len() as u32];
    (words.iter().flat_map(|word| word.to_le_bytes()).collect(), [key, value].concat())
}

fn child(key: &[u8], page: u64) -> (Vec<u8>, Vec<u8>) {
    let mut head = vec![0; 4];
    head.extend_from_slice(&(key.len() as u32).to_le_bytes());
    head.extend_from_slice(&page.to_le_bytes());
    (head, key.to_vec())
}

fn bucket_at(name: &[u8], root: u64) -> (Vec<u8>, Vec<u8>) {
    let mut value = root.to_le_bytes().to_vec();
    value.extend_from_slice(&[0; 8]);
    pair(name, &value, 1)
}

fn leaf(number: u64, entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    page(number, 2, entries)
}

fn branch(number: u64, entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    page(number, 1, entries)
}

fn problem(pages: &[Vec<u8>]) -> (u64, Problem) {
    match read(&forge(pages)) {
        Err(Error::Page { page, problem }) => (page, problem),
        other => panic!("expected a damaged page, found {other:?}"),
    }
}

#[test]
fn the_forger_can_forge_what_is_right() {
    let pages = [
        leaf(3, &[pair(b"a", b"1", 0)]),
        leaf(4, &[pair(b"b", b"2", 0), pair(b"c", b"3", 0)]),
        branch(5, &[child(b"a", 3), child(b"b", 4)]),
        leaf(6, &[bucket_at(ROOT_ENTRY, 5)]),
    ];
    assert_eq!(read(&forge(&pages)).unwrap().pairs(), 3);
}

#[test]
fn a_page_that_leads_to_itself_is_met_twice() {
    let own = [branch(3, &[child(b"a", 3)]), leaf(4, &[bucket_at(ROOT_ENTRY, 3)])];
    assert_eq!(problem(&own), (3, Problem::PageTwice));
    let around = [branch(3, &[child(b"a", 4)]), branch(4, &[child(b"a", 3)]), leaf(5, &[bucket_at(ROOT_ENTRY, 3)])];
    assert_eq!(problem(&around), (3, Problem::PageTwice));
}

#[test]
fn two_entries_do_not_share_a_page() {
    let pages = [
        leaf(3, &[pair(b"b", b"1", 0)]),
        branch(4, &[child(b"a", 3), child(b"c", 3)]),
        leaf(5, &[bucket_at(ROOT_ENTRY, 4)]),
    ];
    assert_eq!(problem(&pages), (3, Problem::PageTwice));
}

#[test]
fn a_bucket_that_contains_itself_is_nested_too_deeply() {
    let pages = [leaf(3, &[bucket_at(ROOT_ENTRY, 3)]), leaf(4, &[bucket_at(ROOT_ENTRY, 3)])];
    assert_eq!(problem(&pages), (3, Problem::NestedTooDeep(0)));
}

#[test]
fn keys_are_in_order_across_pages() {
    let wrong_separator = [
        leaf(3, &[pair(b"a", b"", 0), pair(b"m", b"", 0)]),
        leaf(4, &[pair(b"n", b"", 0)]),
        branch(5, &[child(b"a", 3), child(b"k", 4)]),
        leaf(6, &[bucket_at(ROOT_ENTRY, 5)]),
    ];
    assert_eq!(problem(&wrong_separator), (5, Problem::KeyOrder(1)));
    let below_its_separator = [
        leaf(3, &[pair(b"a", b"", 0)]),
        leaf(4, &[pair(b"b", b"", 0)]),
        branch(5, &[child(b"a", 3), child(b"c", 4)]),
        leaf(6, &[bucket_at(ROOT_ENTRY, 5)]),
    ];
    assert_eq!(problem(&below_its_separator), (4, Problem::KeyOrder(0)));
}

#[test]
fn a_tree_deeper_than_any_file_is_refused() {
    let mut pages: Vec<Vec<u8>> = (0..=DEPTH_MAX as u64).map(|nth| branch(3 + nth, &[child(b"a", 4 + nth)])).collect();
    let last = 3 + pages.len() as u64;
    pages.push(leaf(last, &[pair(b"a", b"", 0)]));
    pages.push(leaf(last + 1, &[bucket_at(ROOT_ENTRY, 3)]));
    assert_eq!(problem(&pages), (3 + DEPTH_MAX as u64, Problem::TooDeep));
    // One level less is read.
    let last = pages.len();
    pages[last - 1] = leaf(2 + last as u64, &[bucket_at(ROOT_ENTRY, 4)]);
    assert_eq!(read(&forge(&pages)).unwrap().pairs(), 1);
}

#[test]
fn numbers_of_pages_are_checked() {
    let outside = |page| [leaf(3, &[]), leaf(4, &[bucket_at(ROOT_ENTRY, page)])];
    for page in [1, 5, 1 << 40, u64::MAX] {
        assert_eq!(problem(&outside(page)), (page, Problem::OutOfBounds));
    }
    let misplaced = [leaf(9, &[]), leaf(4, &[bucket_at(ROOT_ENTRY, 3)])];
    assert_eq!(problem(&misplaced), (3, Problem::WrongNumber(9)));
    let mut overflowing = [leaf(3, &[]), leaf(4, &[bucket_at(ROOT_ENTRY, 3)])];
    overflowing[0][12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(problem(&overflowing), (3, Problem::OverflowOutOfBounds(u32::MAX)));
    // The list of free pages is no leaf.
    assert_eq!(problem(&outside(2)), (2, Problem::WrongKind(16)));
}

#[test]
fn buckets_are_checked() {
    let short = [leaf(3, &[pair(b"b", &[0; 15], 1)])];
    assert_eq!(problem(&short), (3, Problem::Bucket(0)));
    let no_page = [leaf(3, &[pair(b"b", &[0; 31], 1)])];
    assert_eq!(problem(&no_page), (3, Problem::Bucket(0)));
    let inline = |flags: u16, entries: &[(Vec<u8>, Vec<u8>)]| {
        let mut value = vec![0; 16];
        value.extend_from_slice(&page(0, flags, entries)[..200]);
        [leaf(3, &[pair(b"b", &value, 1)])]
    };
    assert_eq!(read(&forge(&inline(2, &[pair(b"k", b"v", 0)]))).unwrap().pairs(), 1);
    assert_eq!(problem(&inline(2, &[bucket_at(b"c", 3)])), (3, Problem::BucketInInline(0)));
    assert_eq!(problem(&inline(1, &[child(b"c", 3)])), (3, Problem::WrongKind(1)));
}

#[test]
fn a_walk_ends_with_its_error() {
    let pages = [branch(3, &[child(b"a", 3)]), leaf(4, &[bucket_at(ROOT_ENTRY, 3)])];
    let mut database = Database::open(std::io::Cursor::new(forge(&pages))).unwrap();
    let bucket = database.bucket(ROOT_ENTRY).unwrap().unwrap();
    assert!(database.walk(&bucket).is_err());
    let root = database.root();
    let mut walk = database.walk(&root).unwrap();
    assert!(walk.next().unwrap().is_some() && walk.next().unwrap().is_none());
}
