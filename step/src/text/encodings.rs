//! How a value may stand in somebody else's text.

/// The value as it is, and in every way that engines, logs and URLs write it.
pub(super) fn of(value: &str) -> Vec<String> {
    let json = serde_json::to_string(value).unwrap_or_default();
    let json = json.trim_matches('"').to_owned();
    let mut all = vec![
        value.to_owned(),
        value.trim().to_owned(),
        go_quoted(value),
        // Go writes these three so that no browser takes them for a page.
        json.replace('&', "\\u0026")
            .replace('<', "\\u003c")
            .replace('>', "\\u003e"),
        json,
        percent(value, "", true),
        percent(value, "", false),
        percent(value, "", true).replace("%20", "+"),
        percent(value, ";/?:@&=+$,#!'()*[]", true),
        decimal(value),
    ];
    for alphabet in [b"+/", b"-_"] {
        let padded = base64(value.as_bytes(), *alphabet);
        all.push(padded.trim_end_matches('=').to_owned());
    }
    all.sort_unstable();
    all.dedup();
    all
}

/// As the engine quotes what it complains about (Go's `%q`).
fn go_quoted(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' | '\r' | '\t' => out.extend(c.escape_default()),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}

fn percent(text: &str, kept: &str, upper: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let c = char::from(byte);
        match (
            c.is_ascii_alphanumeric() || "-_.~".contains(c) || kept.contains(c),
            upper,
        ) {
            (true, _) => out.push(c),
            (false, true) => out.push_str(&format!("%{byte:02X}")),
            (false, false) => out.push_str(&format!("%{byte:02x}")),
        }
    }
    out
}

/// As Go prints bytes that are no text.
fn decimal(text: &str) -> String {
    let bytes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
    bytes.join(" ")
}

fn base64(bytes: &[u8], last_two: [u8; 2]) -> String {
    let digit = |six: u32| match six {
        0..26 => b'A' + six as u8,
        26..52 => b'a' + (six - 26) as u8,
        52..62 => b'0' + (six - 52) as u8,
        62 => last_two[0],
        _ => last_two[1],
    };
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let all = (at(0) << 16) | (at(1) << 8) | at(2);
        for i in 0..4 {
            let is_there = i <= three.len();
            let c = if is_there {
                digit((all >> (18 - 6 * i)) & 63)
            } else {
                b'='
            };
            out.push(char::from(c));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_what_others_write() {
        for (text, encoded) in [
            ("M", "TQ=="),
            ("Ma", "TWE="),
            ("Man", "TWFu"),
            ("~~~?", "fn5+Pw=="),
        ] {
            assert_eq!(base64(text.as_bytes(), *b"+/"), encoded);
        }
        assert_eq!(base64(b"~~~?", *b"-_"), "fn5-Pw==");
    }

    #[test]
    fn each_way_of_writing_a_value_is_known() {
        let forms = of("a \"b\"&\n/%é");
        for form in [
            "a \\\"b\\\"&\\n/%é",
            "a \\\"b\\\"\\u0026\\n/%é",
            "a%20%22b%22%26%0A%2F%25%C3%A9",
            "a%20%22b%22%26%0a%2f%25%c3%a9",
            "a+%22b%22%26%0A%2F%25%C3%A9",
            "a%20%22b%22&%0A/%25%C3%A9",
            "97 32 34 98 34 38 10 47 37 195 169",
        ] {
            assert!(forms.iter().any(|it| it == form), "{form}: {forms:?}");
        }
    }
}
