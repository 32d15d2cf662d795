//! What is taken for one deployment, and texts that would break out.

use super::deployment::Deployment;
use super::picture;
use super::read::Collected;

fn read(lines: &[&str]) -> (Vec<Deployment>, usize) {
    let mut collected = Collected::default();
    collected.add(lines.join("\n").as_bytes()).unwrap();
    (collected.deployments(), collected.strange)
}

#[test]
fn steps_that_follow_each_other_are_one_deployment() {
    let (all, strange) = read(&[
        r#"{"step":"pull-image","ok":true,"app":"web","image":"r/web:v1","took_ms":5}"#,
        r#"{"step":"start-candidate","ok":true,"app":"web","image":"r/web:v1","took_ms":6}"#,
        "not a report",
        r#"{"step":"promote","ok":true,"app":"web","image":"r/web:v1","took_ms":7,"swap":{"probes":9,"failed":0,"longest_gap_ms":12}}"#,
        r#"{"step":"pull-image","ok":true,"app":"web","took_ms":5}"#,
        r#"{"step":"pull-image","ok":false,"app":"api","took_ms":5,"error":{"code":11,"kind":"access_denied"}}"#,
        r#"{"pipeline":"deploy","ok":false,"app":"web","exit_code":2,"failed_step":"start-candidate","steps":[null],"at":"2026-11-01T10:00:00Z","took_ms":4}"#,
        r#"{"step":"promote"}"#,
        "[]",
        "",
    ]);
    assert_eq!((all.len(), strange), (4, 3));
    let outcomes: Vec<String> = all.iter().map(Deployment::outcome).collect();
    assert_eq!(
        outcomes,
        [
            "live",
            "not promoted",
            "pull-image ended with 11",
            "start-candidate ended with 2"
        ]
    );
    assert_eq!((all[0].steps.len(), all[0].took()), (3, 18.0));
    assert_eq!(all[0].release(), "web:v1");
    assert!(all[3].at.is_some());
}

#[test]
fn no_report_breaks_out_of_the_page_whatever_it_says() {
    let evil = r"<script>x()</script>\u202e\u001b[31m'\u0022&{{body}}";
    let lines = [
        format!(
            r#"{{"pipeline":"{evil}","ok":false,"app":"{evil}","exit_code":32,"failed_step":"{evil}","at":"{evil}","took_ms":-1e300,"steps":[{{"step":"{evil}","ok":false,"took_ms":1e300,"image":"{evil}","error":{{"code":32,"kind":"{evil}","message":"{evil}","hint":"{evil}"}},"log":["{evil}"],"last_attempts":[{{"at_ms":"{evil}","saw":"{evil}"}}],"{evil}":{{"{evil}":"{evil}"}}}}]}}"#
        ),
        r#"{"pipeline":"deploy","ok":true,"app":"web","at":"9999-12-31T23:59:59Z","took_ms":1e300,"steps":[{"step":"promote","ok":true,"took_ms":1e300,"swap":{"probes":1,"failed":1,"longest_gap_ms":1e300}}]}"#.to_owned(),
        r#"{"pipeline":"deploy","ok":true,"app":"web","at":"1970-01-01T00:00:02Z","took_ms":0,"steps":[]}"#.to_owned(),
    ];
    let (all, strange) = read(&lines.each_ref().map(String::as_str));
    assert_eq!((all.len(), strange), (3, 0));
    let html = picture::page(&all, strange);
    for wrong in ["<script", "\u{202e}", "\u{1b}", "NaN", "x()</s", "'\"&"] {
        assert!(!html.contains(wrong), "{wrong}");
    }
    assert!(
        html.contains("&lt;script&gt;x()&lt;/script&gt;\\u{202e}\\u{1b}[31m'&quot;&amp;{{body}}")
    );
    assert!(html.len() < 100_000, "{}", html.len());
}
