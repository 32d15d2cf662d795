//! The demonstration application: a small HTTP server that behaves as well or as badly as its environment says.
//!
//! | variable | what it does |
//! | --- | --- |
//! | `PORT` | where it listens, 8080 |
//! | `VERSION` | what `/` answers |
//! | `LOG` | a line it prints at its start |
//! | `LOG_ENV=1` | it prints its whole environment at its start |
//! | `HOSTILE_MB` | so many MiB of hostile text that it prints before anything else |
//! | `BOOT_MS` | it listens only after so long |
//! | `SICK=1`, `SICK_AFTER_MS` | `/health` answers 503, always or after so long |
//! | `SICK_FILE` | `/health` answers 503 while this file exists |
//! | `CRASH=1`, `CRASH_AFTER_MS` | exits with 3 at once, or with 4 after so long |
//! | `CRASH_FILE` | exits with 5 at its start if this file exists |
//! | `DEAF=1` | ignores SIGTERM |
//! | `GRACEFUL=1` | on SIGTERM finishes the requests under way first, and lets open connections know for a moment |
//! | `SLOW_MS` | `/` takes so long |
//! | `EAT_MB` | takes so much memory at its start |
//! | `SECOND_PORT` | it listens there as well, where `/` answers the version and `-second`, and `/health` answers 404 |
//! | `SECOND_MS` | only after so long |
//! | `SECOND_UNLESS` | only if this file does not exist at its start |
//! | `GREETS=1` | there it says its version at once, and ends when it is answered |
//! | `UDP_PORT` | it answers each datagram there with its version and what it was sent |
//!
//! Called as `demo-app load HOST:PORT PATH RATE` it is a client instead: it makes that load until its standard
//! input ends, and prints what it saw as JSON. So the same image serves as a client in any network. `demo-app keep
//! HOST:PORT PATH N` does the same over N connections that it keeps for a while. `demo-app datagrams HOST:PORT - N` has N
//! clients ask by UDP.
//!
//! Called as `demo-app healthy` it asks the one that runs beside it for its health, and ends with 0 or 1: a HEALTHCHECK.
//!
//! Called as `demo-app hostile N` it only prints so many MiB of hostile text, and ends with 1.
//!
//! Paths: `/`, `/health`, `/slow?ms=N`, `/large?kb=N`, `/headers` (the request's own), `/redirect?URL`,
//! `/upload` (the body's length), `/echo` (switches to lines that come back, and says `bye` at its own shutdown), and
//! those of `stage::hostile`.

use std::env;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::SIGTERM;
use stage::load::Load;

/// How long a connection with nothing asked on it is kept, so that the answer to what its client may just have sent can
/// say that it closes.
const LETTING_KNOW: Duration = Duration::from_millis(300);

struct App {
    port: u16,
    /// Whether it has another one, and this is that.
    is_second: bool,
    version: String,
    started: Instant,
    ending: AtomicBool,
    busy: AtomicUsize,
    open: AtomicUsize,
}

impl App {
    fn at(port: u64, is_second: bool) -> Self {
        let version = env::var("VERSION").unwrap_or_else(|_| "unversioned".to_owned());
        Self {
            port: port as u16,
            is_second,
            version: version + if is_second { "-second" } else { "" },
            started: Instant::now(),
            ending: AtomicBool::new(false),
            busy: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        }
    }
}

struct Request {
    path: String,
    head: String,
    close: bool,
    length: usize,
}

