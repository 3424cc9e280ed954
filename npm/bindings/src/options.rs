//! The settings that JavaScript passes, under their camelCase names.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use edge_session::settings::{SETTINGS, SettingKind};
use edge_session::{Error, ErrorKind, Result, SameSite, Settings, json};

/// Reads and validates the settings. An unknown name is an error, since it is likely a misspelt setting.
pub(super) fn read(secrets: Box<[u8]>, sizes: &[usize], settings: &str) -> Result<Settings> {
    let secrets = Zeroizing::new(Vec::from(secrets));
    let mut rest = secrets.as_slice();
    let split = |size: &usize| {
        let (secret, others) = rest.split_at_checked(*size).unwrap_or_default();
        rest = others;
        secret
    };
    let mut builder = Settings::builder(sizes.iter().map(split));
    let members = json::members(settings).map_err(|_| config("the settings are not an object"))?;
    for (name, value) in &members {
        let option = Value { name, text: value };
        let Some(setting) = SETTINGS.iter().find(|setting| setting.option == name) else {
            return Err(config(["Unknown setting `", name, "`. SessionOptions lists them all."].concat()));
        };
        match setting.kind {
            SettingKind::Integer(set) => set(&mut builder, option.number()?),
            SettingKind::Flag(set) => set(&mut builder, option.flag()?),
            SettingKind::Text(set) => set(&mut builder, option.text()?),
            SettingKind::SameSite(set) => {
                let same_site = SameSite::parse(&option.text()?);
                set(&mut builder, same_site.ok_or_else(|| option.must_be("\"Strict\", \"Lax\" or \"None\""))?);
            }
        }
    }
    builder.build()
}

fn config(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Config, message)
}

/// One option: its name, and its value as JSON text.
struct Value<'a> {
    name: &'a str,
    text: &'a str,
}

impl Value<'_> {
    fn text(&self) -> Result<String> {
        let text = self.text.starts_with('"').then(|| json::unquote(self.text).into_owned());
        text.ok_or_else(|| self.must_be("a string"))
    }

    fn flag(&self) -> Result<bool> {
        match self.text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.must_be("true or false")),
        }
    }

    fn number(&self) -> Result<i64> {
        json::integer(self.text.as_bytes()).ok_or_else(|| self.must_be("a whole number"))
    }

    fn must_be(&self, wanted: &str) -> Error {
        config([self.name, " must be ", wanted].concat())
    }
}
