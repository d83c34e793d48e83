//! The rules behind the presets.

use super::rule::{Preset, Rule, Target};

const WITH_IMAGE: [&str; 5] =
    ["IndexFaces", "DetectFaces", "CompareFaces", "SearchFacesByImage", "SearchUsersByImage"];
const WITHOUT_IMAGE: [&str; 16] = [
    "CreateCollection",
    "DeleteCollection",
    "DescribeCollection",
    "ListCollections",
    "TagResource",
    "UntagResource",
    "ListTagsForResource",
    "ListFaces",
    "DeleteFaces",
    "SearchFaces",
    "CreateUser",
    "DeleteUser",
    "ListUsers",
    "AssociateFaces",
    "DisassociateFaces",
    "SearchUsers",
];

/// Regions with the higher of AWS's two quotas.
const LARGE_REGIONS: [&str; 3] = ["us-east-1", "us-west-2", "eu-west-1"];

/// AWS's default quota for an operation in a region, in requests a second, as "Amazon Rekognition
/// endpoints and quotas" in the AWS General Reference has it:
/// <https://docs.aws.amazon.com/general/latest/gr/rekognition.html#limits_rekognition>.
pub(super) fn aws_quota(operation: &str, region: &str) -> f64 {
    let (large, small) = match operation {
        "CompareFaces" | "DetectFaces" => (100.0, 25.0),
        "IndexFaces" | "ListFaces" | "SearchFaces" | "SearchFacesByImage" | "SearchUsers"
        | "SearchUsersByImage" => (50.0, 5.0),
        "ListTagsForResource" | "TagResource" | "UntagResource" => (10.0, 10.0),
        _ => (5.0, 5.0),
    };
    if LARGE_REGIONS.contains(&region) { large } else { small }
}

/// The rules of a preset; those of `aws-quotas` take their rate from [`aws_quota`].
pub(super) fn rules(preset: Preset) -> Vec<Rule> {
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let error = |code: &str| Some(code.to_owned());
    match preset {
        Preset::AwsQuotas => {
            vec![Rule { error: error("ProvisionedThroughputExceededException"), ..Rule::default() }]
        }
        Preset::Throttle => vec![Rule {
            probability: Some(0.2),
            error: error("ThrottlingException"),
            ..Rule::default()
        }],
        Preset::Slow => vec![
            Rule {
                operations: names(&WITH_IMAGE),
                latency_ms: 500,
                jitter_ms: 1500,
                ..Rule::default()
            },
            Rule {
                operations: names(&WITHOUT_IMAGE),
                latency_ms: 50,
                jitter_ms: 200,
                ..Rule::default()
            },
        ],
        Preset::S3Errors => vec![Rule {
            target: Target::S3,
            probability: Some(0.2),
            error: error("InvalidS3ObjectException"),
            ..Rule::default()
        }],
    }
}

#[cfg(test)]
mod tests {
    use aws_json::Service as _;

    use super::*;
    use crate::operations::Rekognition;

    #[test]
    fn every_operation_is_slow_once() {
        let mut all = [&WITH_IMAGE[..], &WITHOUT_IMAGE[..]].concat();
        let mut operations = Rekognition::OPERATIONS.to_vec();
        all.sort_unstable();
        operations.sort_unstable();
        assert_eq!(all, operations);
    }

    #[test]
    fn quotas_are_those_that_aws_publishes() {
        for (operation, in_ireland, in_frankfurt) in [
            ("DetectFaces", 100.0, 25.0),
            ("CompareFaces", 100.0, 25.0),
            ("IndexFaces", 50.0, 5.0),
            ("SearchUsersByImage", 50.0, 5.0),
            ("AssociateFaces", 5.0, 5.0),
            ("DeleteFaces", 5.0, 5.0),
            ("TagResource", 10.0, 10.0),
        ] {
            assert!(Rekognition::OPERATIONS.contains(&operation), "{operation}");
            assert_eq!(aws_quota(operation, "eu-west-1"), in_ireland, "{operation}");
            assert_eq!(aws_quota(operation, "eu-central-1"), in_frankfurt, "{operation}");
        }
    }
}
