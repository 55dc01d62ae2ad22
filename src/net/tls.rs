//! TLS configuration: which certificates we trust as a client, and which one we show as a server.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
pub use rustls::ServerConfig;
use rustls::{
    ClientConfig,
    client::danger::ServerCertVerifier,
    crypto::{CryptoProvider, aws_lc_rs},
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};

use super::certificate_validity::CertificateValidity;

/// In the order of our preference (RFC 7301).
const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];
const ALPN_HTTP1: [&[u8]; 1] = [b"http/1.1"];

/// Why TLS cannot be configured. The texts are for operators.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{}: no certificate or key can be read from it: {why}", path.display())]
    Pem { path: PathBuf, why: String },
    #[error("{}: {why}", path.display())]
    Key { path: PathBuf, why: rustls::Error },
    #[error("the system's certificate authorities cannot be used: {0}")]
    Roots(rustls::Error),
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fail = |why: &dyn std::fmt::Display| TlsError::Pem {
        path: path.to_owned(),
        why: why.to_string(),
    };
    let all = CertificateDer::pem_file_iter(path)
        .map_err(|error| fail(&error))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| fail(&error))?;
    if all.is_empty() {
        return Err(fail(&"there is none in it"));
    }
    Ok(all)
}

/// Which protocols are offered to a server (ALPN, RFC 7301).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlpnOffer {
    /// HTTP/2 is preferred.
    Http2OrHttp1,
    /// HTTP/1.1 only.
    Http1,
}

/// The configuration of a client: TLS 1.2 or 1.3, the system's certificate authorities and those in the PEM file `extra`.
///
/// # Errors
/// When `extra` cannot be read, or the system has no usable authorities.
pub fn client_config(
    extra: Option<&Path>,
    offer: AlpnOffer,
) -> Result<Arc<ClientConfig>, TlsError> {
    let extra = extra.map(certificates).transpose()?.unwrap_or_default();
    let verifier = verifier(extra)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    let offered: &[&[u8]] = match offer {
        AlpnOffer::Http2OrHttp1 => &ALPN,
        AlpnOffer::Http1 => &ALPN_HTTP1,
    };
    config.alpn_protocols = offered.iter().map(|it| it.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The platform's verifier. Where the system has no authorities (an empty container), only the configured ones count.
fn verifier(extra: Vec<CertificateDer<'static>>) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    let alone = (!extra.is_empty()).then(|| extra.clone());
    match rustls_platform_verifier::Verifier::new_with_extra_roots(extra, provider()) {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(error) => {
            let alone = alone.ok_or(TlsError::Roots(error))?;
            let mut roots = rustls::RootCertStore::empty();
            for certificate in alone {
                roots.add(certificate)?;
            }
            rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
                .build()
                .map(|it| it as Arc<dyn ServerCertVerifier>)
                .map_err(|error| {
                    TlsError::Setup(rustls::Error::General(format!(
                        "certificate authorities: {error}"
                    )))
                })
        }
    }
}

/// The certificate that callers see. It can be replaced while connections are served.
pub struct ServerCertificate {
    cert: PathBuf,
    key: PathBuf,
    config: ArcSwap<ServerConfig>,
}

impl ServerCertificate {
    /// Reads a certificate chain and its key from PEM files.
    ///
    /// # Errors
    /// When the files cannot be read, or the key is not the certificate's.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            cert: cert.to_owned(),
            key: key.to_owned(),
            config: ArcSwap::new(server_config(cert, key)?),
        })
    }

    /// Reads the files again; the certificate in use does not change.
    ///
    /// # Errors
    /// As [`ServerCertificate::load`].
    pub fn read_from_disk(&self) -> Result<Arc<ServerConfig>, TlsError> {
        server_config(&self.cert, &self.key)
    }

    /// Uses what was read for all connections from now on.
    pub fn install(&self, config: Arc<ServerConfig>) {
        self.config.store(config);
    }

    /// Does the handshake of one connection, with the certificate that is in use now.
    #[must_use]
    pub fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        self.config.load_full().into()
    }
}

fn server_config(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(cert)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::Pem {
        path: key.to_owned(),
        why: error.to_string(),
    })?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|why| TlsError::Key {
            path: key.to_owned(),
            why,
        })?;
    config.alpn_protocols = ALPN.iter().map(|it| it.to_vec()).collect();
    Ok(Arc::new(config))
}

/// Until when the first certificate of a PEM file is valid.
///
/// # Errors
/// The file cannot be read, or holds no certificate.
pub fn certificate_validity(path: &Path) -> Result<CertificateValidity, TlsError> {
    let chain = certificates(path)?;
    let validity = chain.first().and_then(|it| CertificateValidity::of(it));
    validity.ok_or_else(|| TlsError::Pem {
        path: path.to_owned(),
        why: "this is no X.509 certificate".to_owned(),
    })
}

/// Whether an error of a TLS stream is about the peer's certificate.
#[must_use]
pub fn is_certificate_error(error: &io::Error) -> bool {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<rustls::Error>())
        .is_some_and(|error| matches!(error, rustls::Error::InvalidCertificate(_)))
}
