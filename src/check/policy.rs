//! What a function's resource policy says of one caller.
//!
//! Not which function or endpoint: that is `invoke`. Rule: a denial wins; a condition that is not understood makes
//! neither a permission nor a fault. Source: AWS documentation, "Policy evaluation logic".

use super::arn::{arn_like, like};
use crate::model::deployed::Statement;

/// The service that invokes.
pub(super) const GATEWAY: &str = "apigateway.amazonaws.com";
/// What it does.
pub(super) const INVOKE: &str = "lambda:InvokeFunction";

/// What a policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It allows it.
    Allowed,
    /// A statement denies it.
    Denied,
    /// Nothing allows it.
    Silent,
    /// That depends on something that is not understood here.
    Unsure(String),
}

/// Whoever comes: API Gateway, for one endpoint or authorizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visit {
    /// `AWS:SourceArn`s it comes with, each of which has to be allowed: `ANY` stands for all methods.
    pub(super) arns: Vec<String>,
    /// Other ways to write them, which may or may not be what AWS compares.
    pub(super) spellings: Vec<String>,
    /// `AWS:SourceAccount`, where it is known.
    pub(super) account: Option<String>,
}

/// What the statements say of a visit.
pub(super) fn verdict(policy: &[Statement], visit: &Visit) -> Verdict {
    let verdicts: Vec<Verdict> = visit.arns.iter().map(|arn| of_one(policy, arn, visit)).collect();
    if verdicts.iter().all(|v| *v == Verdict::Allowed) {
        return Verdict::Allowed;
    }
    if verdicts.contains(&Verdict::Denied) {
        return Verdict::Denied;
    }
    if let Some(unsure) = verdicts.iter().find(|v| matches!(v, Verdict::Unsure(_))) {
        return unsure.clone();
    }
    if verdicts.contains(&Verdict::Allowed) {
        let silent = visit.arns.iter().zip(&verdicts).find(|(_, v)| **v == Verdict::Silent);
        let arn = silent.map(|(arn, _)| arn.as_str()).unwrap_or_default();
        return Verdict::Unsure(format!("it is allowed for some methods, but not for {arn}"));
    }
    let spelled = visit.spellings.iter().find(|arn| of_one(policy, arn, visit) == Verdict::Allowed);
    match spelled {
        Some(arn) => Verdict::Unsure(format!("it is allowed for {arn}, which may not be how AWS writes this endpoint")),
        None => Verdict::Silent,
    }
}

fn of_one(policy: &[Statement], arn: &str, visit: &Visit) -> Verdict {
    let mut allowed = false;
    let mut unsure = None;
    for statement in policy.iter().filter(|s| is_about_invoking(s)) {
        match (applies(statement, arn, visit), statement.allows) {
            (Applies::Yes, true) => allowed = true,
            (Applies::Yes, false) => return Verdict::Denied,
            (Applies::No, _) => {}
            (Applies::Perhaps(why), allows) => {
                // What may deny counts for more than what may allow.
                if !allows || unsure.is_none() {
                    unsure = Some((allows, why));
                }
            }
        }
    }
    match unsure {
        Some((false, why)) => Verdict::Unsure(format!("a statement denies it under {why}")),
        _ if allowed => Verdict::Allowed,
        Some((true, why)) => Verdict::Unsure(format!("a statement allows it under {why}")),
        None => Verdict::Silent,
    }
}

enum Applies {
    Yes,
    No,
    Perhaps(String),
}

fn is_about_invoking(statement: &Statement) -> bool {
    // What a statement is not about stands among its conditions.
    let negated = |key: &str| statement.other_conditions.iter().any(|known| **known == *key);
    let action = |pattern: &str| like(&pattern.to_ascii_lowercase(), &INVOKE.to_ascii_lowercase());
    (statement.actions.iter().any(|a| action(a)) || negated("NotAction"))
        && (statement.principals.iter().any(|p| matches!(&**p, GATEWAY | "*")) || negated("NotPrincipal"))
}

