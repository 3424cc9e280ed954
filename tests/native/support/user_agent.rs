//! A browser's cookies after RFC 6265bis, section 5, written for the tests: it reads `Set-Cookie`, stores cookies, and
//! sends them. It is independent of the crate. `tests/native/user_agent.rs` tests it with public data.

/// Browsers cap an age at 400 days (section 5.5).
const MAX_AGE: i64 = 400 * 86_400;

/// Name and value together, and each attribute's value, in bytes (section 5.6).
const MAX_COOKIE: usize = 4096;
const MAX_ATTRIBUTE: usize = 1024;

/// The parts of a request's URL that matter for cookies.
#[derive(Clone, Debug)]
pub struct Url {
    pub secure: bool,
    pub host: String,
    pub path: String,
}

impl Url {
    /// `https://host:port/path?query`
    pub fn parse(text: &str) -> Self {
        let (scheme, rest) = text.split_once("://").unwrap();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = path.split(['?', '#']).next().unwrap();
        let host = authority.split(':').next().unwrap().to_ascii_lowercase();
        Self { secure: scheme == "https", host, path: if path.is_empty() { "/" } else { path }.to_owned() }
    }

    /// Section 5.1.4: up to the last slash, and not with it.
    fn default_path(&self) -> &str {
        match self.path.rfind('/') {
            Some(at) if at > 0 && self.path.starts_with('/') => &self.path[..at],
            _ => "/",
        }
    }
}

/// A parsed `Set-Cookie` header (section 5.6): names of attributes in lower case, their values unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetCookie {
    pub name: Vec<u8>,
    pub value: Vec<u8>,
    pub attributes: Vec<(String, Vec<u8>)>,
}

impl SetCookie {
    pub fn parse(header: &[u8]) -> Option<Self> {
        if header.iter().any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f) {
            return None;
        }
        let mut parts = header.split(|b| *b == b';');
        let pair = parts.next()?;
        let (name, value) = match pair.iter().position(|b| *b == b'=') {
            Some(at) => (trim(&pair[..at]), trim(&pair[at + 1..])),
            None => (&b""[..], trim(pair)),
        };
        let nothing = name.is_empty() && value.is_empty();
        if nothing || name.len() + value.len() > MAX_COOKIE {
            return None;
        }
        let attributes = parts.filter_map(|part| {
            let at = part.iter().position(|b| *b == b'=').unwrap_or(part.len());
            let name = String::from_utf8_lossy(trim(&part[..at])).to_ascii_lowercase();
            let value = trim(part.get(at + 1..).unwrap_or_default());
            (value.len() <= MAX_ATTRIBUTE).then(|| (name, value.to_vec()))
        });
        Some(Self { name: name.to_vec(), value: value.to_vec(), attributes: attributes.collect() })
    }

    /// The value of the last attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&[u8]> {
        self.attributes.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
    }

    /// The last valid value.
    fn last<T>(&self, name: &str, read: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
        self.attributes.iter().rev().filter(|(other, _)| other == name).find_map(|(_, value)| read(value))
    }
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| !b" \t".contains(b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !b" \t".contains(b)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    pub name: Vec<u8>,
    pub value: Vec<u8>,
    pub domain: String,
    pub host_only: bool,
    pub path: String,
    pub secure: bool,
    pub http_only: bool,
    /// `strict`, `lax`, `none`, or `default` if absent.
    pub same_site: &'static str,
    /// Unix time in seconds; `None` until the browser closes.
    pub expires: Option<i64>,
}

/// The outcome of a `Set-Cookie` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Stored,
    /// The cookie has expired, and the one that it replaces is deleted.
    Expired,
    /// The reason why it was ignored.
    Ignored(&'static str),
}

/// A browser. The order of its cookies is that in which they were first made.
#[derive(Clone, Debug, Default)]
pub struct UserAgent {
    /// Unix time in seconds.
    pub now: i64,
    pub cookies: Vec<Cookie>,
}

impl UserAgent {
    pub fn at(now: i64) -> Self {
        Self { now, cookies: Vec::new() }
    }

