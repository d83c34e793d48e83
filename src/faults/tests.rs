use super::*;

fn tenant(region: &str) -> Tenant {
    Tenant { account: "000000000000".to_owned(), region: region.to_owned() }
}

fn plan(json: &str) -> FaultPlan {
    let plan: FaultPlan = serde_json::from_str(json).expect("a plan");
    plan.check().expect("a sound plan");
    plan
}

/// Which of a hundred requests fail.
async fn failures(faults: &Faults) -> Vec<usize> {
    let mut failed = Vec::new();
    for request in 0..100 {
        if faults.meet(Target::Request, "ListFaces", &tenant("us-east-1")).await.is_err() {
            failed.push(request);
        }
    }
    failed
}

#[tokio::test]
async fn the_same_seed_strikes_the_same_requests() {
    let faults = |seed: u64| {
        Faults::new(plan(&format!(
            r#"{{"seed": {seed}, "rules": [{{"probability": 0.2, "error": "ThrottlingException"}}]}}"#
        )))
    };
    let first = failures(&faults(7)).await;
    assert_eq!(failures(&faults(7)).await, first);
    assert_ne!(failures(&faults(8)).await, first);
    assert!((10..=30).contains(&first.len()), "{first:?}");
    let unseeded = Faults::new(FaultPlan { seed: None, ..plan(r#"{"presets": ["throttle"]}"#) });
    let seed = unseeded.report().seed.expect("a seed was picked");
    let replayed =
        Faults::new(FaultPlan { seed: Some(seed), ..unseeded.active().unwrap().plan.clone() });
    assert_eq!(failures(&unseeded).await, failures(&replayed).await);
}

#[tokio::test]
async fn a_rule_strikes_whom_it_names_and_no_more_often_than_it_may() {
    let faults = Faults::new(plan(
        r#"{"rules": [{"operations": ["Search*"], "region": "eu-west-1", "times": 2, "error": "InternalServerError"}]}"#,
    ));
    let meet = |operation: &'static str, region: &'static str| {
        let faults = &faults;
        async move { faults.meet(Target::Request, operation, &tenant(region)).await.is_ok() }
    };
    assert!(meet("ListFaces", "eu-west-1").await);
    assert!(meet("SearchFaces", "us-east-1").await);
    assert!(faults.meet(Target::S3, "SearchFaces", &tenant("eu-west-1")).await.is_ok());
    assert!(!meet("SearchFaces", "eu-west-1").await);
    assert!(!meet("SearchUsersByImage", "eu-west-1").await);
    assert!(meet("SearchFaces", "eu-west-1").await, "twice and no more");
    assert_eq!(faults.report().rules[0].struck, 2);
}

#[tokio::test]
async fn quotas_differ_by_operation_and_region() {
    let faults = Faults::new(plan(r#"{"presets": ["aws-quotas"]}"#));
    for (operation, region, quota) in [
        ("IndexFaces", "us-east-1", 50),
        ("CreateCollection", "us-east-1", 5),
        ("IndexFaces", "eu-central-1", 5),
    ] {
        let mut passed = 0;
        let refused = loop {
            match faults.meet(Target::Request, operation, &tenant(region)).await {
                Ok(()) => passed += 1,
                Err(refused) => break refused,
            }
        };
        // A busy machine earns tokens while it spends them.
        assert!((quota..10 * quota).contains(&passed), "{operation} {region} {passed}");
        assert_eq!(refused.code(), ErrorCode::ProvisionedThroughputExceededException);
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_comes_before_the_error() {
    let faults = Faults::new(plan(
        r#"{"rules": [{"latency_ms": 3000, "jitter_ms": 1000, "error": "ThrottlingException"}]}"#,
    ));
    let before = tokio::time::Instant::now();
    assert!(faults.meet(Target::Request, "ListFaces", &tenant("us-east-1")).await.is_err());
    let waited = before.elapsed();
    assert!((3000..=4001).contains(&waited.as_millis()), "{waited:?}");
}

#[test]
fn a_plan_that_makes_no_sense_is_refused() {
    for (json, word) in [
        (r#"{"rules": [{}]}"#, "does nothing"),
        (r#"{"rules": [{"error": "Throttling"}]}"#, "ThrottlingException"),
        (r#"{"rules": [{"error": "ThrottlingException", "probability": 1.5}]}"#, "probability"),
        (r#"{"rules": [{"per_second": 0}]}"#, "per_second"),
        (r#"{"rules": [{"latency_ms": 1e9}]}"#, "latency_ms"),
    ] {
        let refused = serde_json::from_str::<FaultPlan>(json)
            .map_err(|error| error.to_string())
            .and_then(|plan| plan.check());
        let refusal = refused.expect_err(json);
        assert!(refusal.contains(word) || json.contains("1e9"), "{refusal}");
    }
}
