//! What a bench has measured, told in tables and on a page.

use super::fronts::{Front, TIME};
use super::result::{Bench, Row};
use super::wrk::CONNECTIONS;
use crate::page::{Group, Page};
use crate::table::{Table, texts, thousands};

impl Bench {
    pub(crate) fn page(&self) -> Page {
        Page {
            title: "What a release costs the clients".to_owned(),
            lead: format!(
                "The same apps, replaced in different ways while {} requests a second arrive at the published port, each on a new connection. Docker cannot give one port to two containers: the plain way closes it until the new container answers. deploy-steps redirects new connections to the verified candidate meanwhile.",
                self.rate
            ),
            glance: self.glance(),
            groups: self.apps().into_iter().map(|app| self.group(app)).collect(),
            tables: self.tables(),
            notes: self.notes(),
        }
    }

    fn tables(&self) -> Vec<Table> {
        let clients = [self.numbers(), self.proxies()];
        clients
            .into_iter()
            .chain(self.costs.clone())
            .filter(|it| !it.rows.is_empty())
            .collect()
    }

    fn apps(&self) -> Vec<&str> {
        firsts(self.rows.iter().map(|row| row.app.as_str()))
    }

    fn glance(&self) -> Table {
        let ways = firsts(self.rows.iter().map(|row| row.way.as_str()));
        let apps = self.apps();
        let cell = |way: &str, app: &str| {
            let row = self
                .rows
                .iter()
                .find(|row| row.way == way && row.app == app);
            row.map_or_else(|| "-".to_owned(), |row| format!("{} failed", row.failed()))
        };
        let line = |way: &&str| {
            let cells = apps.iter().map(|app| cell(way, app));
            [(*way).to_owned()].into_iter().chain(cells).collect()
        };
        Table {
            caption: format!("Failed requests per release, {}", self.of_runs()),
            left: 1,
            head: texts(["an app that"])
                .into_iter()
                .chain(apps.iter().map(|it| (*it).to_owned()))
                .collect(),
            rows: ways.iter().map(line).collect(),
        }
    }

    fn group(&self, app: &str) -> Group {
        let rows = self.rows.iter().filter(|row| row.app == app);
        Group {
            title: format!("An app that {app}"),
            swaps: rows.map(Row::swap).collect(),
        }
    }

    fn numbers(&self) -> Table {
        let head = [
            "an app that",
            "replaced by",
            "requests",
            "failed",
            "longest gap, ms",
            "p50, ms",
            "p99, ms",
            "max, ms",
            "deploy time, s",
        ];
        Table {
            caption: format!("All numbers, {}", self.of_runs()),
            left: 2,
            head: texts(head),
            rows: self.rows.iter().map(Row::line).collect(),
        }
    }

    fn proxies(&self) -> Table {
        let head = ["way in", "requests / s", "p50, ms", "p99, ms"];
        let line = |front: &Front| {
            vec![
                front.name.clone(),
                thousands(front.per_second.round() as usize),
                format!("{:.2}", front.p50_ms),
                format!("{:.2}", front.p99_ms),
            ]
        };
        Table {
            caption: format!(
                "What a permanent reverse proxy costs: {CONNECTIONS} kept-alive connections, {} s each",
                TIME.as_secs()
            ),
            left: 1,
            head: texts(head),
            rows: self.fronts.iter().map(line).collect(),
        }
    }

    fn of_runs(&self) -> String {
        match self.runs {
            1 => "one run each".to_owned(),
            runs => format!("median of {runs} runs (least to most failed)"),
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![
            format!("Docker Engine {}, {} processors; client, proxies and containers share them.", self.engine, self.processors),
            "A request fails when it is refused, broken off, answered with an error or not answered within 2 s. Answer times are those of the good answers, counted from when the request was due.".to_owned(),
            "The longest gap is the longest time between two good answers; at this rate 3 to 5 ms is no gap at all. The deploy time ends with the last command: docker run and docker-compose do not wait for the app.".to_owned(),
            "docker stop, docker run: pull, run beside the live container, curl until healthy, stop and remove both, run under the final name, prune.".to_owned(),
        ];
        notes.extend(self.left_out.iter().map(|it| format!("Left out: {it}.")));
        notes
    }
}

fn firsts<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    names.fold(Vec::new(), |mut seen, name| {
        if !seen.contains(&name) {
            seen.push(name);
        }
        seen
    })
}
