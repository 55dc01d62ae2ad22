//! The running proxy, as commands find and ask it: over its admin socket first, so that they need neither the configuration
//! nor the tenant's secrets; else over its admin listener.

use std::{
    fs,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri,
    header::{AUTHORIZATION, HOST},
};
use serde_json::Value;

use crate::{
    admin::{accounts, plain_text::escape_control, status_snapshot::StatusSnapshot},
    app::wiring,
    clock::Moment,
    config::value::{address, secret_ref},
    files::is_same_file,
    net::client::{
        endpoint::Endpoint, exchange::exchange, exchange_error::ExchangeError,
        unix_exchange::exchange_unix,
    },
    secret::Secret,
};

use super::{
    admin_args::AdminArgs,
    context::{ADMIN_VARIABLE, Context},
    exit::ExitStatus,
    path_trust,
};

const TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_BYTES_MAX: usize = 4 << 20;

/// A running proxy that can be asked.
pub struct RunningProxy {
    way: AdminWay,
    key: Option<Secret<String>>,
}

enum AdminWay {
    Socket(PathBuf),
    Listener(Endpoint),
}

/// Why the running proxy cannot be asked. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub enum RunningProxyError {
    #[error(
        "{0}: this is neither the path of an admin socket nor an address such as http://127.0.0.1:6466"
    )]
    NoAddress(String),
    #[error("{0}: {1}")]
    NoOrigin(String, String),
    #[error("--admin-key-file: {0}")]
    KeyFile(String),
    #[error(
        "{path} belongs to {owner}, who is not root and not you, below a directory in which others may write: \
         it may not be our proxy"
    )]
    ForeignOwner { path: String, owner: String },
    #[error(
        "you may not ask the proxy at {path}: run this as root or {owner}, or have [[admin.access]] name you"
    )]
    Forbidden { path: String, owner: String },
    #[error("no proxy can be asked at {at}: {error}")]
    Unreachable { at: String, error: ExchangeError },
    #[error("{at} refuses: {detail}")]
    Refused {
        at: String,
        status: StatusCode,
        detail: String,
    },
    #[error("the answer of {0} is not one that this version understands")]
    NotUnderstood(String),
    #[error(
        "no running proxy was found; start it with: ninjaone-proxy run   (or: systemctl start ninjaone-proxy)"
    )]
    NotFound,
}

impl RunningProxyError {
    /// What to do about it, where a proxy is there that this user cannot ask; a sentence without its full stop.
    #[must_use]
    pub(super) fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Refused {
                status: StatusCode::UNAUTHORIZED,
                ..
            } => Some(
                "no admin socket was found: set admin.socket to a path and start the proxy again, or name a file with a key of [[admin.access]] with --admin-key-file",
            ),
            _ => None,
        }
    }

    /// Says what is wrong, and what to do.
    ///
    /// # Errors
    /// `err` cannot be written to.
    pub(super) fn report(&self, err: &mut dyn Write) -> io::Result<()> {
        writeln!(err, "error: {self}")?;
        if let Some(remedy) = self.remedy() {
            writeln!(err, "hint: {remedy}")?;
        }
        Ok(())
    }
}

impl RunningProxy {
    /// The proxy that the command line names, else the variable, else the one that serves where a proxy would.
    ///
    /// # Errors
    /// There is none, or it may not be asked.
    pub(super) fn find(context: &Context, args: &AdminArgs) -> Result<Self, RunningProxyError> {
        let key = args.admin_key_file.as_deref().map(read_key).transpose()?;
        let named = args
            .admin
            .as_deref()
            .or_else(|| context.env_var(ADMIN_VARIABLE));
        if let Some(named) = named {
            let way = AdminWay::parse(named, key.is_some())?;
            if let AdminWay::Socket(path) = &way {
                check_owner(path)?;
            }
            return Ok(Self { way, key });
        }
        let mut forbidden = None;
        for path in context.admin_sockets() {
            match probe(&path) {
                Ok(true) => {
                    let way = AdminWay::Socket(path);
                    return Ok(Self { way, key });
                }
                Ok(false) => {}
                Err(error) => forbidden = Some(error),
            }
        }
        let listener = context.admin_address();
        match (forbidden, listener) {
            // The listener takes the key, or asks for none.
            (Some(error), _) if key.is_none() && !context.is_admin_anonymous() => Err(error),
            (_, Some(address)) => Ok(Self {
                key,
                ..Self::at_listener(address)
            }),
            (Some(error), None) => Err(error),
            (None, None) => Err(RunningProxyError::NotFound),
        }
    }

    /// Whether somebody has said which proxy is meant.
    pub(super) fn is_named(context: &Context, args: &AdminArgs) -> bool {
        args.admin.is_some() || context.env_var(ADMIN_VARIABLE).is_some()
    }

