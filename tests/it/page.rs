//! The page of a recorded bench in a real browser: readable on a phone and a desk, by day and by night.

mod report;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use stage::process::{Run, run_within};
use stage::{ground, steps};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/it/page/recorded.json");

// Each copy of the page tells the page around it how it looks there.
const REPORTER: &str = "<script>addEventListener('load', () => parent.postMessage({
    width: innerWidth,
    content: document.documentElement.scrollWidth,
    drawn: [...document.querySelectorAll('figure svg[role=img]')].filter(it =>
        it.clientHeight >= 100 && it.clientWidth > innerWidth / 3 && it.querySelector('title, desc')).length,
    failed: document.querySelectorAll('figure path.failed').length,
    scripts: document.scripts.length,
    evil: !!window.evil,
    text: document.body.innerText,
    outside: [...document.querySelectorAll('figure span')].filter(it => {
        const text = it.getBoundingClientRect(), box = it.closest('figure').getBoundingClientRect();
        return text.left < box.left || text.right > box.right;
    }).map(it => it.textContent),
    dark: matchMedia('(prefers-color-scheme: dark)').matches,
    paper: getComputedStyle(document.body).backgroundColor,
}, '*'))</script>";

const AROUND: &str = "<!doctype html><iframe width=360 height=800 src=inner.html></iframe>
<iframe width=1280 height=800 src=inner.html></iframe><pre></pre><script>
const seen = [];
addEventListener('message', it => {
    seen.push(it.data);
    document.querySelector('pre').textContent = JSON.stringify(seen.sort((a, b) => a.width - b.width));
})</script>";

fn browse(folder: &Path, page: &str, dark: bool) -> anyhow::Result<Run> {
    fs::write(folder.join("inner.html"), format!("{page}{REPORTER}"))?;
    let around = folder.join("around.html");
    fs::write(&around, AROUND)?;
    let browser = ground::find("chromium");
    let browser = browser.context("chromium is missing: cargo xtask test --install")?;
    let mut command = Command::new(browser);
    command
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--disable-quic", "--no-first-run", "--disable-sync"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
        ])
        .args(["--enable-logging=stderr", "--hide-scrollbars"])
        .arg(format!(
            "--user-data-dir={}",
            folder.join("profile").display()
        ))
        .arg(format!(
            "--blink-settings=preferredColorScheme={}",
            u8::from(!dark)
        ))
        .args([
            "--window-size=1400,900",
            "--virtual-time-budget=3000",
            "--dump-dom",
        ])
        .arg(format!("file://{}", around.display()));
    run_within(&mut command, None, Duration::from_secs(120))
}

/// What the copies of 360 and 1280 pixels told, and what the browser's console said.
fn look(page: &str, dark: bool) -> anyhow::Result<(Vec<Value>, Vec<String>)> {
    let folder = tempfile::tempdir()?;
    let run = browse(folder.path(), page, dark)?;
    let told = run
        .stdout
        .split_once("<pre>")
        .and_then(|it| it.1.split_once("</pre>"));
    let told = told
        .with_context(|| format!("the browser showed nothing: {run:?}"))?
        .0;
    let told = told
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    // The browser's own pages have something to say there, too, such as that the network is slow.
    let is_pages = |line: &&str| line.contains("CONSOLE") && !line.contains("source: chrome:");
    let console = run.stderr.lines().filter(is_pages);
    Ok((
        serde_json::from_str(&told)?,
        console.map(str::to_owned).collect(),
    ))
}

fn recorded() -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let page = folder.path().join("page.html");
    let mut xtask = steps::step("xtask")?;
    xtask
        .args(["bench", "--from", RECORDED, "--page"])
        .arg(&page);
    let run = steps::run(xtask, None)?;
    ensure!(
        run.code == 0 && run.stdout.contains("236 failed"),
        "{run:?}"
    );
    Ok(fs::read_to_string(page)?)
}

#[test]
fn the_page_fits_a_phone_and_a_desk_by_day_and_by_night() {
    let page = recorded().unwrap();
    for foreign in ["<script", "http:", "https:", "@import"] {
        assert!(!page.contains(foreign), "not self-contained: {foreign}");
    }
    let mut papers = Vec::new();
    for dark in [false, true] {
        let (told, console) = look(&page, dark).unwrap();
        assert_eq!(console, Vec::<String>::new());
        assert_eq!(told.len(), 2, "{told:?}");
        for (seen, width) in told.iter().zip([360, 1280]) {
            assert_eq!(seen["width"], width, "{seen}");
            assert_eq!(
                seen["content"], width,
                "it must be scrolled sideways: {seen}"
            );
            assert_eq!(
                seen["outside"],
                serde_json::json!([]),
                "texts leave their chart"
            );
            assert_eq!(
                (&seen["drawn"], &seen["failed"]),
                (&4.into(), &1.into()),
                "{seen}"
            );
            assert_eq!(seen["dark"], dark, "{seen}");
        }
        papers.push(told[0]["paper"].clone());
    }
    assert_ne!(papers[0], papers[1], "dark is as light as light");
}

#[test]
fn a_page_with_faults_does_not_pass() {
    let faulty = "<!doctype html><div style=width:2000px>wide</div><script>lost()</script>";
    let (told, console) = look(faulty, false).unwrap();
    assert!(
        console
            .iter()
            .any(|line| line.contains("lost is not defined")),
        "{console:?}"
    );
    assert!(
        told.iter()
            .all(|seen| seen["content"].as_f64() >= Some(2000.0)),
        "{told:?}"
    );
    assert_eq!(told[0]["drawn"], 0);
}
