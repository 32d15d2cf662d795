//! The forwarder's datagrams, all of them by one thread.
//!
//! Each client has a socket of its own to the candidate, by which an answer finds its way back, as Docker's own proxy
//! does it. Nobody says when a client has had its last answer. So a flow goes when nothing has passed for some time, or
//! when its files are wanted for a client that is new.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use rustix::fd::AsFd;

use super::events::{Events, Side, Source};
use super::files::{KEPT, allow};
use super::{End, LAST_ANSWERS, packets};

/// As long as Docker's own proxy keeps a flow (`UDPConnTrackTimeout`, cmd/docker-proxy/udp_proxy_linux.go).
const IDLE: Duration = Duration::from_secs(90);
/// Between two looks for idle ones.
const SWEEP: Duration = Duration::from_secs(10);
/// No datagram is longer (udp(7)).
const LONGEST: usize = 64 << 10;

/// Forwards datagrams to the candidate, and its answers back.
pub(crate) struct Datagrams {
    events: Events,
    doors: Vec<UdpSocket>,
    candidate: SocketAddr,
    /// By the numbers that their events name.
    flows: HashMap<usize, Flow>,
    numbers: HashMap<Client, usize>,
    next: usize,
    buffer: Vec<u8>,
}

/// Who asks, and whom.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Client {
    door: usize,
    address: SocketAddr,
    /// The address of this host that it has called.
    called: Option<IpAddr>,
}

/// A client's datagrams and the answers to them.
struct Flow {
    client: Client,
    app: UdpSocket,
    /// When one passed.
    last: Instant,
}

impl Datagrams {
    /// Whatever comes in at the doors goes to the candidate. Its process has ended when `end` is readable, and the relay is
    /// told to stop when `stop` is. Both stay open as long as it runs.
    ///
    /// # Errors
    /// Where the kernel cannot watch them.
    pub(crate) fn new(
        doors: Vec<UdpSocket>,
        candidate: SocketAddr,
        end: &impl AsFd,
        stop: &impl AsFd,
    ) -> io::Result<Self> {
        allow(KEPT);
        let events = Events::new()?;
        events.add(end, Source::End)?;
        events.add(stop, Source::Stop)?;
        for door in &doors {
            door.set_nonblocking(true)?;
            packets::tell_called(door)?;
            events.add(door, Source::Door)?;
        }
        Ok(Self {
            events,
            doors,
            candidate,
            flows: HashMap::new(),
            numbers: HashMap::new(),
            next: 0,
            buffer: vec![0; LONGEST],
        })
    }

    /// Forwards until the candidate ends, or until nothing has passed for [`LAST_ANSWERS`] after it was told to stop.
    ///
    /// # Errors
    /// Where nothing can be waited for.
    pub(crate) fn run(&mut self) -> io::Result<End> {
        let mut told: Option<Instant> = None;
        let mut sweep = Instant::now() + SWEEP;
        loop {
            let quiet = told.map(|told| self.last().unwrap_or(told).max(told) + LAST_ANSWERS);
            if quiet.is_some_and(|until| until <= Instant::now()) {
                return Ok(End::Stopped);
            }
            for (source, _) in self.events.wait(quiet.into_iter().chain([sweep]).min())? {
                match source {
                    Source::End => {
                        let is_told = told.is_some();
                        return Ok(End::Lost { is_told });
                    }
                    Source::Stop => told = told.or(Some(Instant::now())),
                    Source::Door => self.take(),
                    Source::Socket(number, _) => self.answer(number),
                }
            }
            if sweep <= Instant::now() {
                sweep = Instant::now() + SWEEP;
                self.end(|flow| flow.last.elapsed() > IDLE);
            }
        }
    }

    /// When a datagram passed.
    fn last(&self) -> Option<Instant> {
        self.flows.values().map(|flow| flow.last).max()
    }

    /// Passes on all that clients have sent.
    fn take(&mut self) {
        for door in 0..self.doors.len() {
            loop {
                match packets::receive(&self.doors[door], &mut self.buffer) {
                    Ok((length, address, called)) => {
                        let client = Client {
                            door,
                            address,
                            called,
                        };
                        self.pass_on(client, length);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // Of an answer that found nobody.
                    Err(_) => {}
                }
            }
        }
    }

    /// One that cannot be passed on is lost, as datagrams may be.
    fn pass_on(&mut self, client: Client, length: usize) {
        let known = self.numbers.get(&client).copied();
        let number = known.or_else(|| self.begin(client));
        if let Some(flow) = number.and_then(|number| self.flows.get_mut(&number)) {
            flow.last = Instant::now();
            let _ = flow.app.send(&self.buffer[..length]);
        }
    }

    fn begin(&mut self, client: Client) -> Option<usize> {
        let number = self.next;
        let app = self.connect(number).or_else(|_| {
            self.end_oldest();
            self.connect(number)
        });
        self.next += 1;
        let flow = Flow {
            client,
            app: app.ok()?,
            last: Instant::now(),
        };
        self.flows.insert(number, flow);
        self.numbers.insert(client, number);
        Some(number)
    }

    fn connect(&self, number: usize) -> io::Result<UdpSocket> {
        let app = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        app.set_nonblocking(true)?;
        app.connect(self.candidate)?;
        self.events.add(&app, Source::Socket(number, Side::App))?;
        Ok(app)
    }

    /// Hands out all that the candidate has answered to a client.
    fn answer(&mut self, number: usize) {
        let Some(flow) = self.flows.get_mut(&number) else {
            return;
        };
        loop {
            match flow.app.recv(&mut self.buffer) {
                Ok(length) => {
                    flow.last = Instant::now();
                    let Client {
                        door,
                        address,
                        called,
                    } = flow.client;
                    let _ =
                        packets::send(&self.doors[door], &self.buffer[..length], address, called);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Of a datagram that found nobody.
                Err(_) => {}
            }
        }
    }

    fn end_oldest(&mut self) {
        let oldest = self.flows.values().map(|flow| flow.last).min();
        self.end(|flow| Some(flow.last) == oldest);
    }

    fn end(&mut self, is_over: impl Fn(&Flow) -> bool) {
        self.flows.retain(|_, flow| !is_over(flow));
        let flows = &self.flows;
        self.numbers.retain(|_, number| flows.contains_key(number));
    }
}