    /// Section 5.7: processes this header of a response from `url`.
    pub fn receive(&mut self, url: &Url, header: &[u8]) -> Outcome {
        let Some(set) = SetCookie::parse(header) else { return Outcome::Ignored("it is no cookie") };
        let mut cookie = Cookie {
            domain: url.host.clone(),
            host_only: true,
            path: url.default_path().to_owned(),
            secure: set.attribute("secure").is_some(),
            http_only: set.attribute("httponly").is_some(),
            same_site: same_site(set.attribute("samesite")),
            expires: self.end(&set),
            name: set.name.clone(),
            value: set.value.clone(),
        };
        // An empty Domain is ignored: RFC 6265, section 5.2.3, and the tables of web-platform-tests.
        if let Some(domain) =
            set.last("domain", |value| (!value.is_empty()).then(|| String::from_utf8_lossy(value).into_owned()))
        {
            let domain = domain.strip_prefix('.').unwrap_or(&domain).to_ascii_lowercase();
            if !domain_matches(&url.host, &domain) {
                return Outcome::Ignored("its domain is another's");
            }
            // Stands in for the list of public suffixes.
            if !domain.contains('.') && domain != url.host {
                return Outcome::Ignored("its domain is everybody's");
            }
            cookie.host_only = false;
            cookie.domain = domain;
        }
        if let Some(path) =
            set.attribute("path").and_then(|path| str::from_utf8(path).ok()).filter(|path| path.starts_with('/'))
        {
            cookie.path = path.to_owned();
        }
        if cookie.secure && !url.secure {
            return Outcome::Ignored("it is Secure, its origin is not");
        }
        let shadowed = |old: &Cookie| {
            old.secure
                && old.name == cookie.name
                && (domain_matches(&old.domain, &cookie.domain) || domain_matches(&cookie.domain, &old.domain))
                && path_matches(&cookie.path, &old.path)
        };
        if !cookie.secure && !url.secure && self.cookies.iter().any(shadowed) {
            return Outcome::Ignored("it would overlay a Secure cookie");
        }
        if cookie.same_site == "none" && !cookie.secure {
            return Outcome::Ignored("SameSite=None without Secure");
        }
        if let Some(why) = prefix_refusal(&cookie, &set) {
            return Outcome::Ignored(why);
        }
        let same = |old: &Cookie| {
            (&old.name, &old.domain, old.host_only, &old.path)
                == (&cookie.name, &cookie.domain, cookie.host_only, &cookie.path)
        };
        let expired = cookie.expires.is_some_and(|end| end <= self.now);
        match (self.cookies.iter().position(same), expired) {
            (Some(at), true) => drop(self.cookies.remove(at)),
            (Some(at), false) => self.cookies[at] = cookie,
            (None, true) => {}
            (None, false) => self.cookies.push(cookie),
        }
        if expired { Outcome::Expired } else { Outcome::Stored }
    }

    /// The expiry of the cookie: `Max-Age` takes precedence over `Expires`, and neither exceeds 400 days.
    fn end(&self, set: &SetCookie) -> Option<i64> {
        let age = set.last("max-age", |value| {
            let (digits, sign) = value.strip_prefix(b"-").map_or((value, 1), |digits| (digits, -1));
            let digits = str::from_utf8(digits)
                .ok()
                .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))?;
            Some(digits.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(sign))
        });
        let end = match age {
            Some(age) if age <= 0 => i64::MIN,
            Some(age) => self.now.saturating_add(age.min(MAX_AGE)),
            None => set.last("expires", |value| parse_date(&String::from_utf8_lossy(value)))?,
        };
        Some(end.min(self.now.saturating_add(MAX_AGE)))
    }

    /// Section 5.8.3: the `Cookie` header of a same-site request to `url`.
    pub fn send(&mut self, url: &Url) -> Vec<u8> {
        let now = self.now;
        self.cookies.retain(|cookie| cookie.expires.is_none_or(|end| end > now));
        let fits = |cookie: &&Cookie| {
            let host =
                if cookie.host_only { cookie.domain == url.host } else { domain_matches(&url.host, &cookie.domain) };
            host && path_matches(&url.path, &cookie.path) && (url.secure || !cookie.secure)
        };
        let mut list: Vec<_> = self.cookies.iter().filter(fits).collect();
        list.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let texts = list.iter().map(|cookie| {
            let name = if cookie.name.is_empty() { Vec::new() } else { [&cookie.name, &b"="[..]].concat() };
            [name, cookie.value.clone()].concat()
        });
        texts.collect::<Vec<_>>().join(&b"; "[..])
    }
}