    /// Whether it is asked over its socket, so that it is on this machine.
    pub(super) const fn has_socket(&self) -> bool {
        matches!(self.way, AdminWay::Socket(_))
    }

    /// The proxy whose admin listener is here.
    #[must_use]
    pub fn at_listener(address: SocketAddr) -> Self {
        let endpoint = endpoint(
            false,
            connect_address(address.ip()).to_string(),
            address.port(),
        );
        Self {
            way: AdminWay::Listener(endpoint),
            key: None,
        }
    }

    /// Where it is asked, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.way {
            AdminWay::Socket(path) => path.display().to_string(),
            AdminWay::Listener(endpoint) => endpoint.origin(),
        }
    }

    /// # Errors
    /// There is no answer, or it is not a status.
    pub async fn status(&self) -> Result<StatusSnapshot, RunningProxyError> {
        let body = self.get("/status").await?;
        serde_json::from_slice(&body).map_err(|_| RunningProxyError::NotUnderstood(self.describe()))
    }

    /// The body of a good answer.
    ///
    /// # Errors
    /// There is no answer, or it is another than 200.
    pub async fn get(&self, path: &str) -> Result<Bytes, RunningProxyError> {
        let response = self.ask(Method::GET, path, Bytes::new(), TIMEOUT).await?;
        if response.status() == StatusCode::OK {
            return Ok(response.into_body());
        }
        Err(self.refused(&response))
    }

    /// Asks for something to be done. The body of the answer, whatever its status, if it is JSON.
    ///
    /// # Errors
    /// There is no answer, or none in JSON.
    pub async fn post(
        &self,
        path: &str,
        body: &Value,
        time_limit: Duration,
    ) -> Result<Bytes, RunningProxyError> {
        let answer = self.post_for_status(path, body, time_limit).await;
        answer.map(|(_, body)| body)
    }

    /// The same with the answer's status.
    ///
    /// # Errors
    /// As [`RunningProxy::post`].
    pub(super) async fn post_for_status(
        &self,
        path: &str,
        body: &Value,
        time_limit: Duration,
    ) -> Result<(StatusCode, Bytes), RunningProxyError> {
        let body = Bytes::from(body.to_string());
        let response = self.ask(Method::POST, path, body, time_limit).await?;
        if response.body().starts_with(b"{") {
            return Ok((response.status(), response.into_body()));
        }
        Err(self.refused(&response))
    }

    /// Whether somebody still answers there.
    pub async fn answers(&self) -> bool {
        self.ask(Method::GET, "/livez", Bytes::new(), TIMEOUT)
            .await
            .is_ok()
    }

    fn refused(&self, response: &Response<Bytes>) -> RunningProxyError {
        let text = String::from_utf8_lossy(response.body());
        RunningProxyError::Refused {
            at: self.describe(),
            status: response.status(),
            detail: escape_control(text.lines().next().unwrap_or_default()),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        time_limit: Duration,
    ) -> Result<Response<Bytes>, RunningProxyError> {
        let began = Moment::now();
        let (asked, verb) = (path, method.clone());
        let request = self.request(method, path, body)?;
        let answer = match &self.way {
            AdminWay::Socket(socket) => {
                exchange_unix(socket, request, RESPONSE_BYTES_MAX, time_limit).await
            }
            AdminWay::Listener(endpoint) => {
                exchange(endpoint, request, RESPONSE_BYTES_MAX, time_limit).await
            }
        };
        let took_ms = elapsed_ms(began);
        let at = self.describe();
        match &answer {
            Ok(it) => {
                let status = it.status().as_u16();
                tracing::debug!(
                    at,
                    took_ms,
                    status,
                    "asked the running proxy: {verb} {asked}"
                );
            }
            Err(error) => {
                tracing::debug!(at, took_ms, %error, "asked the running proxy: {verb} {asked}");
            }
        }
        answer.map_err(|error| RunningProxyError::Unreachable { at, error })
    }

    fn request(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Request<Bytes>, RunningProxyError> {
        let not_understood = || RunningProxyError::NotUnderstood(self.describe());
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost");
        if let Some(key) = &self.key {
            let bearer = format!("Bearer {}", key.expose());
            let mut bearer = HeaderValue::try_from(bearer).map_err(|_| not_understood())?;
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        request.body(body).map_err(|_| not_understood())
    }
}

impl AdminWay {
    /// A key goes only where an origin of the configuration might be: plain HTTP is for loopback addresses.
    fn parse(text: &str, has_key: bool) -> Result<Self, RunningProxyError> {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        if path.starts_with('.') || (path.contains('/') && !text.contains("://")) {
            return Ok(Self::Socket(PathBuf::from(path)));
        }
        let wrong = || RunningProxyError::NoAddress(text.to_owned());
        let has_scheme = text.contains("://");
        if has_scheme || has_key {
            let url = if has_scheme {
                text.to_owned()
            } else {
                format!("http://{text}")
            };
            let origin = address::parse_origin(&url)
                .map_err(|error| RunningProxyError::NoOrigin(text.to_owned(), error.to_string()))?;
            return Ok(Self::Listener(wiring::endpoint(&origin)));
        }
        let url = if text.contains("://") {
            text.to_owned()
        } else {
            format!("http://{text}")
        };
        let url: Uri = url.parse().map_err(|_| wrong())?;
        let tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(wrong()),
        };
        let port = url.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let host = url.host().filter(|it| !it.is_empty()).ok_or_else(wrong)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(Self::Listener(endpoint(tls, host, port)))
    }
}

fn endpoint(tls: bool, host: String, port: u16) -> Endpoint {
    Endpoint {
        tls,
        host,
        port,
        ca: None,
        proxy: None,
        resolve_timeout: TIMEOUT,
    }
}

/// Whether a proxy listens there.
fn probe(path: &Path) -> Result<bool, RunningProxyError> {
    match UnixStream::connect(path) {
        Ok(_) => check_owner(path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            // Where not even the directory can be read there may be none.
            let Ok(found) = fs::symlink_metadata(path) else {
                return Ok(false);
            };
            Err(RunningProxyError::Forbidden {
                path: path.display().to_string(),
                owner: accounts::user_name(found.uid()),
            })
        }
        Err(_) => Ok(false),
    }
}

/// Whoever else could have made the socket would be told what the operator asks, and could answer anything.
fn check_owner(path: &Path) -> Result<(), RunningProxyError> {
    // Whatever links lead there: those who made them cannot make a socket of the right owner.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let Ok(found) = fs::symlink_metadata(&path) else {
        // There is none: connecting says so.
        return Ok(());
    };
    let owner = found.uid();
    let is_trusted = owner == 0 || owner == rustix::process::geteuid().as_raw();
    if is_trusted || path_trust::only_made_by(owner, &path) {
        return Ok(());
    }
    Err(RunningProxyError::ForeignOwner {
        path: path.display().to_string(),
        owner: accounts::user_name(owner),
    })
}

