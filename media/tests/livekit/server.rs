//! A real livekit-server on loopback, one per test, without Redis.

use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use livekit_api::access_token::{AccessToken, VideoGrants};
use livekit_api::services::room::RoomClient;
use tokio::process::{Child, Command};

const KEY: &str = "test";
const SECRET: &str = "a-secret-of-at-least-thirty-two-characters";

pub struct Server {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Server {
    /// Starts the server named by `VOXPLANE_LIVEKIT_SERVER` and waits until it answers.
    pub async fn start() -> Self {
        Self::start_offering("127.0.0.1").await
    }

    /// Starts a server whose own address it believes to be `node_ip`; unless that is loopback, it offers no address.
    pub async fn start_offering(node_ip: &str) -> Self {
        let binary: PathBuf = std::env::var_os("VOXPLANE_LIVEKIT_SERVER")
            .expect("VOXPLANE_LIVEKIT_SERVER must name the livekit-server binary")
            .into();
        let folder = tempfile::tempdir().unwrap();
        let (port, tcp_port, udp_port) = free_ports();
        let loopback = node_ip == "127.0.0.1";
        let config = folder.path().join("livekit.yaml");
        let text = format!(
            "port: {port}\n\
             bind_addresses: [\"127.0.0.1\"]\n\
             rtc:\n  udp_port: {udp_port}\n  tcp_port: {tcp_port}\n  node_ip: {node_ip}\n  \
             use_external_ip: false\n  enable_loopback_candidate: {loopback}\n  interfaces: {{includes: [lo]}}\n\
             keys: {{{KEY}: {SECRET}}}\n\
             logging: {{level: debug}}\n"
        );
        std::fs::write(&config, text).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(&binary)
            .arg("--config")
            .arg(&config)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", binary.display()));
        let mut server = Self { child, folder, port };
        server.wait_until_it_answers().await;
        server
    }

    async fn wait_until_it_answers(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            let exited = self.child.try_wait().unwrap();
            assert!(exited.is_none() && Instant::now() < deadline, "livekit-server is not up:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub fn token(&self, room: &str, identity: &str) -> String {
        let grants = VideoGrants {
            room_join: true,
            room: room.to_owned(),
            can_update_own_metadata: Some(true),
            ..VideoGrants::default()
        };
        AccessToken::with_api_key(KEY, SECRET).with_identity(identity).with_grants(grants).to_jwt().unwrap()
    }

    /// A token that allows neither publishing nor attributes.
    pub fn listener_token(&self, room: &str, identity: &str) -> String {
        let grants = VideoGrants {
            room_join: true,
            room: room.to_owned(),
            can_publish: Some(false),
            can_update_own_metadata: Some(false),
            ..VideoGrants::default()
        };
        AccessToken::with_api_key(KEY, SECRET).with_identity(identity).with_grants(grants).to_jwt().unwrap()
    }

    pub fn rooms(&self) -> RoomClient {
        RoomClient::with_api_key(&format!("http://127.0.0.1:{}", self.port), KEY, SECRET)
    }

    /// Stops the server without closing anything, as a cut cable would.
    pub async fn freeze(&self) {
        self.signal("-STOP").await;
    }

    /// Lets a frozen server go on.
    pub async fn thaw(&self) {
        self.signal("-CONT").await;
    }

    async fn signal(&self, signal: &str) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().await.unwrap().success());
    }

    /// Ends the server without a word.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

/// Ports nobody uses at the moment: HTTP, RTC over TCP, RTC over UDP.
fn free_ports() -> (u16, u16, u16) {
    let http = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = |address: std::io::Result<std::net::SocketAddr>| address.unwrap().port();
    (port(http.local_addr()), port(tcp.local_addr()), port(udp.local_addr()))
}
