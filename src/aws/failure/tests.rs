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

/// As the SDK tells them; the words of the services are from AWS documentation, "Common errors" and "Troubleshooting".
#[test]
fn credentials_that_do_not_work_are_told_apart() {
    let expired = "ExpiredTokenException: The security token included in the request is expired";
    for (said, profile, what, advice) in [
        ("no credentials found in chain", None, "no AWS credentials were found", "set AWS_PROFILE"),
        ("no credentials found in chain", Some("dev"), "profile `dev` gives no", "aws configure list --profile dev"),
        ("profile `dev` was not defined: could not find", Some("dev"), "no profile `dev`", "list-profiles"),
        (
            "an error occurred while loading an access token: the SSO token has expired and cannot be refreshed",
            Some("dev"),
            "the SSO session of profile `dev` has expired",
            "run `aws sso login --profile dev`",
        ),
        (
            "failed to read `/home/ann/.aws/sso/cache/a.json`",
            None,
            "the SSO session has expired",
            "run `aws sso login`",
        ),
        ("UnauthorizedException: Session token not found or invalid", None, "the SSO session", "run `aws sso login`"),
        (expired, None, "the AWS session has expired", "log in again"),
        (expired, Some("dev"), "the AWS session of profile `dev` has expired", "log in again"),
        (
            "InvalidSignatureException: Signature expired: 20261123T041500Z is now earlier than 20261123T045500Z",
            None,
            "the clock of this machine is wrong",
            "set it",
        ),
        (
            "UnrecognizedClientException: The security token included in the request is invalid.",
            None,
            "AWS does not know the access key",
            "not enabled",
        ),
        (
            "SignatureDoesNotMatch: The request signature we calculated does not match the signature you provided.",
            None,
            "the secret access key does not fit",
            "check both",
        ),
        (
            "AccessDenied: User: arn:aws:sts::1:assumed-role/AWSReservedSSO_dev/ann is not authorized to perform: \
             sts:AssumeRole on resource: arn:x",
            None,
            "the role cannot be taken on",
            "allow sts:AssumeRole",
        ),
    ] {
        let found = told(Problem::Credentials, said, profile);
        assert!(found.0.contains(what) && found.1.contains(advice), "{said}\n-> {found:?}");
    }
}

#[test]
fn every_problem_has_words_of_its_own() {
    let mut whats = std::collections::BTreeSet::new();
    for problem in Problem::ALL {
        let (what, advice) = told(*problem, "InternalFailure: no", None);
        assert!(!what.is_empty() && !advice.is_empty(), "{problem}");
        whats.insert(what);
    }
    // The three refusals and the two failures are one to whoever asks.
    assert_eq!(whats.len(), Problem::ALL.len() - 3);
    let (what, advice) = told(Problem::NotFound, "NotFoundException: Invalid stage", None);
    assert!(what.contains("eu-west-1") && advice.contains("--region"), "{what}; {advice}");
    let (what, advice) = told(Problem::Unreachable, "dns error", None);
    assert!(what.contains("eu-west-1") && advice.contains("`eu-west-1` is a Region"), "{what}; {advice}");
}

#[test]
fn codes_of_all_services_have_their_kind() {
    for (code, message, want) in [
        // CloudWatch Logs.
        ("ThrottlingException", "", Problem::Throttled),
        ("ResourceNotFoundException", "", Problem::NotFound),
        ("AccessDeniedException", "", Problem::Denied),
        ("InvalidOperationException", "", Problem::Unsupported),
        ("InvalidParameterException", "The specified nextToken is invalid.", Problem::BadToken),
        ("InvalidParameterException", "1 validation error detected", Problem::Refused),
        ("ExpiredTokenException", "", Problem::Credentials),
        ("ServiceUnavailableException", "", Problem::Service),
        // API Gateway.
        ("TooManyRequestsException", "", Problem::Throttled),
        ("LimitExceededException", "", Problem::Throttled),
        ("NotFoundException", "Invalid Stage identifier specified", Problem::NotFound),
        ("BadRequestException", "", Problem::Refused),
        ("UnauthorizedException", "", Problem::Denied),
        // Lambda and STS.
        ("InvalidParameterValueException", "", Problem::Refused),
        ("ServiceException", "", Problem::Service),
        ("InvalidClientTokenId", "", Problem::Credentials),
        ("SignatureDoesNotMatch", "", Problem::Credentials),
        ("AccessDenied", "", Problem::Denied),
    ] {
        assert_eq!(of_code(code, message), want, "{code}: {message}");
    }
}

#[test]
fn what_the_sdk_says_is_cut_to_its_reason() {
    let chained = "dispatch failure: other: the credential provider was not enabled: no credentials found in chain. Attempted: \
                   \n  Environment: the credential provider was not enabled: environment variable not set\n";
    assert_eq!(plain(chained), "no credentials found in chain");
    let undefined = format!(
        "{chained}  Profile: the credential provider was not enabled: profile `gone` was not defined: could not find it\n  More: no"
    );
    assert_eq!(plain(&undefined), "profile `gone` was not defined: could not find it");
    let connect = "dispatch failure: io error: client error (Connect): dns error: failed to lookup address information";
    assert_eq!(plain(connect), "client error (Connect): dns error: failed to lookup address information");
    assert_eq!(plain("unhandled error"), "unhandled error");
}
