//! Words as the comparison sees them: lower case, without endings, without words that carry no topic.

use rust_stemmers::{Algorithm, Stemmer};

/// Words that appear in any question or answer and name no topic.
const STOP_WORDS: &str = "\
    a about all am an and any are as at be been but by can could do does did for from get give had has have he \
    her here him his how i i'd i'll i'm if in into is it its it's just know like may me might mine must my need \
    no not of on or our ours out please say she should so some tell than thank thanks that the their them then \
    there these they this those to too us very want was we well were what what's when where which who whom whose \
    why will with would yes you your yours";

/// The topic words of a text, stemmed, in order, with repetitions.
pub(super) fn terms(text: &str) -> Vec<String> {
    let stemmer = Stemmer::create(Algorithm::English);
    words(text)
        .filter(|word| !STOP_WORDS.split_whitespace().any(|stop| stop == word))
        .map(|word| stemmer.stem(&word).into_owned())
        .collect()
}

/// Lower-case words; "check-up" and "check up" are the same two words.
pub(super) fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’' | '$' | '€'))
        .map(|word| word.trim_matches(['\'', '’']).to_lowercase().replace('’', "'"))
        .filter(|word| !word.is_empty())
}

/// What kind of thing a question asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    Price,
    Duration,
    Time,
    Place,
}

impl Asks {
    /// From the words of the question; the first that fits.
    pub(super) fn of(question: &str) -> Option<Self> {
        let words: Vec<String> = words(question).collect();
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        let begins = |a: &str, b: &str| words.windows(2).any(|pair| pair[0] == a && pair[1] == b);
        if begins("how", "much") || has(&["cost", "costs", "price", "prices", "fee", "fees", "charge", "expensive"]) {
            Some(Self::Price)
        } else if begins("how", "long") {
            Some(Self::Duration)
        } else if has(&["when", "hours", "open", "close", "closed", "opening"]) || begins("what", "time") {
            Some(Self::Time)
        } else if has(&["where", "address", "located", "location", "directions"]) {
            Some(Self::Place)
        } else {
            None
        }
    }

    /// How many different signs of such an answer a sentence shows.
    pub(super) fn signs(self, sentence: &str) -> usize {
        let list: &[&str] = match self {
            Self::Price => &[
                "cost", "costs", "price", "fee", "charge", "dollar", "dollars", "euro", "euros", "cent", "cents",
                "free", "pounds",
            ],
            Self::Duration => {
                &["minute", "minutes", "hour", "hours", "day", "days", "week", "weeks", "month", "months"]
            }
            Self::Time => &[
                "monday",
                "tuesday",
                "wednesday",
                "thursday",
                "friday",
                "saturday",
                "sunday",
                "weekend",
                "weekdays",
                "morning",
                "afternoon",
                "evening",
                "noon",
                "o'clock",
                "am",
                "pm",
                "daily",
                "hours",
                "open",
                "closed",
            ],
            Self::Place => &[
                "located",
                "street",
                "avenue",
                "road",
                "square",
                "boulevard",
                "lane",
                "building",
                "floor",
                "address",
                "corner",
                "station",
                "next",
                "opposite",
                "behind",
            ],
        };
        let words: Vec<String> = words(sentence).collect();
        let named = list.iter().filter(|sign| words.iter().any(|word| word == *sign)).count();
        let amount = self == Self::Price && words.iter().any(|word| word.starts_with(['$', '€']));
        named + usize::from(amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_topics_without_endings() {
        assert_eq!(terms("What are your opening hours?"), ["open", "hour"]);
        assert_eq!(terms("Do you treat emergencies"), terms("we treated an emergency"));
        assert_eq!(terms("How much is a check-up?"), ["much", "check", "up"]);
        assert!(terms("what is it that you do").is_empty());
    }

    #[test]
    fn the_kind_of_a_question_is_in_its_words() {
        assert_eq!(Asks::of("how much is a cleaning"), Some(Asks::Price));
        assert_eq!(Asks::of("how long does it take"), Some(Asks::Duration));
        assert_eq!(Asks::of("when are you open"), Some(Asks::Time));
        assert_eq!(Asks::of("what is your address"), Some(Asks::Place));
        assert_eq!(Asks::of("do you treat children"), None);
    }
}
