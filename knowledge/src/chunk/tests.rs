//! Where texts are cut, and that nothing is lost.

use proptest::prelude::{Just, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;

use super::*;
use crate::document::{Format, read};

const SPOKEN: Plan = Plan { strategy: Strategy::Semantic, size: 150, overlap: 0 };

fn texts(text: &str, plan: &Plan) -> Vec<String> {
    split(&read(Format::Markdown, text), plan).iter().map(Passage::text).collect()
}

#[test]
fn paragraphs_stay_whole_and_passages_carry_their_headings() {
    let text = "# Opening hours\n\nWe are open Monday to Friday\nfrom eight to six, on Saturdays from nine to one. \
                On public holidays we are closed, and an answering machine takes your message.\n\n\
                Outside of these hours please call the emergency line, which is printed on your card; it is answered \
                at any time, also on Sundays.\n\n## Prices\n\n- A check-up costs fifty dollars.\n- A cleaning costs \
                eighty dollars.\n";
    assert_eq!(
        texts(text, &SPOKEN),
        [
            "# Opening hours\nWe are open Monday to Friday from eight to six, on Saturdays from nine to one. On \
             public holidays we are closed, and an answering machine takes your message.",
            "# Opening hours\nOutside of these hours please call the emergency line, which is printed on your card; \
             it is answered at any time, also on Sundays.",
            "# Opening hours\n## Prices\n- A check-up costs fifty dollars.\n- A cleaning costs eighty dollars.",
        ]
    );
}

#[test]
fn short_paragraphs_of_a_section_are_joined() {
    assert_eq!(
        texts("Parking is free.\n\nThe lift is on the left.", &SPOKEN),
        ["Parking is free.\nThe lift is on the left."]
    );
    assert_eq!(texts("# A\nOne.\n# B\nTwo.", &SPOKEN), ["# A\nOne.", "# B\nTwo."]);
}

#[test]
fn long_paragraphs_are_cut_between_sentences_and_repeat_the_last_one() {
    let sentences: Vec<String> = (0..30).map(|n| format!("This is sentence number {n} of a long text.")).collect();
    let passages = split(&read(Format::Text, &sentences.join(" ")), &Plan::new(Strategy::Semantic, 100, 25));
    assert!(passages.len() > 3);
    for pair in passages.windows(2) {
        assert!(pair[0].own.ends_with(&pair[1].overlap) && pair[1].overlap.starts_with("This is sentence number"));
        assert!(pair[1].text().starts_with(&format!("{} This is", pair[1].overlap)));
    }
    assert!(passages.iter().all(|passage| passage.own.ends_with("text.")));
}

#[test]
fn turns_are_cut_between_speakers_only() {
    let text = "Agent: Good morning. How can I help?\nCaller: I lost my card. What now?\nAgent: I will block it.";
    let passages = texts(text, &Plan::new(Strategy::Turns, 32, 0));
    assert_eq!(
        passages,
        ["Agent: Good morning. How can I help?\nCaller: I lost my card. What now?\nAgent: I will block it."]
    );
    let longer = format!("{text}\nCaller: Thank you very much, that was quick.");
    let passages = texts(&longer, &Plan::new(Strategy::Turns, 32, 0));
    assert_eq!(passages.len(), 2);
    assert_eq!(passages[1], "Caller: Thank you very much, that was quick.");
}

#[test]
fn rows_are_passages_and_nothing_gives_nothing() {
    let rows = split(&read(Format::Csv, "what,price\ncleaning,80\ncrown,900"), &SPOKEN);
    assert_eq!(
        rows.iter().map(Passage::text).collect::<Vec<_>>(),
        ["what: cleaning; price: 80", "what: crown; price: 900"]
    );
    assert!(texts(" \n\n\t\n", &SPOKEN).is_empty());
    assert_eq!(texts("# Only a heading", &SPOKEN), ["# Only a heading"]);
}

fn any_plan() -> impl Generator<Value = Plan> {
    let strategy = prop_oneof![Just(Strategy::Semantic), Just(Strategy::Fixed), Just(Strategy::Turns)];
    (strategy, 0..300usize, 0..200usize).prop_map(|(strategy, size, overlap)| Plan::new(strategy, size, overlap))
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

proptest! {
    #[test]
    fn every_word_is_kept_in_order(text in "([ -~äöü€。\n]{0,60}\n{0,3}){0,60}", plan in any_plan()) {
        let passages = split(&read(Format::Text, &text), &plan);
        let own: String = passages.iter().map(|passage| passage.own.as_str()).collect();
        prop_assert_eq!(letters(&own), letters(&text));
    }

    #[test]
    fn every_word_below_headings_is_in_some_passage(text in "((#{0,3} ?)[a-z .]{0,60}\n{1,3}){0,60}", plan in any_plan()) {
        let passages = split(&read(Format::Markdown, &text), &plan);
        let all: String = passages.iter().map(|passage| letters(&passage.text())).collect();
        // A word longer than a passage is in several.
        for word in text.split_whitespace().filter(|word| word.len() < Plan::SHORTEST) {
            prop_assert!(all.contains(word), "{word}");
        }
    }

    #[test]
    fn passages_are_bounded_and_repeat_the_end_of_the_one_before(
        text in "([ -~äöü€\n]{0,200}\n{0,2}){0,40}", plan in any_plan()
    ) {
        let passages = split(&read(Format::Text, &text), &plan);
        for (at, passage) in passages.iter().enumerate() {
            prop_assert!(!passage.own.is_empty());
            prop_assert!(tokens(&passage.text()) <= plan.size, "{} > {}", tokens(&passage.text()), plan.size);
            prop_assert!(tokens(&passage.overlap) <= plan.overlap);
            if !passage.overlap.is_empty() {
                prop_assert!(at > 0 && passages[at - 1].own.ends_with(&passage.overlap));
            }
        }
    }

    #[test]
    fn a_full_overlap_is_used(words in prop::collection::vec("[a-z]{1,9}", 300..400)) {
        let plan = Plan::new(Strategy::Fixed, 64, 16);
        let passages = split(&read(Format::Text, &words.join(" ")), &plan);
        prop_assert!(passages.len() > 3);
        for passage in &passages[1..] {
            // Less than a word is missing to the full measure.
            prop_assert!(passage.overlap.chars().count() + 10 > plan.overlap * CHARACTERS_PER_TOKEN);
        }
    }

    #[test]
    fn pages_and_tables_do_no_harm(text in "([<>/a-z\"=&; ,#!-]{0,40}\n?){0,40}", plan in any_plan()) {
        for format in [Format::Html, Format::Csv] {
            for passage in split(&read(format, &text), &plan) {
                prop_assert!(!passage.own.is_empty());
            }
        }
    }
}
