//! Real requests that decide whether a part works. Each runs in the lab's network, where the parts listen.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use nix::sched::{CloneFlags, setns};

/// How long one probe may take.
const LIMIT: Duration = Duration::from_secs(2);

/// The lab's network, in which probes run.
#[derive(Clone, Debug)]
pub struct Prober {
    /// Where to probe from; our own network if absent.
    namespace: Option<PathBuf>,
}

impl Prober {
    /// Probes in the network namespace of the process `init`.
    pub fn new(init: i32) -> Self {
        Self { namespace: Some(PathBuf::from(format!("/proc/{init}/ns/net"))) }
    }

    /// Runs `work` on a thread inside the lab's network: a namespace belongs to a thread and cannot be left again.
    fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
        let Some(path) = &self.namespace else { return work() };
        let namespace = File::open(path).map_err(|error| format!("the lab's network is gone: {error}"))?;
        let enter = || {
            setns(&namespace, CloneFlags::CLONE_NEWNET)
                .map_err(|error| format!("entering the lab's network: {error}"))?;
            work()
        };
        std::thread::scope(|scope| scope.spawn(enter).join()).unwrap_or_else(|_| Err("the probe crashed".to_owned()))
    }

    /// Whether something accepts connections.
    pub fn tcp(&self, address: SocketAddr) -> Result<(), String> {
        self.inside(|| {
            TcpStream::connect_timeout(&address, LIMIT).map(drop).map_err(|error| format!("{address}: {error}"))
        })
    }

    /// Whether a plain HTTP GET is answered with 200.
    pub fn http(&self, address: SocketAddr, path: &str) -> Result<(), String> {
        let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n");
        let answer = self.inside(|| exchange_tcp(address, request.as_bytes()))?;
        let status = answer.lines().next().unwrap_or_default();
        if status.split(' ').nth(1) == Some("200") {
            Ok(())
        } else {
            Err(format!("http://{address}{path}: {status:?}"))
        }
    }

    /// Whether Redis answers PING.
    pub fn redis(&self, address: SocketAddr) -> Result<(), String> {
        let answer = self.inside(|| exchange_tcp(address, b"PING\r\nQUIT\r\n"))?;
        if answer.starts_with("+PONG") { Ok(()) } else { Err(format!("{address}: answered {answer:?}")) }
    }

    /// Whether a SIP server answers OPTIONS, whatever it answers.
    pub fn sip(&self, address: SocketAddr) -> Result<(), String> {
        self.inside(|| {
            let failed = |error: std::io::Error| format!("SIP at {address}: {error}");
            let socket = UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0)).map_err(failed)?;
            socket.connect(address).map_err(failed)?;
            socket.set_read_timeout(Some(LIMIT)).map_err(failed)?;
            let local = socket.local_addr().map_err(failed)?;
            socket.send(sip_options(local, address).as_bytes()).map_err(failed)?;
            let mut buffer = [0_u8; 2048];
            let length = socket.recv(&mut buffer).map_err(failed)?;
            let answer = String::from_utf8_lossy(&buffer[..length]);
            if answer.starts_with("SIP/2.0 ") { Ok(()) } else { Err(format!("SIP at {address}: answered {answer:?}")) }
        })
    }
}

/// RFC 3261, section 11: a query that every SIP server answers.
fn sip_options(local: SocketAddr, remote: SocketAddr) -> String {
    let id = rand::random::<u64>();
    format!(
        "OPTIONS sip:probe@{remote} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {local};branch=z9hG4bK{id:x};rport\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:probe@{local}>;tag={id:x}\r\n\
         To: <sip:probe@{remote}>\r\n\
         Call-ID: {id:x}@lab\r\n\
         CSeq: 1 OPTIONS\r\n\
         Contact: <sip:probe@{local}>\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

fn exchange_tcp(address: SocketAddr, request: &[u8]) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{address}: {error}");
    let mut stream = TcpStream::connect_timeout(&address, LIMIT).map_err(failed)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(failed)?;
    stream.write_all(request).map_err(failed)?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).map_err(failed)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    const HERE: Prober = Prober { namespace: None };

    fn serve(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn only_status_200_is_healthy() {
        HERE.http(serve("HTTP/1.0 200 OK\r\n\r\nok"), "/").unwrap();
        let refused = HERE.http(serve("HTTP/1.0 503 Service Unavailable\r\n\r\n"), "/healthz").unwrap_err();
        assert!(refused.contains("503") && refused.contains("/healthz"), "{refused}");
    }

    #[test]
    fn a_sip_answer_of_any_status_counts_and_other_noise_does_not() {
        for (answer, healthy) in [("SIP/2.0 405 Method Not Allowed\r\n\r\n", true), ("hello", false)] {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let address = socket.local_addr().unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 2048];
                let (length, peer) = socket.recv_from(&mut buffer).unwrap();
                assert!(buffer[..length].starts_with(b"OPTIONS sip:"));
                socket.send_to(answer.as_bytes(), peer).unwrap();
            });
            assert_eq!(HERE.sip(address).is_ok(), healthy, "{answer}");
        }
    }
}
