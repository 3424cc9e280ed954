//! A browser's cookie jar (RFC 6265bis, section 5.7): cookies by name, domain and path.
//!
//! `Set-Cookie` lines are applied in the order in which answers arrive.

use std::time::Duration;

/// Where all requests go.
const HOST: &str = "www.example.com";
const PATH: &str = "/shop/eu/page";

/// The most that a browser keeps of a name and a value together, in bytes.
const MAX_PAIR: usize = 4096;

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    /// The domain whose hosts get it; `None` for the host alone.
    domain: Option<String>,
    path: String,
    expires: Option<Duration>,
}

/// The cookies of one browser, the oldest first.
#[derive(Clone, Debug, Default)]
pub struct Jar(Vec<Cookie>);

impl Jar {
    /// Applies one `Set-Cookie` line.
    pub fn apply(&mut self, line: &str, now: Duration) {
        let mut parts = line.split("; ");
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let attributes: Vec<_> = parts.map(|part| part.split_once('=').unwrap_or((part, ""))).collect();
        let attribute = |name: &str| {
            let found = attributes.iter().rev().find(|(other, _)| other.eq_ignore_ascii_case(name));
            found.map(|(_, value)| *value)
        };
        let (domain, path) = (attribute("Domain").map(str::to_owned), attribute("Path").unwrap_or("/").to_owned());
        let is_secure = attribute("Secure").is_some();
        let is_valid = match name {
            _ if name.starts_with("__Host-") => is_secure && domain.is_none() && path == "/",
            _ if name.starts_with("__Secure-") => is_secure,
            _ => true,
        };
        let is_for_host =
            domain.as_deref().is_none_or(|domain| HOST == domain || HOST.ends_with(&format!(".{domain}")));
        if !is_valid || !is_for_host || name.len() + value.len() > MAX_PAIR {
            return;
        }
        let age = attribute("Max-Age").map(|age| age.parse::<i64>().unwrap());
        let is_same = |cookie: &Cookie| cookie.name == name && cookie.domain == domain && cookie.path == path;
        if age.is_some_and(|age| age <= 0) {
            self.0.retain(|cookie| !is_same(cookie));
            return;
        }
        let expires = age.map(|age| now + Duration::from_secs(age as u64));
        // A cookie that is replaced keeps its place among those of the same path.
        let place = self.0.iter().position(is_same);
        let cookie = Cookie { name: name.to_owned(), value: value.to_owned(), domain, path, expires };
        match place.and_then(|place| self.0.get_mut(place)) {
            Some(known) => *known = cookie,
            None => self.0.push(cookie),
        }
    }

    /// The names and values that a request carries, longer paths first.
    pub fn cookies(&self, now: Duration) -> Vec<(&str, &str)> {
        let is_live = |cookie: &&Cookie| cookie.expires.is_none_or(|expires| expires > now);
        let matches = |cookie: &&Cookie| cookie.path == "/" || PATH.starts_with(&format!("{}/", cookie.path));
        let mut cookies: Vec<_> = self.0.iter().filter(is_live).filter(matches).collect();
        cookies.sort_by_key(|cookie| core::cmp::Reverse(cookie.path.len()));
        cookies.into_iter().map(|cookie| (cookie.name.as_str(), cookie.value.as_str())).collect()
    }
}
