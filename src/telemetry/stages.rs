//! One stopwatch: collects the spans of stages below the request that they belong to.
//!
//! A stage is a span of the target [`stage::TARGET`]. It counts from its making until it is closed.

use std::time::{Duration, Instant};

use lookalike_vision::stage;
use tracing::span::{Attributes, Id};
use tracing::{Level, Metadata, Span, Subscriber};
use tracing_subscriber::filter::{FilterFn, Filtered, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Registry, layer};

/// Stages of one request that are kept; an image with a crowd of faces takes a few dozen.
const MOST_STAGES: usize = 128;

/// The times of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stages {
    /// In the order in which they ended.
    pub list: Vec<Stage>,
    /// Inside ONNX Runtime, within the other stages.
    pub inference: Duration,
}

/// One stage, from its start after that of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    pub name: &'static str,
    pub start: Duration,
    pub took: Duration,
}

impl Stages {
    /// The time of all stages of that name together; none where there was none.
    pub fn total(&self, name: &str) -> Option<Duration> {
        let times = self.list.iter().filter(|stage| stage.name == name).map(|stage| stage.took);
        times.reduce(|sum, took| sum + took)
    }
}

/// What a span of a request carries.
struct Collected {
    began: Instant,
    stages: Stages,
}

/// When a span of a stage was made.
struct Began(Instant);

/// Measures stages. It reads nothing but the clock, and only at spans of requests and stages.
#[derive(Debug)]
pub struct StageLayer;

type StageFilter = FilterFn<fn(&Metadata<'_>) -> bool>;

impl StageLayer {
    /// The layer with the filter that keeps all other spans away from it.
    pub fn filtered<S>() -> Filtered<Self, StageFilter, S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let wanted: fn(&Metadata<'_>) -> bool =
            |metadata| is_stage(metadata) || is_request(metadata);
        let filter = filter_fn(wanted).with_max_level_hint(LevelFilter::DEBUG);
        layer::Layer::with_filter(Self, filter)
    }
}

fn is_stage(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target() == stage::TARGET
}

fn is_request(metadata: &Metadata<'_>) -> bool {
    metadata.is_span()
        && metadata.level() == &Level::INFO
        && metadata.name() == aws_json::REQUEST_SPAN
        && metadata.target().starts_with("aws_json")
}

impl<S> Layer<S> for StageLayer
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let now = Instant::now();
        if is_stage(attributes.metadata()) {
            span.extensions_mut().insert(Began(now));
        } else {
            span.extensions_mut().insert(Collected { began: now, stages: Stages::default() });
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(began) = span.extensions_mut().remove::<Began>().map(|Began(began)| began) else {
            return;
        };
        let took = began.elapsed();
        for above in span.scope().skip(1) {
            let mut extensions = above.extensions_mut();
            let Some(collected) = extensions.get_mut::<Collected>() else { continue };
            if span.name() == stage::INFERENCE {
                collected.stages.inference += took;
            } else if collected.stages.list.len() < MOST_STAGES {
                let start = began.saturating_duration_since(collected.began);
                collected.stages.list.push(Stage { name: span.name(), start, took });
            }
            return;
        }
    }
}

/// The stages so far of the request whose span this is; empty where no [`StageLayer`] listens.
pub fn of(request: &Span) -> Stages {
    let stages = request.with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>()?.span(id)?;
        let mut extensions = span.extensions_mut();
        extensions.get_mut::<Collected>().map(|collected| std::mem::take(&mut collected.stages))
    });
    stages.flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tracing::{debug_span, info_span};
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    fn request() -> Span {
        info_span!(target: "aws_json::serve", aws_json::REQUEST_SPAN)
    }

    #[test]
    fn stages_of_other_threads_count_for_their_request() {
        let subscriber = Registry::default().with(StageLayer::filtered());
        tracing::subscriber::with_default(subscriber, || {
            let (first, second) = (request(), request());
            std::thread::scope(|scope| {
                let dispatch = tracing::dispatcher::get_default(Clone::clone);
                let (first, second) = (first.clone(), second.clone());
                scope.spawn(move || {
                    tracing::dispatcher::with_default(&dispatch, || {
                        let _first = first.enter();
                        let detect = debug_span!(target: stage::TARGET, "detect").entered();
                        let run = debug_span!(target: stage::TARGET, "inference").entered();
                        std::thread::sleep(Duration::from_millis(5));
                        drop(run);
                        drop(detect);
                        drop(debug_span!(target: stage::TARGET, "detect").entered());
                        drop(debug_span!(target: "other", "embed").entered());
                        second.in_scope(|| drop(debug_span!(target: stage::TARGET, "store")));
                    });
                });
            });
            let stages = of(&first);
            let names: Vec<_> = stages.list.iter().map(|stage| stage.name).collect();
            assert_eq!(names, ["detect", "detect"]);
            assert!(stages.inference >= Duration::from_millis(5), "{stages:?}");
            assert!(stages.total("detect") >= Some(stages.inference), "{stages:?}");
            assert!(stages.list[1].start >= stages.list[0].start + stages.list[0].took);
            assert_eq!(stages.total("embed"), None);
            assert_eq!(of(&second).list.len(), 1);
            assert_eq!(of(&first), Stages::default(), "they are taken");
        });
    }

    #[test]
    fn without_a_listener_there_are_no_stages() {
        assert_eq!(of(&request()), Stages::default());
        let quiet = Registry::default();
        tracing::subscriber::with_default(quiet, || assert_eq!(of(&request()), Stages::default()));
    }
}
