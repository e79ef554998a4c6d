//! A process's connections to Postgres: pass messages on, and die with the process or at a commit.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use url::Url;

use super::cut::Life;

/// Serves a process; `tasks` end with it. Returns the URL that leads through here.
pub async fn relay(life: &Arc<Life>, url: &str, tasks: &mut JoinSet<()>) -> String {
    let mut url = Url::parse(url).unwrap();
    let upstream = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let own = listener.local_addr().unwrap();
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(own.port())).unwrap();
    url.query_pairs_mut().append_pair("sslmode", "disable");
    let life = Arc::clone(life);
    tasks.spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(&upstream).await.unwrap();
            let life = Arc::clone(&life);
            // However a connection ends, that is no failure of the test.
            connections.spawn(async move { pass_on(client, server, &life).await.ok() });
        }
    });
    url.into()
}

/// Whoever waits for the answer to a commit: it is told whether it was one, and says whether the answer may go on.
struct Gate {
    told: oneshot::Sender<bool>,
    may_go: oneshot::Receiver<()>,
}

async fn pass_on(client: TcpStream, server: TcpStream, life: &Life) -> io::Result<()> {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let gate = Mutex::new(None::<Gate>);
    let back = async {
        loop {
            let message = read(&mut from_server).await?;
            let waiting = match message[0] {
                // CommandComplete, ErrorResponse.
                b'C' | b'E' => gate.lock().unwrap_or_else(PoisonError::into_inner).take(),
                _ => None,
            };
            if let Some(Gate { told, may_go }) = waiting {
                let committed = message[0] == b'C' && message[5..].starts_with(b"COMMIT");
                if told.send(committed).is_err() || may_go.await.is_err() {
                    return Ok::<(), io::Error>(());
                }
            }
            to_client.write_all(&message).await?;
        }
    };
    let forth = async {
        to_server.write_all(&read_first(&mut from_client).await?).await?;
        let mut transaction = Transaction::default();
        loop {
            let message = read(&mut from_client).await?;
            let Some(effect) = transaction.saw(&message) else {
                to_server.write_all(&message).await?;
                continue;
            };
            let (told, committed) = oneshot::channel();
            let (go, may_go) = oneshot::channel();
            *gate.lock().unwrap_or_else(PoisonError::into_inner) = Some(Gate { told, may_go });
            let commit = async {
                let sent = to_server.write_all(&message).await;
                (sent, committed.await.unwrap_or(false))
            };
            match life.carry_out(&effect, commit).await {
                Ok(sent) => sent?,
                Err(lost) => return Err(io::Error::other(lost)),
            }
            if go.send(()).is_err() {
                return Ok(());
            }
        }
    };
    tokio::select! {
        result = back => result,
        result = forth => result,
        () = life.over.cancelled() => Ok(()),
    }
}

/// A message with its type: one byte, then the length of the rest, itself included.
async fn read(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    from.read_exact(&mut message).await?;
    read_rest(from, message, 1).await
}

/// The first message of a client has no type.
async fn read_first(from: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut message = vec![0; 4];
    from.read_exact(&mut message).await?;
    read_rest(from, message, 0).await
}

async fn read_rest(from: &mut OwnedReadHalf, mut message: Vec<u8>, skip: usize) -> io::Result<Vec<u8>> {
    let length: [u8; 4] = message[skip..skip + 4].try_into().map_err(io::Error::other)?;
    let length = usize::try_from(u32::from_be_bytes(length)).map_err(io::Error::other)?;
    let start = message.len();
    message.resize(skip + length, 0);
    from.read_exact(&mut message[start..]).await?;
    Ok(message)
}

/// What a connection has written since its last BEGIN.
#[derive(Default)]
struct Transaction {
    /// SQL by the name of its prepared statement.
    statements: HashMap<Vec<u8>, String>,
    writes: Vec<String>,
}

impl Transaction {
    /// Takes note of a client's message; returns the name of the effect if it commits one.
    fn saw(&mut self, message: &[u8]) -> Option<String> {
        let (kind, body) = (message[0], &message[5..]);
        let mut words = body.splitn(3, |byte| *byte == 0);
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match kind {
            // Parse: name, SQL.
            b'P' => {
                self.statements.insert(first.to_vec(), String::from_utf8_lossy(second).into_owned());
            }
            // Bind: portal, name, parameters.
            b'B' => {
                let sql = self.statements.get(second).map(String::as_str).unwrap_or_default().trim_start();
                if ["INSERT", "UPDATE", "DELETE", "WITH"].iter().any(|verb| sql.starts_with(verb)) {
                    self.writes.push(name_of(sql, words_after(body)));
                }
            }
            // Query: SQL.
            b'Q' if first.starts_with(b"COMMIT") => {
                let writes = std::mem::take(&mut self.writes);
                return (!writes.is_empty()).then(|| format!("Postgres {}", writes.join(", ")));
            }
            b'Q' => self.writes.clear(),
            _ => {}
        }
        None
    }
}

/// What follows after two words.
fn words_after(body: &[u8]) -> &[u8] {
    body.splitn(3, |byte| *byte == 0).nth(2).unwrap_or_default()
}

/// The same statement with the same parameters is the same write. A registration offers a new id each time, so it is known
/// by its texts.
fn name_of(sql: &str, parameters: &[u8]) -> String {
    let statement = sql.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    let is_text = |run: &&[u8]| run.len() > 3 && run.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
    let runs = parameters.split(|byte| !byte.is_ascii_graphic()).filter(is_text);
    let texts: Vec<_> = runs.map(String::from_utf8_lossy).collect();
    if statement == "INSERT INTO resources" {
        return format!("{statement} {texts:?}");
    }
    format!("{statement} {texts:?} {}", hex::encode(&Sha256::digest(parameters)[..4]))
}
