//! Texts that would break out, and nothing to draw.

use super::trace::{Slice, Stage};
use super::*;

fn swap() -> Swap {
    let slice = |answered: [usize; 2], failed| Slice {
        answered: answered.to_vec(),
        failed,
        median_ms: (failed < 15).then_some(0.5),
        slowest_ms: (failed < 15).then_some(3.0),
    };
    Swap {
        title: "a <b> & \"c\"".into(),
        verdict: "'it' failed".into(),
        good: false,
        trace: Trace {
            slice_ms: 50.0,
            rate: 300,
            versions: vec!["<v1>".into(), "v2".into()],
            slices: vec![slice([15, 0], 0), slice([0, 0], 15), slice([0, 15], 0)],
            stages: vec![Stage {
                name: "<pull>".into(),
                from_ms: 10.0,
                to_ms: 60.0,
            }],
            handover: None,
        },
    }
}

fn page(swaps: Vec<Swap>) -> String {
    let group = Group {
        title: "<group></section>".into(),
        swaps,
    };
    Page {
        title: "</title><script>".into(),
        lead: "<lead>".into(),
        groups: vec![group],
        ..Page::default()
    }
    .html()
}

#[test]
fn every_text_is_escaped() {
    let html = page(vec![swap()]);
    for wrong in ["<script", "<lead>", "<b> &", "<v1>", "<pull>", "<group>"] {
        assert!(!html.contains(wrong), "{wrong}");
    }
    assert!(html.contains("a &lt;b&gt; &amp; &quot;c&quot;"));
    assert_eq!(html.matches("</section>").count(), 1);
}

#[test]
fn failures_are_drawn_counted_and_described() {
    let html = page(vec![swap()]);
    assert!(
        html.contains("class=\"failed\" d=\"M333.3 100.0H666.7V7.4H333.3z\""),
        "{html}"
    );
    assert!(html.contains("15 failed"));
    assert!(html.contains("<desc>'it' failed Answered by &lt;v1&gt;, then v2.</desc>"));
}

#[test]
fn nothing_measured_is_said_and_not_drawn() {
    let html = page(vec![Swap::default()]);
    assert!(html.contains("No requests were recorded."));
    assert!(!html.contains("NaN") && !html.contains("inf"));
    assert!(!Page::default().html().contains("<section"));
}
