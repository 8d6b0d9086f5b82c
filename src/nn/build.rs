//! From a tree of layers to a graph. Weights are named as in nested `nn.Sequential`s of PyTorch.

use std::sync::Arc;

use super::WIDEST;
use super::grammar::{Kind, Part};
use crate::graph::{Export, Graph, MlpPart, Op, Shape, Tensor, TensorKind};
use crate::ops::linear::Place;
use crate::ops::{Add, Concat, Linear, SelfAttention};
use crate::quote::shown;
use crate::{Error, Result};

/// Most numbers that a layer makes of a sample.
const MOST_NUMBERS: usize = 1 << 32;

/// Layers as a graph, and how they are nested in it.
pub(crate) struct Built {
    pub graph: Graph,
    pub output: Tensor,
    pub modules: Vec<Module>,
}

/// A layer of a graph: a module of PyTorch.
#[derive(Debug)]
pub(crate) struct Module {
    /// What the names of its weights begin with: `3.body.0`.
    pub name: String,
    pub kind: ModuleKind,
}

/// What a module is made of; `node` is the place of its own op among the nodes of the graph.
#[derive(Debug)]
pub(crate) enum ModuleKind {
    Op {
        node: usize,
    },
    Residual {
        node: usize,
        body: Vec<Module>,
        shortcut: Vec<Module>,
    },
    Repeat(Vec<Vec<Module>>),
    Concat {
        node: usize,
        branches: Vec<Vec<Module>>,
    },
    /// It uses the weight of another module.
    Tied {
        node: usize,
    },
    /// Its projection into queries, keys and values, itself, and the projection out of it.
    Attention {
        nodes: [usize; 3],
        #[cfg_attr(not(feature = "export"), expect(dead_code, reason = "only the export reads it"))]
        export: Option<Export>,
    },
}

/// Builds the graph of layers for samples of this shape.
pub(crate) fn build(input: &Shape, parts: &[Part]) -> Result<Built> {
    let mut graph = Graph::new();
    let x = graph.input_of(input.dims());
    let mut builder = Builder { graph };
    let (output, modules) = builder.sequence(parts, "", x)?;
    Ok(Built { graph: builder.graph, output, modules })
}

struct Builder {
    graph: Graph,
}

impl Builder {
    /// One layer after the other. Their names begin with `prefix`, which ends with a dot or is empty.
    fn sequence(&mut self, parts: &[Part], prefix: &str, x: Tensor) -> Result<(Tensor, Vec<Module>)> {
        let (mut x, mut modules) = (x, Vec::with_capacity(parts.len()));
        for (at, part) in parts.iter().enumerate() {
            let name = format!("{prefix}{at}");
            let (y, kind) = self.part(part, &name, x)?;
            modules.push(Module { name, kind });
            x = y;
        }
        Ok((x, modules))
    }

    fn part(&mut self, part: &Part, name: &str, x: Tensor) -> Result<(Tensor, ModuleKind)> {
        match &part.kind {
            Kind::Op(op) => {
                self.check_linear(&**op, &part.path, x)?;
                let y = self.join(op.clone(), &part.path, name, &[x])?;
                Ok((y, ModuleKind::Op { node: self.last() }))
            }
            Kind::Residual { body, shortcut } => {
                let (a, body) = self.sequence(body, &format!("{name}.body."), x)?;
                let (b, shortcut) = self.sequence(shortcut, &format!("{name}.shortcut."), x)?;
                self.check_sum(a, b, &part.path)?;
                let y = self.join(Arc::new(Add), &part.path, name, &[a, b])?;
                Ok((y, ModuleKind::Residual { node: self.last(), body, shortcut }))
            }
            Kind::Repeat { times, layers } => {
                let (mut x, mut all) = (x, Vec::with_capacity(*times));
                for time in 0..*times {
                    let (y, modules) = self.sequence(layers, &format!("{name}.{time}."), x)?;
                    all.push(modules);
                    x = y;
                }
                Ok((x, ModuleKind::Repeat(all)))
            }
            Kind::Concat(branches) => {
                let branch = |(at, layers): (usize, &Vec<Part>)| self.sequence(layers, &format!("{name}.{at}."), x);
                let made: Vec<_> = branches.iter().enumerate().map(branch).collect::<Result<_>>()?;
                let (tensors, branches): (Vec<Tensor>, Vec<_>) = made.into_iter().unzip();
                self.check_side_by_side(&tensors, &part.path)?;
                let y = self.join(Arc::new(Concat), &part.path, name, &tensors)?;
                Ok((y, ModuleKind::Concat { node: self.last(), branches }))
            }
            Kind::Tied(to) => self.tied(to, &part.path, name, x),
            Kind::Attention(layer) => self.attention(layer, &part.path, name, x),
        }
    }

    /// A linear layer that uses the weight of another layer.
    fn tied(&mut self, to: &str, path: &str, name: &str, x: Tensor) -> Result<(Tensor, ModuleKind)> {
        let wrong = |message: String| Error::config(format!("{path}.tied"), message);
        let found = self.graph.of_kind(TensorKind::Parameter).find(|&tensor| self.graph.info(tensor).name == to);
        let weight =
            found.ok_or_else(|| wrong(format!("no layer before it is called {} and has weights", shown(to))))?;
        let columns = self.graph.columns(x);
        let outputs = match self.graph.shape(weight) {
            Shape::Parameters(parts) => match &parts[..] {
                [one] if one.name == "weight" && one.shape.len() == 2 && one.shape[1] == columns => one.shape[0],
                _ => {
                    let weight = self.graph.shape(weight);
                    let message =
                        format!("layer {} has {weight}, but a weight [outputs, {columns}] alone is wanted", shown(to));
                    return Err(wrong(message));
                }
            },
            Shape::Sample { .. } => return Err(Error::Internal(format!("{to}: no parameters"))),
        };
        let linear = Arc::new(Linear { outputs, bias: false, place: Place::Layer });
        let y = self.graph.apply(linear, &format!("{name} tied"), &[x, weight])?;
        Ok((y, ModuleKind::Tied { node: self.last() }))
    }

