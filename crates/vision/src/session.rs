//! One network, loaded: a thin layer over an ONNX Runtime session.

use ort::ep;
use ort::session::{Session, SessionOutputs};
use ort::value::{TensorRef, ValueType};

use super::{VisionError, runtime, stage};

/// A network with one image input, `[batch, 3, height, width]` in f32.
#[derive(Debug)]
pub(crate) struct Network {
    name: &'static str,
    session: Session,
    /// Input dimensions; `None` where the network takes any.
    shape: [Option<usize>; 4],
}

impl Network {
    /// Builds a session that computes on the calling thread, and on those that all sessions share as
    /// far as they are idle.
    ///
    /// The memory arena is off and so are memory patterns: with input shapes that change from image
    /// to image both keep the largest sizes ever seen, per session.
    pub fn load(name: &'static str, model: &[u8]) -> Result<Self, VisionError> {
        let environment = runtime::environment()?;
        let session = Session::builder(environment)?
            .with_memory_pattern(false)
            .and_then(|builder| {
                builder.with_execution_providers([ep::CPU::default()
                    .with_arena_allocator(false)
                    .build()])
            })
            .map_err(ort::Error::from)?
            .commit_from_memory(model)?;
        let [input] = session.inputs() else {
            return Err(unusable(
                name,
                format!("{} inputs instead of one", session.inputs().len()),
            ));
        };
        let ValueType::Tensor { shape, .. } = input.dtype() else {
            return Err(unusable(name, "its input is no tensor".to_owned()));
        };
        let dimensions: Vec<Option<usize>> =
            shape.iter().map(|side| usize::try_from(*side).ok().filter(|side| *side > 0)).collect();
        let shape: [Option<usize>; 4] = dimensions.try_into().map_err(|found: Vec<_>| {
            unusable(name, format!("its input has {} dimensions instead of 4", found.len()))
        })?;
        if shape[1].is_some_and(|channels| channels != 3) {
            return Err(unusable(
                name,
                format!("its input has shape {shape:?} instead of [batch, 3, height, width]"),
            ));
        }
        Ok(Self { name, session, shape })
    }

    /// The one input size (height, width) of a network that takes no other.
    pub fn fixed_size(&self) -> Option<(usize, usize)> {
        Some((self.shape[2]?, self.shape[3]?))
    }

    /// How many images go into one run, at most `wanted`.
    pub fn batch(&self, wanted: usize) -> usize {
        self.shape[0].unwrap_or(wanted)
    }

    pub fn has_output(&self, output: &str) -> bool {
        self.session.outputs().iter().any(|candidate| candidate.name() == output)
    }

    pub fn output_count(&self) -> usize {
        self.session.outputs().len()
    }

    /// Runs on `pixels`, row-major `[batch, 3, height, width]`.
    pub fn run(&mut self, shape: [usize; 4], pixels: &[f32]) -> Result<Outputs<'_>, VisionError> {
        let input = TensorRef::from_array_view((shape, pixels))?;
        let outputs = stage::inference().in_scope(|| self.session.run(ort::inputs![input]));
        Ok(Outputs { network: self.name, outputs: outputs? })
    }

    pub fn unusable(&self, problem: impl Into<String>) -> VisionError {
        unusable(self.name, problem.into())
    }
}

fn unusable(network: &'static str, problem: String) -> VisionError {
    VisionError::Network { network, problem }
}

/// What a run gave.
pub(crate) struct Outputs<'a> {
    network: &'static str,
    outputs: SessionOutputs<'a>,
}

impl Outputs<'_> {
    /// A named output as a flat slice of exactly `len` values.
    pub fn named(&self, name: &str, len: usize) -> Result<&[f32], VisionError> {
        let value = self
            .outputs
            .get(name)
            .ok_or_else(|| unusable(self.network, format!("it has no output {name}")))?;
        let (shape, values) = value.try_extract_tensor::<f32>()?;
        if values.len() == len {
            Ok(values)
        } else {
            Err(unusable(
                self.network,
                format!("its output {name} has shape {shape:?}, which is not {len} values"),
            ))
        }
    }

    /// The `index`-th output in the network's own order, of exactly `len` values.
    pub fn at(&self, index: usize, len: usize) -> Result<&[f32], VisionError> {
        let name = self
            .outputs
            .keys()
            .nth(index)
            .ok_or_else(|| unusable(self.network, format!("it has no output {index}")))?;
        self.named(name, len)
    }
}
