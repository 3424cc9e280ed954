//! Django's signed format of session data: `payload:timestamp:signature`.

use alloc::string::String;
use alloc::vec::Vec;
use edge_session_crypto::{MacKey, from_base64, sha256, to_base64};
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use crate::json;
use crate::secret::Secrets;
use crate::settings::Settings;

/// The salt of Django's session engines.
const SALT: &str = "django.contrib.sessions.SessionStore";

/// zlib's default level, which Python uses.
const LEVEL: u8 = 6;

/// The size of the largest payload that is decompressed: KV's largest value, in bytes.
const MAX_BYTES: usize = 25 * 1024 * 1024;

/// Encodes and signs the JSON object `text` with the timestamp `unix_seconds`.
pub(crate) fn encode(secrets: &Secrets, text: &str, unix_seconds: i64) -> String {
    let plain = ascii(text).into_bytes();
    let packed = compress_to_vec_zlib(&plain, LEVEL);
    let shorter = packed.len().saturating_add(1) < plain.len();
    sign(secrets, if shorter { &packed } else { &plain }, shorter, unix_seconds)
}

/// Verifies and decodes `text`. Returns the JSON object, or `None` if none of the secrets signed it.
pub(crate) fn decode(secrets: &Secrets, text: &str) -> Option<String> {
    let payload = verify(secrets, text)?;
    let bytes = if is_packed(text) { decompress_to_vec_zlib_with_limit(&payload, MAX_BYTES).ok()? } else { payload };
    String::from_utf8(bytes).ok()
}

impl Settings {
    /// Signs an encoded payload as Django's `signing.dumps` does. `packed`: the payload is compressed with zlib.
    #[must_use]
    pub fn sign(&self, payload: &[u8], packed: bool, unix_seconds: i64) -> String {
        sign(&self.secrets, payload, packed, unix_seconds)
    }

    /// Verifies a text that Django or [`sign`](Self::sign) signed. Returns its payload, which may be compressed, or `None` if
    /// none of the secrets signed it.
    #[must_use]
    pub fn verify(&self, text: &str) -> Option<Vec<u8>> {
        verify(&self.secrets, text)
    }
}

/// Signs a payload, which is compressed if it is `packed`.
pub(crate) fn sign(secrets: &Secrets, payload: &[u8], packed: bool, unix_seconds: i64) -> String {
    let payload = to_base64(payload);
    let signed = [if packed { "." } else { "" }, &payload, ":", &base62(unix_seconds)].concat();
    let mac = mac_key(secrets.bytes().next().unwrap_or_default()).sign(signed.as_bytes());
    [&signed, ":", &to_base64(&mac)].concat()
}

/// Verifies `text`. Returns its payload, which may be compressed.
pub(crate) fn verify(secrets: &Secrets, text: &str) -> Option<Vec<u8>> {
    let (signed, signature) = text.rsplit_once(':')?;
    let signature = from_base64(signature.as_bytes())?;
    if !secrets.bytes().any(|secret| mac_key(secret).verify(signed.as_bytes(), &signature)) {
        return None;
    }
    let (payload, _timestamp) = signed.rsplit_once(':')?;
    from_base64(payload.strip_prefix('.').unwrap_or(payload).as_bytes())
}

/// Returns whether the payload of a signed text is compressed.
fn is_packed(text: &str) -> bool {
    text.starts_with('.')
}

/// Derives Django's key: SHA-256 of salt, "signer" and secret.
fn mac_key(secret: &[u8]) -> MacKey {
    MacKey::new(&sha256(&[SALT.as_bytes(), b"signer", secret]))
}

/// Escapes all characters except printable ASCII as `\u` and four digits, as Django does. They only occur in strings.
fn ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_ascii() && character != '\u{7f}' {
            plain.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                json::escape(*unit, &mut plain);
            }
        }
    }
    plain
}

