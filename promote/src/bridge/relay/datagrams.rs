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
/// As many flows as there may be: each takes a port of this host. The number was not measured.
const MOST: usize = 4096;
/// How many datagrams come from one side before the others have their turn.
const AT_ONCE: usize = 64;

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
        let mut buffer = vec![0; LONGEST];
        let events = Events::new()?;
        events.add(end, Source::End)?;
        events.add(stop, Source::Stop)?;
        for door in &doors {
            door.set_nonblocking(true)?;
            packets::tell_called(door)?;
            // Nothing leads here yet: what waits came before there was a rule to keep it away.
            while packets::receive(door, &mut buffer).is_ok() {}
            events.add(door, Source::Door)?;
        }
        Ok(Self {
            events,
            doors,
            candidate,
            flows: HashMap::new(),
            numbers: HashMap::new(),
            next: 0,
            buffer,
        })
    }

    /// Forwards until the candidate ends, or for [`LAST_ANSWERS`] after it was told to stop. From then on nobody new is
    /// served: the rules that keep strangers away may be gone.
    ///
    /// # Errors
    /// Where nothing can be waited for.
    pub(crate) fn run(&mut self) -> io::Result<End> {
        let mut end: Option<Instant> = None;
        let mut sweep = Instant::now() + SWEEP;
        loop {
            if end.is_some_and(|end| end <= Instant::now()) {
                return Ok(End::Stopped);
            }
            let happened = self.events.wait(end.into_iter().chain([sweep]).min())?;
            for (source, _) in &happened {
                match *source {
                    Source::End => {
                        self.hand_out();
                        // The word to stop may have come just before the end, and be heard after it.
                        let late = self.events.wait(Some(Instant::now()))?;
                        let mut all = happened.iter().chain(&late);
                        let is_told = end.is_some() || all.any(|it| it.0 == Source::Stop);
                        return Ok(End::Lost { is_told });
                    }
                    Source::Stop => end = end.or(Some(Instant::now() + LAST_ANSWERS)),
                    Source::Door => self.take(end.is_none()),
                    Source::Socket(number, _) => self.answer(number),
                }
            }
            if sweep <= Instant::now() {
                sweep = Instant::now() + SWEEP;
                self.end(|flow| flow.last.elapsed() > IDLE);
            }
        }
    }

    /// What the candidate has answered before it ended.
    fn hand_out(&mut self) {
        let all: Vec<usize> = self.flows.keys().copied().collect();
        all.into_iter().for_each(|number| self.answer(number));
    }

    /// Passes on what clients have sent, of new ones only where they are served.
    fn take(&mut self, is_open: bool) {
        for door in 0..self.doors.len() {
            let mut taken = 0;
            while taken < AT_ONCE {
                taken += 1;
                match packets::receive(&self.doors[door], &mut self.buffer) {
                    Ok((length, address, called)) => {
                        let client = Client {
                            door,
                            address,
                            called,
                        };
                        self.pass_on(client, length, is_open);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    // Of an answer that found nobody.
                    Err(_) => {}
                }
            }
            if taken == AT_ONCE {
                self.events.again(&self.doors[door], Source::Door);
            }
        }
    }

    /// One that cannot be passed on is lost, as datagrams may be.
    fn pass_on(&mut self, client: Client, length: usize, is_open: bool) {
        let known = self.numbers.get(&client).copied();
        let number = known.or_else(|| is_open.then(|| self.begin(client))?);
        if let Some(flow) = number.and_then(|number| self.flows.get_mut(&number)) {
            flow.last = Instant::now();
            let _ = flow.app.send(&self.buffer[..length]);
        }
    }

    fn begin(&mut self, client: Client) -> Option<usize> {
        if self.flows.len() >= MOST {
            self.end_oldest();
        }
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

    /// Hands out what the candidate has answered to a client.
    fn answer(&mut self, number: usize) {
        let Some(flow) = self.flows.get_mut(&number) else {
            return;
        };
        let Client {
            door,
            address,
            called,
        } = flow.client;
        for _ in 0..AT_ONCE {
            match flow.app.recv(&mut self.buffer) {
                Ok(length) => {
                    flow.last = Instant::now();
                    let answer = &self.buffer[..length];
                    let _ = packets::send(&self.doors[door], answer, address, called);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Of a datagram that found nobody.
                Err(_) => {}
            }
        }
        let source = Source::Socket(number, Side::App);
        self.events.again(&flow.app, source);
    }

    /// A quarter at once: to look for the oldest takes long where there are many.
    fn end_oldest(&mut self) {
        let mut all: Vec<Instant> = self.flows.values().map(|flow| flow.last).collect();
        all.sort_unstable();
        if let Some(until) = all.get(all.len() / 4).copied() {
            self.end(|flow| flow.last <= until);
        }
    }

    fn end(&mut self, is_over: impl Fn(&Flow) -> bool) {
        self.flows.retain(|_, flow| !is_over(flow));
        let flows = &self.flows;
        self.numbers.retain(|_, number| flows.contains_key(number));
    }
}
