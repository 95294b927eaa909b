use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData, date_time_ymd,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::accept_async;

use super::super::status::ServerDetail;
use super::*;
use crate::identity::Identity;
use crate::server_protocol::{ALPN, Challenge};

/// A server of a test's own with this certificate of its key: its listener, and its TLS.
async fn serve(key: &KeyPair, certificate: &Certificate) -> (TcpListener, TlsAcceptor) {
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private)
        .unwrap();
    config.alpn_protocols = vec![ALPN.to_vec()];
    (TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::new(config).into())
}

/// The same with a certificate that the key signs itself, and its link.
async fn server() -> (TcpListener, TlsAcceptor, ServerLink) {
    let key = KeyPair::generate().unwrap();
    let (listener, tls) = serve(&key, &CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap()).await;
    let port = listener.local_addr().unwrap().port();
    let link = ServerLink::new("127.0.0.1", port, &key.subject_public_key_info()).unwrap();
    (listener, tls, link)
}

fn local() -> Local {
    Local::new(Arc::new(Identity::from_seed([1; 32])), "Ann").unwrap()
}

async fn dial_it(link: &ServerLink) -> Result<Dialed, DialError> {
    dial(link, &Arc::new(tls::client_config(link).unwrap()), &Egress::default(), &local()).await
}

/// A listener that fails the test when anybody comes.
async fn trap() -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (address, tokio::spawn(async move { drop(listener.accept().await) }))
}

#[tokio::test]
async fn a_server_that_names_other_hosts_is_not_followed_there() {
    let (listener, tls, link) = server().await;
    let (elsewhere, sprung) = trap().await;
    let there = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let stream = tls.accept(listener.accept().await.unwrap().0).await.unwrap();
        let mut socket = accept_async(stream).await.unwrap();
        let challenge = ToApp::Challenge(Challenge { min_version: VERSION, max_version: VERSION, nonce: [7; 32] });
        socket.send(Packet::text(challenge.encode())).await.unwrap();
        socket.next().await.unwrap().unwrap();
        let welcome = serde_json::json!({"welcome": {
            "device": 7,
            "time_ms": 1,
            "limits": {
                "watches": 1, "letters_per_second": 1, "letters_at_once": 1, "unwatched_letters_per_hour": 1,
            },
            "redirect": format!("wss://{elsewhere}{PATH}"),
            "relay": {
                "host": elsewhere.ip(), "urls": [format!("turn:{elsewhere}")], "udp_port": 3478, "tls": true,
                "username": "a", "password": "b", "valid_s": 60,
            },
        }});
        socket.send(Packet::text(welcome.to_string())).await.unwrap();
        socket.next().await
    });
    let dialed = dial_it(&link).await.unwrap();
    // The relay is dialed at this address, and at the port that the welcome has.
    assert_eq!(dialed.addresses, [there]);
    assert_eq!(dialed.welcome.relay.unwrap().udp_port, Some(3478));
    assert!(!sprung.is_finished());
}

#[tokio::test]
async fn a_redirect_is_no_server() {
    let (listener, tls, link) = server().await;
    let (elsewhere, sprung) = trap().await;
    tokio::spawn(async move {
        let mut stream = tls.accept(listener.accept().await.unwrap().0).await.unwrap();
        let _request = stream.read(&mut [0; 2048]).await;
        let redirect = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nLocation: https://{elsewhere}{PATH}\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(redirect.as_bytes()).await.unwrap();
        stream.shutdown().await
    });
    assert!(matches!(dial_it(&link).await, Err(DialError::NoServer(_))));
    assert!(!sprung.is_finished());
}

