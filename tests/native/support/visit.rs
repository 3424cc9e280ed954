//! A visit from the first cookie through a login to a logout, under any settings, with its assertions. For the tests and for
//! the fuzz target `set_cookie`.

use chrono::DateTime;
use edge_session::settings::SettingsBuilder;
use edge_session::{ErrorKind, MemoryStore, SameSite, Sessions, Settings};
use pollster::block_on as run;

use super::user_agent::{Cookie, Outcome, SetCookie, Url, UserAgent};

/// The settings of a session cookie.
#[derive(Clone, Debug)]
pub struct Choice {
    pub name: Option<String>,
    pub domain: Option<String>,
    pub path: String,
    pub secure: bool,
    pub httponly: bool,
    pub samesite: SameSite,
    pub closes: bool,
}

impl Choice {
    pub fn builder(&self) -> SettingsBuilder {
        let mut builder = Settings::builder(["a secret of at least thirty-two bytes"])
            .cookie_path(&*self.path)
            .cookie_secure(self.secure)
            .cookie_httponly(self.httponly)
            .cookie_samesite(self.samesite)
            .expire_at_browser_close(self.closes);
        if let Some(name) = &self.name {
            builder = builder.cookie_name(&**name);
        }
        if let Some(domain) = &self.domain {
            builder = builder.cookie_domain(&**domain);
        }
        builder
    }

    /// The URL of the site.
    pub fn url(&self) -> Url {
        let domain = self.domain.as_deref().map_or("example.org", |domain| domain.strip_prefix('.').unwrap_or(domain));
        Url { secure: self.secure, host: domain.to_ascii_lowercase(), path: self.path.clone() }
    }

    /// The cookie that a browser has to keep.
    fn cookie(&self, name: &str, value: &[u8], expires: Option<i64>) -> Cookie {
        Cookie {
            name: name.as_bytes().to_vec(),
            value: value.to_vec(),
            domain: self.url().host,
            host_only: self.domain.is_none(),
            path: self.path.clone(),
            secure: self.secure,
            http_only: self.httponly,
            same_site: match self.samesite {
                SameSite::Strict => "strict",
                SameSite::Lax => "lax",
                SameSite::None => "none",
            },
            expires,
        }
    }
}

/// The attributes of a header with their values, in order.
pub fn attributes(header: &str) -> Vec<(String, String)> {
    let set = SetCookie::parse(header.as_bytes()).unwrap();
    set.attributes.into_iter().map(|(name, value)| (name, String::from_utf8(value).unwrap())).collect()
}

/// Checks the browser's cookies after a visit that stores data, a login, and a logout.
pub fn visit(choice: &Choice, settings: Settings) {
    // 1 January 2030
    let now = DateTime::from_timestamp(1_893_456_000, 0).unwrap();
    let sessions = Sessions::new(MemoryStore::eventual(), settings).with_clock(move || now);
    let settings = sessions.settings();
    let url = choice.url();
    let mut agent = UserAgent::at(now.timestamp());
    let mut session = run(sessions.load("")).unwrap();
    session.set("user", "alice").unwrap();
    let headers = run(sessions.commit_headers(&mut session, 200)).unwrap();
    let [given] = headers.set_cookies() else { panic!("one cookie: {headers:?}") };
    receive(choice, &mut agent, settings.anonymous_cookie_name(), given);

    let mut session = run(sessions.load(agent.send(&url))).unwrap();
    assert_eq!(session.item::<String>("user").unwrap(), "alice");
    session.cycle_key().unwrap();
    let headers = run(sessions.commit_headers(&mut session, 200)).unwrap();
    let [login, deleted] = headers.set_cookies() else { panic!("a cookie and a deletion: {headers:?}") };
    // C10: the browser takes the deletion for the same cookie.
    assert_eq!(agent.receive(&url, deleted.as_bytes()), Outcome::Expired);
    assert!(agent.cookies.is_empty());
    deletes(deleted, given);
    receive(choice, &mut agent, settings.cookie_name(), login);

    let mut session = run(sessions.load(agent.send(&url))).unwrap();
    assert_eq!(session.item::<String>("user").unwrap(), "alice");
    run(sessions.flush(&mut session)).unwrap();
    let headers = run(sessions.commit_headers(&mut session, 200)).unwrap();
    let [deleted] = headers.set_cookies() else { panic!("one deletion: {headers:?}") };
    assert_eq!(agent.receive(&url, deleted.as_bytes()), Outcome::Expired);
    assert!(agent.cookies.is_empty());
    deletes(deleted, login);
}

/// Checks that a browser keeps exactly the cookie of this header, with the attributes of the settings.
fn receive(choice: &Choice, agent: &mut UserAgent, name: &str, header: &str) {
    assert_eq!(agent.receive(&choice.url(), header.as_bytes()), Outcome::Stored, "{} from {:?}", header, choice);
    let value = SetCookie::parse(header.as_bytes()).unwrap().value;
    // B12, C6: the expected attributes only, and at most 4096 bytes.
    assert!(name.len() + value.len() <= 4096);
    let mut wanted = Vec::new();
    if !choice.closes {
        wanted.extend(["expires", "max-age"]);
    }
    wanted.extend(choice.domain.as_ref().map(|_| "domain"));
    wanted.push("path");
    wanted.extend(choice.secure.then_some("secure"));
    wanted.extend(choice.httponly.then_some("httponly"));
    wanted.push("samesite");
    let found = attributes(header);
    assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), wanted, "{}", header);
    // C12: a cookie that ends with the browser has no expiry.
    let expires = (!choice.closes).then(|| agent.now + 1_209_600);
    assert_eq!(&agent.cookies, &[choice.cookie(name, &value, expires)]);
}

/// Checks that a header deletes the cookie of another one: the same name and attributes, no value, a past expiry.
fn deletes(header: &str, given: &str) {
    let name = |header: &str| SetCookie::parse(header.as_bytes()).unwrap().name;
    assert_eq!(name(header), name(given));
    let repeated = attributes(header);
    assert_eq!(
        &repeated[..2],
        [("expires".to_owned(), "Thu, 01 Jan 1970 00:00:00 GMT".to_owned()), ("max-age".to_owned(), "0".to_owned())]
    );
    let same = |found: &[(String, String)]| {
        found.iter().filter(|(name, _)| name != "expires" && name != "max-age").cloned().collect::<Vec<_>>()
    };
    assert_eq!(same(&repeated), same(&attributes(given)));
}

/// Runs [`visit`] with the settings that the bytes encode: flags, then name, domain and path, separated by a byte that no text
/// contains.
pub fn any(bytes: &[u8]) {
    let (flags, texts) = bytes.split_first().unwrap_or((&0, &[]));
    let mut texts = texts.split(|byte| *byte == 0xff).map(|text| String::from_utf8_lossy(text).into_owned());
    let choice = Choice {
        name: texts.next().filter(|_| flags & 32 == 0),
        domain: texts.next().filter(|_| flags & 64 == 0),
        path: texts.next().unwrap_or_else(|| "/".to_owned()),
        secure: flags & 1 == 0,
        httponly: flags & 2 == 0,
        samesite: [SameSite::Lax, SameSite::Strict, SameSite::None, SameSite::Lax][usize::from(flags >> 3 & 3)],
        closes: flags & 4 != 0,
    };
    match choice.builder().build() {
        Ok(settings) => visit(&choice, settings),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Config),
    }
}
