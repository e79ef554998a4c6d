//! Turns that are no questions: thanks, greetings, "wait". A fixed table; anything else is looked up.

/// The reply to a turn that consists of nothing but politeness, or `None`.
pub(super) fn reply(turn: &str) -> Option<&'static str> {
    let words: Vec<String> = turn
        .split(|c: char| !c.is_alphanumeric() && c != '\'')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .filter(|word| !POLITE.contains(&word.as_str()))
        .collect();
    if words.is_empty() {
        return None;
    }
    REPLIES.iter().find(|(known, _)| words.iter().all(|word| known.contains(&word.as_str()))).map(|(_, reply)| *reply)
}

const POLITE: [&str; 6] = ["please", "so", "very", "much", "a", "the"];

const REPLIES: [(&[&str], &str); 4] = [
    (&["thank", "thanks", "you", "great", "okay", "ok"], "You are welcome."),
    (&["hello", "hi", "hey", "good", "morning", "afternoon", "evening", "there"], "Hello. How can I help you?"),
    (&["wait", "stop", "moment", "one", "second", "hold", "on"], "All right."),
    (&["yes", "no", "yeah", "nope", "right"], "All right. What would you like to know?"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn politeness_is_answered_politely_and_questions_are_not_caught() {
        assert_eq!(reply("thank you very much"), Some("You are welcome."));
        assert_eq!(reply("Wait a moment, please!"), Some("All right."));
        assert_eq!(reply("stop please"), Some("All right."));
        assert_eq!(reply("no"), Some("All right. What would you like to know?"));
        assert_eq!(reply("Good morning"), Some("Hello. How can I help you?"));
        for question in ["are you open in the morning", "how much is it", "no parking?", "", "please"] {
            assert_eq!(reply(question), None, "{question:?}");
        }
    }
}
