//! The conversion of Rust values to JSON text and back. A value that JSON cannot represent exactly is an error with its path.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use core::fmt::{self, Display, Write as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::{self, Serializer};

use crate::error::{Error, Result};
use crate::json;

/// Serializes `value`, the value of `key`.
pub(crate) fn to_json<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<String> {
    let mut path = format!("session.{key}");
    value.serialize(Check { path: &mut path, depth: 0 }).map_err(|Refused(what)| Error::value(what))?;
    serde_json::to_string(value).map_err(|_| Error::value(format!("session.{key} has no JSON form")))
}

/// Deserializes the value of `key`.
pub(crate) fn from_json<T: DeserializeOwned>(key: &str, json: &[u8]) -> Result<T> {
    // A foreign record can nest deeper than the limit.
    if json.iter().filter(|byte| matches!(byte, b'[' | b'{')).count() > json::MAX_DEPTH {
        check_json(key, text(key, json)?)?;
    }
    serde_json::from_slice(json).map_err(|error| {
        let category = if error.is_data() { "is not of the type asked for" } else { "is corrupt in the store" };
        Error::value(["session.", key, " ", category].concat())
    })
}

/// Validates the stored value of `key` as UTF-8.
pub(crate) fn text<'a>(key: &str, json: &'a [u8]) -> Result<&'a str> {
    str::from_utf8(json).map_err(|_| Error::value(["session.", key, " is corrupt in the store"].concat()))
}

/// Validates `text` as the JSON value of `key`.
pub(crate) fn check_json(key: &str, text: &str) -> Result<()> {
    json::check(text)
        .map_err(|flaw| Error::value(["session.", key, " is not JSON that can be kept: ", &flaw.text()].concat()))
}

/// The reason for refusing a value.
#[derive(Debug)]
struct Refused(String);

impl Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// A serializer without output. It finds values that `serde_json` would silently convert.
struct Check<'a> {
    path: &'a mut String,
    depth: usize,
}

impl Check<'_> {
    fn refuse<T>(&self, what: &str) -> Result<T, Refused> {
        Err(Refused(format!("{} {what}", self.path)))
    }

    fn float(&self, number: f64) -> Result<(), Refused> {
        if number.is_nan() {
            return self.refuse("is NaN, which JSON does not hold");
        }
        if number.is_infinite() {
            return self.refuse("is infinite, which JSON does not hold");
        }
        Ok(())
    }
}

impl<'a> Check<'a> {
    fn deeper(self) -> Result<Inside<'a>, Refused> {
        if self.depth >= json::MAX_DEPTH {
            return self.refuse("nests deeper than 64 levels");
        }
        Ok(Inside { length: self.path.len(), path: self.path, depth: self.depth.saturating_add(1), at: 0 })
    }

    /// Enters an enum variant with fields, which is an object with one member.
    fn variant(self, name: &str) -> Result<Inside<'a>, Refused> {
        let inside = self.deeper()?;
        let _ = write!(inside.path, ".{name}");
        Check { path: inside.path, depth: inside.depth }.deeper()
    }
}

/// The inside of an array or an object, with its path.
struct Inside<'a> {
    path: &'a mut String,
    length: usize,
    depth: usize,
    at: usize,
}

impl Inside<'_> {
    fn visit<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(Check { path: &mut *self.path, depth: self.depth })?;
        self.path.truncate(self.length);
        Ok(())
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let _ = write!(self.path, "[{}]", self.at);
        self.at = self.at.saturating_add(1);
        self.visit(value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Refused> {
        let _ = write!(self.path, ".{name}");
        self.visit(value)
    }
}

macro_rules! plain {
    ($($method:ident($kind:ty)),* $(,)?) => {
        $(fn $method(self, _: $kind) -> Result<(), Refused> {
            Ok(())
        })*
    };
}

impl<'a> Serializer for Check<'a> {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Inside<'a>;
    type SerializeTuple = Inside<'a>;
    type SerializeTupleStruct = Inside<'a>;
    type SerializeTupleVariant = Inside<'a>;
    type SerializeMap = Inside<'a>;
    type SerializeStruct = Inside<'a>;
    type SerializeStructVariant = Inside<'a>;

