//! The identity of this member: its id, its cluster, and the other members.
//!
//! etcd's flags name members by their peer URLs, where our nodes have ids. The members of a new cluster get 1, 2, 3 in
//! the order of their URLs, and its number follows from these and the token. A member of an existing cluster asks the
//! peers of `--initial-cluster` for the list of members, and finds itself by its URL. Either answer is kept in the data
//! folder: a member that restarts ignores the initial flags, as in etcd.

use super::urls::{MemberUrl, joined};
use crate::node::peer_http::CLUSTER_FIELD;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;
use volvox_net::PeerTls;
use volvox_net::http::{self, Document};

const FILE: &str = "etcd-member.json";
/// The longest file, and the longest list of members.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How long a peer may take to answer.
const PEER_LIMIT: Duration = Duration::from_secs(2);

/// The members that `--initial-cluster` names, with their peer URLs.
pub type Named = BTreeMap<String, Vec<MemberUrl>>;

/// The values of the initial flags.
#[derive(Clone, Debug)]
pub struct Initial {
    /// `--name`.
    pub name: String,
    /// `--initial-cluster`.
    pub members: Named,
    /// `--initial-advertise-peer-urls`.
    pub advertised: Vec<MemberUrl>,
    /// `--initial-cluster-token`.
    pub token: String,
    /// Whether `--initial-cluster-state` is `new`.
    pub is_new: bool,
}

/// The identity of this member, and the other members.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Membership {
    /// The id of this member.
    pub id: u64,
    /// The number of the cluster.
    pub cluster: u64,
    /// Whether this member forms the cluster with the others.
    pub is_new: bool,
    /// The peer URLs of all members when this one first started.
    pub members: BTreeMap<u64, Vec<String>>,
}

/// Reads `--initial-cluster`: `name=url,name=url`; a member with several URLs is named several times.
///
/// # Errors
/// When a pair is wrong, or two members share a URL.
pub fn parse_initial(text: &str) -> Result<Named> {
    let mut members = Named::new();
    let mut urls = BTreeSet::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, url) = pair.split_once('=').unwrap_or((pair, ""));
        if url.is_empty() {
            bail!("--initial-cluster: empty URL given for {name:?}");
        }
        let url = MemberUrl::parse(url).context("--initial-cluster")?;
        if !urls.insert(url.clone()) {
            bail!("--initial-cluster has duplicate urls: {url}");
        }
        members.entry(name.to_owned()).or_default().push(url);
    }
    for urls in members.values_mut() {
        urls.sort();
    }
    Ok(members)
}

impl Initial {
    /// Whether the flags fit together, as etcd checks it before it asks anyone.
    ///
    /// # Errors
    /// In etcd's words.
    pub fn check(&self) -> Result<()> {
        let Some(own) = self.members.get(&self.name) else {
            bail!("couldn't find local name {:?} in the initial cluster configuration", self.name);
        };
        let mut advertised = self.advertised.clone();
        advertised.sort();
        if *own != advertised {
            let missing: Vec<MemberUrl> = own.iter().filter(|url| !advertised.contains(url)).cloned().collect();
            if missing.is_empty() {
                bail!(
                    "--initial-advertise-peer-urls has {} but missing from --initial-cluster={}={}",
                    joined(&advertised),
                    self.name,
                    joined(own)
                );
            }
            bail!(
                "--initial-cluster has {}={} but missing from --initial-advertise-peer-urls={}",
                self.name,
                joined(&missing),
                joined(&advertised)
            );
        }
        Ok(())
    }

    /// The membership of a new cluster.
    pub fn form(&self) -> Membership {
        let mut sorted: Vec<(&String, &Vec<MemberUrl>)> = self.members.iter().collect();
        sorted.sort_by_key(|(_, urls)| *urls);
        let mut hash = Sha256::new();
        for (_, urls) in &sorted {
            hash.update(joined(urls));
            hash.update([0]);
        }
        hash.update(&self.token);
        let digest = hash.finalize();
        let number = u64::from_be_bytes(std::array::from_fn(|at| digest[at]));
        let id = sorted.iter().position(|(name, _)| **name == self.name).map_or(0, |at| at as u64 + 1);
        let text = |urls: &Vec<MemberUrl>| urls.iter().map(ToString::to_string).collect();
        let members = sorted.iter().zip(1..).map(|((_, urls), id)| (id, text(urls))).collect();
        Membership { id, cluster: number.max(1), is_new: true, members }
    }

    /// The membership in a cluster that runs already, from the answer of one of its members.
    ///
    /// # Errors
    /// In etcd's words, when the flags name other members than the cluster has.
    pub fn join(&self, found: &Found) -> Result<Membership> {
        let wrong = |reason: String| {
            let members: Vec<String> = found.members.iter().map(|member| member.peer_urls.join(",")).collect();
            anyhow::anyhow!("error validating peerURLs [{}]: {reason}", members.join(" "))
        };
        if found.members.len() != self.members.len() {
            return Err(wrong("member count is unequal".to_owned()));
        }
        let named: BTreeSet<String> = self.members.values().flatten().map(ToString::to_string).collect();
        for member in &found.members {
            if !member.peer_urls.iter().any(|url| named.contains(&canonical(url))) {
                return Err(wrong(format!(
                    "unmatched member while checking PeerURLs ({})",
                    member.peer_urls.join(",")
                )));
            }
        }
        let own = found
            .of(&self.advertised)
            .ok_or_else(|| wrong(format!("unmatched member while checking PeerURLs ({})", joined(&self.advertised))))?;
        let members = found.members.iter().map(|member| (member.id, member.peer_urls.clone())).collect();
        Ok(Membership { id: own.id, cluster: found.cluster, is_new: false, members })
    }
}

