use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::Certificate;
use super::fault::distrust;
use super::sight::Sight;
use crate::failure::{Failure, FailureKind};

/// Which certificates are believed.
#[derive(Clone, Debug, Default)]
pub enum Trust {
    /// Those signed by an authority this machine trusts (`/etc/ssl/certs`, or `SSL_CERT_FILE`).
    #[default]
    System,
    /// Those signed by one of these, and these themselves.
    Only(Arc<Vec<CertificateDer<'static>>>),
    /// Any: nothing is checked.
    Anyone,
}

impl Trust {
    /// Reads a PEM file with one or more certificates.
    pub fn file(path: &Path) -> Result<Self, Failure> {
        let pem = std::fs::read(path).map_err(|error| Failure::system(format!("read `{}`", path.display()), &error))?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok).collect();
        if certificates.is_empty() || certificates.iter().any(|der| Certificate::read(der).is_none()) {
            let message = format!("`{}` holds no usable certificate", path.display());
            return Err(Failure::new(FailureKind::Invalid, message)
                .hint("it must be PEM: lines between `-----BEGIN CERTIFICATE-----` and `-----END CERTIFICATE-----`"));
        }
        Ok(Self::Only(Arc::new(certificates)))
    }
}

/// TLS as this exchange needs it. Sessions are never resumed, because a resumed one shows no certificate.
pub(super) fn config(trust: &Trust, host: &str, sight: &Sight) -> Result<ClientConfig, Error> {
    let provider = Arc::new(ring::default_provider());
    let judge = Judge { trust: trust.clone(), host: host.to_owned(), sight: sight.clone(), provider: provider.clone() };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(judge))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec!["http/1.1".into()];
    Ok(config)
}

/// Looks at the server's certificate, remembers it, and has it verified.
///
/// The client library's own verifier reads the machine's authorities when a client is built, even for plain HTTP; this
/// one reads them when the first certificate is to be judged, once per process.
#[derive(Debug)]
struct Judge {
    trust: Trust,
    host: String,
    sight: Sight,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let certificate = Certificate::read(end_entity);
        if let Some(certificate) = certificate.clone() {
            self.sight.shown(certificate);
        }
        let verdict = match &self.trust {
            Trust::Anyone => Ok(()),
            Trust::Only(pinned) if pinned.iter().any(|pin| pin.as_ref() == end_entity.as_ref()) => {
                pinned_verdict(end_entity, certificate.as_ref(), server_name, now)
            }
            Trust::Only(authorities) => verifier(authorities.iter().cloned(), &self.provider)
                .and_then(|inner| inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now))
                .map(drop),
            Trust::System => system(&self.provider)
                .and_then(|inner| inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now))
                .map(drop),
        };
        match verdict {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(error) => {
                self.sight.distrust(distrust(&error, &self.host, certificate.as_ref(), &self.trust));
                Err(error)
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A certificate that was itself named as trusted needs no chain, only the right name and time.
fn pinned_verdict(
    end_entity: &CertificateDer<'_>,
    certificate: Option<&Certificate>,
    server_name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), Error> {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let certificate = certificate.ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
    if seconds > certificate.not_after.as_second() {
        return Err(CertificateError::Expired.into());
    }
    if seconds < certificate.not_before.as_second() {
        return Err(CertificateError::NotValidYet.into());
    }
    verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)
}

/// The verifier of the machine's authorities, made once.
fn system(provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, Error> {
    static SYSTEM: OnceLock<Result<Arc<WebPkiServerVerifier>, Error>> = OnceLock::new();
    SYSTEM.get_or_init(|| verifier(rustls_native_certs::load_native_certs().certs, provider)).clone()
}

fn verifier(
    authorities: impl IntoIterator<Item = CertificateDer<'static>>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities);
    if roots.is_empty() {
        return Err(CertificateError::UnknownIssuer.into());
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|error| Error::General(error.to_string()))
}
