//! The pages are for reading: short sentences, a short README, and what a page is for comes first.

use std::fs;

use stage::cargo;

use super::{ACTION, README, VM};

const LONGEST_SENTENCE: usize = 25;
const LONGEST_README: usize = 200;

pub(super) fn text(page: &str) -> String {
    fs::read_to_string(cargo::workspace().join(page)).unwrap()
}

/// The README, the pages in `docs`, and those of the VM's scripts and of the action.
pub(super) fn pages() -> Vec<String> {
    let docs = fs::read_dir(cargo::workspace().join("docs")).unwrap();
    let docs = docs.map(|page| format!("docs/{}", page.unwrap().file_name().to_str().unwrap()));
    docs.chain([README, VM, ACTION].map(str::to_owned))
        .collect()
}

/// The text of an item of a list.
fn item(line: &str) -> Option<&str> {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = || {
        number
            .strip_prefix(". ")
            .filter(|_| number.len() < line.len())
    };
    line.strip_prefix("- ").or_else(numbered)
}

/// The cells of a row of a table; some are empty.
fn cells(line: &str) -> Vec<String> {
    let row = line.replace("| |", "|  |");
    let cells = row.trim_matches('|').split(" | ");
    cells.map(|it| it.trim().to_owned()).collect()
}

/// Paragraphs, items of lists and cells of tables, each as one line; no boxes and headings.
fn paragraphs(page: &str) -> Vec<String> {
    let (mut all, mut in_box) = (vec![String::new()], false);
    for line in page.lines() {
        let fence = line.starts_with("```");
        in_box ^= fence;
        let prose = !(in_box || fence || line.is_empty() || line.starts_with(['|', '#']));
        if !prose || item(line).is_some() {
            all.push(String::new());
        }
        if line.starts_with('|') && !in_box {
            // What a cell lists is read one by one.
            all.extend(cells(line).iter().map(|it| it.replace("; ", ". ")));
            all.push(String::new());
        }
        if prose {
            let paragraph = all.last_mut().unwrap();
            *paragraph += item(line).unwrap_or(line).trim_start();
            paragraph.push(' ');
        }
    }
    all
}

/// Without emphasis and where links lead to; what stands between two backticks is one word.
fn plain(paragraph: &str) -> String {
    let parts = paragraph.split('`').enumerate();
    let words: String = parts
        .map(|(nth, part)| if nth % 2 == 1 { "code" } else { part })
        .collect();
    let mut links = words.split("](");
    let mut plain = links.next().unwrap_or_default().to_owned();
    plain.extend(links.map(|it| it.split_once(')').map_or(it, |(_, after)| after)));
    plain.replace(['*', '['], "")
}

/// A sentence ends with its dot, question mark or exclamation mark before a blank.
fn sentences(page: &str) -> Vec<String> {
    let mut all = Vec::new();
    for paragraph in paragraphs(page).iter().map(|it| plain(it)) {
        let ended = paragraph.replace("? ", "?\n").replace("! ", "!\n");
        all.extend(ended.replace(". ", ".\n").lines().map(str::to_owned));
    }
    all
}

fn words(sentence: &str) -> usize {
    let words = sentence.split_whitespace();
    words
        .filter(|it| it.contains(char::is_alphanumeric))
        .count()
}

#[test]
fn sentences_are_counted_without_boxes_and_what_code_says() {
    let page = "# Title\n\nOne `two and a half` [three](four.md#x).\nFive? **Six.** Seven\n\n\
        ```sh\nno words. here\n```\n\n| one | two words |\n\n- 20.10 is\n  three - words\n1. one\n";
    let counts: Vec<usize> = sentences(page).iter().map(|it| words(it)).collect();
    assert_eq!(counts, [3, 1, 1, 1, 1, 2, 4, 1], "{:?}", sentences(page));
}

#[test]
fn no_sentence_on_any_page_is_longer_than_25_words() {
    let mut long = Vec::new();
    for page in pages() {
        for sentence in sentences(&text(&page)) {
            let count = words(&sentence);
            if count > LONGEST_SENTENCE {
                long.push(format!("{page}: {count} words: {sentence}"));
            }
        }
    }
    assert!(long.is_empty(), "{}\n{}", long.len(), long.join("\n"));
}

#[test]
fn every_row_of_a_table_is_as_wide_as_its_head() {
    for page in pages() {
        let (text, mut head) = (text(&page), None);
        for line in text.lines() {
            let wide = line.starts_with('|').then(|| cells(line).len());
            head = wide.and(head.or(wide));
            assert_eq!(wide, head, "{page}: {line}");
        }
    }
}

#[test]
fn the_readme_has_at_most_200_lines() {
    let lines = text(README).lines().count();
    assert!(lines <= LONGEST_README, "{lines}");
}

#[test]
fn every_page_says_what_it_is_for_first_and_is_linked_from_the_readme() {
    let readme = text(README);
    for page in pages().iter().filter(|it| *it != README) {
        assert!(readme.contains(&format!("]({page})")), "{page}");
        let text = text(page);
        let first = text.lines().nth(2).unwrap_or_default();
        let says = ["This page ", "This folder "];
        assert!(
            says.iter().any(|it| first.starts_with(it)),
            "{page}: {first}"
        );
    }
}