fn base62(number: i64) -> String {
    const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut left = number.unsigned_abs();
    let mut digits = Vec::new();
    loop {
        digits.extend(
            usize::try_from(left % 62).ok().and_then(|digit| DIGITS.get(digit)).map(|digit| char::from(*digit)),
        );
        left /= 62;
        if left == 0 {
            break;
        }
    }
    if number < 0 {
        digits.push('-');
    }
    digits.into_iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"spec-secret";

    /// The secret of the known answers, which is shorter than the minimum.
    fn secrets(secrets: &[&[u8]]) -> Secrets {
        Secrets::of_any_length(secrets)
    }

    // Known answers of Django 5.2 and 6.1, which are equal.
    const VECTORS: [(i64, &str, &str); 5] = [
        (1_700_000_000, "{}", "e30:1r31eq:GFM4cgJYNPUEQWmHlhk7EeoXy8QXn8iFZekzuOxpWiw"),
        (1_700_000_000, "{\"a\":1}", "eyJhIjoxfQ:1r31eq:x4VTc6hYt4JBfkK5SCeJR5GhS00M770wT628SM2YU-w"),
        (
            1_700_000_000,
            "{\"user\":\"é☃\",\"n\":[1,2.5,null,true]}",
            "eyJ1c2VyIjoiXHUwMGU5XHUyNjAzIiwibiI6WzEsMi41LG51bGwsdHJ1ZV19:1r31eq:Dg_GNFHbjwjobaVuOIjOujv1isMvUi2jTkHxqLBYTYs",
        ),
        (1_893_456_000, "{}", "e30:248kOu:CFJvu2-euQOasxpjkpl2YgzgxxN2_eDvbC2o-CvgM1A"),
        (1_893_456_000, "{\"a\":1}", "eyJhIjoxfQ:248kOu:wO-yOwtSb4daUBGY9oyHh-qjy1rfoMqTkx1b-IA0sKM"),
    ];

    #[test]
    fn it_signs_as_django_signs() {
        for (now, text, signed) in VECTORS {
            assert_eq!(encode(&secrets(&[SECRET]), text, now), signed);
        }
    }

    // The output of Django 5.2 and 6.1, next to the tests against Django.
    #[test]
    fn it_encodes_and_decodes_all_known_answers() {
        let known: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/django/signing-vectors.json")).unwrap();
        let secrets = secrets(&[known["secret"].as_str().unwrap().as_bytes()]);
        for vector in known["vectors"].as_array().unwrap() {
            let signed = vector["encoded"].as_str().unwrap();
            let read = decode(&secrets, signed).unwrap();
            assert_eq!(serde_json::from_str::<serde_json::Value>(&read).unwrap(), vector["data"]);
            let again = encode(&secrets, &read, vector["now"].as_i64().unwrap());
            assert_eq!(decode(&secrets, &again), Some(read));
            assert!(again == signed || (is_packed(&again) && is_packed(signed)), "{again}");
        }
    }

    #[test]
    fn it_escapes_what_python_escapes() {
        assert_eq!(ascii("\u{7f}~é\u{1f600}"), r"\u007f~\u00e9\ud83d\ude00");
    }

    #[test]
    fn it_verifies_djangos_signatures_with_any_of_the_secrets() {
        for (_, text, signed) in VECTORS {
            let read = decode(&secrets(&[b"a newer one", SECRET]), signed).unwrap();
            let read: serde_json::Value = serde_json::from_str(&read).unwrap();
            assert_eq!(read, serde_json::from_str::<serde_json::Value>(text).unwrap());
            assert_eq!(decode(&secrets(&[b"another"]), signed), None);
        }
    }

    #[test]
    fn it_compresses_texts_that_become_shorter() {
        let text = format!("{{\"k\":\"{}\"}}", "x".repeat(200));
        let signed = encode(&secrets(&[SECRET]), &text, 1_700_000_000);
        assert!(signed.starts_with('.') && signed.len() < 120, "{signed}");
        assert_eq!(decode(&secrets(&[SECRET]), &signed), Some(text));
        let by_django = ".eJyrVspWslKqGCZAqRYAxxtf5g:1r31eq:36Ps53cVGbu5BkWzFLRniV8T1maJ1THNoRUAlyfLbYM";
        assert!(decode(&secrets(&[SECRET]), by_django).unwrap().starts_with("{\"k\":\"xxxx"));
    }

    #[test]
    fn a_changed_byte_anywhere_is_detected() {
        let (_, _, signed) = VECTORS[2];
        for at in 0..signed.len() {
            let mut bytes = signed.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(decode(&secrets(&[SECRET]), str::from_utf8(&bytes).unwrap()), None, "byte {at}");
        }
        for text in ["", ":", "::", "a:b:c", "é:é:é", signed.split_once(':').unwrap().0] {
            assert_eq!(decode(&secrets(&[SECRET]), text), None);
        }
    }
}
