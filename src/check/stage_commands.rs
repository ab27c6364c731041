//! The commands that change a stage; but for its access log, whose is `model/access_format`.
//!
//! REST APIs take patch operations, HTTP and WebSocket APIs take settings. Source: AWS CLI reference, `apigateway
//! update-stage` and `apigatewayv2 update-stage`.

use crate::model::deployed::Deployed;
use crate::model::inventory::ApiKind;
use crate::model::shell::Aws;

/// Sets a stage variable; what it should be is not known.
pub(super) fn variable(deployed: &Deployed, name: &str, value: &str) -> Aws {
    let stage = update(deployed);
    if is_rest(deployed) {
        return stage.with("patch-operations", &format!("op=replace,path=/variables/{name},value={value}"));
    }
    stage.with("stage-variables", &format!("{name}={value}"))
}

/// Lets the stage write whole requests to its execution log.
pub(super) fn execution_log(deployed: &Deployed) -> Aws {
    let stage = update(deployed);
    if is_rest(deployed) {
        return stage.with("patch-operations", "op=replace,path=/*/*/logging/loglevel,value=INFO");
    }
    stage.with("default-route-settings", "LoggingLevel=INFO")
}

fn update(deployed: &Deployed) -> Aws {
    let stage = &deployed.stage;
    let (operation, id) = if is_rest(deployed) {
        ("apigateway update-stage", "rest-api-id")
    } else {
        ("apigatewayv2 update-stage", "api-id")
    };
    Aws::new(operation, &deployed.region).with(id, &stage.id).with("stage-name", &stage.stage)
}

fn is_rest(deployed: &Deployed) -> bool {
    match deployed.stage.kind {
        ApiKind::Rest | ApiKind::Auto => true,
        ApiKind::Http | ApiKind::WebSocket => false,
    }
}
