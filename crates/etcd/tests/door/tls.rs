//! TLS on the client port: which clients are served, which are refused, and with which answer.

use crate::fake::Fake;
use crate::server::{Server, within};
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use volvox_certificates::{Authorities, Identity};
use volvox_etcd::proto::etcdserverpb as pb;
use volvox_etcd::{Options, ServerTls, TlsPaths};

/// A folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let turn = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("volvox-door-tls-{}-{turn}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        // Each has a name of its own: by it a certificate says who signed it.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("authority {}", NEXT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes this authority's certificate, and one that it signed with its key.
    fn issue(&self, folder: &Folder, name: &str) -> (PathBuf, PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &self.0).unwrap();
        let path = |what: &str| folder.0.join(format!("{name}-{what}.pem"));
        std::fs::write(path("ca"), self.0.pem()).unwrap();
        std::fs::write(path("cert"), certificate.pem()).unwrap();
        std::fs::write(path("key"), key.serialize_pem()).unwrap();
        (path("ca"), path("cert"), path("key"))
    }
}

async fn serve(fake: &Fake, paths: TlsPaths) -> Server {
    let options = Options { read_timeout: Duration::from_secs(2), ..Options::default() };
    Server::secure(fake, ServerTls::load(paths).unwrap(), options).await
}

/// A client that trusts an authority and shows a certificate, if it has one.
fn client(authority: &Path, identity: Option<(&Path, &Path)>) -> Arc<ClientConfig> {
    let servers = Authorities::read(authority).unwrap().of_servers();
    let identity = identity.map(|(certificate, key)| Identity::read(certificate, key).unwrap());
    Arc::new(volvox_certificates::client(servers, identity.as_ref()))
}

async fn dial(address: SocketAddr, config: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(address).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::clone(config)).connect(name, socket).await
}

/// One put over gRPC; what became of it.
async fn put(server: &Server, config: &Arc<ClientConfig>) -> Result<i64, String> {
    let (address, config) = (server.address, Arc::clone(config));
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    let connector = tower::service_fn(move |_| {
        let config = Arc::clone(&config);
        async move { dial(address, &config).await.map(TokioIo::new) }
    });
    let channel = within(endpoint.connect_with_connector(connector)).await.map_err(|error| format!("{error:?}"))?;
    put_over(channel).await
}

async fn put_over(channel: Channel) -> Result<i64, String> {
    let request = pb::PutRequest { key: Bytes::from_static(b"k"), ..Default::default() };
    let answer = within(pb::kv_client::KvClient::new(channel).put(request)).await;
    answer.map(|answer| answer.into_inner().header.unwrap().revision).map_err(|error| format!("{error:?}"))
}

