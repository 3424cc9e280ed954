//! The writer of records.

use alloc::vec::Vec;

use super::key_digest::KeyDigest;

/// An unfinished record.
pub(super) struct RecordWriter(pub(super) Vec<u8>);

impl RecordWriter {
    pub(super) fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(super) fn number(&mut self, number: impl itoa::Integer) {
        self.text(itoa::Buffer::new().format(number));
    }

    /// Writes a digest, or `null`.
    pub(super) fn digest(&mut self, digest: Option<&KeyDigest>) {
        match digest {
            Some(digest) => ["\"", digest.as_str(), "\""].into_iter().for_each(|text| self.text(text)),
            None => self.text("null"),
        }
    }

    pub(super) fn list<T>(&mut self, items: impl IntoIterator<Item = T>, write: impl Fn(&mut Self, T)) {
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                self.text(",");
            }
            write(self, item);
        }
    }
}