fn read_key(path: &Path) -> Result<Secret<String>, RunningProxyError> {
    secret_ref::from_file(path)
        .and_then(|it| it.text())
        .map_err(|error| RunningProxyError::KeyFile(error.to_string()))
}

/// Milliseconds since then.
pub(super) fn elapsed_ms(began: Moment) -> u64 {
    let elapsed = Moment::now().since(began).as_millis();
    u64::try_from(elapsed).unwrap_or(u64::MAX)
}

/// A listener on all addresses is reached on the loopback address.
pub(super) const fn connect_address(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    }
}

/// Says that the configuration does not tell where the proxy is, where that is so and nobody named one.
///
/// # Errors
/// `err` cannot be written to.
pub(super) fn warn_of_unread_configuration(
    context: &Context,
    args: &AdminArgs,
    err: &mut dyn Write,
) -> io::Result<()> {
    if RunningProxy::is_named(context, args) {
        return Ok(());
    }
    let Some(problem) = context.unread_configuration() else {
        return Ok(());
    };
    let problem = problem.to_string();
    let problem = problem.strip_prefix("error: ").unwrap_or(&problem);
    writeln!(
        err,
        "warning: the configuration cannot be read, so the proxy is looked for where it is by default: {problem}\n"
    )
}

/// # Errors
/// There is none, it may not be asked, or does not answer.
pub(super) async fn find_with_status(
    context: &Context,
    args: &AdminArgs,
) -> Result<(RunningProxy, StatusSnapshot), RunningProxyError> {
    let proxy = RunningProxy::find(context, args)?;
    let status = proxy.status().await?;
    Ok((proxy, status))
}

/// Who names a configuration means the proxy that runs with it, and no other that happens to be found.
///
/// # Errors
/// `err` cannot be written to.
pub(super) fn refuse_other_proxy(
    context: &Context,
    args: &AdminArgs,
    running: &StatusSnapshot,
    err: &mut dyn Write,
) -> io::Result<Option<ExitStatus>> {
    let (Some(wanted), None, Some(file)) =
        (context.named_config(), &args.admin, &running.config.file)
    else {
        return Ok(None);
    };
    if is_same_file(wanted, Path::new(file)) {
        return Ok(None);
    }
    writeln!(
        err,
        "error: the proxy that answers runs with {file}, not with {}; name that file, or choose the proxy with --admin",
        wanted.display()
    )?;
    Ok(Some(ExitStatus::Failed))
}
