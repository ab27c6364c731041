//! That all requests of an endpoint fail and no function is run: what tells it, and what refutes it.

use super::*;

/// Long ago a function ran for the endpoint, and it went well.
fn with_a_run(world: World) -> World {
    with_a_run_of(world, "/a")
}

fn with_a_run_of(mut world: World, route: &str) -> World {
    let endpoint = Endpoint::new("GET", route).into();
    let fine = Request { endpoint, lambda_request_id: Some("first".into()), ..request(world.now, 200) };
    world.put(1, &fine);
    // The lines of functions come after the line of the request, or before it.
    if world.reads_lambda {
        world.line("first", LambdaSays::Start);
        world.line("first", LambdaSays::Report(Report::default()));
    }
    world.now += 600;
    world.read();
    world
}

#[test]
fn no_invocations_needs_to_know_that_a_function_serves_the_endpoint() {
    let denied = "Execution failed due to configuration error: Invalid permissions on Lambda function";
    let of_http = "The IAM role configured on the integration or API Gateway doesn't have permissions to call the \
                   integration. Check the permissions and try again.";
    let words = |error: &str| GatewayWords { integration_error: Some(error.into()), ..GatewayWords::default() };
    let status = |n| GatewayWords { integration_status: Some(n), ..GatewayWords::default() };
    let cases = [
        ("nothing is said of what it calls", GatewayWords::default(), false),
        ("a backend's certificate", words("Host name 'b' does not match the certificate subject"), false),
        ("too many of it run already", status(429), false),
        ("a permission of REST APIs", words(denied), true),
        ("a permission of HTTP APIs", words(of_http), true),
        ("no such function", status(404), true),
    ];
    for (what, said, want) in cases {
        // With the logs of functions and without: what the gateway says is enough.
        for groups in [&["/access", "/aws/lambda/pay"][..], &["/access"]] {
            let mut world = with_a_run_of(world_of(rule("no-invocations"), groups, |_| {}), "/other");
            let now = world.now;
            world.put(5, &Request { gateway: Some(Box::new(said.clone())), ..request(now, 500) });
            assert_eq!(world.look().is_some(), want, "{what}: {groups:?}");
            if want {
                let alert = world.alert();
                assert_eq!((alert.errors, alert.requests, alert.causes[0].count), (5, 5, 5), "{what}");
                world.answered(3, 500);
                assert_eq!(world.look(), Some(fires(Severity::Critical)), "not all of them are proof: it stands");
                assert!(!world.alert().holds);
            }
        }
    }
}

#[test]
fn no_invocations_fires_where_all_fail_and_nothing_ran_and_ends_with_a_success() {
    let mut world = with_a_run(world(rule("no-invocations")));
    world.answered(2, 500);
    assert_eq!(world.look(), None, "three at least");
    world.answered(1, 500);
    assert_eq!(world.look(), Some(fires(Severity::Critical)));
    let alert = world.alert();
    assert_eq!((alert.value, alert.errors, alert.requests), (1.0, 3, 3));
    assert_eq!(alert.causes[0].count, 3);
    world.answered(1, 200);
    assert_eq!(world.look(), Some(fires(Severity::Critical)), "three of four is near");
    world.answered(2, 200);
    assert_eq!(world.look(), Some(resolves(Severity::Critical)));
}

#[test]
fn no_invocations_is_refuted_by_a_run_or_what_implies_one() {
    let implies = |said: GatewayWords| {
        let mut world = with_a_run(world(rule("no-invocations")));
        let now = world.now;
        world.answered(5, 500).put(3, &Request { gateway: Some(Box::new(said)), ..request(now, 500) });
        world.look().is_none()
    };
    assert!(!implies(GatewayWords::default()), "nothing is said");
    assert!(!implies(GatewayWords { integration_status: Some(403), ..GatewayWords::default() }));
    assert!(implies(GatewayWords { integration_status: Some(200), ..GatewayWords::default() }));
    assert!(implies(GatewayWords { integration_status: Some(503), ..GatewayWords::default() }), "an HTTP backend");
    assert!(implies(GatewayWords { function_status: Some(500), ..GatewayWords::default() }));
    assert!(implies(GatewayWords { waf_error: Some("no answer".into()), ..GatewayWords::default() }));
    let denied = "Invalid permissions on Lambda function";
    assert!(!implies(GatewayWords { integration_error: Some(denied.into()), ..GatewayWords::default() }));

    let mut world = with_a_run(world(rule("no-invocations")));
    world.answered(8, 502).failed(1, "TypeError");
    assert_eq!(world.look(), None, "one ran");
}

#[test]
fn no_invocations_never_fires_where_the_logs_of_functions_do_not_tell() {
    let outage = |world: &mut World| {
        let mut fired = false;
        for _ in 0..60 {
            world.answered(2, 500);
            fired |= world.look().is_some();
        }
        fired
    };
    let one = || rule("no-invocations");
    assert!(outage(&mut with_a_run(world(one()))), "it would");
    assert!(!outage(&mut world_of(one(), &["/access"], |_| {})), "no log is configured");
    assert!(!outage(&mut world(one())), "none has shown a run");
    let mut of_another = with_a_run_of(world(one()), "/other");
    assert!(!outage(&mut of_another), "nobody knows what serves this endpoint");
    let functions = |api: &mut Api| drop(api.functions.insert("GET /a".to_owned(), "b".into()));
    let mut of_none = with_a_run_of(world_of(one(), &["/access", "/aws/lambda/pay", "/aws/lambda/b"], functions), "/o");
    of_none.engine.seal(SourceId(2), at(100_000));
    assert!(!outage(&mut of_none), "its function logs nothing");

    let mut never_read = world(one());
    never_read.reads_lambda = false;
    assert!(!outage(&mut with_a_run(never_read)), "one is behind");

    let second = |how: &dyn Fn(&mut Engine)| {
        let mut world = with_a_run(world_of(one(), &["/access", "/aws/lambda/pay", "/aws/lambda/b"], |_| {}));
        how(&mut world.engine);
        outage(&mut world)
    };
    assert!(!second(&|_| {}), "one was never read");
    assert!(!second(&|engine| engine.blind(SourceId(2), Problem::Denied, "no", at(0))), "one cannot be read");
    assert!(!second(&|engine| engine.retire(SourceId(2))), "one is gone");
    assert!(second(&|engine| {
        engine.seal(SourceId(2), at(100_000));
    }));

    let served = |by: &str| {
        let functions = |api: &mut Api| drop(api.functions.insert("GET /a".to_owned(), by.into()));
        let mut world = with_a_run(world_of(one(), &["/access", "/aws/lambda/pay"], functions));
        outage(&mut world)
    };
    assert!(served("pay") && !served("elsewhere"));
}

/// Lines of functions are read a little later than those of the gateway: what is not read of them yet is not looked at.
#[test]
fn no_invocations_looks_at_what_both_logs_are_read_to() {
    let mut world = with_a_run(world(rule("no-invocations")));
    world.answered(5, 200);
    world.look();
    world.now += 300;
    world.read();
    world.reads_lambda = false;
    world.answered(5, 500);
    assert_eq!(world.look(), None, "their invocations may be read next");
    world.reads_lambda = true;
    assert_eq!(world.look(), Some(fires(Severity::Critical)));
    world.reads_lambda = false;
    world.answered(4, 200);
    assert_eq!(world.look(), Some(resolves(Severity::Critical)), "a success needs no other log");
}