    /// Weights are called as those of PyTorch's `nn.MultiheadAttention`: `in_proj_weight`, `out_proj.weight`.
    fn attention(&mut self, layer: &SelfAttention, path: &str, name: &str, x: Tensor) -> Result<(Tensor, ModuleKind)> {
        let SelfAttention { attention, bias, .. } = *layer;
        let shape = self.graph.shape(x);
        let (columns, heads) = (self.graph.columns(x), attention.heads);
        let wrong = |message: String| Error::config(format!("{path}.attention"), message);
        if shape.dims().len() != 2 {
            return Err(wrong(format!("takes tokens of a sequence, (rows, tokens, columns), but x is {shape}")));
        }
        if !columns.is_multiple_of(4 * heads) {
            let message = format!(
                "{columns} columns are no {heads} heads whose width is a multiple of 4; give a width that is a multiple of {}",
                4 * heads
            );
            return Err(wrong(message));
        }
        let all = columns / heads * (heads + 2 * attention.kv_heads);
        let linear = |outputs, place| Arc::new(Linear { outputs, bias, place });
        let inside = self.named(linear(all, Place::IntoAttention), path, name, &format!("{name} in_proj"), &[x])?;
        let mut nodes = [self.last(); 3];
        let turned = match layer.rotary(columns / heads) {
            Some(rotary) => self.join(Arc::new(rotary), path, name, &[inside])?,
            None => inside,
        };
        let seen = self.join(Arc::new(attention), path, name, &[turned])?;
        nodes[1] = self.last();
        let out = format!("{name}.out_proj");
        let y = self.join(linear(columns, Place::OutOfAttention), path, &out, &[seen])?;
        nodes[2] = self.last();
        Ok((y, ModuleKind::Attention { nodes, export: layer.export(columns) }))
    }

    /// The place of the node that was added last.
    fn last(&self) -> usize {
        self.graph.nodes().len() - 1
    }

    /// Adds an op whose weights are called `name`.
    fn join(&mut self, op: Arc<dyn Op>, path: &str, name: &str, x: &[Tensor]) -> Result<Tensor> {
        let label = format!("{name} {}", op.name());
        self.named(op, path, name, &label, x)
    }

    /// The same with a name of its own for the op's output.
    fn named(&mut self, op: Arc<dyn Op>, path: &str, name: &str, label: &str, x: &[Tensor]) -> Result<Tensor> {
        let y = self.graph.join(op, name, label, x).map_err(|error| match error {
            Error::Shape { op, message } => Error::config(path, format!("{op}: {message}")),
            other => other,
        })?;
        let dims = self.graph.shape(y).dims();
        let numbers = dims.iter().try_fold(1usize, |all, &dim| all.checked_mul(dim));
        let columns = self.graph.columns(y);
        if columns > WIDEST {
            return Err(Error::config(path, format!("makes {columns} columns; {WIDEST} are the most")));
        }
        if numbers.is_none_or(|numbers| numbers > MOST_NUMBERS) {
            return Err(Error::config(path, format!("makes {dims:?} numbers of a sample, more than {MOST_NUMBERS}")));
        }
        Ok(y)
    }

    /// A linear layer takes features, or each token of a sequence; on an image it is a slip more often than not.
    fn check_linear(&self, op: &dyn Op, path: &str, x: Tensor) -> Result<()> {
        let shape = self.graph.shape(x);
        if shape.dims().len() < 3 || !matches!(op.mlp_part(), Some(MlpPart::Linear)) {
            return Ok(());
        }
        let message =
            format!("a linear layer on an image, {shape}; write \"flatten\" or \"global_avg_pool\" before it");
        Err(Error::config(path, message))
    }

    fn check_sum(&self, body: Tensor, shortcut: Tensor, path: &str) -> Result<()> {
        let (a, b) = (self.graph.shape(body), self.graph.shape(shortcut));
        if a == b {
            return Ok(());
        }
        let columns = a.columns().unwrap_or(1);
        let (remedy, shortcut) = match a.dims().len() {
            3 => {
                ("keep size and channels in the body", format!("{{ conv2d = {{ channels = {columns}, kernel = 1 }} }}"))
            }
            _ => ("give the body's last layer that width", columns.to_string()),
        };
        let message = format!(
            "its body makes {a}, but {b} is added to it; {remedy}, or give a shortcut that makes {a}, as in \
             {{ residual = {{ body = [ … ], shortcut = [{shortcut}] }} }}"
        );
        Err(Error::config(format!("{path}.residual"), message))
    }

    fn check_side_by_side(&self, branches: &[Tensor], path: &str) -> Result<()> {
        let positions = |tensor: Tensor| self.graph.shape(tensor).dims().split_last().map(|(_, positions)| positions);
        let odd = branches.iter().position(|&branch| positions(branch) != positions(branches[0]));
        let Some(odd) = odd else { return Ok(()) };
        let (first, other) = (self.graph.shape(branches[0]), self.graph.shape(branches[odd]));
        let message = format!("branch 0 makes {first}, but branch {odd} makes {other}; only channels may differ");
        Err(Error::config(format!("{path}.concat"), message))
    }
}
