//! The checked-in code is what the generators make of `proto/`, so that a build of the program needs no generator.
//!
//! `UPDATE=1 cargo test -p volvox-etcd --test generated` regenerates it after a change of `proto/`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const PROTOCOLS: [&str; 3] = ["rpc.proto", "v3election.proto", "v3lock.proto"];

#[test]
fn the_checked_in_code_is_what_the_generators_make() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checked_in = package.join("src/generated");
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("generated");
    let _ = fs::remove_dir_all(&fresh);
    fs::create_dir_all(&fresh).unwrap();
    generate(&package.join("proto"), if std::env::var_os("UPDATE").is_some() { &checked_in } else { &fresh });
    if std::env::var_os("UPDATE").is_some() {
        return;
    }
    let (expected, found) = (files(&fresh), files(&checked_in));
    assert_eq!(expected.keys().collect::<Vec<_>>(), found.keys().collect::<Vec<_>>(), "the files differ");
    for (name, text) in &expected {
        assert!(
            *text == found[name],
            "src/generated/{name} is not what proto/ gives; \
             write it: UPDATE=1 cargo test -p volvox-etcd --test generated"
        );
    }
}

/// Generates messages, clients and servers, without a foreign `protoc`.
fn generate(protocols: &Path, folder: &Path) {
    let descriptors = protox::compile(PROTOCOLS, [protocols]).unwrap();
    let builder = tonic_prost_build::configure().build_client(true).build_server(true).bytes(".");
    builder.emit_rerun_if_changed(false).out_dir(folder).compile_fds(descriptors).unwrap();
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let name = |entry: &fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| (name(&entry), fs::read_to_string(entry.path()).unwrap())).collect()
}
