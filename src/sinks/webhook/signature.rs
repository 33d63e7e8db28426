//! How a receiver knows that a message is Hearth's, and of now.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The header `Hearth-Signature`: when the message was sent, in seconds since 1970, and the HMAC-SHA256 of that, a dot and the
/// body.
pub(super) fn signature(secret: &[u8], seconds: i64, body: &str) -> String {
    let mut text = format!("t={seconds},v1=");
    // A key of any length does.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) {
        mac.update(format!("{seconds}.").as_bytes());
        mac.update(body.as_bytes());
        for byte in mac.finalize().into_bytes() {
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_others_compute() {
        // python3 -c 'import hmac; print(hmac.new(b"key", b"17.{}", "sha256").hexdigest())'
        assert_eq!(
            signature(b"key", 17, "{}"),
            "t=17,v1=e66392eac42eafc68c35a01c712811e016386c12456975fc3af80c9268568e3a"
        );
    }

    /// The documentation's check, run by Python.
    #[test]
    fn receivers_check_it_as_is_documented() {
        let page = include_str!("../../../docs/platforms.md");
        let (_, code) = page.split_once("```python\n").unwrap();
        let (code, _) = code.split_once("```").unwrap();
        let signed = signature(b"key", 1_000, "{\"a\":1}");
        let calls = format!(
            "{code}\nheader, now = {signed:?}, lambda: 1100\n\
             assert is_from_hearth(b'{{\"a\":1}}', header, b'key', now)\n\
             assert not is_from_hearth(b'{{\"a\":2}}', header, b'key', now)\n\
             assert not is_from_hearth(b'{{\"a\":1}}', header, b'kei', now)\n\
             assert not is_from_hearth(b'{{\"a\":1}}', header, b'key', lambda: 2000)\n"
        );
        match std::process::Command::new("python3")
            .arg("-c")
            .arg(calls)
            .output()
        {
            Ok(ran) => assert!(ran.status.success(), "{ran:?}"),
            Err(error) => eprintln!("SKIPPED: python3 does not start: {error}"),
        }
    }
}
