//! Tests of what is said about failed calls.

use super::*;

const ATTEMPT: Attempt<'static> =
    Attempt { action: "apigateway:GET", resource: "/restapis", region: "eu-west-1", profile: None };

fn told(problem: Problem, said: &str, profile: Option<&str>) -> (String, String) {
    let Told { what, advice } = tell(problem, said, Attempt { profile, ..ATTEMPT });
    (what, advice)
}

#[test]
fn what_is_forbidden_is_read_from_what_aws_says() {
    let said = "AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/dev/ann is not authorized to perform: \
                apigateway:GET on resource: arn:aws:apigateway:eu-west-1::/restapis because no identity-based policy allows \
                the apigateway:GET action";
    let found = forbidden(said).unwrap();
    assert_eq!(found.who, "arn:aws:sts::111122223333:assumed-role/dev/ann");
    assert_eq!((found.action, found.explicit), ("apigateway:GET", false));
    assert_eq!(found.resource, Some("arn:aws:apigateway:eu-west-1::/restapis"));
    let (what, advice) = told(Problem::Denied, said, None);
    assert!(what.starts_with("access denied: arn:aws:sts::111122223333:assumed-role/dev/ann may not"), "{what}");
    assert_eq!(advice, "allow apigateway:GET on arn:aws:apigateway:eu-west-1::/restapis");

    let explicit =
        said.replace("because no identity-based policy allows", "with an explicit deny in a service control policy");
    let (_, advice) = told(Problem::Denied, &explicit, None);
    assert!(!advice.contains("allow apigateway:GET"), "{advice}");

    let bare = forbidden("User: arn:aws:iam::1:user/ann is not authorized to perform: lambda:GetPolicy").unwrap();
    assert_eq!((bare.action, bare.resource), ("lambda:GetPolicy", None));
    for nothing in ["", "no", " is not authorized to perform: ", "User is not authorized to access this resource"] {
        assert_eq!(forbidden(nothing), None, "{nothing:?}");
    }
    let (what, advice) = told(Problem::Denied, "AccessDenied: no", None);
    assert_eq!((&*what, &*advice), ("access denied: apigateway:GET of /restapis", "allow apigateway:GET on it"));
}
