//! Envelope encryption: payloads under a per-call key, that key under the installation's data key. AES-256-GCM with
//! random nonces; every ciphertext is bound to its place, so a row copied elsewhere does not decrypt.

use std::fmt;

use aes_gcm::aead::{Aead, Generate as _, Key, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// First byte of every sealed value: the format, should it ever change.
const FORMAT: u8 = 1;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;

/// Why something could not be encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EncryptionError {
    /// This process was started without the data key.
    #[error("this process has no data key")]
    NoDataKey,
    /// The configured data key is not 32 bytes of base64.
    #[error("the data key must be 32 random bytes in base64 (openssl rand -base64 32)")]
    BadDataKey,
    /// The call was erased.
    #[error("the call's key was destroyed")]
    Destroyed,
    /// Wrong key, or the stored bytes were changed or moved.
    #[error("the stored bytes do not belong to this key and place")]
    Mismatch,
}

/// The key that wraps the keys of calls; one per installation, from the Secret `voxplane-auth`.
pub struct DataKey(Aes256Gcm);

impl DataKey {
    /// Reads 32 bytes in base64; surrounding white space is ignored.
    ///
    /// # Errors
    /// [`EncryptionError::BadDataKey`].
    pub fn from_base64(text: &str) -> Result<Self, EncryptionError> {
        let bytes = STANDARD.decode(text.trim()).map_err(|_| EncryptionError::BadDataKey)?;
        let bytes: [u8; KEY_BYTES] = bytes.try_into().map_err(|_| EncryptionError::BadDataKey)?;
        Ok(Self(Aes256Gcm::new(&bytes.into())))
    }

    /// A fresh random key in base64, as [`DataKey::from_base64`] reads it.
    #[must_use]
    pub fn generate_base64() -> String {
        STANDARD.encode(Key::<Aes256Gcm>::generate())
    }

    /// Makes the key of a call and its wrapped form, which is what gets stored.
    pub(crate) fn new_call_key(&self, place: &str) -> (CallKey, Vec<u8>) {
        let key = Key::<Aes256Gcm>::generate();
        (CallKey(Aes256Gcm::new(&key)), seal(&self.0, place, &key))
    }

    pub(crate) fn unwrap_call_key(&self, place: &str, wrapped: &[u8]) -> Result<CallKey, EncryptionError> {
        let bytes: [u8; KEY_BYTES] =
            open(&self.0, place, wrapped)?.try_into().map_err(|_| EncryptionError::Mismatch)?;
        Ok(CallKey(Aes256Gcm::new(&bytes.into())))
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey([redacted])")
    }
}

/// The key of one call.
pub(crate) struct CallKey(Aes256Gcm);

impl CallKey {
    pub(crate) fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        seal(&self.0, place, plain)
    }

    pub(crate) fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, EncryptionError> {
        open(&self.0, place, sealed)
    }
}

fn seal(cipher: &Aes256Gcm, place: &str, plain: &[u8]) -> Vec<u8> {
    let nonce = Nonce::generate();
    let sealed = cipher
        .encrypt(&nonce, Payload { msg: plain, aad: place.as_bytes() })
        .expect("AES-GCM fails only beyond 64 GiB, and payloads are bounded");
    [&[FORMAT][..], &nonce[..], &sealed[..]].concat()
}

fn open(cipher: &Aes256Gcm, place: &str, sealed: &[u8]) -> Result<Vec<u8>, EncryptionError> {
    let (&format, rest) = sealed.split_first().ok_or(EncryptionError::Mismatch)?;
    let (nonce, message) = rest.split_first_chunk::<NONCE_BYTES>().ok_or(EncryptionError::Mismatch)?;
    if format != FORMAT {
        return Err(EncryptionError::Mismatch);
    }
    cipher
        .decrypt(&Nonce::from(*nonce), Payload { msg: message, aad: place.as_bytes() })
        .map_err(|_| EncryptionError::Mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data_key() -> DataKey {
        DataKey::from_base64(&DataKey::generate_base64()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_only() {
        let data_key = data_key();
        let (key, wrapped) = data_key.new_call_key("key/1");
        let sealed = key.seal("event/1/1", b"hello");
        assert!(!sealed.windows(5).any(|bytes| bytes == b"hello"));
        let again = data_key.unwrap_call_key("key/1", &wrapped).unwrap();
        assert_eq!(again.open("event/1/1", &sealed).unwrap(), b"hello");
        assert_eq!(again.open("event/1/2", &sealed), Err(EncryptionError::Mismatch));
        assert_eq!(data_key.unwrap_call_key("key/2", &wrapped).err(), Some(EncryptionError::Mismatch));
    }

    #[test]
    fn changed_or_foreign_bytes_do_not_open() {
        let (key, wrapped) = data_key().new_call_key("key/1");
        let sealed = key.seal("p", b"hello");
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert_eq!(key.open("p", &changed), Err(EncryptionError::Mismatch), "byte {position}");
        }
        assert_eq!(key.open("p", &[]), Err(EncryptionError::Mismatch));
        assert!(data_key().unwrap_call_key("key/1", &wrapped).is_err());
    }

    #[test]
    fn a_bad_data_key_is_refused_and_never_printed() {
        for text in ["", "short", "c2hvcnQ="] {
            assert_eq!(DataKey::from_base64(text).err(), Some(EncryptionError::BadDataKey));
        }
        assert_eq!(format!("{:?}", data_key()), "DataKey([redacted])");
        assert_ne!(DataKey::generate_base64(), DataKey::generate_base64());
    }
}