/// The answer of a peer.
#[derive(Debug)]
pub struct Found {
    cluster: u64,
    members: Vec<FoundMember>,
}

#[derive(Debug, Deserialize)]
struct FoundMember {
    id: u64,
    #[serde(rename = "peerURLs", default)]
    peer_urls: Vec<String>,
    #[serde(rename = "clientURLs", default)]
    client_urls: Vec<String>,
}

impl Found {
    /// Reads the answer to `/members`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn read(document: &Document) -> Result<Found> {
        let number = document.field(CLUSTER_FIELD).context("the answer names no cluster")?;
        let cluster = u64::from_str_radix(number, 16).context("the answer names no cluster")?;
        let members: Vec<FoundMember> = serde_json::from_str(&document.body).context("the answer lists no members")?;
        let ids: BTreeSet<u64> = members.iter().map(|member| member.id).collect();
        if cluster == 0 || ids.len() != members.len() || ids.contains(&0) {
            bail!("the answer lists members without ids of their own");
        }
        Ok(Found { cluster, members })
    }

    fn of(&self, urls: &[MemberUrl]) -> Option<&FoundMember> {
        let urls: Vec<String> = urls.iter().map(ToString::to_string).collect();
        self.members.iter().find(|member| member.peer_urls.iter().any(|url| urls.contains(&canonical(url))))
    }
}

/// A URL as [`MemberUrl`] writes it.
fn canonical(url: &str) -> String {
    MemberUrl::parse(url).map_or_else(|_| url.to_owned(), |url| url.to_string())
}

/// The membership: the remembered one, or the one that the flags and the peers give, which is remembered from now on.
///
/// # Errors
/// In etcd's words, when this member cannot be one of the cluster.
pub async fn of_member(folder: &Path, initial: &Initial, tls: Option<&PeerTls>) -> Result<Membership> {
    if let Some(remembered) = recall(folder)? {
        tracing::info!("the initial flags are ignored: this member has started before");
        return Ok(remembered);
    }
    initial.check()?;
    let answers = ask_peers(initial, tls).await;
    let membership = if initial.is_new {
        let formed = initial.form();
        let has_run = |found: &Found| {
            let own = found.of(&initial.advertised);
            found.cluster == formed.cluster && own.is_some_and(|own| !own.client_urls.is_empty())
        };
        // Its vote of then is lost with its folder, and it might vote a second time.
        if answers.iter().any(has_run) {
            bail!("member {:x} has already been bootstrapped", formed.id);
        }
        formed
    } else {
        let found = answers.first().context(
            "cannot fetch cluster info from peer urls: could not retrieve cluster information from the given URLs",
        )?;
        initial.join(found)?
    };
    remember(folder, &membership)?;
    Ok(membership)
}

/// Asks all other members of `--initial-cluster` at once; the answers of those that answer.
async fn ask_peers(initial: &Initial, tls: Option<&PeerTls>) -> Vec<Found> {
    let others = initial.members.iter().filter(|(name, _)| **name != initial.name);
    let asked = others.flat_map(|(_, urls)| urls).map(|url| async move {
        let tls = tls.filter(|_| url.is_secure);
        let answer = http::get(&url.address(), tls, "/members", PEER_LIMIT).await.map_err(anyhow::Error::from);
        match answer.and_then(|document| Found::read(&document)) {
            Ok(found) => Some(found),
            Err(error) => {
                tracing::debug!(address = %url, error = format!("{error:#}"), "failed to get cluster response");
                None
            }
        }
    });
    futures_util::future::join_all(asked).await.into_iter().flatten().collect()
}

fn recall(folder: &Path) -> Result<Option<Membership>> {
    let path = folder.join(FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut text = String::new();
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).with_context(|| format!("cannot read {}", path.display()))?;
    let membership: Membership = serde_json::from_str(&text)
        .with_context(|| format!("{} is damaged: restore it or remove the member", path.display()))?;
    Ok(Some(membership))
}

