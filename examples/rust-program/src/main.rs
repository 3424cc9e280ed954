use edge_session::{MemoryStore, Result, SessionHeaders, Sessions, Settings};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

const ADDRESS: &str = "127.0.0.1:8080";

/// Handles one request: returns the body of the response and the headers of its session.
async fn respond(
    sessions: &Sessions<MemoryStore>,
    method: &str,
    path: &str,
    cookie: &str,
) -> Result<(String, SessionHeaders)> {
    let mut session = sessions.load(cookie).await?;
    let body = match (method, path) {
        ("POST", "/login") => {
            session.cycle_key()?; // a new key, which no one can know from before the login
            session.set("user", "alice")?;
            "Welcome".to_owned()
        }
        ("POST", "/logout") => {
            sessions.flush(&mut session).await?;
            "Goodbye".to_owned()
        }
        _ => {
            let visits = session.get::<u32>("visits")?.unwrap_or(0) + 1;
            session.set("visits", visits)?;
            format!("Visit number {visits}")
        }
    };
    let headers = sessions.commit_headers(&mut session, 200).await?;
    Ok((body, headers))
}

/// Reads one HTTP request from a connection and writes the response.
fn serve(sessions: &Sessions<MemoryStore>, connection: &mut TcpStream) -> io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut parts = request.split(' ');
    let (method, path) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut cookie = String::new();
    while let Some(line) = lines.next().transpose()?.filter(|line| !line.is_empty()) {
        match line.split_once(':') {
            Some((name, value)) if name.eq_ignore_ascii_case("Cookie") => value.trim().clone_into(&mut cookie),
            _ => {}
        }
    }
    let (status, body, headers) = match pollster::block_on(respond(sessions, method, path, &cookie)) {
        Ok((body, headers)) => ("200 OK", body, headers),
        Err(error) => ("500 Internal Server Error", error.to_string(), SessionHeaders::for_failure()),
    };
    let mut lines =
        vec![("Content-Length".to_owned(), body.len().to_string()), ("Connection".to_owned(), "close".to_owned())];
    let Ok(()) = headers.apply(&mut lines);
    let lines: String = lines.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(connection, "HTTP/1.1 {status}\r\n{lines}\r\n{body}")
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build()?;
    let sessions = Sessions::new(MemoryStore::default(), settings);
    let listener = TcpListener::bind(ADDRESS)?;
    println!("http://localhost:{}", listener.local_addr()?.port());
    for connection in listener.incoming() {
        if let Err(error) = connection.and_then(|mut connection| serve(&sessions, &mut connection)) {
            eprintln!("{error}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{MemoryStore, Sessions, Settings, respond};

    #[test]
    fn counts_visits_logs_in_and_out() {
        let settings = Settings::builder(["a secret of at least thirty-two bytes"]).build().unwrap();
        let sessions = Sessions::new(MemoryStore::default(), settings);
        let visit = |method, path, cookie: &str| {
            let (body, headers) = pollster::block_on(respond(&sessions, method, path, cookie)).unwrap();
            let cookie = headers.set_cookie().and_then(|line| line.split(';').next()).unwrap_or_default().to_owned();
            (body, cookie)
        };
        let (first, cookie) = visit("GET", "/", "");
        let (second, cookie) = visit("GET", "/", &cookie);
        assert_eq!([first, second], ["Visit number 1", "Visit number 2"]);
        let (login, logged_in) = visit("POST", "/login", &cookie);
        let (third, logged_in) = visit("GET", "/", &logged_in);
        let (logout, _) = visit("POST", "/logout", &logged_in);
        assert_eq!([login, third, logout], ["Welcome", "Visit number 3", "Goodbye"]);
        for old in [cookie, logged_in] {
            assert_eq!(visit("GET", "/", &old).0, "Visit number 1");
        }
    }
}
