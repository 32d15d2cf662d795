//! How long a whole deployment takes on an idle machine, beside the plain way and what either asks of the engine.

use std::time::Duration;

use crate::bench::app::{APPS, App};
use crate::bench::lab::{Lab, median};
use crate::bench::stand::Stand;
use crate::bench::ways::{FLOOR, FLOOR_OF_STEPS, OURS, PLAIN, Way};
use crate::swap::whole;
use crate::table::{Table, ms, texts};

pub(super) fn measure(lab: &Lab<'_>) -> anyhow::Result<Table> {
    let ways = [PLAIN, FLOOR, FLOOR_OF_STEPS, OURS];
    let mut times = ways.map(|_| Vec::new());
    // One after the other in each round, so that whatever else the machine does meets all of them.
    for _ in 0..lab.rounds {
        for (way, times) in ways.iter().zip(&mut times) {
            times.push(once(lab, way, &APPS[0])?);
        }
    }
    let [first, second, third, _] = &times;
    let (first, second, third) = (median(first), median(second), median(third));
    let row = |(way, times): (&Way, &Vec<Duration>)| {
        let median = median(times);
        let least = times.iter().min().copied().unwrap_or_default();
        vec![
            way.title.to_owned(),
            ms(median),
            ms(least.as_secs_f64() * 1000.0),
            format!("{:.2}", median / first),
            format!("{:.2}", median / second),
            format!("{:.2}", median / third),
        ]
    };
    Ok(Table {
        caption: format!(
            "Deploying an app that answers at once, without load, {} times in turn",
            lab.rounds
        ),
        left: 1,
        head: texts([
            "way",
            "median, ms",
            "least, ms",
            "of the first",
            "of the second",
            "of the third",
        ]),
        rows: ways.iter().zip(&times).map(row).collect(),
    })
}

/// One release of the app over another.
pub(super) fn once(lab: &Lab<'_>, way: &Way, app: &App) -> anyhow::Result<Duration> {
    let stand = Stand::of(lab, app)?;
    way.first(&stand)?;
    whole(&way.second(&stand)?)
}