    plain! {
        serialize_bool(bool), serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64),
        serialize_i128(i128), serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64),
        serialize_u128(u128), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]), serialize_unit_struct(&'static str),
    }

    fn serialize_f32(self, number: f32) -> Result<(), Refused> {
        self.float(f64::from(number))
    }

    fn serialize_f64(self, number: f64) -> Result<(), Refused> {
        self.float(number)
    }

    fn serialize_none(self) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        self.deeper()?.field(variant, value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Inside<'a>, Refused> {
        self.deeper()
    }

    fn serialize_tuple(self, _: usize) -> Result<Inside<'a>, Refused> {
        self.deeper()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Inside<'a>, Refused> {
        self.deeper()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'a>, Refused> {
        self.variant(variant)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Inside<'a>, Refused> {
        self.deeper()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Inside<'a>, Refused> {
        self.deeper()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'a>, Refused> {
        self.variant(variant)
    }
}

macro_rules! list {
    ($($kind:ident::$method:ident),*) => {
        $(impl ser::$kind for Inside<'_> {
            type Ok = ();
            type Error = Refused;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                self.item(value)
            }

            fn end(self) -> Result<(), Refused> {
                Ok(())
            }
        })*
    };
}

macro_rules! object {
    ($($kind:ident),*) => {
        $(impl ser::$kind for Inside<'_> {
            type Ok = ();
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Refused> {
                self.field(name, value)
            }

            fn end(self) -> Result<(), Refused> {
                Ok(())
            }
        })*
    };
}

list!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);
object!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Inside<'_> {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Refused> {
        let name = serde_json::to_value(key).ok();
        let name = name.as_ref().and_then(serde_json::Value::as_str).map(str::to_owned);
        let _ = write!(self.path, ".{}", name.as_deref().unwrap_or("?"));
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        self.visit(value)
    }

    fn end(self) -> Result<(), Refused> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use std::collections::BTreeMap;

    #[derive(Serialize)]
    struct Item {
        added: f64,
        note: Option<&'static str>,
    }

    #[derive(Serialize)]
    enum Shape {
        Point,
        Circle(f64),
        Line { length: f64 },
        Pair(f64, f64),
    }

    fn refusal<T: Serialize>(value: T) -> String {
        to_json("cart", &value).unwrap_err().to_string()
    }

    #[test]
    fn values_that_json_can_represent_are_serialized() {
        assert_eq!(to_json("k", &(1, "é", None::<u8>, 2.5, true)).unwrap(), r#"[1,"é",null,2.5,true]"#);
        assert_eq!(to_json("k", &u64::MAX).unwrap(), "18446744073709551615");
        assert_eq!(to_json("k", &-0.0).unwrap(), "-0.0");
        assert_eq!(to_json("k", &BTreeMap::from([(7, "seven")])).unwrap(), r#"{"7":"seven"}"#);
        assert_eq!(to_json("k", &[Shape::Point]).unwrap(), r#"["Point"]"#);
    }

    #[test]
    fn a_refusal_names_the_path() {
        let items = [Item { added: 1.0, note: None }, Item { added: f64::NAN, note: Some("x") }];
        assert_eq!(refusal(items), "session.cart[1].added is NaN, which JSON does not hold");
        assert_eq!(refusal(Shape::Circle(f64::INFINITY)), "session.cart.Circle is infinite, which JSON does not hold");
        assert_eq!(
            refusal(Shape::Line { length: f64::NAN }),
            "session.cart.Line.length is NaN, which JSON does not hold"
        );
        assert_eq!(refusal(Shape::Pair(1.0, f64::NAN)), "session.cart.Pair[1] is NaN, which JSON does not hold");
        let map = BTreeMap::from([("a", vec![0.0]), ("b", vec![0.0, f32::NAN])]);
        assert_eq!(refusal(map), "session.cart.b[1] is NaN, which JSON does not hold");
    }

    #[test]
    fn every_serialized_value_can_be_deserialized() {
        let nest = |depth| (0..depth).fold(serde_json::json!(1), |inner, _| serde_json::json!([inner]));
        for depth in 0..=64 {
            let text = to_json("k", &nest(depth)).unwrap();
            check_json("k", &text).unwrap();
            assert_eq!(from_json::<serde_json::Value>("k", text.as_bytes()).unwrap(), nest(depth));
        }
        assert!(refusal(nest(65)).ends_with("nests deeper than 64 levels"));
    }

    #[test]
    fn a_type_mismatch_is_an_error_without_data() {
        let error = from_json::<u32>("age", b"\"a private text\"").unwrap_err();
        assert_eq!(error.to_string(), "session.age is not of the type asked for");
        assert_eq!(error.kind(), ErrorKind::Value);
    }
}
