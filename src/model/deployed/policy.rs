//! A function's resource policy: from its JSON to statements.
//!
//! Not what a statement permits. A function, each of its versions and aliases has a policy of its own. AWS documentation: "IAM JSON policy elements reference". Rule: what is not understood
//! is kept by name ([`Statement::other_conditions`]), so that nobody takes a narrower statement for a wider one.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{FunctionRef, Statement};
use crate::model::text::fits;

/// The statements of a policy that are about this function, with this qualifier; `None` where it is not a policy.
#[must_use]
pub fn statements(json: &str, of: &FunctionRef) -> Option<Vec<Statement>> {
    let policy: Value = serde_json::from_str(json).ok()?;
    let said = policy.get("Statement")?;
    let several = said.as_array().map_or(std::slice::from_ref(said), Vec::as_slice);
    several.iter().filter(|said| is_about(said, of)).map(statement).collect()
}

/// Whether its resource is the function; one that names none is.
fn is_about(statement: &Value, of: &FunctionRef) -> bool {
    let resources = statement.get("Resource").map(texts).unwrap_or_default();
    let arn = of.arn();
    // The newest code has two names.
    let also = arn.strip_suffix(":$LATEST").unwrap_or(&arn);
    resources.is_empty() || resources.iter().any(|resource| fits(resource, &arn) || fits(resource, also))
}

fn statement(value: &Value) -> Option<Statement> {
    let fields = value.as_object()?;
    let mut statement = Statement {
        allows: fields.get("Effect")?.as_str()? == "Allow",
        principals: fields.get("Principal").map(principals).unwrap_or_default(),
        actions: fields.get("Action").map(texts).unwrap_or_default(),
        source_arns: Vec::new(),
        source_accounts: Vec::new(),
        other_conditions: Vec::new(),
    };
    // They say whom or what it is not about.
    let negated = ["NotPrincipal", "NotAction", "NotResource"].into_iter().filter(|name| fields.contains_key(*name));
    statement.other_conditions.extend(negated.map(Arc::from));
    for (operator, keys) in fields.get("Condition").and_then(Value::as_object).into_iter().flatten() {
        conditions(operator, keys.as_object()?, &mut statement);
    }
    Some(statement)
}

/// One operator's conditions. All have to hold, so of two on one key the second is one of the others.
fn conditions(operator: &str, keys: &Map<String, Value>, statement: &mut Statement) {
    let operator = operator.to_ascii_lowercase();
    let (arns, texts_only) = match &*operator {
        "arnlike" | "arnequals" | "stringlike" => (true, false),
        // To it a pattern is a text like others.
        "stringequals" => (true, true),
        _ => (false, false),
    };
    for (key, value) in keys {
        let values = texts(value);
        let plain = values.iter().all(|v| !v.contains(['*', '?']));
        let into = match &*key.to_ascii_lowercase() {
            "aws:sourcearn" => Some(&mut statement.source_arns),
            "aws:sourceaccount" => Some(&mut statement.source_accounts),
            _ => None,
        };
        match into.filter(|into| arns && (plain || !texts_only) && into.is_empty() && !values.is_empty()) {
            Some(into) => *into = values,
            None => statement.other_conditions.push(key.as_str().into()),
        }
    }
}

/// `"*"`, or `{"Service": .., "AWS": [..]}`.
fn principals(value: &Value) -> Vec<Arc<str>> {
    value.as_object().map_or_else(|| texts(value), |kinds| kinds.values().flat_map(texts).collect())
}

