//! The HTTP documents of the peer port, which are those of etcd: a new member knows nothing but the peers' URLs, and asks
//! there who belongs to the cluster.

use serde_json::{Map, Value};
use volvox_net::http::Document;
use volvox_replica::{Member, View};

/// The header field that names the cluster, in hexadecimal.
pub const CLUSTER_FIELD: &str = "X-Etcd-Cluster-ID";

/// The document at `path`.
pub fn document(path: &str, view: &View) -> Option<Document> {
    let body = match path {
        "/members" => Value::from(view.members.iter().map(member).collect::<Vec<_>>()).to_string(),
        "/version" => volvox_etcd::version(),
        _ => return None,
    };
    Some(Document { fields: vec![(CLUSTER_FIELD.to_owned(), format!("{:x}", view.status.cluster))], body })
}

/// A member as etcd writes it: what is empty is left out.
fn member(member: &Member) -> Value {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), member.id.0.into());
    fields.insert("peerURLs".to_owned(), member.peer_urls.clone().into());
    if member.is_learner {
        fields.insert("isLearner".to_owned(), true.into());
    }
    if !member.name.is_empty() {
        fields.insert("name".to_owned(), member.name.clone().into());
    }
    if !member.client_urls.is_empty() {
        fields.insert("clientURLs".to_owned(), member.client_urls.clone().into());
    }
    fields.into()
}
