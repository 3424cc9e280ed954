//! Django's `SESSION_*` settings with stricter defaults, validated on construction.

mod builder;
mod consistency;
mod cookie_slot;
mod same_site;
#[allow(clippy::module_inception, reason = "the file is named by its type")]
mod settings;
mod table;

pub use builder::SettingsBuilder;
pub use consistency::Consistency;
pub(crate) use cookie_slot::CookieSlot;
pub use same_site::SameSite;
pub(crate) use settings::MAX_COOKIE_AGE;
pub use settings::Settings;
pub use table::{SETTINGS, Setting, SettingKind};
