//! What observing a request costs: the spans of its stages, its metrics, its entry in the list of the
//! last requests and its log line, for an IndexFaces with five faces.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use aws_json::{Outcome, Record};
use criterion::{Criterion, criterion_group, criterion_main};
use http::StatusCode;
use lookalike::config::TelemetryConfig;
use lookalike::telemetry::{Findings, ImageOrigin, SeenImage, StageLayer, Telemetry, stage};
use lookalike_vision::image::Format;
use lookalike_vision::{Pack, Reason};
use tracing::{Span, info_span};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use uuid::Uuid;

/// Spans below the request: looking up the collection, the networks, the commit.
const STAGES: usize = 8;

fn record() -> Record {
    Record {
        request_id: Uuid::new_v4(),
        operation: Some("IndexFaces".to_owned()),
        client: Some(([127, 0, 0, 1], 40_000).into()),
        access_key_id: Some("123456789012".to_owned()),
        caller: None,
        resource: Some("staff".to_owned()),
        body_bytes: 80_000,
        trace_parent: None,
        began: Instant::now(),
    }
}

/// As the server notes it while it works, and once it has answered.
fn observe(telemetry: &Telemetry) {
    let record = record();
    let span = info_span!(target: "aws_json::serve", "request", request_id = %record.request_id);
    let findings = Findings::default();
    span.in_scope(|| {
        for _ in 0..STAGES {
            drop(stage::store().entered());
        }
    });
    let contents = Some(((640, 480), 5));
    findings.image(SeenImage { origin: ImageOrigin::Bytes, format: Some(Format::Jpeg), contents });
    findings.indexed(4, [Reason::LowSharpness]);
    findings.changed((0..4).map(|_| Uuid::new_v4()), None);
    let outcome = Outcome {
        status: StatusCode::OK,
        error: None,
        is_call: true,
        elapsed: Duration::from_millis(27),
        span: &span,
        trace: &Span::none(),
    };
    telemetry.answered(record, &findings, &outcome);
}

fn answered(criterion: &mut Criterion) {
    let log = tracing_subscriber::fmt::layer().json().with_writer(io::sink);
    let log = log.with_filter(EnvFilter::new("info"));
    tracing_subscriber::registry().with(log).with(StageLayer::filtered()).init();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models/default");
    let pack = Pack::open(&folder).unwrap_or_else(|error| panic!("{error}"));
    let options = TelemetryConfig { slow: None, strict: false, recent_requests: 500 };
    let telemetry = Telemetry::new(options, &pack);
    criterion.bench_function("telemetry/answered", |bencher| {
        bencher.iter(|| observe(&telemetry));
    });
}

criterion_group!(benches, answered);
criterion_main!(benches);
