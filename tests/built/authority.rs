//! A certificate authority for the tests, and servers with its certificates.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;

use crate::directory::Directory;

/// A certificate authority, and its certificate in a file.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    directory: Directory,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let directory = Directory::new();
        directory.write("ca.pem", issuer.pem());
        Self { issuer, directory }
    }

    /// Where the certificate is, as TOML.
    pub(crate) fn file(&self) -> String {
        format!("\"{}\"", self.directory.join("ca.pem").display())
    }

    /// For a server of this name, with these protocols.
    pub(crate) fn certify(&self, name: &str, alpn: &[&str]) -> Arc<ServerConfig> {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        self.sign(&params, alpn)
    }

    /// The same with these versions of TLS alone.
    pub(crate) fn certify_for(
        &self,
        name: &str,
        alpn: &[&str],
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        self.sign_for(&params, alpn, versions)
    }

    /// A certificate that is no longer good.
    pub(crate) fn certify_until_2021(&self, name: &str, alpn: &[&str]) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
        self.sign(&params, alpn)
    }

    fn sign(&self, params: &CertificateParams, alpn: &[&str]) -> Arc<ServerConfig> {
        self.sign_for(params, alpn, rustls::DEFAULT_VERSIONS)
    }

    fn sign_for(
        &self,
        params: &CertificateParams,
        alpn: &[&str],
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
        Arc::new(config)
    }
}
