//! Patterns of IAM, as `ArnLike` and actions are compared.
//!
//! Rule: `*` and `?` of an ARN stay within one of its six parts; the last part may hold colons and slashes. Source: AWS
//! documentation, "IAM JSON policy elements: Condition operators".

/// Parts of an ARN: `arn:partition:service:region:account:resource`.
const PARTS: usize = 6;

/// Whether an ARN fits a pattern, part by part.
pub(super) fn arn_like(pattern: &str, arn: &str) -> bool {
    if pattern == "*" {
        return true;
    }
    let (patterns, parts): (Vec<_>, Vec<_>) = (pattern.splitn(PARTS, ':').collect(), arn.splitn(PARTS, ':').collect());
    patterns.len() == parts.len() && patterns.iter().zip(parts).all(|(pattern, part)| like(pattern, part))
}

/// Whether the whole of a text fits a pattern in which `*` stands for anything and `?` for one character.
pub(super) fn like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    // Where the last star stood, and how far it reaches by now.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            Some(_) | None => {
                let Some((at, reach)) = star else { return false };
                star = Some((at, reach + 1));
                p = at + 1;
                t = reach + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn arns_are_compared_part_by_part() {
        let arn = "arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/prod/GET/users/*";
        for (pattern, want) in [
            ("arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/*/GET/users/*", true),
            ("arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/*/*", true),
            ("arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/*", true),
            ("arn:aws:execute-api:eu-west-1:111122223333:*", true),
            ("arn:aws:execute-api:*:*:a1b2c3d4e?/prod/GET/users/*", true),
            ("*", true),
            ("arn:*", false),
            ("arn:aws:execute-api:*", false),
            ("arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/test/*", false),
            ("arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/*/POST/*", false),
            ("arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5", false),
            ("arn:aws:execute-api:eu-central-1:111122223333:a1b2c3d4e5/*", false),
            ("", false),
        ] {
            assert_eq!(arn_like(pattern, arn), want, "{pattern}");
        }
    }

    /// The meaning of a pattern, said in the slow way.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|n| slow(rest, &text[n..])),
            Some((c, rest)) => text.split_first().is_some_and(|(t, text)| (*c == '?' || c == t) && slow(rest, text)),
        }
    }

    proptest! {
        #[test]
        fn a_pattern_means_what_it_says(pattern in "[ab*?]{0,8}", text in "[ab]{0,10}") {
            let chars = |t: &str| t.chars().collect::<Vec<_>>();
            prop_assert_eq!(like(&pattern, &text), slow(&chars(&pattern), &chars(&text)));
        }

        #[test]
        fn a_text_with_stars_put_for_pieces_of_it_fits(parts in prop::collection::vec("[a-z/{}$-]{0,5}", 6), hide in 0_usize..6) {
            let arn = parts.join(":");
            prop_assert!(arn_like(&arn.replace('?', "*"), &arn));
            let mut pattern = parts;
            pattern[hide] = "*".to_owned();
            prop_assert!(arn_like(&pattern.join(":"), &arn));
        }
    }
}