/// One text, or several.
fn texts(value: &Value) -> Vec<Arc<str>> {
    let several = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    several.iter().filter_map(Value::as_str).map(Arc::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arcs(texts: &[&str]) -> Vec<Arc<str>> {
        texts.iter().map(|text| Arc::from(*text)).collect()
    }

    fn of() -> FunctionRef {
        FunctionRef {
            partition: "aws".into(),
            region: "eu-west-1".into(),
            account: "111122223333".into(),
            name: "checkout-fn".into(),
            qualifier: Some("live".into()),
        }
    }

    /// As `add-permission` of the console and the CLI makes them.
    #[test]
    fn a_permission_of_the_gateway_is_read() {
        let json = r#"{"Version":"2012-10-17","Id":"default","Statement":[
            {"Sid":"a","Effect":"Allow","Principal":{"Service":"apigateway.amazonaws.com"},"Action":"lambda:InvokeFunction",
             "Resource":"arn:aws:lambda:eu-west-1:111122223333:function:checkout-fn:live",
             "Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/*/POST/checkout"},
                          "StringEquals":{"aws:SourceAccount":["111122223333"]}}},
            {"Sid":"b","Effect":"Deny","Principal":"*","Action":["lambda:InvokeFunction","lambda:Get*"],
             "Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#;
        let statements = statements(json, &of()).unwrap();
        assert_eq!(
            statements,
            [
                Statement {
                    allows: true,
                    principals: arcs(&["apigateway.amazonaws.com"]),
                    actions: arcs(&["lambda:InvokeFunction"]),
                    source_arns: arcs(&["arn:aws:execute-api:eu-west-1:111122223333:a1b2c3d4e5/*/POST/checkout"]),
                    source_accounts: arcs(&["111122223333"]),
                    other_conditions: Vec::new(),
                },
                Statement {
                    allows: false,
                    principals: arcs(&["*"]),
                    actions: arcs(&["lambda:InvokeFunction", "lambda:Get*"]),
                    source_arns: Vec::new(),
                    source_accounts: Vec::new(),
                    other_conditions: arcs(&["aws:SecureTransport"]),
                },
            ]
        );
    }

    #[test]
    fn what_narrows_a_statement_is_never_lost() {
        let read = |condition: &str| {
            let json = format!(
                r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":["111122223333","*"]}},"Action":"*","Condition":{condition}}}}}"#
            );
            let statement = statements(&json, &of()).unwrap().remove(0);
            assert_eq!(statement.principals, arcs(&["111122223333", "*"]));
            (statement.source_arns, statement.other_conditions)
        };
        let key = arcs(&["AWS:SourceArn"]);
        assert_eq!(read(r#"{"ArnNotLike":{"AWS:SourceArn":"arn:x"}}"#), (Vec::new(), key.clone()));
        // The star is a star to this operator.
        assert_eq!(read(r#"{"StringEquals":{"AWS:SourceArn":"arn:*"}}"#), (Vec::new(), key.clone()));
        assert_eq!(read(r#"{"StringEquals":{"AWS:SourceArn":"arn:x"}}"#), (arcs(&["arn:x"]), Vec::new()));
        let both = read(r#"{"ArnLike":{"AWS:SourceArn":"arn:x"},"ArnEquals":{"AWS:SourceArn":"arn:y"}}"#);
        assert_eq!((both.0.len(), both.1), (1, key), "both have to hold");
        assert_eq!(read(r#"{"ForAnyValue:ArnLike":{"a":"b"}}"#), (Vec::new(), arcs(&["a"])));
        let negated = r#"{"Statement":[{"Effect":"Allow","NotPrincipal":"*","NotAction":"x"}]}"#;
        let negated = statements(negated, &of()).unwrap();
        assert_eq!(negated[0].other_conditions, arcs(&["NotPrincipal", "NotAction"]));
        for no_policy in ["", "{}", "[]", r#"{"Statement":[1]}"#, r#"{"Statement":{"Effect":1}}"#] {
            assert_eq!(statements(no_policy, &of()), None, "{no_policy}");
        }
        assert_eq!(statements(r#"{"Statement":[]}"#, &of()), Some(Vec::new()));
    }

    #[test]
    fn statements_about_another_qualifier_do_not_count() {
        let count = |resource: &str, qualifier: Option<&str>| {
            let of = FunctionRef { qualifier: qualifier.map(Arc::from), ..of() };
            let resource = resource.replace('F', "arn:aws:lambda:eu-west-1:111122223333:function:checkout-fn");
            let json = format!(
                r#"{{"Statement":[{{"Effect":"Allow","Principal":"*","Action":"*","Resource":"{resource}"}}]}}"#
            );
            statements(&json, &of).unwrap().len()
        };
        for (resource, qualifier, want) in [
            ("F", None, 1),
            ("F:live", Some("live"), 1),
            ("F:live", None, 0),
            ("F:live", Some("dev"), 0),
            ("F", Some("live"), 0),
            ("F:*", Some("live"), 1),
            ("F", Some("$LATEST"), 1),
            ("F:$LATEST", Some("$LATEST"), 1),
            ("*", None, 1),
        ] {
            assert_eq!(count(resource, qualifier), want, "{resource} of {qualifier:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_policy_or_not(text in ".*") {
            let _ = statements(&text, &of());
        }
    }
}
