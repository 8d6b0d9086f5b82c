//! What a convolution of images takes, as PyTorch spells it.

use serde::Deserialize;
use serde_json::Value;

use crate::graph::Shape;
use crate::nearest::nearest;

/// Most pixels of a kernel, a stride, a padding or a dilation in one direction.
const MOST: usize = 1 << 12;

/// Most channels.
const MOST_CHANNELS: usize = 1 << 20;

/// One number for both directions, or `[vertical, horizontal]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrTwo {
    One(usize),
    Two([usize; 2]),
}

impl OneOrTwo {
    fn both(self) -> [usize; 2] {
        match self {
            OneOrTwo::One(both) => [both, both],
            OneOrTwo::Two(both) => both,
        }
    }
}

/// What is added around an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// So many rows of 0 above and below, and columns left and right.
    Zeros([usize; 2]),
    /// As much as gives an output of the input's size, one more below and to the right if it is odd.
    Same,
}

/// The attributes of a convolution of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Channels that it makes.
    pub channels: usize,
    /// Pixels of the kernel: vertical, horizontal.
    pub kernel: [usize; 2],
    /// Pixels from one output's kernel to the next.
    pub stride: [usize; 2],
    /// What is added around the image.
    pub padding: Padding,
    /// Pixels from one tap of the kernel to the next.
    pub dilation: [usize; 2],
    /// Groups of channels that do not see each other.
    pub groups: usize,
    /// Whether a number is added to each channel.
    pub bias: bool,
}

impl Conv2d {
    /// A convolution with PyTorch's defaults: stride 1, no padding, dilation 1, one group, with bias.
    pub fn new(channels: usize, kernel: usize) -> Conv2d {
        Conv2d {
            channels,
            kernel: [kernel; 2],
            stride: [1; 2],
            padding: Padding::Zeros([0; 2]),
            dilation: [1; 2],
            groups: 1,
            bias: true,
        }
    }

    /// From the arguments of a configuration.
    pub(super) fn parse(arguments: &Value) -> Result<Conv2d, String> {
        let wanted = "a table, as in { channels = 16, kernel = 3, padding = 1 }";
        let Value::Object(table) = arguments else { return Err(format!("takes {wanted}")) };
        let mut conv = Conv2d::new(0, 0);
        for (key, value) in table {
            conv.set(key, value)?;
        }
        for (key, missing) in [("channels", conv.channels == 0), ("kernel", conv.kernel == [0; 2])] {
            if missing {
                return Err(format!("lacks {key:?}; takes {wanted}"));
            }
        }
        conv.check().map(|()| conv)
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), String> {
        let wrong = |wanted: &str| format!("{key} = {value} is not {wanted}");
        let number = || usize::deserialize(value).map_err(|_| wrong("a whole number"));
        let both = || {
            let both = OneOrTwo::deserialize(value).map(OneOrTwo::both);
            both.map_err(|_| wrong("a whole number, or [vertical, horizontal]"))
        };
        match key {
            "channels" => self.channels = number()?,
            "groups" => self.groups = number()?,
            "kernel" => self.kernel = both()?,
            "stride" => self.stride = both()?,
            "dilation" => self.dilation = both()?,
            "padding" if value == "same" => self.padding = Padding::Same,
            "padding" => {
                let padding = both().map_err(|_| wrong("a whole number, [vertical, horizontal] or \"same\""))?;
                self.padding = Padding::Zeros(padding);
            }
            "bias" => self.bias = value.as_bool().ok_or_else(|| wrong("true or false"))?,
            _ => {
                let known = ["channels", "kernel", "stride", "padding", "dilation", "groups", "bias"];
                let hint = match nearest(key, known) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => format!("there is: {}", known.join(", ")),
                };
                return Err(format!("{key:?} is none of its arguments; {hint}"));
            }
        }
        Ok(())
    }

    /// What no image could satisfy.
    pub(super) fn check(&self) -> Result<(), String> {
        let Conv2d { channels, kernel, stride, dilation, groups, .. } = *self;
        for (key, pair) in [("kernel", kernel), ("stride", stride), ("dilation", dilation)] {
            if !pair.iter().all(|size| (1..=MOST).contains(size)) {
                return Err(format!("{key} = {pair:?}; give 1 to {MOST}"));
            }
        }
        match self.padding {
            Padding::Zeros(padding) if padding.iter().any(|&size| size > MOST) => {
                return Err(format!("padding = {padding:?}; give 0 to {MOST}"));
            }
            Padding::Same if stride != [1, 1] => {
                return Err(format!("padding = \"same\" is for a stride of 1, but it is {stride:?}"));
            }
            _ => {}
        }
        if !(1..=MOST_CHANNELS).contains(&channels) {
            return Err(format!("channels = {channels}; give 1 to {MOST_CHANNELS}"));
        }
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(format!("groups = {groups}, which do not divide the {channels} channels that it makes"));
        }
        Ok(())
    }

    /// Rows above and columns to the left of the image that are added.
    pub(super) fn pad(&self) -> [usize; 2] {
        match self.padding {
            Padding::Zeros(pad) => pad,
            Padding::Same => std::array::from_fn(|d| self.dilation[d] * (self.kernel[d] - 1) / 2),
        }
    }

    /// The image that it makes of one of this shape: height, width, channels.
    pub(super) fn made(&self, x: &Shape) -> Result<[usize; 3], String> {
        let &[high, wide, channels] = x.dims() else {
            return Err(format!("x is {x}, but an image is wanted: (rows, height, width, channels)"));
        };
        if !channels.is_multiple_of(self.groups) {
            return Err(format!("x is {x}, whose {channels} channels do not divide into {} groups", self.groups));
        }
        let mut made = [high, wide];
        if let Padding::Zeros(padding) = self.padding {
            for d in 0..2 {
                let (all, kernel) = (made[d] + 2 * padding[d], self.dilation[d] * (self.kernel[d] - 1) + 1);
                if all < kernel {
                    return Err(format!("x is {x}, which is smaller than the kernel of {kernel} pixels"));
                }
                made[d] = (all - kernel) / self.stride[d] + 1;
            }
        }
        Ok([made[0], made[1], self.channels])
    }
}
