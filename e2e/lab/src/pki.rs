//! A certificate authority per lab, the certificates of its control plane and the kubeconfigs.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use serde_json::json;

use crate::error::{IoContext as _, Result};
use crate::layout::{API_SERVER_PORT, Network, Node, Paths};
use crate::state::write_private;

/// First address of the Service range, which is the API server's own Service.
const API_SERVICE: &str = "10.96.0.1";

/// A certificate to be made.
struct Subject<'a> {
    file: &'a str,
    common_name: &'a str,
    organisation: Option<&'a str>,
    dns: &'a [&'a str],
    ips: Vec<IpAddr>,
}

impl<'a> Subject<'a> {
    fn client(file: &'a str, common_name: &'a str, organisation: Option<&'a str>) -> Self {
        Self { file, common_name, organisation, dns: &[], ips: Vec::new() }
    }
}

/// Makes everything below `pki/` and the administrator's kubeconfig, unless they exist.
pub fn ensure(paths: &Paths, network: Network) -> Result<()> {
    let dir = paths.pki();
    if paths.kubeconfig().exists() {
        return Ok(());
    }
    fs::create_dir_all(&dir).at("create", &dir)?;
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.distinguished_name.push(DnType::CommonName, "voxplane-lab");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    write_private(&dir.join("ca.crt"), ca_pem.as_bytes())?;
    let issuer = Issuer::new(ca, ca_key);

    let node_files = Node::ALL.map(|node| node.own("node"));
    let node_users = Node::ALL.map(|node| format!("system:node:{}", node.name()));
    let node_names = Node::ALL.map(|node| [node.name()]);
    let api_names = [
        "kubernetes.default.svc.cluster.local",
        "kubernetes.default.svc",
        "kubernetes.default",
        "kubernetes",
        "localhost",
    ];
    let node = IpAddr::from(network.node());
    let service = API_SERVICE.parse::<std::net::Ipv4Addr>().map(IpAddr::from);
    let api_ips = [Ok(node), service, Ok(IpAddr::from([127, 0, 0, 1]))].into_iter().flatten().collect();
    let mut subjects = vec![
        Subject { file: "apiserver", common_name: "kube-apiserver", organisation: None, dns: &api_names, ips: api_ips },
        Subject::client("admin", "admin", Some("system:masters")),
        Subject::client("controller-manager", "system:kube-controller-manager", None),
        Subject::client("scheduler", "system:kube-scheduler", None),
        Subject::client("proxy", "system:kube-proxy", None),
    ];
    for (index, node) in Node::ALL.into_iter().enumerate() {
        subjects.push(Subject {
            file: &node_files[index],
            common_name: &node_users[index],
            organisation: Some("system:nodes"),
            dns: &node_names[index],
            ips: vec![node.address(network).into()],
        });
    }
    let server = format!("https://{}:{API_SERVER_PORT}", network.node());
    for subject in &subjects {
        let (certificate, key) = issue(subject, &issuer)?;
        write_private(&dir.join(format!("{}.crt", subject.file)), certificate.as_bytes())?;
        write_private(&dir.join(format!("{}.key", subject.file)), key.as_bytes())?;
        let config = kubeconfig(&server, &ca_pem, &certificate, &key);
        write_private(&dir.join(format!("{}.conf", subject.file)), config.as_bytes())?;
    }

    let accounts = KeyPair::generate()?;
    write_private(&dir.join("service-accounts.key"), accounts.serialize_pem().as_bytes())?;
    write_private(&dir.join("service-accounts.pub"), accounts.public_key_pem().as_bytes())?;
    let admin = fs::read(dir.join("admin.conf")).at("read", &dir)?;
    write_private(&paths.kubeconfig(), &admin)
}

fn issue(subject: &Subject<'_>, issuer: &Issuer<'_, KeyPair>) -> Result<(String, String)> {
    let mut params = CertificateParams::new(subject.dns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())?;
    params.subject_alt_names.extend(subject.ips.iter().map(|ip| SanType::IpAddress(*ip)));
    if let Some(organisation) = subject.organisation {
        params.distinguished_name.push(DnType::OrganizationName, DnValue::Utf8String(organisation.to_owned()));
    }
    params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(subject.common_name.to_owned()));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, issuer)?.pem(), key.serialize_pem()))
}

/// A kubeconfig that carries its certificates, so that it can be copied anywhere. JSON is YAML.
fn kubeconfig(server: &str, ca: &str, certificate: &str, key: &str) -> String {
    let user = json!({
        "client-certificate-data": BASE64.encode(certificate),
        "client-key-data": BASE64.encode(key),
    });
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "lab", "cluster": {"server": server, "certificate-authority-data": BASE64.encode(ca)}}],
        "users": [{"name": "lab", "user": user}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}],
        "current-context": "lab",
    });
    format!("{config:#}\n")
}

/// Path of a file below `pki/`, as text for command lines.
pub fn file(paths: &Paths, name: &str) -> String {
    path_text(&paths.pki().join(name))
}

/// A path as text for command lines and configuration files.
pub fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