fn applies(statement: &Statement, arn: &str, visit: &Visit) -> Applies {
    let mut perhaps = statement.other_conditions.iter().map(ToString::to_string).collect::<Vec<_>>();
    let arns = &statement.source_arns;
    if !arns.is_empty() && !arns.iter().any(|pattern| arn_like(pattern, arn)) {
        // A condition on texts has stars that reach over the parts of an ARN; which of the two it is is not kept.
        if !arns.iter().any(|pattern| like(pattern, arn)) {
            return Applies::No;
        }
        perhaps.push("AWS:SourceArn".to_owned());
    }
    if !statement.source_accounts.is_empty() {
        match &visit.account {
            Some(account) if statement.source_accounts.iter().any(|pattern| like(pattern, account)) => {}
            Some(_) => return Applies::No,
            None => perhaps.push("AWS:SourceAccount".to_owned()),
        }
    }
    if perhaps.is_empty() {
        return Applies::Yes;
    }
    Applies::Perhaps(format!("conditions that are not decided here ({})", perhaps.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:execute-api:eu-west-1:111122223333:a1/prod/GET/users/*";

    fn statement(source: &[&str]) -> Statement {
        Statement {
            allows: true,
            principals: vec![GATEWAY.into()],
            actions: vec![INVOKE.into()],
            source_arns: source.iter().map(|s| (*s).into()).collect(),
            source_accounts: Vec::new(),
            other_conditions: Vec::new(),
        }
    }

    fn visit(account: Option<&str>) -> Visit {
        let spelling = "arn:aws:execute-api:eu-west-1:111122223333:a1/prod/GET/users/{id}".to_owned();
        Visit { arns: vec![ARN.to_owned()], spellings: vec![spelling], account: account.map(str::to_owned) }
    }

    fn says(policy: &[Statement]) -> Verdict {
        verdict(policy, &visit(Some("111122223333")))
    }

    #[test]
    fn what_a_policy_says() {
        assert_eq!(says(&[]), Verdict::Silent);
        assert_eq!(says(&[statement(&[])]), Verdict::Allowed);
        assert_eq!(says(&[statement(&[ARN])]), Verdict::Allowed);
        assert_eq!(says(&[statement(&["arn:aws:execute-api:eu-west-1:111122223333:b2/*"])]), Verdict::Silent);
        let other = Statement { principals: vec!["events.amazonaws.com".into()], ..statement(&[]) };
        assert_eq!(says(&[other]), Verdict::Silent);
        let other = Statement { actions: vec!["lambda:GetFunction".into()], ..statement(&[]) };
        assert_eq!(says(&[other]), Verdict::Silent);
        for action in ["lambda:*", "*", "lambda:invoke*"] {
            assert_eq!(says(&[Statement { actions: vec![action.into()], ..statement(&[]) }]), Verdict::Allowed);
        }
        assert_eq!(says(&[Statement { principals: vec!["*".into()], ..statement(&[]) }]), Verdict::Allowed);
    }

    #[test]
    fn a_denial_wins() {
        let denial = Statement { allows: false, ..statement(&["arn:aws:execute-api:*:*:a1/*"]) };
        assert_eq!(says(&[statement(&[]), denial.clone()]), Verdict::Denied);
        assert_eq!(says(&[denial.clone(), statement(&[])]), Verdict::Denied);
        let perhaps = Statement { other_conditions: vec!["aws:SourceIp".into()], ..denial };
        assert!(matches!(says(&[statement(&[]), perhaps]), Verdict::Unsure(why) if why.contains("denies it under")));
    }

    #[test]
    fn conditions_that_are_not_understood_are_said() {
        let perhaps = Statement { other_conditions: vec!["aws:PrincipalOrgID".into()], ..statement(&[]) };
        let Verdict::Unsure(why) = says(std::slice::from_ref(&perhaps)) else { panic!("not unsure") };
        assert!(why.contains("aws:PrincipalOrgID"), "{why}");
        assert_eq!(says(&[perhaps, statement(&[ARN])]), Verdict::Allowed, "another statement allows it outright");
        let texts = statement(&["arn:aws:execute-api:*"]);
        assert!(matches!(says(&[texts]), Verdict::Unsure(why) if why.contains("AWS:SourceArn")));
        let all_but = Statement { actions: Vec::new(), other_conditions: vec!["NotAction".into()], ..statement(&[]) };
        assert!(matches!(says(&[all_but]), Verdict::Unsure(_)));
    }

    #[test]
    fn the_account_of_the_source() {
        let of = |account: &str| Statement { source_accounts: vec![account.into()], ..statement(&[ARN]) };
        assert_eq!(says(&[of("111122223333")]), Verdict::Allowed);
        assert_eq!(says(&[of("444455556666")]), Verdict::Silent);
        assert!(matches!(verdict(&[of("111122223333")], &visit(None)), Verdict::Unsure(_)));
    }

    #[test]
    fn another_spelling_or_some_methods_only_are_neither_allowed_nor_refused() {
        let template = statement(&["arn:aws:execute-api:eu-west-1:111122223333:a1/*/GET/users/{id}"]);
        assert!(matches!(says(&[template]), Verdict::Unsure(why) if why.contains("/users/{id}")));
        let both = Visit { arns: vec![ARN.to_owned(), ARN.replace("GET", "POST")], ..visit(None) };
        let get = statement(&["arn:aws:execute-api:eu-west-1:111122223333:a1/*/GET/*"]);
        assert!(matches!(verdict(&[get], &both), Verdict::Unsure(why) if why.contains("/POST/users/*")));
        assert_eq!(verdict(&[statement(&["arn:aws:execute-api:*:*:a1/*/*"])], &both), Verdict::Allowed);
    }
}
