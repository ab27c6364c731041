//! The address of an integration: what is behind it.
//!
//! Where the forms come from: AWS documentation, "Integration", `uri` (REST), `integrationUri` (HTTP and WebSocket), and
//! "Amazon API Gateway stage variables reference". Not whether it is there. Rule: stage variables are put in first, as
//! the gateway does, because they can hold any part of an address; what is then not understood is unclear, never a guess.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{FunctionRef, Target};

/// Names and values of a stage's variables.
pub type Variables = BTreeMap<Arc<str>, Arc<str>>;

/// What kind of integration has the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behind {
    /// An AWS service, Lambda among them.
    Aws,
    /// HTTP.
    Http {
        /// Through a VPC link: the address may then be the ARN of a listener or service.
        vpc_link: bool,
    },
    /// Nothing.
    Mock,
}

/// Where the API is: what an address leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// AWS partition.
    pub partition: &'a str,
    /// AWS Region.
    pub region: &'a str,
    /// AWS account, where it is known.
    pub account: Option<&'a str>,
}

const VARIABLE: &str = "${stageVariables.";

/// The partition a Region is in: AWS documentation, "Partitions".
#[must_use]
pub fn partition_of(region: &str) -> &'static str {
    let partitions = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-isob-", "aws-iso-b"),
        ("us-iso-", "aws-iso"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ];
    partitions.iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

/// What an integration leads to.
#[must_use]
pub fn target(behind: Behind, uri: &str, variables: &Variables, place: Place<'_>) -> Target {
    if behind == Behind::Mock {
        return Target::Mock;
    }
    let (uri, missing) = resolve(uri, variables);
    let unclear = |variable| Target::Unclear { uri: uri.as_ref().into(), variable };
    if missing.is_some() {
        return unclear(missing);
    }
    match behind {
        _ if uri.is_empty() => unclear(None),
        Behind::Http { vpc_link } => Target::Http { uri: uri.as_ref().into(), vpc_link },
        Behind::Aws | Behind::Mock => match function(&uri, place) {
            Found::Function(function) => Target::Lambda(function),
            Found::Broken => unclear(None),
            Found::Other => Target::Service { uri: uri.as_ref().into() },
        },
    }
}

/// The address with stage variables put in, and the first that the stage does not have: its place is left as it is.
fn resolve<'a>(uri: &'a str, variables: &Variables) -> (Cow<'a, str>, Option<Arc<str>>) {
    let Some(first) = uri.find(VARIABLE) else { return (uri.into(), None) };
    let (mut resolved, mut rest) = (uri[..first].to_owned(), &uri[first..]);
    let mut missing = None;
    while let Some(after) = rest.strip_prefix(VARIABLE) {
        let Some((name, behind)) = after.split_once('}') else { break };
        if let Some(value) = variables.get(name) {
            resolved.push_str(value);
        } else {
            resolved.push_str(&rest[..rest.len() - behind.len()]);
            missing = missing.or_else(|| Some(name.into()));
        }
        let next = behind.find(VARIABLE).unwrap_or(behind.len());
        resolved.push_str(&behind[..next]);
        rest = &behind[next..];
    }
    resolved.push_str(rest);
    (resolved.into(), missing)
}

/// What an address of a service turns out to be.
enum Found {
    Function(FunctionRef),
    /// A function's, but it cannot be one.
    Broken,
    /// Not a function's.
    Other,
}

fn function(uri: &str, place: Place<'_>) -> Found {
    let fields: Vec<&str> = uri.splitn(6, ':').collect();
    let found = match fields[..] {
        // The function's own ARN.
        ["arn", _, "lambda", ..] => reference(uri, None, place),
        // A call of the gateway's: arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/FUNCTION/invocations. The
        // date, and the last part for answers that are streamed, are other ones.
        ["arn", partition, "apigateway", region, service, path] => {
            if service != "lambda" && !service.ends_with(".lambda") {
                return Found::Other;
            }
            let place = Place { partition, region, ..place };
            path.split_once("functions/")
                .and_then(|(_, rest)| rest.split_once('/'))
                .filter(|(_, call)| call.contains("invocations"))
                .and_then(|(function, call)| {
                    reference(function, call.split_once("Qualifier=").map(|(_, qualifier)| qualifier), place)
                })
        }
        _ => return Found::Other,
    };
    found.map_or(Found::Broken, Found::Function)
}

