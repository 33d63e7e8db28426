//! What TLS is computed with.
//!
//! Several libraries stand on rustls and bring different providers, so it must be said which one counts: else the first connection to a
//! broker or a hub panics.

use rumqttc::tokio_rustls::rustls::crypto::aws_lc_rs;

/// Chooses the one that reqwest uses. To be called before any connection is made.
pub(crate) fn choose_provider() {
    // A program that uses Hearth as a library may have chosen already.
    let _ = aws_lc_rs::default_provider().install_default();
}

#[cfg(test)]
mod tests {
    use rumqttc::tokio_rustls::rustls::{ClientConfig, RootCertStore};

    #[test]
    fn a_client_can_be_made() {
        super::choose_provider();
        let client = ClientConfig::builder().with_root_certificates(RootCertStore::empty());
        assert!(client.with_no_client_auth().enable_sni);
    }
}
