//! The kept inputs of the fuzz targets, for the tests that replay them: the files of `regressions`, and those of
//! `corpus.tar.gz`.

use std::fs;
use std::path::Path;

use miniz_oxide::inflate::decompress_to_vec;

/// Bytes of a block. An archive has, for each file, a block with its name and its size, and its content in whole blocks.
const BLOCK: usize = 512;

/// Bytes before the deflated data, as `gzip -n` writes them: no name and no other optional field.
const GZIP_HEADER: usize = 10;

/// Bytes after the deflated data: a checksum and a length.
const GZIP_TRAILER: usize = 8;

/// Returns the kept inputs of a target.
pub fn inputs(target: &str) -> Vec<Vec<u8>> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let folder = fs::read_dir(fuzz.join("regressions").join(target)).unwrap();
    let mut files: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut inputs: Vec<_> = files.into_iter().map(|file| fs::read(file).unwrap()).collect();
    let archive = fs::read(fuzz.join("corpus.tar.gz")).unwrap();
    let archive = decompress_to_vec(&archive[GZIP_HEADER..archive.len() - GZIP_TRAILER]).unwrap();
    inputs.extend(archived(&archive, target));
    inputs
}

/// Returns the contents of the files in a folder of a tar archive.
fn archived(mut archive: &[u8], folder: &str) -> Vec<Vec<u8>> {
    let mut contents = Vec::new();
    while archive.len() >= BLOCK {
        let (header, rest) = archive.split_at(BLOCK);
        let size = text(&header[124..136]);
        let size = if size.is_empty() { 0 } else { usize::from_str_radix(size, 8).unwrap() };
        let (parent, name) = text(&header[..100]).split_once('/').unwrap_or_default();
        if parent == folder && !name.is_empty() {
            contents.push(rest[..size].to_vec());
        }
        archive = &rest[size.next_multiple_of(BLOCK)..];
    }
    contents
}

/// Returns a field of a header: its bytes before the first zero.
fn text(field: &[u8]) -> &str {
    str::from_utf8(field.split(|byte| *byte == 0).next().unwrap()).unwrap()
}
