//! Settings from the door, under their camelCase names.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::session::json;
use crate::settings::{SameSite, Settings};

/// Reads and checks the settings. A name that is none of them is refused: it is a slip of the pen.
pub(super) fn read(secrets: Box<[u8]>, sizes: &[usize], settings: &str) -> Result<Settings> {
    let secrets = Zeroizing::new(Vec::from(secrets));
    let mut rest = secrets.as_slice();
    let split = |size: &usize| {
        let (secret, others) = rest.split_at_checked(*size).unwrap_or_default();
        rest = others;
        secret
    };
    let mut builder = Settings::builder(sizes.iter().map(split));
    let members = json::members(settings).map_err(|_| Error::config("the settings are no object"))?;
    for (name, value) in &members {
        let setting = Setting { name, value };
        let draft = &mut builder.draft;
        match name.as_str() {
            "cookieAge" => draft.cookie_age = setting.number()?,
            "cookieName" => builder.cookie_name = Some(setting.text()?),
            "cookieDomain" => draft.cookie_domain = Some(setting.text()?),
            "cookiePath" => draft.cookie_path = setting.text()?,
            "cookieSecure" => draft.cookie_secure = setting.flag()?,
            "cookieHttpOnly" => draft.cookie_httponly = setting.flag()?,
            "cookieSameSite" => {
                draft.cookie_samesite = SameSite::parse(&setting.text()?)
                    .ok_or_else(|| setting.must_be("\"Strict\", \"Lax\" or \"None\""))?;
            }
            "expireAtBrowserClose" => draft.expire_at_browser_close = setting.flag()?,
            "saveEveryRequest" => draft.save_every_request = setting.flag()?,
            "absoluteAge" => draft.absolute_age = setting.number()?,
            "maxRecordBytes" => draft.max_record_bytes = usize::try_from(setting.number()?).unwrap_or_default(),
            "checkEnded" => draft.check_ended = setting.flag()?,
            "mergeStale" => draft.merge_stale = setting.flag()?,
            "keyPrefix" => draft.key_prefix = setting.text()?,
            _ => return Err(Error::config([name, " is no setting; the type Options has their names"].concat())),
        }
    }
    builder.build()
}

/// One setting: its name, and its value as JSON.
struct Setting<'a> {
    name: &'a str,
    value: &'a str,
}

impl Setting<'_> {
    fn text(&self) -> Result<String> {
        let text = self.value.starts_with('"').then(|| json::unquote(self.value).into_owned());
        text.ok_or_else(|| self.must_be("a text"))
    }

    fn flag(&self) -> Result<bool> {
        match self.value {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(self.must_be("true or false")),
        }
    }

    fn number(&self) -> Result<i64> {
        json::integer(self.value.as_bytes()).ok_or_else(|| self.must_be("a whole number"))
    }

    fn must_be(&self, wanted: &str) -> Error {
        Error::config([self.name, " must be ", wanted].concat())
    }
}
