//! base64url without padding (RFC 4648, section 5), eight characters at a time in a `u64`.
//!
//! Each byte of a `u64` is a lane with one character or its six bits. The code has no branch on data and no table, so its time
//! depends on the length alone.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// A `u64` with this byte in each lane.
const fn lanes(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// Returns 1 in each lane whose value, at most 127, is at least `bound`.
const fn at_least(values: u64, bound: u8) -> u64 {
    // The sum sets the highest bit of the lane. It does not reach the next lane.
    (values.wrapping_add(lanes(128_u8.wrapping_sub(bound))) >> 7) & lanes(1)
}

/// Encodes six bytes as eight characters.
const fn encode([a, b, c, d, e, f]: [u8; 6]) -> [u8; 8] {
    let bits = (u32::from_be_bytes([a, b, c, d]) as u64) << 16 | u16::from_be_bytes([e, f]) as u64;
    // Halves the bits three times, so that each lane has six of them.
    let bits = (bits & 0x00ff_ffff) | ((bits << 8) & 0x00ff_ffff_0000_0000);
    let bits = (bits & 0x0fff_0000_0fff) | ((bits << 4) & 0x0fff_0000_0fff_0000);
    let digits = (bits & 0x003f_003f_003f_003f) | ((bits << 2) & 0x3f00_3f00_3f00_3f00);
    // Each line adds what the digits from there on differ from the line before: `A`, `a`, `0`, `-` and `_`.
    let text = digits
        .wrapping_add(lanes(b'A'))
        .wrapping_add(at_least(digits, 26).wrapping_mul(6))
        .wrapping_sub(at_least(digits, 52).wrapping_mul(75))
        .wrapping_sub(at_least(digits, 62).wrapping_mul(13))
        .wrapping_add(at_least(digits, 63).wrapping_mul(49));
    text.to_be_bytes()
}

/// Decodes eight characters as six bytes. The number is 0 if all of them are valid.
const fn decode(text: [u8; 8]) -> ([u8; 6], u64) {
    let text = u64::from_be_bytes(text);
    let (not_ascii, text) = (text & lanes(128), text & lanes(127));
    let upper = at_least(text, b'A') ^ at_least(text, b'Z' + 1);
    let lower = at_least(text, b'a') ^ at_least(text, b'z' + 1);
    let digit = at_least(text, b'0') ^ at_least(text, b'9' + 1);
    let hyphen = at_least(text, b'-') ^ at_least(text, b'-' + 1);
    let underscore = at_least(text, b'_') ^ at_least(text, b'_' + 1);
    let invalid = not_ascii | (lanes(1) ^ (upper | lower | digit | hyphen | underscore));
    let bits = text
        .wrapping_sub(upper.wrapping_mul(65))
        .wrapping_sub(lower.wrapping_mul(71))
        .wrapping_add(digit.wrapping_mul(4))
        .wrapping_add(hyphen.wrapping_mul(17))
        .wrapping_sub(underscore.wrapping_mul(32));
    let bits = (bits & 0x003f_003f_003f_003f) | ((bits >> 2) & 0x0fc0_0fc0_0fc0_0fc0);
    let bits = (bits & 0x0fff_0000_0fff) | ((bits >> 4) & 0x00ff_f000_00ff_f000);
    let bits = (bits & 0x00ff_ffff) | ((bits >> 8) & 0xffff_ff00_0000);
    let [_, _, a, b, c, d, e, f] = bits.to_be_bytes();
    ([a, b, c, d, e, f], invalid)
}

/// Encodes bytes as base64url without padding.
///
/// ```
/// assert_eq!(edge_session_crypto::to_base64(b"\xff\xfe"), "__4");
/// ```
#[inline(never)]
#[must_use]
pub fn to_base64(bytes: &[u8]) -> String {
    let mut text = vec![0; bytes.len().saturating_mul(4).div_ceil(3)];
    let (groups, rest) = bytes.as_chunks();
    let (texts, end) = text.as_chunks_mut();
    texts.iter_mut().zip(groups).for_each(|(to, from)| *to = encode(*from));
    let mut last = [0; 6];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    end.iter_mut().zip(encode(last)).for_each(|(to, from)| *to = from);
    // It is ASCII.
    String::from_utf8(text).unwrap_or_default()
}

/// Encodes the 24 bytes of a shortened hash as [`to_base64`] does, without an allocation.
#[inline(never)]
#[must_use]
pub fn digest_to_base64(bytes: &[u8; 24]) -> [u8; 32] {
    let mut text = [0; 32];
    text.as_chunks_mut().0.iter_mut().zip(bytes.as_chunks().0).for_each(|(to, from)| *to = encode(*from));
    text
}

/// Decodes a text that [`to_base64`] can return. Returns `None` for any other text: a sequence of bytes has one encoding.
///
/// ```
/// use edge_session_crypto::from_base64;
///
/// assert_eq!(from_base64(b"__4").unwrap(), b"\xff\xfe");
/// assert!(from_base64(b"__5").is_none(), "an unused bit is set");
/// ```
#[inline(never)]
#[must_use]
pub fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len().saturating_mul(3) / 4];
    let (groups, rest) = text.as_chunks();
    let (decoded, end) = bytes.as_chunks_mut();
    let mut invalid = 0;
    for (to, from) in decoded.iter_mut().zip(groups) {
        let invalid_here;
        (*to, invalid_here) = decode(*from);
        invalid |= invalid_here;
    }
    let mut last = [b'A'; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let (last, invalid_here) = decode(last);
    let unused = last.iter().skip(end.len()).fold(0, |all, byte| all | byte);
    end.iter_mut().zip(last).for_each(|(to, from)| *to = from);
    // One character more than a multiple of four is not a whole byte.
    (invalid | invalid_here == 0 && unused == 0 && text.len() % 4 != 1).then_some(bytes)
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a panic is what a test fails with")]
mod tests {
    use super::*;
    use base64ct::{Base64UrlUnpadded, Encoding};
    use proptest::prelude::*;

    fn decoded_by_base64ct(text: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = vec![0; text.len()];
        Base64UrlUnpadded::decode(text, &mut bytes).ok().map(<[u8]>::to_vec)
    }

    // RFC 4648, section 10, without padding.
    #[test]
    fn the_examples_of_rfc_4648() {
        let texts = ["", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy"];
        for (length, text) in texts.into_iter().enumerate() {
            assert_eq!(to_base64(&b"foobar"[..length]), text);
            assert_eq!(from_base64(text.as_bytes()).as_deref(), Some(&b"foobar"[..length]));
        }
        assert_eq!(to_base64(&[0xfb, 0xf0]), "-_A", "the alphabet of section 5");
    }

    #[test]
    fn every_byte_in_every_place_is_decoded_as_base64ct_decodes_it() {
        for length in 1..18 {
            for (at, byte) in (0..length).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
                for around in [b'A', b'_'] {
                    let mut text = vec![around; length];
                    text[at] = byte;
                    assert_eq!(from_base64(&text), decoded_by_base64ct(&text), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn a_text_that_is_not_canonical_is_invalid() {
        for text in ["Z", "Zg=", "Zg==", "Zh", "Zm9v+", "Zm9v/", "Zm 9v", "Zm9v\n", "ü", "Zm9vYmFyZ", "Zm9vYmFyZh"] {
            assert_eq!(from_base64(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn it_encodes_and_decodes_as_base64ct(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let text = to_base64(&bytes);
            prop_assert_eq!(&text, &Base64UrlUnpadded::encode_string(&bytes));
            prop_assert_eq!(from_base64(text.as_bytes()), Some(bytes));
        }

        #[test]
        fn a_digest_is_encoded_as_any_bytes(digest in any::<[u8; 24]>()) {
            prop_assert_eq!(to_base64(&digest).into_bytes(), digest_to_base64(&digest));
        }

        #[test]
        fn it_refuses_what_base64ct_refuses(text in "[A-Za-z0-9_-]{0,40}", changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2)) {
            let mut text = text.into_bytes();
            for (at, byte) in changes {
                let at = at.index(text.len() + 1);
                text.insert(at, byte);
            }
            prop_assert_eq!(from_base64(&text), decoded_by_base64ct(&text));
        }
    }
}