/// A server with the right key that replays a challenge, or passes one on, gets a proof that is good on no other
/// connection: the exporter differs.
#[tokio::test]
async fn a_proof_is_good_on_its_own_connection_alone() {
    let (listener, tls, link) = server().await;
    let (proofs, mut made) = tokio::sync::mpsc::channel(2);
    tokio::spawn(async move {
        for _ in 0..2 {
            let stream = tls.accept(listener.accept().await.unwrap().0).await.unwrap();
            let exporter = stream.get_ref().1.export_keying_material([0; 32], EXPORTER_LABEL, None).unwrap();
            let mut socket = accept_async(stream).await.unwrap();
            let challenge = ToApp::Challenge(Challenge { min_version: VERSION, max_version: VERSION, nonce: [7; 32] });
            socket.send(Packet::text(challenge.encode())).await.unwrap();
            let Packet::Text(proof) = socket.next().await.unwrap().unwrap() else { panic!("no proof") };
            let Ok(Some(ToServer::Prove(proof))) = ToServer::decode(&proof) else { panic!("no proof") };
            proofs.send((exporter, proof)).await.unwrap();
        }
    });
    for _ in 0..2 {
        assert!(dial_it(&link).await.is_err(), "this server lets nobody in");
    }
    let (first, second) = (made.recv().await.unwrap(), made.recv().await.unwrap());
    let holds = |(exporter, _): &([u8; 32], Prove), (_, proof): &([u8; 32], Prove)| {
        crate::identity::proves_to_server(&proof.id, exporter, &[7; 32], &proof.signature)
    };
    assert!(holds(&first, &first) && holds(&second, &second));
    assert!(!holds(&first, &second) && !holds(&second, &first));
}

/// A certificate authority of a test's own.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

fn certificate_of(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

/// Dials a server with this certificate, by a link of its name or with this hash, and trusts this authority: why it is
/// not reached. A dial that comes as far as HTTP meets no server, and tells of another error.
async fn refusal(
    key: &KeyPair,
    certificate: &Certificate,
    hash_of: Option<&KeyPair>,
    authority: &CertifiedIssuer<'static, KeyPair>,
) -> ServerDetail {
    let (listener, tls) = serve(key, certificate).await;
    let port = listener.local_addr().unwrap().port();
    let link = match hash_of {
        Some(key) => ServerLink::new("localhost", port, &key.subject_public_key_info()),
        None => ServerLink::by_name("localhost", port),
    };
    let link = link.unwrap();
    tokio::spawn(async move {
        if let Ok(mut stream) = tls.accept(listener.accept().await.unwrap().0).await {
            let _request = stream.read(&mut [0; 2048]).await;
        }
    });
    let config = tls::client_config_with(&link, Some(authority.der().clone())).unwrap();
    let Err(error) = dial(&link, &Arc::new(config), &Egress::default(), &local()).await else { panic!("{link}") };
    error.detail()
}

/// Each way around the check of a server's certificate is shut; two that are in order come through to HTTP.
#[tokio::test]
async fn a_wrong_certificate_is_refused_in_its_own_words_and_a_hash_never_falls_back() {
    let (key, other, authority) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), authority());
    let issued = |parameters: CertificateParams| parameters.signed_by(&key, &authority).unwrap();
    let valid = issued(certificate_of("localhost"));
    let mut over = certificate_of("localhost");
    (over.not_before, over.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2020, 2, 1));
    let mut not_yet = certificate_of("localhost");
    not_yet.not_before = date_time_ymd(2999, 1, 1);
    let self_signed = certificate_of("localhost").self_signed(&key).unwrap();
    let stranger = certificate_of("localhost").signed_by(&key, &self::authority()).unwrap();
    let mut false_authority = certificate_of("localhost");
    false_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    use ServerDetail::{Expired, NoServer, OtherKey, OtherName, Untrusted};
    for (case, certificate, hash_of, detail) in [
        ("valid, by name", &valid, None, NoServer),
        ("valid, and the link's key", &valid, Some(&key), NoServer),
        ("self-signed, and the link's key", &self_signed, Some(&key), NoServer),
        ("valid, but not the link's key", &valid, Some(&other), OtherKey),
        ("another name", &issued(certificate_of("calls.example.org")), None, OtherName),
        ("an address", &issued(certificate_of("127.0.0.1")), None, OtherName),
        ("over", &issued(over), None, Expired),
        ("not yet valid", &issued(not_yet), None, Expired),
        ("self-signed", &self_signed, None, Untrusted),
        ("an authority that is not trusted", &stranger, None, Untrusted),
        ("an authority's own", &issued(false_authority), None, Untrusted),
    ] {
        assert_eq!(refusal(&key, certificate, hash_of, &authority).await, detail, "{case}");
    }
}
