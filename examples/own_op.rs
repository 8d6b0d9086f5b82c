//! An op of your own, in a crate of your own: its WGSL, its reference, and a network that is trained, saved and read with it.
//!
//! ```text
//! cargo run --release --example own_op
//! ```

use std::sync::Arc;

use accrue::data::Batch;
use accrue::gpu::{Choice, Gpu, Grid, Shader};
use accrue::graph::{Checked, Export, LoopBound, OnnxNode, Op, OpContext, Role, Shape, Step, Tolerance, Work};
use accrue::nn::{Layers, ModelFile};
use accrue::optim::Adam;
use accrue::tensor::{Matrix, Operand};
use accrue::train::{Predictor, Settings, Trainer};
use accrue::wgsl::{CLOCK, MAP, PADDING, SPECIAL};
use serde_json::Value;

/// y = sin(times · x)
#[derive(Debug)]
struct Sine {
    times: f64,
}

/// `MAP` has the kernels and calls these two; `df` is the derivative times dy.
const WGSL: &str = "
override TIMES: f32 = 1.0;
fn f(x: vec4<f32>) -> vec4<f32> { return sin(TIMES * x); }
fn df(x: vec4<f32>, dy: vec4<f32>) -> vec4<f32> { return dy * TIMES * cos(TIMES * x); }
";

impl Sine {
    fn step(&self, cx: &OpContext, entry: &'static str) -> Step {
        let (columns, stride4) = (cx.columns(cx.input(0)), cx.stride(cx.input(0)) / 4);
        let columns4 = columns.div_ceil(4);
        let dims = [("columns", columns), ("columns4", columns4), ("x_stride4", stride4), ("saved_stride4", stride4)];
        let grid = Grid::Elements { columns: columns4 };
        let mut step = cx.step(entry, grid, Work::moves(4 * columns, LoopBound::NONE)).dims(&dims);
        step.constants.push(("TIMES", self.times));
        step
    }
}

impl Op for Sine {
    fn name(&self) -> &'static str {
        "sine"
    }

    fn role(&self) -> Role {
        Role::Activation
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined("sine".to_owned(), vec![CLOCK, PADDING, SPECIAL, MAP, WGSL])
    }

    /// `"sine"` alone is sin(x), `{ sine = 3 }` is sin(3 x).
    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        let times = arguments.as_f64().filter(|times| (0.0..1e6).contains(times));
        Ok(Arc::new(Sine { times: times.ok_or("takes a number from 0, as in { sine = 3 }")? }))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        inputs.first().map(|&x| x.clone()).ok_or("takes x".to_owned())
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        vec![self.step(cx, "forward").bind("x", cx.value(0)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let step = self.step(cx, "backward").bind("saved", cx.value(0)).bind("dy", cx.output_gradient());
        vec![step.bind("dinput", cx.gradient(0)).write(write)]
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        Matrix::build(inputs[0].rows, inputs[0].columns, |r, c| (self.times * inputs[0].at(r, c)).sin())
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let dx = |r, c| dy.at(r, c) * self.times * (self.times * inputs[0].at(r, c)).cos();
        vec![Matrix::build(dy.rows, dy.columns, dx)]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        Tolerance::of_elements(checked)
    }

    /// What `accrue export` writes; an op without it trains as well.
    fn export(&self, _: &Shape) -> Option<Export> {
        (self.times == 1.0).then(|| Export::new("torch.sin", vec![OnnxNode::new("Sin", &["x"], "y")]))
    }
}

pub fn main() -> accrue::Result<()> {
    let gpu = Gpu::new(&Choice::default())?;
    let sine: Arc<dyn Op> = Arc::new(Sine { times: 1.0 });
    let model = Layers::new()
        .knows(sine.clone())
        .linear(32)
        .with("sine", 3.into())
        .residual(|body| body.linear(32).named("sine").linear(32))
        .linear(1)
        .model(&[1], "mse")?;

    // y = sin(6 x) + x / 2 from -2 to 2, which bends six times
    let x: Vec<f32> = (0..256).map(|at| at as f32 / 64.0 - 2.0).collect();
    let y: Vec<f32> = x.iter().map(|x| (6.0 * x).sin() + x / 2.0).collect();
    let settings = Settings { lr: 3e-3, micro_batch: 64, optimizer: Box::new(Adam::default()), ..Settings::default() };
    let mut trainer = Trainer::new(&gpu, &model, settings)?;
    for epoch in 1..=400 {
        for (x, y) in x.chunks(64).zip(y.chunks(64)) {
            trainer.micro_step(&Batch::values(x, y))?;
        }
        trainer.update()?; // one update from four micro-batches
        let updates = trainer.finish()?;
        if epoch % 100 == 0 {
            println!("epoch {epoch}: loss {:.5}", updates[0].loss);
        }
    }

    // The file says "sine" by its name; whoever reads it gives the op.
    let path = std::env::temp_dir().join("accrue_own_op.safetensors");
    ModelFile { arrays: trainer.parameters()?, ..ModelFile::unnamed(&model) }.write(&path)?;
    if let Err(refusal) = ModelFile::read(&path) {
        println!("without the op: {refusal}");
    }
    let saved = ModelFile::read_with(&path, vec![sine])?;
    let predictor = Predictor::new(&gpu, &saved.model, &saved.arrays, 64)?;
    let (at, wanted) = (0.3f32, (6.0f32 * 0.3).sin() + 0.15);
    println!("f({at}) = {:.3}, which is {wanted:.3}", predictor.predict(&[at])?[0]);
    Ok(())
}