fn main() -> io::Result<ExitCode> {
    let args: Vec<String> = env::args().skip(1).collect();
    if let [mode, target, path, number] = &args[..] {
        let number = number.parse().map_err(io::Error::other)?;
        match mode.as_str() {
            "load" => return be_a_client(Load::to(target, path, number)),
            "keep" => {
                let connections = u16::try_from(number).unwrap_or(u16::MAX);
                return be_a_client(Load::kept(target, path, connections));
            }
            "datagrams" => {
                let clients = u16::try_from(number).unwrap_or(u16::MAX);
                return be_a_client(Load::datagrams(target, clients));
            }
            _ => {}
        }
    }
    if let [mode, mb] = &args[..]
        && mode == "hostile"
    {
        stage::hostile::say(&mut io::stdout().lock(), mb.parse().unwrap_or(0))?;
        return Ok(ExitCode::FAILURE);
    }
    if args == ["healthy"] {
        return ask_for_health();
    }
    if let Ok(line) = env::var("LOG") {
        say(&line);
    }
    if is_on("LOG_ENV") {
        env::vars().for_each(|(name, value)| say(&format!("{name}={value}")));
    }
    if let Some(mb) = number("HOSTILE_MB") {
        stage::hostile::say(&mut io::stdout().lock(), mb)?;
    }
    if is_on("CRASH") {
        say("fatal: told to crash at the start");
        return Ok(ExitCode::from(3));
    }
    if exists("CRASH_FILE") {
        say("fatal: told to crash by a file");
        return Ok(ExitCode::from(5));
    }
    let eaten = vec![1_u8; number("EAT_MB").unwrap_or(0) as usize * 1024 * 1024];
    let app = Arc::new(App::at(number("PORT").unwrap_or(8080), false));
    let (ends, ended) = channel();
    end_on_term(Arc::clone(&app), ends.clone())?;
    end_on_crash(ends.clone());
    if let Some(port) = number("UDP_PORT") {
        let app = Arc::clone(&app);
        thread::spawn(move || answer_datagrams(&app, port as u16));
    }
    if let Some(port) = number("SECOND_PORT").filter(|_| !exists("SECOND_UNLESS")) {
        let second = Arc::new(App::at(port, true));
        thread::spawn(move || listen(&second, "SECOND_MS"));
    }
    thread::spawn(move || {
        if let Err(error) = listen(&app, "BOOT_MS") {
            say(&format!("fatal: cannot listen: {error}"));
            let _ = ends.send(1);
        }
    });
    let code = ended.recv().unwrap_or(1);
    drop(black_box(eaten));
    Ok(ExitCode::from(code))
}

fn be_a_client(load: Load) -> io::Result<ExitCode> {
    io::copy(&mut io::stdin(), &mut io::sink())?;
    serde_json::to_writer(io::stdout(), &load.stop())?;
    Ok(ExitCode::SUCCESS)
}

fn ask_for_health() -> io::Result<ExitCode> {
    let port = number("PORT").unwrap_or(8080) as u16;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n")?;
    let mut status = String::new();
    BufReader::new(stream).read_line(&mut status)?;
    let good = status.contains(" 200 ");
    Ok(if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

// The first process of a container gets no default action for SIGTERM: without a handler it never ends.
fn end_on_term(app: Arc<App>, ends: Sender<u8>) -> io::Result<()> {
    let (mut told, teller) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(SIGTERM, teller)?;
    thread::spawn(move || {
        let _ = told.read(&mut [0]);
        if is_on("DEAF") {
            say("SIGTERM ignored");
            return;
        }
        if is_on("GRACEFUL") {
            app.ending.store(true, Ordering::SeqCst);
            // Wakes the accepting thread, which then closes the port.
            let _ = TcpStream::connect(("127.0.0.1", app.port));
            let told = Instant::now();
            while app.busy.load(Ordering::SeqCst) > 0
                || app.open.load(Ordering::SeqCst) > 0 && told.elapsed() < LETTING_KNOW
            {
                thread::sleep(Duration::from_millis(1));
            }
        }
        let _ = ends.send(0);
    });
    Ok(())
}

fn end_on_crash(ends: Sender<u8>) {
    if let Some(ms) = number("CRASH_AFTER_MS") {
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(ms));
            say("fatal: told to crash after a while");
            let _ = ends.send(4);
        });
    }
}

fn listen(app: &Arc<App>, after: &str) -> io::Result<()> {
    thread::sleep(Duration::from_millis(number(after).unwrap_or(0)));
    let both = TcpListener::bind(("::", app.port));
    let listener = both.or_else(|_| TcpListener::bind(("0.0.0.0", app.port)))?;
    say(&format!("{} listens on {}", app.version, app.port));
    for stream in listener.incoming().flatten() {
        if app.ending.load(Ordering::SeqCst) {
            return Ok(());
        }
        let app = Arc::clone(app);
        thread::spawn(move || {
            app.open.fetch_add(1, Ordering::SeqCst);
            let served = serve(&app, stream);
            app.open.fetch_sub(1, Ordering::SeqCst);
            served
        });
    }
    Ok(())
}

/// `/` takes `SLOW_MS` by UDP, too.
fn answer_datagrams(app: &App, port: u16) -> io::Result<()> {
    let both = UdpSocket::bind(("::", port));
    let socket = both.or_else(|_| UdpSocket::bind(("0.0.0.0", port)))?;
    let mut asked = [0; 1024];
    loop {
        let (length, client) = socket.recv_from(&mut asked)?;
        thread::sleep(Duration::from_millis(number("SLOW_MS").unwrap_or(0)));
        let answer = [app.version.as_bytes(), b" ", &asked[..length]].concat();
        // A client may be gone.
        let _ = socket.send_to(&answer, client);
    }
}