/// A function by its ARN, the part of it from the account on, or its name, each perhaps with a qualifier: what Lambda
/// takes as `FunctionName`.
fn reference(text: &str, qualifier: Option<&str>, place: Place<'_>) -> Option<FunctionRef> {
    let fields: Vec<&str> = text.split(':').collect();
    let (place, named) = match fields[..] {
        ["arn", partition, "lambda", region, account, "function", ref named @ ..] => {
            (Place { partition, region, account: Some(account) }, named)
        }
        [account, "function", ref named @ ..] => (Place { account: Some(account), ..place }, named),
        ref named => (place, named),
    };
    let (name, qualifier) = match *named {
        [name] => (name, qualifier),
        [name, qualifier] => (name, Some(qualifier)),
        _ => return None,
    };
    let Place { partition, region, account: Some(account) } = place else { return None };
    let word = |text: &str, also: &[char]| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || also.contains(&c))
    };
    let fits = word(partition, &[])
        && word(region, &[])
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && word(name, &['_'])
        && qualifier.is_none_or(|q| word(q, &['_', '$']));
    fits.then(|| FunctionRef {
        partition: partition.into(),
        region: region.into(),
        account: account.into(),
        name: name.into(),
        qualifier: qualifier.map(Into::into),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: Place<'static> = Place { partition: "aws", region: "eu-west-1", account: Some("111122223333") };

    fn variables(of: &[(&str, &str)]) -> Variables {
        of.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn of(uri: &str) -> Target {
        let stage = [
            ("fn", "checkout-fn"),
            ("alias", "live"),
            ("both", "checkout-fn:live"),
            ("host", "pay.example.com"),
            ("arn", "arn:aws:lambda:us-east-1:444455556666:function:far:7"),
            ("none", ""),
        ];
        target(Behind::Aws, uri, &variables(&stage), HERE)
    }

    /// Where it leads: `REGION ACCOUNT NAME[:QUALIFIER]` of a function, else what it is instead.
    fn leads(uri: &str) -> String {
        match of(uri) {
            Target::Lambda(function) => {
                let FunctionRef { partition, region, account, .. } = &function;
                format!("{partition} {region} {account} {function}")
            }
            Target::Service { .. } => "a service".into(),
            Target::Unclear { variable: Some(variable), .. } => format!("no variable {variable}"),
            Target::Unclear { .. } => "unclear".into(),
            other @ (Target::Http { .. } | Target::Mock) => format!("{other:?}"),
        }
    }

    /// The gateway's call of a function.
    fn call(function: &str) -> String {
        format!("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{function}/invocations")
    }

    #[test]
    fn functions_are_found_in_every_form_of_an_address() {
        let own = "arn:aws:lambda:eu-west-1:111122223333:function";
        let plain = "aws eu-west-1 111122223333 checkout-fn";
        let live = "aws eu-west-1 111122223333 checkout-fn:live";
        for (uri, want) in [
            (call(&format!("{own}:checkout-fn")), plain),
            (call(&format!("{own}:checkout-fn:live")), live),
            (call(&format!("{own}:checkout-fn:12")), "aws eu-west-1 111122223333 checkout-fn:12"),
            (call(&format!("{own}:checkout-fn:$LATEST")), "aws eu-west-1 111122223333 checkout-fn:$LATEST"),
            // HTTP and WebSocket APIs.
            (format!("{own}:checkout-fn"), plain),
            (format!("{own}:checkout-fn:live"), live),
            // Stage variables, anywhere.
            (call(&format!("{own}:${{stageVariables.fn}}")), plain),
            (call(&format!("{own}:${{stageVariables.fn}}:${{stageVariables.alias}}")), live),
            (call(&format!("{own}:checkout-fn:${{stageVariables.alias}}")), live),
            (call(&format!("{own}:${{stageVariables.both}}")), live),
            (call("${stageVariables.arn}"), "aws us-east-1 444455556666 far:7"),
            ("${stageVariables.arn}".to_owned(), "aws us-east-1 444455556666 far:7"),
            // The function's Region and account go before the API's.
            (
                call("arn:aws:lambda:us-east-1:444455556666:function:far"),
                "aws us-east-1 444455556666 far",
            ),
            // What Lambda takes as a name.
            (call("checkout-fn"), plain),
            (call("checkout-fn:live"), live),
            (call("444455556666:function:far"), "aws eu-west-1 444455556666 far"),
            (format!("{}?Qualifier=live", call("checkout-fn")), live),
            // Streamed answers.
            (
                format!(
                    "arn:aws:apigateway:eu-west-1:lambda:path/2021-11-15/functions/{own}:checkout-fn/response-streaming-invocations"
                ),
                plain,
            ),
            (
                "arn:aws-cn:apigateway:cn-north-1:lambda:path/2015-03-31/functions/arn:aws-cn:lambda:cn-north-1:111122223333:function:f/invocations".to_owned(),
                "aws-cn cn-north-1 111122223333 f",
            ),
            (
                "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:f".to_owned(),
                "aws-us-gov us-gov-west-1 111122223333 f",
            ),
        ] {
            assert_eq!(leads(&uri), want, "{uri}");
        }
    }

    #[test]
    fn what_is_no_function_is_a_service_or_unclear() {
        let own = "arn:aws:lambda:eu-west-1:111122223333:function";
        for (uri, want) in [
            ("arn:aws:apigateway:eu-west-1:sqs:path/111122223333/orders".to_owned(), "a service"),
            ("arn:aws:apigateway:eu-west-1:dynamodb:action/PutItem".to_owned(), "a service"),
            ("arn:aws:apigateway:eu-west-1:s3:path/functions/x/invocations".to_owned(), "a service"),
            ("SQS-SendMessage".to_owned(), "a service"),
            (call(&format!("{own}:${{stageVariables.gone}}")), "no variable gone"),
            (call(&format!("{own}:${{stageVariables.fn}}:${{stageVariables.gone}}")), "no variable gone"),
            (call(&format!("{own}:${{stageVariables.none}}")), "unclear"),
            (call(&format!("{own}:${{stageVariables.fn")), "unclear"),
            (call(&format!("{own}:a b")), "unclear"),
            (call("arn:aws:lambda:eu-west-1:111122223333:layer:x:1"), "unclear"),
            (call("arn:aws:lambda:eu-west-1:1111:function:f"), "unclear"),
            (call("arn:aws:lambda:eu-west-1:111122223333:function:f:a:b"), "unclear"),
            (format!("{own}:"), "unclear"),
            ("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/f".to_owned(), "unclear"),
            ("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/event-source-mappings/".to_owned(), "unclear"),
            (String::new(), "unclear"),
        ] {
            assert_eq!(leads(&uri), want, "{uri}");
        }
        let unknown = Place { account: None, ..HERE };
        let bare = target(Behind::Aws, &call("checkout-fn"), &Variables::new(), unknown);
        assert!(matches!(bare, Target::Unclear { variable: None, .. }), "whose it is, is not known: {bare:?}");
    }

    #[test]
    fn http_addresses_have_variables_too() {
        let stage = variables(&[("host", "pay.example.com"), ("port", "8080")]);
        let at = |uri: &str| target(Behind::Http { vpc_link: false }, uri, &stage, HERE);
        let http = |uri: &str| Target::Http { uri: uri.into(), vpc_link: false };
        let uri = "https://${stageVariables.host}:${stageVariables.port}/{proxy}";
        assert_eq!(at(uri), http("https://pay.example.com:8080/{proxy}"));
        assert_eq!(at("https://example.com/$x"), http("https://example.com/$x"));
        let missing = Target::Unclear {
            uri: "https://${stageVariables.a}.pay.example.com/${stageVariables.b}".into(),
            variable: Some("a".into()),
        };
        assert_eq!(at("https://${stageVariables.a}.${stageVariables.host}/${stageVariables.b}"), missing);
        let listener = "arn:aws:elasticloadbalancing:eu-west-1:111122223333:listener/app/a/b/c";
        let behind = target(Behind::Http { vpc_link: true }, listener, &stage, HERE);
        assert_eq!(behind, Target::Http { uri: listener.into(), vpc_link: true });
        assert_eq!(target(Behind::Mock, "", &stage, HERE), Target::Mock);
    }

    #[test]
    fn a_region_is_in_a_partition() {
        for (region, want) in [
            ("eu-west-1", "aws"),
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
        ] {
            assert_eq!(partition_of(region), want, "{region}");
        }
    }

    proptest! {
        #[test]
        fn any_text_leads_somewhere(
            text in prop_oneof![
                ".*",
                "(arn|:|aws|lambda|apigateway|function|functions/|/invocations|\\$\\{stageVariables\\.|fn|\\}|é|[0-9]{12}|path/){0,14}",
            ],
            value in ".*",
        ) {
            let variables = variables(&[("fn", &value)]);
            for behind in [Behind::Aws, Behind::Http { vpc_link: true }, Behind::Mock] {
                let found = target(behind, &text, &variables, HERE);
                if let Target::Lambda(function) = found {
                    // What was understood can be written down and read again.
                    let again = target(Behind::Aws, &function.arn(), &Variables::new(), HERE);
                    prop_assert_eq!(again, Target::Lambda(function));
                }
            }
        }
    }
}
