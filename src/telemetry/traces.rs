//! Traces for OpenTelemetry: a span for each call, with its stages below, sent where
//! `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector.

use std::collections::HashMap;

use aws_json::{Outcome, Record, Service as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use lookalike_vision::stage;
use opentelemetry::KeyValue;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::field::Empty;
use tracing::{Metadata, Span, Subscriber, debug_span, warn};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use crate::operations::Rekognition;

const TARGET: &str = "lookalike::trace";
/// Either of them names a collector.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// The header of W3C's Trace Context.
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// Sends traces until it is shut down; none where no collector is named.
#[derive(Debug, Default)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Reads the `OTEL_*` variables; what is wrong with them is answered, and nothing is sent then.
    pub fn from_env() -> Result<Self, opentelemetry_otlp::ExporterBuildError> {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if !ENDPOINTS.into_iter().any(is_set) {
            return Ok(Self(None));
        }
        let exporter =
            SpanExporter::builder().with_http().with_protocol(Protocol::HttpBinary).build()?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let own = Resource::builder().with_service_name("lookalike").with_attribute(version);
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter);
        Ok(Self(Some(provider.with_resource(own.build()).build())))
    }

    /// The layer that takes the spans of calls and stages.
    pub fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let wanted = |metadata: &Metadata<'_>| {
            metadata.is_span() && matches!(metadata.target(), TARGET | stage::TARGET)
        };
        let filter = filter_fn(wanted).with_max_level_hint(LevelFilter::DEBUG);
        let tracer = self.0.as_ref()?.tracer("lookalike");
        let layer = tracing_opentelemetry::layer().with_tracer(tracer).with_location(false);
        Some(layer.with_threads(false).with_target(false).with_filter(filter))
    }

    /// Sends what has not been sent yet. Blocks.
    pub fn shut_down(&self) {
        if let Some(Err(error)) = self.0.as_ref().map(SdkTracerProvider::shutdown) {
            warn!(%error, "the last traces were not sent");
        }
    }
}

/// The span of a call, below that of its caller; disabled where no traces are sent.
pub fn of_call(record: &Record) -> Span {
    let named = record.operation.as_deref();
    let operation =
        named.filter(|named| Rekognition::OPERATIONS.contains(named)).unwrap_or("other");
    let span = debug_span!(
        target: TARGET,
        "call",
        otel.name = format!("Rekognition/{operation}"),
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system.name = "aws-api",
        rpc.method = format!("Rekognition/{operation}"),
        aws.request_id = %record.request_id,
        http.response.status_code = Empty,
        error.type = Empty,
    );
    place_below(&span, record.trace_parent.as_deref());
    span
}

/// The span of a search for another node, below that node's span; disabled where no traces are sent.
pub fn of_search(headers: &HeaderMap) -> Span {
    let span = debug_span!(
        target: TARGET,
        "node_search",
        otel.name = "Lookalike/search",
        otel.kind = "server",
    );
    place_below(&span, headers.get(&TRACE_PARENT).and_then(|header| header.to_str().ok()));
    span
}

/// Places what another node does for the current span below it.
pub fn pass_on(headers: &mut HeaderMap) {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut carrier);
    let header = carrier.get(TRACE_PARENT.as_str()).and_then(|header| header.parse().ok());
    headers.extend(header.map(|header: HeaderValue| (TRACE_PARENT, header)));
}

fn place_below(span: &Span, trace_parent: Option<&str>) {
    if let Some(header) = trace_parent.filter(|_| !span.is_disabled()) {
        let carrier = HashMap::from([(TRACE_PARENT.to_string(), header.to_owned())]);
        // Without the layer there is no trace, and nothing to set.
        let _ = span.set_parent(TraceContextPropagator::new().extract(&carrier));
    }
}

/// Notes how a call ended.
pub fn end(outcome: &Outcome<'_>) {
    let span = outcome.trace;
    span.record("http.response.status_code", outcome.status.as_u16());
    if let Some(error) = outcome.error {
        span.record("error.type", error.code().name());
    }
    if outcome.status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
}

/// The id of the trace that a caller's header names, if it is sound.
pub fn trace_id(trace_parent: &str) -> Option<&str> {
    let mut parts = trace_parent.split('-');
    let (version, id, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length| {
        text.len() == length
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && text.bytes().any(|byte| byte != b'0')
    };
    let is_version = version.len() == 2 && version != "ff";
    (is_version && is_hex(id, 32) && is_hex(span, 16)).then_some(id)
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TraceContextExt as _;
    use tracing::subscriber::with_default;
    use tracing_subscriber::Registry;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn a_trace_follows_a_search_to_another_node() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let traces = Traces(Some(SdkTracerProvider::default()));
        let headers = with_default(Registry::default().with(traces.layer()), || {
            let call = debug_span!(target: TARGET, "call");
            place_below(&call, Some(&format!("00-{id}-00f067aa0ba902b7-01")));
            let mut headers = HeaderMap::new();
            call.in_scope(|| pass_on(&mut headers));
            headers
        });
        let asked = headers[TRACE_PARENT].to_str().unwrap();
        assert_eq!(trace_id(asked), Some(id));
        assert!(!asked.contains("00f067aa0ba902b7"), "the search is below the call: {asked}");
        with_default(Registry::default().with(traces.layer()), || {
            let context = of_search(&headers).context();
            assert_eq!(context.span().span_context().trace_id().to_string(), id);
        });
    }

    #[test]
    fn without_traces_nothing_is_passed_on() {
        let mut headers = HeaderMap::new();
        with_default(Registry::default(), || of_search(&headers).in_scope(|| ()));
        pass_on(&mut headers);
        assert!(headers.is_empty(), "{headers:?}");
    }

    #[test]
    fn only_sound_headers_name_a_trace() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{id}-00f067aa0ba902b7-01")), Some(id));
        for wrong in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(trace_id(wrong), None, "{wrong}");
        }
    }
}
