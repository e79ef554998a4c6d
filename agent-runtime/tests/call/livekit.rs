//! A real livekit-server on loopback, without Redis.

use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use livekit_api::access_token::{AccessToken, VideoGrants};
use tokio::process::{Child, Command};
use voxplane_control::v1::LiveKitAccess;

const KEY: &str = "test";
const SECRET: &str = "a-secret-of-at-least-thirty-two-characters";

pub struct LiveKit {
    child: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl LiveKit {
    /// Starts the server and waits until it answers.
    pub async fn start() -> Self {
        let binary: PathBuf = std::env::var_os("VOXPLANE_LIVEKIT_SERVER")
            .expect("VOXPLANE_LIVEKIT_SERVER must name the livekit-server binary")
            .into();
        let folder = tempfile::tempdir().unwrap();
        let http = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = folder.path().join("livekit.yaml");
        let text = format!(
            "port: {http}\n\
             bind_addresses: [\"127.0.0.1\"]\n\
             rtc:\n  udp_port: {udp}\n  tcp_port: {tcp}\n  node_ip: 127.0.0.1\n  use_external_ip: false\n  \
             enable_loopback_candidate: true\n  interfaces: {{includes: [lo]}}\n\
             keys: {{{KEY}: {SECRET}}}\n"
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
        let mut server = Self { child, folder, port: http };
        let deadline = Instant::now() + Duration::from_secs(20);
        while tokio::net::TcpStream::connect(("127.0.0.1", http)).await.is_err() {
            let exited = server.child.try_wait().unwrap();
            assert!(exited.is_none() && Instant::now() < deadline, "livekit-server is not up:\n{}", server.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    pub fn join_token(&self, room: &str, identity: &str) -> String {
        self.token(identity, VideoGrants { room_join: true, room: room.to_owned(), ..VideoGrants::default() })
    }

    /// What the API hands to a runtime for one call.
    pub fn access(&self, room: &str) -> LiveKitAccess {
        let admin = VideoGrants { room_admin: true, room: room.to_owned(), ..VideoGrants::default() };
        LiveKitAccess {
            url: self.url(),
            room: room.to_owned(),
            join_token: self.join_token(room, "agent"),
            admin_token: self.token("runtime", admin),
        }
    }

    fn token(&self, identity: &str, grants: VideoGrants) -> String {
        AccessToken::with_api_key(KEY, SECRET).with_identity(identity).with_grants(grants).to_jwt().unwrap()
    }
}