/// The file is whole or absent, also after a power cut.
fn remember(folder: &Path, membership: &Membership) -> Result<()> {
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let new = folder.join(format!("{FILE}.new"));
        let mut file = File::create(&new)?;
        file.write_all(serde_json::to_string(membership)?.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, folder.join(FILE))?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", folder.join(FILE).display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const THREE: &str = "b=http://h:2,a=http://h:1,c=http://h:3";

    fn initial(name: &str, members: &str, advertised: &str) -> Initial {
        Initial {
            name: name.to_owned(),
            members: parse_initial(members).expect("correct"),
            advertised: vec![MemberUrl::parse(advertised).expect("a URL")],
            token: "token".to_owned(),
            is_new: true,
        }
    }

    fn found(members: &str) -> Found {
        let fields = vec![(CLUSTER_FIELD.to_lowercase(), "ff".to_owned())];
        Found::read(&Document { fields, body: members.to_owned() }).expect("an answer")
    }

    #[test]
    fn members_of_a_new_cluster_agree_on_their_ids() {
        let formed: Vec<Membership> = [("a", 1), ("b", 2), ("c", 3)]
            .map(|(name, port)| initial(name, THREE, &format!("http://h:{port}")))
            .iter()
            .map(|initial| initial.check().map(|()| initial.form()).expect("a member"))
            .collect();
        assert_eq!(formed.iter().map(|formed| formed.id).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(formed.iter().all(|one| (one.cluster, &one.members) == (formed[0].cluster, &formed[0].members)));
        let mut other = initial("a", THREE, "http://h:1");
        other.token = "other".to_owned();
        assert_ne!(other.form().cluster, formed[0].cluster);
    }

    #[test]
    fn flags_that_do_not_fit_are_refused_in_etcds_words() {
        let refused =
            |name: &str, advertised: &str| initial(name, THREE, advertised).check().expect_err("wrong").to_string();
        assert_eq!(refused("d", "http://h:1"), "couldn't find local name \"d\" in the initial cluster configuration");
        assert_eq!(
            refused("a", "http://h:9"),
            "--initial-cluster has a=http://h:1 but missing from --initial-advertise-peer-urls=http://h:9"
        );
        for (text, said) in [
            ("a", "empty URL given for \"a\""),
            ("a=http://h:1,b=http://h:1", "duplicate urls"),
            ("a=h:1", "--initial-cluster"),
        ] {
            let error = format!("{:#}", parse_initial(text).expect_err(text));
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_new_member_finds_itself_by_its_url() {
        let joins = initial("c", THREE, "http://h:3");
        let list = r#"[{"id":1,"peerURLs":["http://h:1"],"name":"a","clientURLs":["http://h:9"]},
            {"id":2,"peerURLs":["http://h:2/"]},{"id":7,"peerURLs":["http://h:3"]}]"#;
        let membership = joins.join(&found(list)).expect("a member");
        assert_eq!((membership.id, membership.cluster, membership.is_new), (7, 255, false));
        assert_eq!(membership.members.keys().copied().collect::<Vec<_>>(), [1, 2, 7]);
    }

    #[test]
    fn a_cluster_with_other_members_is_not_joined() {
        let joins = initial("c", THREE, "http://h:3");
        let refused = |list: &str| joins.join(&found(list)).expect_err("wrong").to_string();
        let two = r#"[{"id":1,"peerURLs":["http://h:1"]},{"id":2,"peerURLs":["http://h:2"]}]"#;
        assert_eq!(refused(two), "error validating peerURLs [http://h:1 http://h:2]: member count is unequal");
        let other = r#"[{"id":1,"peerURLs":["http://h:1"]},{"id":2,"peerURLs":["http://h:2"]},{"id":3,"peerURLs":["http://h:4"]}]"#;
        assert!(refused(other).ends_with("unmatched member while checking PeerURLs (http://h:4)"));
    }

    #[test]
    fn the_answer_of_a_peer_is_checked() {
        let read = |cluster: &str, body: &str| {
            let fields = vec![(CLUSTER_FIELD.to_owned(), cluster.to_owned())];
            Found::read(&Document { fields, body: body.to_owned() })
        };
        assert!(read("1", r#"[{"id":1,"peerURLs":[]}]"#).is_ok());
        for (cluster, body) in [
            ("", "[]"),
            ("0", "[]"),
            ("x", "[]"),
            ("1", ""),
            ("1", "{}"),
            ("1", r#"[{"peerURLs":[]}]"#),
            ("1", r#"[{"id":0}]"#),
            ("1", r#"[{"id":1},{"id":1}]"#),
            ("1", r#"[{"id":-1}]"#),
        ] {
            assert!(read(cluster, body).is_err(), "{cluster} {body}");
        }
    }

    #[tokio::test]
    async fn a_member_that_restarts_ignores_the_initial_flags() {
        let folder = std::env::temp_dir().join(format!("volvox-etcd-membership-{}", std::process::id()));
        let first = of_member(&folder, &initial("a", "a=http://127.0.0.1:1", "http://127.0.0.1:1"), None).await;
        let again = of_member(&folder, &initial("x", "y=http://127.0.0.1:2", "http://127.0.0.1:3"), None).await;
        assert_eq!(first.expect("formed"), again.expect("remembered"));
        std::fs::write(folder.join(FILE), "{").expect("written");
        let damaged = of_member(&folder, &initial("a", "a=http://127.0.0.1:1", "http://127.0.0.1:1"), None).await;
        assert!(format!("{:#}", damaged.expect_err("damaged")).contains("is damaged"));
        std::fs::remove_dir_all(&folder).expect("removed");
    }
}
