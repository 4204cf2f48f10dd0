//! `volvox snapshot export` and `status`: a snapshot as the database of etcd, and what such a database contains.
//!
//! The database is written beside its place and moved there when it is complete and on disk.

use super::snapshot_file;
use crate::print::say;
use crate::progress::Progress;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use volvox_etcd::database::{self, Export, Integrity};

/// The flags of `volvox snapshot export`.
#[derive(Args, Clone, Debug)]
pub struct ExportArguments {
    /// A snapshot of any version
    file: PathBuf,
    /// The database to write, for `etcdutl snapshot restore`
    to: PathBuf,
}

/// Runs `volvox snapshot export`.
///
/// # Errors
/// When the file is not a snapshot, or the other one exists; then nothing is left behind.
pub fn export(arguments: &ExportArguments, json: bool) -> Result<ExitCode> {
    let ExportArguments { file, to } = arguments;
    ensure!(!to.exists(), "{} already exists: name another file", to.display());
    let loaded = snapshot_file::load(file, Integrity::Hash, &mut Progress::new())?;
    let revision = loaded.view.revision();
    let export = Export::new(loaded.view).with_context(|| format!("cannot export {}", file.display()))?;
    let mut part = to.clone().into_os_string();
    part.push(".part");
    let part = PathBuf::from(part);
    write(&export, &part, to).inspect_err(|_| {
        // The remains are useless, and the error that matters is the one reported.
        let _ = std::fs::remove_file(&part);
    })?;
    let bytes = export.byte_length();
    if json {
        let document = serde_json::json!({
            "file": file.display().to_string(), "database": to.display().to_string(),
            "revision": revision, "bytes": bytes,
        });
        say(document);
    } else {
        say(format_args!("exported revision {revision} to {}", to.display()));
        say(format_args!("restore: etcdutl snapshot restore {} --data-dir FOLDER", to.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn write(export: &Export, part: &Path, to: &Path) -> Result<()> {
    let name = part.display();
    let output = File::create(part).with_context(|| format!("cannot create {name}"))?;
    export.write(BufWriter::with_capacity(1 << 20, &output)).with_context(|| format!("cannot write {name}"))?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let moved = output.sync_all().and_then(|()| std::fs::rename(part, to));
    moved.and_then(|()| File::open(folder)?.sync_all()).with_context(|| format!("cannot put {} in place", to.display()))
}

/// Runs `volvox snapshot status`: prints what `etcdutl snapshot status` does.
///
/// # Errors
/// When the file is not a sound database of etcd.
pub fn status(file: &Path, json: bool) -> Result<ExitCode> {
    let status =
        database::status(snapshot_file::open(file)?).with_context(|| format!("cannot read {}", file.display()))?;
    if json {
        let document = serde_json::json!({
            "hash": status.hash, "revision": status.revision, "totalKey": status.total_keys,
            "totalSize": status.total_bytes, "version": status.version,
        });
        say(document);
    } else {
        say(format_args!("{:x}, {}, {}, {}", status.hash, status.revision, status.total_keys, status.total_bytes));
    }
    Ok(ExitCode::SUCCESS)
}