fn serve(app: &App, mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if app.is_second && is_on("GREETS") {
        writeln!(stream, "{}", app.version)?;
        return stream.read(&mut [0]).map(drop);
    }
    let mut reader = BufReader::new(stream.try_clone()?);
    // A request counts as under way from its first byte on.
    while !reader.fill_buf()?.is_empty() {
        app.busy.fetch_add(1, Ordering::SeqCst);
        let close = exchange(app, &mut reader, &stream);
        app.busy.fetch_sub(1, Ordering::SeqCst);
        if close? {
            break;
        }
    }
    Ok(())
}

fn exchange(app: &App, reader: &mut impl BufRead, mut stream: &TcpStream) -> io::Result<bool> {
    let request = read_head(reader)?;
    if request.head.to_ascii_lowercase().contains("100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    if stage::hostile::answer(&request.path, &mut stream)? {
        return Ok(true);
    }
    if request.path == "/echo" {
        echo(app, reader, stream)?;
        return Ok(true);
    }
    let read = io::copy(&mut reader.take(request.length as u64), &mut io::sink())?;
    let (status, more, body) = answer(app, &request, read);
    let close = request.close || app.ending.load(Ordering::SeqCst);
    let kept = if close { "close" } else { "keep-alive" };
    let length = body.len();
    let said = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: {kept}\r\n{more}\r\n{body}"
    );
    stream.write_all(said.as_bytes())?;
    Ok(close)
}

/// What a WebSocket is to the network: a connection on which both sides speak for as long as they like.
fn echo(app: &App, reader: &mut impl BufRead, mut stream: &TcpStream) -> io::Result<()> {
    stream.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: lines\r\nConnection: Upgrade\r\n\r\n",
    )?;
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    let mut line = Vec::new();
    while !app.ending.load(Ordering::SeqCst) {
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                stream.write_all(&line)?;
                line.clear();
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    stream.write_all(b"bye\n")?;
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    io::copy(reader, &mut io::sink()).map(drop)
}

fn answer(app: &App, request: &Request, read: u64) -> (&'static str, String, String) {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    match path {
        "/" => {
            thread::sleep(Duration::from_millis(number("SLOW_MS").unwrap_or(0)));
            ("200 OK", String::new(), app.version.clone())
        }
        "/health" if app.is_second => ("404 Not Found", String::new(), "no such page".to_owned()),
        "/health" if is_sick(app) => ("503 Service Unavailable", String::new(), "sick".to_owned()),
        "/health" => ("200 OK", String::new(), "ok".to_owned()),
        "/slow" => {
            let ms = query.strip_prefix("ms=").and_then(|ms| ms.parse().ok());
            thread::sleep(Duration::from_millis(ms.unwrap_or(1000)));
            ("200 OK", String::new(), app.version.clone())
        }
        "/large" => {
            let kb = query.strip_prefix("kb=").and_then(|kb| kb.parse().ok());
            (
                "200 OK",
                String::new(),
                "x".repeat(kb.unwrap_or(100) * 1000),
            )
        }
        "/headers" => ("200 OK", String::new(), request.head.clone()),
        "/redirect" => {
            let to = if query.is_empty() {
                "http://127.0.0.1:1/"
            } else {
                query
            };
            ("302 Found", format!("Location: {to}\r\n"), String::new())
        }
        "/upload" => ("200 OK", String::new(), read.to_string()),
        _ => ("404 Not Found", String::new(), "no such page".to_owned()),
    }
}

fn is_sick(app: &App) -> bool {
    let after = number("SICK_AFTER_MS").map(Duration::from_millis);
    is_on("SICK")
        || exists("SICK_FILE")
        || after.is_some_and(|after| app.started.elapsed() >= after)
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Request> {
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let mut request = Request {
        path,
        head: String::new(),
        close: first.trim_end().ends_with("HTTP/1.0"),
        length: 0,
    };
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((name, value)) = line.trim_end().split_once(':') else {
            return Ok(request);
        };
        match name.to_ascii_lowercase().as_str() {
            "connection" if value.trim().eq_ignore_ascii_case("close") => request.close = true,
            "content-length" => request.length = value.trim().parse().unwrap_or(0),
            _ => {}
        }
        request.head.push_str(&line);
    }
}

fn is_on(name: &str) -> bool {
    env::var(name).is_ok_and(|value| value == "1")
}

fn exists(name: &str) -> bool {
    env::var(name).is_ok_and(|path| Path::new(&path).exists())
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