fn same_site(value: Option<&[u8]>) -> &'static str {
    match value.map(|value| value.to_ascii_lowercase()).as_deref() {
        Some(b"strict") => "strict",
        Some(b"lax") => "lax",
        Some(b"none") => "none",
        _ => "default",
    }
}

/// The violated requirement of a name's prefix, without regard to case (section 5.7, and `__Http-` of the layered cookies draft).
fn prefix_refusal(cookie: &Cookie, set: &SetCookie) -> Option<&'static str> {
    let prefixes = ["__secure-", "__host-", "__http-", "__host-http-"];
    let begins = |text: &[u8], prefix: &str| text.to_ascii_lowercase().starts_with(prefix.as_bytes());
    if cookie.name.is_empty() && prefixes.iter().any(|prefix| begins(&cookie.value, prefix)) {
        return Some("a cookie without a name looks like one with a prefix");
    }
    let found: Vec<_> = prefixes.into_iter().filter(|prefix| begins(&cookie.name, prefix)).collect();
    if !found.is_empty() && !cookie.secure {
        return Some("its prefix demands Secure");
    }
    if found.iter().any(|prefix| prefix.contains("http")) && !cookie.http_only {
        return Some("its prefix demands HttpOnly");
    }
    let whole_host = cookie.host_only && cookie.path == "/" && set.attribute("path") == Some(b"/");
    if found.contains(&"__host-") && !whole_host {
        return Some("its prefix demands Path=/ and no Domain");
    }
    None
}

/// Section 5.1.3; an address is its own domain only.
fn domain_matches(host: &str, domain: &str) -> bool {
    let is_address = host.split('.').all(|part| part.parse::<u8>().is_ok());
    host == domain || (!is_address && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

/// Section 5.1.4.
fn path_matches(request: &str, cookie: &str) -> bool {
    request.strip_prefix(cookie).is_some_and(|rest| rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'))
}

/// Section 5.1.1: parses a date in any historical form, as Unix time.
pub fn parse_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let is_delimiter = |c: char| matches!(c, '\t' | ' '..='/' | ';'..='@' | '['..='`' | '{'..='~');
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        if let (None, Some(found)) = (time, clock(token)) {
            time = Some(found);
        } else if let (None, Some(found)) = (day, number(token, 1..=2)) {
            day = Some(found);
        } else if let (None, Some(found)) =
            (month, MONTHS.iter().position(|name| token.get(..3).is_some_and(|start| start.eq_ignore_ascii_case(name))))
        {
            month = Some(found as i64 + 1);
        } else if let (None, Some(found)) = (year, number(token, 2..=4)) {
            year = Some(found);
        }
    }
    let (hour, minute, second) = time?;
    let (day, month) = (day?, month?);
    let year = match year? {
        year @ 70..=99 => year + 1900,
        year @ 0..=69 => year + 2000,
        year => year,
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month as usize - 1];
    if !(1..=longest).contains(&day) || year < 1601 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970 by counting years from March, so that a leap day comes last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// `H:M:S`, each of one or two digits, followed by anything that is not a digit.
fn clock(token: &str) -> Option<(i64, i64, i64)> {
    let mut parts = token.splitn(3, ':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = |text: &str| number(text, 1..=2).filter(|_| text.bytes().all(|b| b.is_ascii_digit()));
    Some((whole(hour)?, whole(minute)?, number(second, 1..=2)?))
}

/// The given number of digits, followed by anything that is not a digit.
fn number(token: &str, digits: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let end = token.find(|c: char| !c.is_ascii_digit()).unwrap_or(token.len());
    if digits.contains(&end) { token[..end].parse().ok() } else { None }
}
