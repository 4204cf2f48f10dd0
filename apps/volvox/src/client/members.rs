//! `members`: lists and changes the members of the cluster.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use serde_json::json;
use volvox_etcd::proto::etcdserverpb::cluster_client::ClusterClient;
use volvox_etcd::proto::etcdserverpb::{
    Member, MemberAddRequest, MemberListRequest, MemberPromoteRequest, MemberRemoveRequest, MemberUpdateRequest,
    ResponseHeader,
};

use super::cluster::{Cluster, Repeat};
use super::document;
use super::output::Printer;

/// Lists or changes the members; lists them by default.
#[derive(Args, Debug)]
pub struct MembersArguments {
    #[command(subcommand)]
    command: Option<MembersCommand>,
}

/// A member is named by its ID (hexadecimal, as printed) or by its name.
#[derive(Subcommand, Debug)]
enum MembersCommand {
    /// List the members
    List,
    /// Add a member, which is to be started afterwards
    Add {
        /// A label for people; the member reports its own name once started
        name: String,
        #[arg(long, required = true, value_delimiter = ',', value_name = "URL")]
        peer_urls: Vec<String>,
        /// Add it as a learner, without a vote until it is promoted
        #[arg(long)]
        learner: bool,
    },
    /// Remove a member
    Remove { member: String },
    /// Promote a learner to a voter
    Promote { member: String },
    /// Change the peer addresses of a member
    Update {
        member: String,
        #[arg(long, required = true, value_delimiter = ',', value_name = "URL")]
        peer_urls: Vec<String>,
    },
}

pub async fn members(cluster: &Cluster, out: &mut Printer, arguments: MembersArguments) -> Result<()> {
    let (done, header, members) = match arguments.command {
        None | Some(MembersCommand::List) => {
            let (header, members) = list(cluster, true).await?;
            (None, header, members)
        }
        Some(MembersCommand::Add { name, peer_urls, learner }) => add(cluster, name, peer_urls, learner).await?,
        Some(MembersCommand::Remove { member }) => remove(cluster, &member).await?,
        Some(MembersCommand::Promote { member }) => promote(cluster, &member).await?,
        Some(MembersCommand::Update { member, peer_urls }) => update(cluster, &member, peer_urls).await?,
    };
    if out.json() {
        let members: Vec<_> = members.iter().map(document::member).collect();
        let header = document::header(header.as_ref());
        return out.document(&json!({ "header": header, "members": members }));
    }
    if let Some(done) = done {
        out.line(done)?;
    }
    members.iter().try_for_each(|member| out.line(line(member)))?;
    out.flush()
}

/// Returns the members as one of them knows them, or with `linearizable` as a majority does.
pub async fn list(cluster: &Cluster, linearizable: bool) -> Result<(Option<ResponseHeader>, Vec<Member>)> {
    let response = cluster
        .call("members list", Repeat::Safe, async |channel| {
            ClusterClient::new(channel).member_list(MemberListRequest { linearizable }).await
        })
        .await?;
    Ok((response.header, response.members))
}

/// Prints what was done in one line, with the header and the resulting members as JSON.
type Change = (Option<String>, Option<ResponseHeader>, Vec<Member>);

async fn add(cluster: &Cluster, name: String, peer_ur_ls: Vec<String>, is_learner: bool) -> Result<Change> {
    let request = MemberAddRequest { peer_ur_ls, is_learner };
    let response = cluster
        .call("members add", Repeat::Unsafe, async |channel| {
            ClusterClient::new(channel).member_add(request.clone()).await
        })
        .await?;
    let id = response.member.map_or(0, |member| member.id);
    Ok((Some(format!("member {id:x} ({name}) added")), response.header, response.members))
}

async fn remove(cluster: &Cluster, member: &str) -> Result<Change> {
    let id = find(cluster, member).await?;
    let response = cluster
        .call("members remove", Repeat::Unsafe, async |channel| {
            ClusterClient::new(channel).member_remove(MemberRemoveRequest { id }).await
        })
        .await?;
    Ok((Some(format!("member {id:x} removed")), response.header, response.members))
}

async fn promote(cluster: &Cluster, member: &str) -> Result<Change> {
    let id = find(cluster, member).await?;
    let response = cluster
        .call("members promote", Repeat::Unsafe, async |channel| {
            ClusterClient::new(channel).member_promote(MemberPromoteRequest { id }).await
        })
        .await?;
    Ok((Some(format!("member {id:x} promoted")), response.header, response.members))
}

async fn update(cluster: &Cluster, member: &str, peer_ur_ls: Vec<String>) -> Result<Change> {
    let id = find(cluster, member).await?;
    let request = MemberUpdateRequest { id, peer_ur_ls };
    let response = cluster
        .call("members update", Repeat::Unsafe, async |channel| {
            ClusterClient::new(channel).member_update(request.clone()).await
        })
        .await?;
    Ok((Some(format!("member {id:x} updated")), response.header, response.members))
}

async fn find(cluster: &Cluster, wanted: &str) -> Result<u64> {
    let (_, members) = list(cluster, true).await?;
    identify(&members, wanted)
}

fn identify(members: &[Member], wanted: &str) -> Result<u64> {
    let id = u64::from_str_radix(wanted, 16).ok();
    let by_id = members.iter().find(|member| Some(member.id) == id);
    let mut by_name = members.iter().filter(|member| member.name == wanted);
    let found = by_id.or_else(|| by_name.next());
    found.map(|member| member.id).with_context(|| {
        let known: Vec<_> = members.iter().map(|member| format!("{:x} ({})", member.id, member.name)).collect();
        format!("no member has the ID or name {wanted:?}; there are {}", known.join(", "))
    })
}

/// One member as etcdctl prints it.
fn line(member: &Member) -> String {
    let status = if member.name.is_empty() { "unstarted" } else { "started" };
    format!(
        "{:x}, {status}, {}, {}, {}, {}",
        member.id,
        member.name,
        member.peer_ur_ls.join(","),
        member.client_ur_ls.join(","),
        member.is_learner
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: u64, name: &str) -> Member {
        Member { id, name: name.to_owned(), ..Member::default() }
    }

    #[test]
    fn a_member_is_named_by_id_or_by_name() {
        let members = [member(0xa1, "n1"), member(2, "beef"), member(3, "a1")];
        assert_eq!(identify(&members, "a1").unwrap(), 0xa1);
        assert_eq!(identify(&members, "n1").unwrap(), 0xa1);
        assert_eq!(identify(&members, "beef").unwrap(), 2);
        let error = identify(&members, "zoo").unwrap_err().to_string();
        assert!(error.contains("2 (beef)"), "{error}");
    }

    #[test]
    fn a_member_in_a_line() {
        let mut member = member(0x8e9e, "n1");
        member.peer_ur_ls = vec!["http://a:2380".to_owned()];
        member.client_ur_ls = vec!["http://a:2379".to_owned(), "http://b:2379".to_owned()];
        let expected = "8e9e, started, n1, http://a:2380, http://a:2379,http://b:2379, false";
        assert_eq!(line(&member), expected);
    }
}
