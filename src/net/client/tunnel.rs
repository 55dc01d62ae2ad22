//! A tunnel through an outgoing proxy: CONNECT (RFC 9110 section 9.3.6). The proxy resolves the server's name, and sees
//! nothing of what goes through but its size.
//!
//! hyper-util has a tunnel as well. It drops what a proxy sends after its head, does not tell one status from another, and
//! takes a stream of its own traits; ours is read by the kernel's leave until the head ends.

use http::header;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

use super::{
    endpoint::Endpoint, exchange_error::ExchangeError, outgoing_proxy::OutgoingProxy,
    tunnel_error::TunnelError,
};

/// Longest answer to CONNECT, in bytes: pages that proxies send with a refusal are not read.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Most header lines in it.
const HEADERS_MAX: usize = 100;
/// Most interim responses (1xx) before it.
const INTERIM_RESPONSES_MAX: u32 = 8;
const READ_BYTES: usize = 2 * 1024;

/// Opens a tunnel to `endpoint` over a connection to `proxy`, before `deadline`.
///
/// # Errors
/// The proxy gave no tunnel.
pub async fn open(
    socket: &mut TcpStream,
    proxy: &OutgoingProxy,
    endpoint: &Endpoint,
    deadline: Instant,
) -> Result<(), TunnelError> {
    let request = proxy.connect_request(&endpoint.host_and_port());
    let asking = async {
        let sent = socket.write_all(&request).await;
        sent.map_err(|_| TunnelError::Broken)?;
        read_answer(socket, proxy).await
    };
    let answered = timeout_at(deadline, asking).await;
    answered.unwrap_or(Err(TunnelError::TimedOut))
}

/// What an error of the connection to a proxy means for who wants a tunnel.
#[must_use]
pub const fn connect_error(error: ExchangeError) -> TunnelError {
    match error {
        ExchangeError::Resolve | ExchangeError::ResolveTimedOut => TunnelError::Resolve,
        ExchangeError::ConnectTimedOut => TunnelError::TimedOut,
        _ => TunnelError::Connect,
    }
}

async fn read_answer(socket: &mut TcpStream, proxy: &OutgoingProxy) -> Result<(), TunnelError> {
    let mut read = Vec::with_capacity(READ_BYTES);
    let mut interim_responses = 0;
    loop {
        match parse(&read)? {
            Some(answer) if answer.status < 200 && answer.status != 101 => {
                interim_responses += 1;
                if interim_responses > INTERIM_RESPONSES_MAX {
                    return Err(TunnelError::NotHttp);
                }
                read.drain(..answer.length);
                continue;
            }
            Some(answer) => return judge(&answer, read.len(), proxy),
            None => {}
        }
        if read.len() >= HEAD_BYTES_MAX {
            return Err(TunnelError::NotHttp);
        }
        let room = READ_BYTES.min(HEAD_BYTES_MAX - read.len());
        let came = (&mut *socket)
            .take(room as u64)
            .read_buf(&mut read)
            .await
            .map_err(|_| TunnelError::Broken)?;
        if came == 0 {
            return Err(TunnelError::Broken);
        }
    }
}

/// The head of an answer to CONNECT.
struct Answer {
    status: u16,
    /// In bytes.
    length: usize,
    /// Whether `Proxy-Authenticate` is there without the scheme that we know.
    is_without_basic: bool,
}

fn parse(read: &[u8]) -> Result<Option<Answer>, TunnelError> {
    let mut lines = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut lines);
    let parsed = response.parse(read).map_err(|_| TunnelError::NotHttp)?;
    let (httparse::Status::Complete(length), Some(status)) = (parsed, response.code) else {
        return Ok(None);
    };
    let mut challenges = response
        .headers
        .iter()
        .filter(|it| {
            it.name
                .eq_ignore_ascii_case(header::PROXY_AUTHENTICATE.as_str())
        })
        .map(|it| it.value.to_ascii_lowercase())
        .peekable();
    let is_challenged = challenges.peek().is_some();
    // Several challenges may share a line: a scheme's name stands at the front or after a comma.
    let offers_basic = challenges.any(|line| {
        let mut parts = line.split(|byte| *byte == b',');
        parts.any(|it| it.trim_ascii_start().starts_with(b"basic"))
    });
    Ok(Some(Answer {
        status,
        length,
        is_without_basic: is_challenged && !offers_basic,
    }))
}

/// Whether the tunnel is open. `came` counts the bytes that were read: in TLS the client speaks first, so nothing may come
/// behind the head.
const fn judge(answer: &Answer, came: usize, proxy: &OutgoingProxy) -> Result<(), TunnelError> {
    match answer.status {
        200..=299 if came == answer.length => Ok(()),
        100..=299 => Err(TunnelError::NotHttp),
        407 if answer.is_without_basic => Err(TunnelError::BasicNotOffered),
        // tinyproxy says 401 to a wrong password.
        status @ (401 | 407) if proxy.has_user() => Err(TunnelError::CredentialsRefused(status)),
        407 => Err(TunnelError::CredentialsMissing),
        status => Err(TunnelError::Status(status)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use crate::{net::client::outgoing_proxy::ProxyUser, secret::Secret};

    use super::*;

    fn verdict(answer: &str) -> Result<(), TunnelError> {
        verdict_of(&OutgoingProxy::new("proxy".into(), 3128, None), answer)
    }

    fn verdict_of(proxy: &OutgoingProxy, answer: &str) -> Result<(), TunnelError> {
        judge(&parse(answer.as_bytes())?.unwrap(), answer.len(), proxy)
    }

    #[test]
    fn an_answer_is_judged_by_its_status_and_by_what_comes_behind_it() {
        for (answer, said) in [
            ("HTTP/1.1 200 OK\r\n\r\n", Ok(())),
            (
                "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n",
                Ok(()),
            ),
            ("HTTP/1.1 204 \r\n\r\n", Ok(())),
            ("HTTP/1.1 200 OK\r\n\r\nx", Err(TunnelError::NotHttp)),
            ("HTTP/1.1 101 Switching\r\n\r\n", Err(TunnelError::NotHttp)),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", Err(TunnelError::NotHttp)),
            (
                "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n",
                Err(TunnelError::Status(302)),
            ),
            (
                "HTTP/1.1 403 No\r\n\r\n<html>",
                Err(TunnelError::Status(403)),
            ),
            (
                "HTTP/1.1 407 No\r\n\r\n",
                Err(TunnelError::CredentialsMissing),
            ),
            (
                "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate, Basic realm=\"x\"\r\n\r\n",
                Err(TunnelError::CredentialsMissing),
            ),
            (
                "HTTP/1.1 407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: NTLM\r\n\r\n",
                Err(TunnelError::BasicNotOffered),
            ),
        ] {
            assert_eq!(verdict(answer), said, "{answer}");
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\n").unwrap().is_none());
        let user = ProxyUser {
            name: "rmm".into(),
            password: Secret::new("wrong".into()),
        };
        let proxy = OutgoingProxy::new("proxy".into(), 3128, Some(&user));
        for status in [401, 407] {
            let answer = format!("HTTP/1.1 {status} No\r\n\r\n");
            let refused = Err(TunnelError::CredentialsRefused(status));
            assert_eq!(verdict_of(&proxy, &answer), refused);
        }
    }
}
