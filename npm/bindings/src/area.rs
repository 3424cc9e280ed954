//! The shared area, through which the frequent calls pass texts and numbers.
//!
//! JavaScript writes UTF-8 into the bytes of the area and passes lengths. Results are numbers and places in the memory of the wasm,
//! which the words of the area hold. So no such call allocates memory for its arguments or its result, or returns more than one number.
//! [`area.ts`](../../src/area.ts) is the other side, and [`Word`] is the layout for both.
//!
//! Invariant: JavaScript reads a place before the next call of any session that uses the area.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use edge_session::protocol::MAX_READ;
use wasm_bindgen::prelude::wasm_bindgen;

/// The number of bytes at first, and after a larger text was taken.
const SIZE: usize = 4096;

/// The index of each word. All are whole numbers, as JavaScript has them.
#[wasm_bindgen]
#[derive(Clone, Copy, Debug)]
pub enum Word {
    /// The place of the bytes: their address and their number.
    BytesAddress,
    BytesLength,
    /// The place of a text that is a result.
    TextAddress,
    TextLength,
    /// The place of the value to put.
    ValueAddress,
    ValueLength,
    /// The bits of [`Flag`](super::session::Flag).
    Flags,
    /// The minimum lifetime of the value to put in seconds, or the time to wait in milliseconds.
    Duration,
    /// The deadline of the value to put, in microseconds of Unix time.
    Deadline,
    /// The generation of the value to put, and the one that it must replace: 0 for a missing value, -1 for any.
    Generation,
    IfGeneration,
    /// The length of the first value that was read, then those of the others; negative for a missing value. The values themselves
    /// follow one another in the bytes.
    Lengths,
    /// The number of words.
    End = 59,
}

const WORDS: usize = Word::End as usize;
const _: () = assert!(WORDS == Word::Lengths as usize + MAX_READ, "the words end with the lengths");

#[derive(Debug)]
pub(super) struct Area {
    bytes: RefCell<Vec<u8>>,
    words: [Cell<f64>; WORDS],
}

impl Area {
    pub(super) fn new() -> Rc<Self> {
        let area = Self { bytes: RefCell::default(), words: [const { Cell::new(0.0) }; WORDS] };
        area.reserve(SIZE);
        Rc::new(area)
    }

    /// Returns the address of the words. It never changes.
    pub(super) fn address(&self) -> usize {
        self.words.as_ptr() as usize
    }

    /// Provides at least `size` bytes. Their content is lost.
    pub(super) fn reserve(&self, size: usize) {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.len() < size {
            *bytes = vec![0; size];
        }
        self.set_place(Word::BytesAddress, Word::BytesLength, &bytes);
    }

    pub(super) fn set(&self, word: Word, number: f64) {
        if let Some(cell) = self.words.get(word as usize) {
            cell.set(number);
        }
    }

    pub(super) fn set_place(&self, address: Word, length: Word, text: &[u8]) {
        self.set(address, text.as_ptr() as usize as f64);
        self.set(length, text.len() as f64);
    }

    pub(super) fn set_text(&self, text: &[u8]) {
        self.set_place(Word::TextAddress, Word::TextLength, text);
    }

    /// Reads a text of `length` bytes.
    pub(super) fn read<T>(&self, length: usize, read: impl FnOnce(&str) -> T) -> T {
        read(text(&self.bytes.borrow(), 0, length))
    }

    /// Reads a value of `length` bytes, and behind it a text of `more` bytes. A large value is taken without a copy.
    pub(super) fn read_entry<T>(&self, length: usize, more: usize, read: impl FnOnce(Vec<u8>, &str) -> T) -> T {
        if length > SIZE {
            let mut bytes = core::mem::take(&mut *self.bytes.borrow_mut());
            self.reserve(SIZE);
            let rest = bytes.split_off(length.min(bytes.len()));
            return read(bytes, text(&rest, 0, more));
        }
        let bytes = self.bytes.borrow();
        read(bytes.get(..length).unwrap_or_default().to_vec(), text(&bytes, length, more))
    }

    /// Takes the values of a read of `count` keys.
    pub(super) fn take_values(&self, count: usize) -> Vec<Option<Vec<u8>>> {
        let lengths = || self.words.iter().skip(Word::Lengths as usize).take(count).map(Cell::get);
        // Usually the first value, the record, is the only one.
        if let Some(length) = lengths().next().filter(|length| *length > SIZE as f64)
            && lengths().skip(1).all(|length| length < 0.0)
        {
            let record = self.read_entry(length as usize, 0, |record, _| record);
            return core::iter::once(Some(record)).chain(lengths().skip(1).map(|_| None)).collect();
        }
        let bytes = self.bytes.borrow();
        let mut rest = bytes.as_slice();
        let value = |length: f64| {
            let (value, others) = rest.split_at_checked(length as usize).filter(|_| length >= 0.0)?;
            rest = others;
            Some(value.to_vec())
        };
        lengths().map(value).collect()
    }
}

/// Returns the UTF-8 in these bytes; JavaScript's encoder writes nothing else.
fn text(bytes: &[u8], at: usize, length: usize) -> &str {
    let bytes = bytes.get(at..).and_then(|rest| rest.get(..length)).unwrap_or_default();
    str::from_utf8(bytes).unwrap_or_default()
}
