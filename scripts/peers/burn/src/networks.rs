//! The networks of the workloads, as a user of burn writes them: images are channels first.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{AdaptiveAvgPool2d, AdaptiveAvgPool2dConfig, MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// Any of them. A sample has the shape (channels, height, width); features are so many channels of one pixel.
#[derive(Module, Debug)]
pub enum Network {
    Mlp(Mlp),
    SmallCnn(SmallCnn),
    Resnet8(Resnet8),
}

impl Network {
    pub fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        match self {
            Network::Mlp(mlp) => mlp.forward(x.flatten(1, 3)),
            Network::SmallCnn(cnn) => cnn.forward(x),
            Network::Resnet8(resnet) => resnet.forward(x),
        }
    }
}

#[derive(Module, Debug)]
pub struct Mlp {
    layers: Vec<Linear>,
}

impl Mlp {
    pub fn new(widths: &[usize], device: &Device) -> Mlp {
        let layers = widths.windows(2).map(|pair| LinearConfig::new(pair[0], pair[1]).init(device));
        Mlp { layers: layers.collect() }
    }

    fn forward(&self, mut x: Tensor<2>) -> Tensor<2> {
        for (at, layer) in self.layers.iter().enumerate() {
            x = layer.forward(if at > 0 { relu(x) } else { x });
        }
        x
    }
}

#[derive(Module, Debug)]
pub struct SmallCnn {
    first: Conv2d,
    second: Conv2d,
    pool: MaxPool2d,
    last: Linear,
}

impl SmallCnn {
    pub fn new(device: &Device) -> SmallCnn {
        let conv = |channels| Conv2dConfig::new(channels, [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1));
        SmallCnn {
            first: conv([1, 16]).init(device),
            second: conv([16, 32]).init(device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
            last: LinearConfig::new(32 * 7 * 7, 10).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = self.pool.forward(relu(self.first.forward(x)));
        let x = self.pool.forward(relu(self.second.forward(x)));
        self.last.forward(x.flatten(1, 3))
    }
}

/// A convolution without bias, and its batch norm.
#[derive(Module, Debug)]
struct Normed {
    conv: Conv2d,
    norm: BatchNorm,
}

impl Normed {
    fn new(channels: [usize; 2], kernel: usize, stride: usize, device: &Device) -> Normed {
        let pad = kernel / 2;
        let conv = Conv2dConfig::new(channels, [kernel, kernel]).with_stride([stride, stride]);
        let conv = conv.with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad)).with_bias(false);
        Normed { conv: conv.init(device), norm: BatchNormConfig::new(channels[1]).init(device) }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.norm.forward(self.conv.forward(x))
    }
}

#[derive(Module, Debug)]
struct Block {
    first: Normed,
    second: Normed,
    shortcut: Option<Normed>,
}

impl Block {
    fn new([inputs, outputs]: [usize; 2], stride: usize, device: &Device) -> Block {
        Block {
            first: Normed::new([inputs, outputs], 3, stride, device),
            second: Normed::new([outputs, outputs], 3, 1, device),
            shortcut: (stride > 1).then(|| Normed::new([inputs, outputs], 1, stride, device)),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.second.forward(relu(self.first.forward(x.clone())));
        relu(match &self.shortcut {
            Some(shortcut) => y + shortcut.forward(x),
            None => y + x,
        })
    }
}

#[derive(Module, Debug)]
pub struct Resnet8 {
    first: Normed,
    blocks: Vec<Block>,
    pool: AdaptiveAvgPool2d,
    last: Linear,
}

impl Resnet8 {
    pub fn new(device: &Device) -> Resnet8 {
        let blocks = [([16, 16], 1), ([16, 32], 2), ([32, 64], 2)];
        Resnet8 {
            first: Normed::new([3, 16], 3, 1, device),
            blocks: blocks.into_iter().map(|(channels, stride)| Block::new(channels, stride, device)).collect(),
            pool: AdaptiveAvgPool2dConfig::new([1, 1]).init(),
            last: LinearConfig::new(64, 10).init(device),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let x = relu(self.first.forward(x));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        self.last.forward(self.pool.forward(x).flatten(1, 3))
    }
}
