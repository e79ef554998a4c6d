//! etcd, kube-apiserver, kube-controller-manager and kube-scheduler.

use std::time::Duration;

use super::context::{Context, words};
use crate::error::Result;
use crate::layout::{API_SERVER_PORT, POD_CIDR, SERVICE_CIDR};
use crate::pki::{self, file, path_text};

/// Name of the etcd process.
pub const ETCD: &str = "etcd";
/// Name of the API server's process.
pub const API_SERVER: &str = "kube-apiserver";
/// Name of the controller manager's process.
pub const CONTROLLER_MANAGER: &str = "kube-controller-manager";
/// Name of the scheduler's process.
pub const SCHEDULER: &str = "kube-scheduler";

/// Local port of etcd's clients.
const ETCD_PORT: u16 = 2379;
/// Default secure ports, on the lab's loopback address.
const CONTROLLER_MANAGER_PORT: u16 = 10257;
const SCHEDULER_PORT: u16 = 10259;
/// Starting takes two seconds on an idle machine; a busy one may need many more.
const LIMIT: Duration = Duration::from_secs(90);
const HINT: &str = "`lab logs kube-apiserver` and `lab logs etcd`; then `lab down` and `lab up` start afresh";

/// Starts the control plane and waits until it serves.
pub fn start(context: &Context) -> Result<()> {
    pki::ensure(&context.paths, context.network())?;
    context.spawn(etcd(context)?)?;
    context.spawn(api_server(context))?;
    context.wait_for(API_SERVER, LIMIT, HINT, || ready(context))?;
    context.spawn(controller_manager(context))?;
    context.spawn(scheduler(context))
}

/// Whether API server, controller manager and scheduler serve.
pub fn probe(context: &Context) -> Result<(), String> {
    context.prober.http(context.at_loopback(ETCD_PORT), "/health")?;
    ready(context)?;
    context.prober.tcp(context.at_loopback(CONTROLLER_MANAGER_PORT))?;
    context.prober.tcp(context.at_loopback(SCHEDULER_PORT))
}

fn ready(context: &Context) -> Result<(), String> {
    context.prober.tcp(context.at_node(API_SERVER_PORT))?;
    context.kubectl(&["get", "--raw", "/readyz"]).map(drop).map_err(|error| error.to_string())
}

fn etcd(context: &Context) -> Result<crate::init::protocol::ProcessSpec> {
    let data = path_text(&context.directory("etcd")?);
    let client = format!("http://127.0.0.1:{ETCD_PORT}");
    let mut argv =
        words(["etcd", "--unsafe-no-fsync", "--listen-peer-urls", "http://127.0.0.1:2380", "--log-level", "warn"]);
    argv.extend(["--data-dir".to_owned(), data]);
    argv.extend(["--listen-client-urls".to_owned(), client.clone(), "--advertise-client-urls".to_owned(), client]);
    Ok(context.process(ETCD, &argv))
}

fn api_server(context: &Context) -> crate::init::protocol::ProcessSpec {
    let pki = |name: &str| file(&context.paths, name);
    let flags = [
        ("etcd-servers", format!("http://127.0.0.1:{ETCD_PORT}")),
        ("bind-address", "0.0.0.0".to_owned()),
        ("secure-port", API_SERVER_PORT.to_string()),
        ("advertise-address", context.network().node().to_string()),
        ("tls-cert-file", pki("apiserver.crt")),
        ("tls-private-key-file", pki("apiserver.key")),
        ("client-ca-file", pki("ca.crt")),
        ("kubelet-client-certificate", pki("admin.crt")),
        ("kubelet-client-key", pki("admin.key")),
        ("kubelet-certificate-authority", pki("ca.crt")),
        // The node's name resolves nowhere.
        ("kubelet-preferred-address-types", "InternalIP".to_owned()),
        ("service-account-key-file", pki("service-accounts.pub")),
        ("service-account-signing-key-file", pki("service-accounts.key")),
        ("service-account-issuer", "https://kubernetes.default.svc".to_owned()),
        ("service-cluster-ip-range", SERVICE_CIDR.to_owned()),
        ("authorization-mode", "Node,RBAC".to_owned()),
        ("enable-admission-plugins", "NodeRestriction".to_owned()),
        ("allow-privileged", "true".to_owned()),
        ("profiling", "false".to_owned()),
    ];
    context.process(API_SERVER, &command(API_SERVER, &flags))
}

fn controller_manager(context: &Context) -> crate::init::protocol::ProcessSpec {
    let pki = |name: &str| file(&context.paths, name);
    let flags = [
        ("kubeconfig", pki("controller-manager.conf")),
        ("bind-address", "127.0.0.1".to_owned()),
        ("service-account-private-key-file", pki("service-accounts.key")),
        ("root-ca-file", pki("ca.crt")),
        ("use-service-account-credentials", "true".to_owned()),
        // Quotas of kinds whose CRDs came a moment ago are counted within seconds, not after five minutes.
        ("resource-quota-sync-period", "5s".to_owned()),
        ("leader-elect", "false".to_owned()),
        ("cluster-cidr", POD_CIDR.to_owned()),
        // At its default pace it needs four seconds to introduce all its controllers to the API server.
        ("kube-api-qps", "300".to_owned()),
        ("kube-api-burst", "600".to_owned()),
        ("flex-volume-plugin-dir", path_text(&context.paths.join("kubelet-plugins"))),
        ("profiling", "false".to_owned()),
    ];
    context.process(CONTROLLER_MANAGER, &command(CONTROLLER_MANAGER, &flags))
}

fn scheduler(context: &Context) -> crate::init::protocol::ProcessSpec {
    let flags = [
        ("kubeconfig", file(&context.paths, "scheduler.conf")),
        ("bind-address", "127.0.0.1".to_owned()),
        ("leader-elect", "false".to_owned()),
        ("profiling", "false".to_owned()),
    ];
    context.process(SCHEDULER, &command(SCHEDULER, &flags))
}

/// A command line of a Kubernetes program.
pub(super) fn command(program: &str, flags: &[(&str, String)]) -> Vec<String> {
    let flags = flags.iter().map(|(name, value)| format!("--{name}={value}"));
    std::iter::once(program.to_owned()).chain(flags).collect()
}
