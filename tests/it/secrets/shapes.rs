//! Secrets of every shape, and the places where they are planted.

use fastrand::Rng;

/// Whether a log may show it: short ones are not hidden there.
const SHORTEST_IN_A_LOG: usize = 6;

/// What is planted in one round.
pub(super) struct Planted {
    /// By name, as `-e` takes them.
    given: Vec<(String, String)>,
    /// One line each, as env files take them: of the absolute path and of the relative one.
    in_files: [Vec<(String, String)>; 2],
    log_tag: String,
    header: String,
    in_malformed: Vec<String>,
    open: Open,
}

/// Values that the engine shows to everybody, in labels, too. Nothing else may.
struct Open {
    label: String,
    health: String,
    command: String,
}

/// Letters and digits that no text has by chance.
fn token(rng: &mut Rng, length: usize) -> String {
    let letter = |rng: &mut Rng| rng.alphanumeric();
    format!("Zq{}", (0..length).map(|_| letter(rng)).collect::<String>())
}

/// Each shape once, each with something that no other text has.
fn shapes(rng: &mut Rng) -> Vec<String> {
    let mut t = |length| token(rng, length);
    vec![
        t(12),
        t(30),
        format!("{}~", t(1)),
        t(2),
        format!("say \"{}\" twice", t(8)),
        format!("it's {} \\ {}", t(8), t(4)),
        format!("  {} with spaces  ", t(8)),
        format!("100%{}%20%s", t(8)),
        format!("^{}.*[a-z]+(x|y)$", t(8)),
        format!(
            "correct{}horse",
            t(6).to_lowercase().replace(char::is_numeric, "x")
        ),
        format!("/etc/{}/key.pem", t(8)),
        format!(
            "postgres://user:{}@db.example:5432/app?sslmode=require",
            t(10)
        ),
        format!("Bearer {}", t(24)),
        format!("{{\"key\": \"{}\", \"n\": [1, 2]}}", t(10)),
        format!("{}=={}", t(10), t(3)),
        format!("é中{}\u{1f511}", t(8)),
        format!("$({}) `{}` ${{HOME}}", t(6), t(5)),
        format!("{}:{}", t(6), t(6)),
        format!("#{}", t(9)),
        format!("--{}", t(9)),
        format!("{},{};{}", t(6), t(6), t(6)),
        format!("<b>{}</b>&amp;", t(8)),
    ]
}

pub(super) fn planted(rng: &mut Rng) -> Planted {
    let mut values = shapes(rng);
    let (one, other) = (token(rng, 70_000), token(rng, 70_000));
    let key: String = (0..4).map(|_| format!("{}\n", token(rng, 60))).collect();
    values.extend([
        one,
        other,
        format!("-----BEGIN KEY-----\n{key}-----END KEY-----\n"),
    ]);
    let named = |kind: &str, all: Vec<String>| {
        let numbered = all.into_iter().enumerate();
        let pairs = numbered.map(|(n, value)| (format!("{kind}_{n}"), value));
        pairs.collect::<Vec<_>>()
    };
    let mut given = named("TOKEN", values);
    for name in [
        "HTTPS_PROXY",
        "DOCKER_HOST",
        "DOCKER_CONTEXT",
        "PATH",
        "GODEBUG",
        "SSL_CERT_FILE",
    ] {
        given.push((name.to_owned(), token(rng, 14)));
    }
    rng.shuffle(&mut given);
    let mut long = shapes(rng);
    long.push(token(rng, 60_000));
    Planted {
        given,
        in_files: [named("FILE", long), named("OTHER", shapes(rng))],
        log_tag: token(rng, 14),
        header: token(rng, 20),
        in_malformed: (0..3).map(|_| token(rng, 12)).collect(),
        open: Open {
            label: token(rng, 16),
            health: token(rng, 16),
            command: token(rng, 16),
        },
    }
}

impl Planted {
    pub(super) fn count(&self) -> usize {
        self.all().len()
    }

    /// All of them, the long ones by three parts.
    pub(super) fn all(&self) -> Vec<String> {
        let pairs = self.given.iter().chain(self.in_files.iter().flatten());
        let mut all: Vec<String> = pairs.map(|(_, value)| value.clone()).collect();
        all.extend([self.log_tag.clone(), self.header.clone()]);
        all.extend(self.in_malformed.clone());
        all.extend(self.open().map(str::to_owned));
        all
    }

    fn open(&self) -> [&str; 3] {
        let Open {
            label,
            health,
            command,
        } = &self.open;
        [label, health, command]
    }

    /// Whether the engine shows it to everybody.
    pub(super) fn is_open(&self, value: &str) -> bool {
        self.open().contains(&value)
    }

    /// What the app is started with.
    pub(super) fn command(&self) -> [String; 2] {
        ["--".to_owned(), self.open.command.clone()]
    }

    /// Those that a log must not show.
    pub(super) fn is_for_logs(value: &str) -> bool {
        value.chars().count() >= SHORTEST_IN_A_LOG
    }

    /// The variables that a container has in the end, the last of a name.
    pub(super) fn variables(&self) -> impl Iterator<Item = &(String, String)> {
        self.given.iter().chain(self.in_files.iter().flatten())
    }

    /// In every form that the CLI takes.
    pub(super) fn options(&self) -> Vec<String> {
        let mut words = Vec::new();
        for (at, (name, value)) in self.given.iter().enumerate() {
            let pair = format!("{name}={value}");
            match at % 5 {
                0 => words.extend(["-e".to_owned(), pair]),
                1 => words.push(format!("--env={pair}")),
                2 => words.push(format!("-e{pair}")),
                3 => words.push(format!("-ie{pair}")),
                _ => words.extend(["--env".to_owned(), pair]),
            }
        }
        words.push(format!("--log-opt=tag={}", self.log_tag));
        words.push(format!("--label=note={}", self.open.label));
        words.push(format!("--health-cmd=/ask {}", self.open.health));
        // Nothing asks: the image has no shell.
        words.push("--health-interval=24h".to_owned());
        words
    }

    pub(super) fn file_text(&self) -> String {
        lines(&self.in_files[0])
    }

    pub(super) fn other_text(&self) -> String {
        lines(&self.in_files[1])
    }

    pub(super) fn header(&self) -> String {
        format!("X-Token: {}", self.header)
    }

    /// Env files whose second line is none.
    pub(super) fn malformed(&self) -> Vec<Vec<u8>> {
        let [a, b, c] = &self.in_malformed[..] else {
            return Vec::new();
        };
        let latin = [format!("A=1\nB={a}").as_bytes(), b"\xe9\n"].concat();
        vec![
            latin,
            format!("A=1\n{b} and more\n").into_bytes(),
            format!("A=1\n={c}\n").into_bytes(),
        ]
    }
}

fn lines(pairs: &[(String, String)]) -> String {
    let lines = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"));
    format!("# a comment\n{}", lines.collect::<String>())
}
