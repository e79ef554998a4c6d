//! Succession of authorities, and a real TLS handshake with what is issued.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::issue;
use super::keeper::server_names;
use super::state::{Authority, ServerFacts, decide};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn now() -> Timestamp {
    "2026-07-01T00:00:00Z".parse().unwrap()
}

fn stored(serial: &str, issued_at: Timestamp, not_after: Timestamp) -> Authority {
    Authority { serial: serial.to_owned(), certificate: String::new(), key: String::new(), issued_at, not_after }
}

fn facts(signed_by: &str, not_after: Timestamp) -> ServerFacts {
    ServerFacts { signed_by: signed_by.to_owned(), not_after, names: server_names("voxplane-system") }
}

#[test]
fn at_the_beginning_everything_is_made() {
    let decision = decide(&[], None, &server_names("voxplane-system"), now());
    assert!(decision.new_authority);
    assert_eq!(decision.new_server, Some(None));
}

#[test]
fn what_is_good_stays() {
    let old = stored("a", now() - DAY * 30, now() + DAY * 3000);
    let decision = decide(&[old], Some(&facts("a", now() + DAY * 60)), &server_names("voxplane-system"), now());
    assert!(!decision.new_authority);
    assert_eq!(decision.new_server, None);
}

#[test]
fn the_server_is_renewed_before_it_expires_or_when_its_names_change() {
    let old = stored("a", now() - DAY * 30, now() + DAY * 3000);
    let names = server_names("voxplane-system");
    let decide_for = |server: &ServerFacts| decide(std::slice::from_ref(&old), Some(server), &names, now()).new_server;
    assert_eq!(decide_for(&facts("a", now() + DAY * 20)), Some(Some("a".to_owned())));
    let elsewhere = ServerFacts { names: server_names("elsewhere"), ..facts("a", now() + DAY * 60) };
    assert_eq!(decide_for(&elsewhere), Some(Some("a".to_owned())));
    assert_eq!(decide_for(&facts("unknown", now() + DAY * 60)), Some(Some("a".to_owned())));
}

#[test]
fn a_new_authority_is_published_a_day_before_it_signs() {
    let names = server_names("voxplane-system");
    let old = stored("old", now() - DAY * 3400, now() + DAY * 250);
    assert!(decide(std::slice::from_ref(&old), None, &names, now()).new_authority);
    let fresh = stored("new", now() - SignedDuration::from_hours(1), now() + DAY * 3650);
    let young = decide(&[old.clone(), fresh.clone()], None, &names, now());
    assert_eq!((young.new_authority, young.new_server), (false, Some(Some("old".to_owned()))));
    let later = decide(&[old.clone(), fresh], None, &names, now() + DAY);
    assert_eq!(later.new_server, Some(Some("new".to_owned())));
    let expired = decide(&[old], None, &names, now() + DAY * 300);
    assert!(expired.keep.is_empty() && expired.new_authority);
}

#[test]
fn what_is_issued_works_in_a_handshake_and_only_for_its_names() {
    voxplane_platform::tls::install_crypto_provider();
    let at = Timestamp::now();
    let authority = issue::authority(at).unwrap();
    let other = issue::authority(at).unwrap();
    let server = issue::server(&authority, &server_names("voxplane-system"), at).unwrap();
    assert!(!format!("{server:?}{authority:?}").contains("PRIVATE KEY"));
    let bundle = format!("{}{}", other.certificate, authority.certificate);
    assert_eq!(handshake(&server, &bundle, "voxplane-api.voxplane-system.svc"), Ok(()));
    assert_eq!(handshake(&server, &bundle, "voxplane-api.voxplane-system.svc.cluster.local"), Ok(()));
    assert!(handshake(&server, &bundle, "voxplane-api.elsewhere.svc").is_err());
    assert!(handshake(&server, &other.certificate, "voxplane-api.voxplane-system.svc").is_err());
}

fn handshake(server: &issue::Server, bundle: &str, name: &'static str) -> Result<(), String> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let client = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let chain = CertificateDer::pem_slice_iter(server.certificate.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap();
    let serving = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(client), ServerName::try_from(name).unwrap()).unwrap();
    let mut serving = rustls::ServerConnection::new(Arc::new(serving)).unwrap();
    while client.is_handshaking() || serving.is_handshaking() {
        let mut wire = Vec::new();
        client.write_tls(&mut wire).unwrap();
        serving.read_tls(&mut wire.as_slice()).unwrap();
        serving.process_new_packets().map_err(|error| error.to_string())?;
        let mut wire = Vec::new();
        serving.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets().map_err(|error| error.to_string())?;
    }
    Ok(())
}
