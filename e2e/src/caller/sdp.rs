//! The two session descriptions a telephone needs: our offer of G.711 µ-law and digits, and where to send to.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};

/// RTP payload type of G.711 µ-law (RFC 3551).
pub const PCMU: u8 = 0;
/// Dynamic payload type we offer for RFC 4733 events.
pub const EVENTS: u8 = 101;

/// An offer (or answer) of µ-law and digits at this address.
pub fn describe(local: IpAddr, port: u16) -> String {
    let family = if local.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=caller 1 1 IN {family} {local}\r\ns=call\r\nc=IN {family} {local}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {PCMU} {EVENTS}\r\na=rtpmap:{PCMU} PCMU/8000\r\na=rtpmap:{EVENTS} telephone-event/8000\r\n\
         a=fmtp:{EVENTS} 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    )
}

/// Where the far end wants its audio, and its payload type for digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FarMedia {
    /// RTP address.
    pub address: SocketAddr,
    /// Payload type for RFC 4733 events, when it takes them.
    pub events: Option<u8>,
}

/// Reads the far end's answer.
///
/// # Errors
/// When it has no connection address or audio port, or chose a codec we did not offer.
pub fn parse(sdp: &str) -> Result<FarMedia> {
    let line = |prefix: &str| sdp.lines().map(str::trim).find_map(|line| line.strip_prefix(prefix));
    let connection = line("c=IN ").context("the answer has no connection line")?;
    let ip = connection.split_whitespace().nth(1).context("connection line without address")?.parse::<IpAddr>()?;
    let mut audio = line("m=audio ").context("the answer has no audio")?.split_whitespace();
    let port = audio.next().context("audio line without port")?.parse::<u16>()?;
    let formats: Vec<&str> = audio.skip(1).collect();
    anyhow::ensure!(formats.first() == Some(&"0"), "the far end chose payload types {formats:?}, we speak only µ-law");
    let events = sdp.lines().find_map(|line| {
        let (number, name) = line.trim().strip_prefix("a=rtpmap:")?.split_once(' ')?;
        name.starts_with("telephone-event/").then(|| number.parse().ok())?
    });
    Ok(FarMedia { address: SocketAddr::new(ip, port), events })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_description_reads_back() {
        let media = parse(&describe("10.0.0.7".parse().unwrap(), 4000)).unwrap();
        assert_eq!(media, FarMedia { address: "10.0.0.7:4000".parse().unwrap(), events: Some(101) });
    }

    #[test]
    fn another_codec_is_refused_by_name() {
        let sdp = describe("10.0.0.7".parse().unwrap(), 4000).replace("RTP/AVP 0", "RTP/AVP 9");
        assert!(parse(&sdp).unwrap_err().to_string().contains("µ-law"));
    }
}