/// The port's answer to these bytes, until it closes.
async fn say(address: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = within(TcpStream::connect(address)).await.unwrap();
    within(stream.write_all(bytes)).await.unwrap();
    let mut answer = Vec::new();
    within(stream.read_to_end(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn calls_and_probes_go_over_tls() {
    let (folder, fake) = (Folder::new(), Fake::new());
    let (ca, certificate, key) = Authority::new().issue(&folder, "server");
    let server = serve(&fake, TlsPaths { certificate, key, client_authority: None }).await;
    let config = client(&ca, None);
    assert_eq!(put(&server, &config).await, Ok(2));
    let mut stream = within(dial(server.address, &config)).await.unwrap();
    within(stream.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(r#"{"health":"true","reason":""}"#), "{answer}");
    let stranger = Authority::new().issue(&folder, "other").0;
    let refused = put(&server, &client(&stranger, None)).await.unwrap_err();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    server.stop().await;
}

#[tokio::test]
async fn an_authority_for_clients_lets_nobody_else_in() {
    let (folder, fake) = (Folder::new(), Fake::new());
    let (for_servers, for_clients, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let (ca, certificate, key) = for_servers.issue(&folder, "server");
    let (client_ca, client_certificate, client_key) = for_clients.issue(&folder, "client");
    let (_, strange_certificate, strange_key) = stranger.issue(&folder, "stranger");
    let server = serve(&fake, TlsPaths { certificate, key, client_authority: Some(client_ca) }).await;
    let nameless = put(&server, &client(&ca, None)).await.unwrap_err();
    assert!(nameless.contains("CertificateRequired"), "{nameless}");
    let strange = put(&server, &client(&ca, Some((&strange_certificate, &strange_key)))).await.unwrap_err();
    assert!(strange.contains("received fatal alert: UnknownCA"), "{strange}");
    assert_eq!(put(&server, &client(&ca, Some((&client_certificate, &client_key)))).await, Ok(2));
}

#[tokio::test]
async fn who_speaks_in_the_clear_is_told_so() {
    let (folder, fake) = (Folder::new(), Fake::new());
    let (ca, certificate, key) = Authority::new().issue(&folder, "server");
    let server = serve(&fake, TlsPaths { certificate, key, client_authority: None }).await;
    let answer = say(server.address, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("Client sent an HTTP request to an HTTPS server.\n"), "{answer}");
    let answer = say(server.address, b"POST /v3/kv/put HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(answer.starts_with(b"HTTP/1.0 400 Bad Request\r\n"));
    let refused = match within(Endpoint::from_shared(format!("http://{}", server.address)).unwrap().connect()).await {
        Ok(channel) => put_over(channel).await.unwrap_err(),
        Err(error) => format!("{error:?}"),
    };
    assert!(refused.contains("this port speaks TLS"), "{refused}");
    assert_eq!(put(&server, &client(&ca, None)).await, Ok(2), "others are served meanwhile");
}

#[tokio::test]
async fn tls_on_a_plain_port_is_no_handshake() {
    let (folder, fake) = (Folder::new(), Fake::new());
    let (ca, ..) = Authority::new().issue(&folder, "server");
    let server = Server::start(&fake).await;
    let refused = within(dial(server.address, &client(&ca, None))).await.unwrap_err().to_string();
    assert!(refused.contains("InvalidContentType"), "{refused}");
    let put = put_over(server.channel().await).await;
    assert_eq!(put, Ok(2), "others are served meanwhile");
}

#[tokio::test]
async fn a_handshake_that_is_not_finished_ends() {
    let (folder, fake) = (Folder::new(), Fake::new());
    let (_, certificate, key) = Authority::new().issue(&folder, "server");
    let server = serve(&fake, TlsPaths { certificate, key, client_authority: None }).await;
    // The head of a record of 512 bytes, of which none follow; and nothing at all.
    assert_eq!(say(server.address, &[22, 3, 1, 2, 0]).await, b"");
    assert_eq!(say(server.address, b"").await, b"");
}

#[tokio::test]
async fn a_replaced_certificate_is_used_for_the_next_connection_and_a_broken_one_is_not() {
    let (folder, fake) = (Folder::new(), Fake::new());
    let (_, certificate, key) = Authority::new().issue(&folder, "server");
    let server = serve(&fake, TlsPaths { certificate: certificate.clone(), key, client_authority: None }).await;
    // The same files, of another authority.
    let (ca, ..) = Authority::new().issue(&folder, "server");
    let config = client(&ca, None);
    assert_eq!(put(&server, &config).await, Ok(2));
    std::fs::write(&certificate, "nothing of use").unwrap();
    assert_eq!(put(&server, &config).await, Ok(3));
}

#[test]
fn each_of_the_three_files_is_read_at_the_start() {
    let folder = Folder::new();
    let (_, certificate, key) = Authority::new().issue(&folder, "server");
    let good = TlsPaths { certificate, key, client_authority: None };
    let error = |paths: TlsPaths| ServerTls::load(paths).unwrap_err().to_string();
    let nowhere = folder.0.join("nowhere.pem");
    for paths in [
        TlsPaths { certificate: nowhere.clone(), ..good.clone() },
        TlsPaths { key: nowhere.clone(), ..good.clone() },
        TlsPaths { client_authority: Some(nowhere.clone()), ..good },
    ] {
        let said = error(paths);
        assert!(said.contains("nowhere.pem"), "{said}");
    }
}
