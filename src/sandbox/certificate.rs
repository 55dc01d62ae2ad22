//! A certificate for a sandbox that speaks TLS: new at each start, for this machine's loopback names, signed by itself.

use std::{io, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use rcgen::CertifiedKey;
use rustls_pki_types::PrivateKeyDer;

/// Characters of a line of PEM.
const PEM_LINE: usize = 64;

/// The names that clients can use.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// What a listener needs, and what its clients need to trust it.
pub struct SandboxCertificate {
    pub server: Arc<rustls::ServerConfig>,
    /// The certificate alone.
    pub pem: String,
}

impl SandboxCertificate {
    /// # Errors
    /// The system has no random bytes for a key.
    pub fn make() -> io::Result<Self> {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(NAMES.map(str::to_owned))
                .map_err(io::Error::other)?;
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .map_err(io::Error::other)?;
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            server: Arc::new(server),
            pem: pem(cert.der()),
        })
    }
}

/// RFC 7468 section 2.
fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(PEM_LINE) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
