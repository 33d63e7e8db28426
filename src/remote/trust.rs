//! Whom a server over TLS must be certified by.

use std::path::Path;
use std::sync::Arc;

use rumqttc::tokio_rustls::rustls::crypto::aws_lc_rs;
use rumqttc::tokio_rustls::rustls::pki_types::CertificateDer;
use rumqttc::tokio_rustls::rustls::pki_types::pem::PemObject;
use rumqttc::tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::config::UsageError;

/// What a connection over TLS is made with: trusting the certificates in a file, or, where none is named, those of the system.
/// `flag` is the option that names one.
///
/// # Errors
/// The file cannot be read, or there are no certificates.
pub(crate) fn trusting(ca: Option<&Path>, flag: &str) -> Result<Arc<ClientConfig>, UsageError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(file) => {
            let path = file.display();
            let text = std::fs::read(file).map_err(|error| {
                UsageError(format!("cannot read the certificates {path}: {error}"))
            })?;
            let found: Vec<_> = CertificateDer::pem_slice_iter(&text)
                .filter_map(Result::ok)
                .collect();
            roots.add_parsable_certificates(found);
            if roots.is_empty() {
                return Err(UsageError(format!(
                    "{path} holds no certificate in PEM form"
                )));
            }
        }
        None => {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            if roots.is_empty() {
                return Err(UsageError(format!(
                    "this system has no certificates that a server could be trusted by: name some with {flag}"
                )));
            }
        }
    }
    // Named, for more than one is compiled in, and none of them is the process's.
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| UsageError(format!("TLS cannot be spoken: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_trusted_is_named_or_the_system_s() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "no certificate").unwrap();
        let error = trusting(Some(&file), "--ca").unwrap_err().to_string();
        assert!(error.contains("no certificate in PEM form"), "{error}");
        let found = rustls_native_certs::load_native_certs();
        match (found.certs.is_empty(), trusting(None, "--ca")) {
            (false, made) => assert!(made.is_ok()),
            (true, made) => assert!(made.unwrap_err().to_string().contains("--ca")),
        }
    }
}
