//! `txn`: a transaction from a file.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use volvox_etcd::proto::etcdserverpb::TxnResponse;
use volvox_etcd::proto::etcdserverpb::kv_client::KvClient;
use volvox_etcd::proto::etcdserverpb::response_op::Response;

use super::cluster::{Cluster, MESSAGE_BYTES_MAX, Repeat};
use super::document;
use super::keys::{print_delete, print_put};
use super::output::Printer;
use super::range::print_range;
use super::txn_text;

/// Printed at the end of `volvox txn --help`.
pub const FORMAT_HELP: &str = "\
The file has three paragraphs, each ended by an empty line: compares, operations when all of
them hold, operations otherwise.

  mod(\"key1\") > \"0\"

  put key1 \"overwritten\"

  put key1 \"created\"
  get key2 --prefix

Compares: version, create, mod, value or lease, with =, !=, < or >. Operations: put, get, del.";

/// The arguments of `txn`.
#[derive(Args, Debug)]
pub struct TxnArguments {
    /// The file to read the transaction from; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
}

pub async fn txn(cluster: &Cluster, out: &mut Printer, arguments: TxnArguments) -> Result<()> {
    let name = arguments.file.display();
    let text = read_text(&arguments.file).with_context(|| format!("reading {name}"))?;
    let request = txn_text::parse(&text).with_context(|| format!("transaction in {name}"))?;
    let response = cluster
        .call("txn", Repeat::Unsafe, async |channel| {
            KvClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX).txn(request.clone()).await
        })
        .await?;
    if out.json() {
        return out.document(&document::txn(&response));
    }
    print_txn(out, &response)?;
    out.flush()
}

fn read_text(file: &Path) -> std::io::Result<String> {
    if file != Path::new("-") {
        return std::fs::read_to_string(file);
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text)
}

fn print_txn(out: &mut Printer, response: &TxnResponse) -> Result<()> {
    out.line(if response.succeeded { "SUCCESS" } else { "FAILURE" })?;
    for operation in &response.responses {
        out.line("")?;
        match &operation.response {
            Some(Response::ResponseRange(response)) => print_range(out, response)?,
            Some(Response::ResponsePut(response)) => print_put(out, response)?,
            Some(Response::ResponseDeleteRange(response)) => print_delete(out, response)?,
            Some(Response::ResponseTxn(response)) => print_txn(out, response)?,
            None => {}
        }
    }
    Ok(())
}
