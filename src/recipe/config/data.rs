//! The section `[data]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::data::Layout;
use crate::data::split::Split;
use crate::data::table::{Charset, Header, Kind, Missing, Reading, Scaling, Separator, Wanted};
use crate::plan::Augment;

/// The section `[data]`. What is said of tables does not matter to arrays and images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// A table, arrays of NumPy, IDX files, or a folder with a folder of images for each class; `-` is standard input.
    pub path: PathBuf,
    /// The columns or arrays to predict. Without it a folder of images has the target `class`, and an IDX file `labels`.
    pub target: Names,
    /// The columns or arrays that are features; every other one without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Names>,
    /// Columns that are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore: Option<Names>,
    /// The kinds of columns of a table, where looking finds others.
    #[serde(skip_serializing_if = "is_default")]
    pub columns: BTreeMap<String, Kind>,
    /// What separates the cells of a row; found by looking without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub separator: Option<Separator>,
    /// The decimal sign; found by looking without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decimal: Option<Decimal>,
    /// How letters are bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Charset>,
    /// Whether the first row has the names of the columns, or these names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<Header>,
    /// What is done about missing cells.
    #[serde(skip_serializing_if = "is_default")]
    pub missing: Missing,
    /// Texts that stand for a missing cell, beside the usual ones.
    #[serde(skip_serializing_if = "is_default")]
    pub missing_values: Vec<String>,
    /// A category of more levels than this becomes an index into a learned table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_hot: Option<u32>,
    /// How images lie in the file.
    #[serde(skip_serializing_if = "is_default")]
    pub layout: Layout,
    /// `[height, width]` to which the images of a folder are resized; without it all of them must have one size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<[usize; 2]>,
    /// What a token of a text is; characters without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// Tokens that the model sees at once: this makes `path` a text, of which each next token is to be predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<u32>,
    /// Sequences of an epoch; as many as lie in the text end to end without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequences: Option<u32>,
    /// What is done to images at random in training.
    #[serde(skip_serializing_if = "is_default")]
    pub augment: Vec<Augmentation>,
    /// The rows held back to measure the model on.
    pub validation: Validation,
    /// How these rows are chosen; stratified for classes and random for numbers without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// The column whose equal cells stay on one side of the split.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How features (and the targets of a regression) are scaled.
    pub standardize: Standardize,
    /// The column that says how much each row counts; without it all count 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
}

/// `data.tokens`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tokens {
    /// Each character is one.
    #[default]
    Characters,
    /// Each byte is one.
    Bytes,
    /// The file has arrays of tokens by their numbers.
    Numbers,
}

/// One thing that is done to images at random.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Augmentation {
    /// Half of them are flipped from left to right.
    Flip,
    /// So many rows and columns of 0 are put around an image, and one of its size is cut out anywhere.
    Crop(u32),
}

/// One column, or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// The name of one column.
    One(String),
    /// The names of several columns.
    Many(Vec<String>),
}

/// The source of the rows to measure the model on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Validation {
    /// This share of the rows of `data.path`; 0 for none.
    Share(f64),
    /// Every row of another file.
    File(PathBuf),
}

/// `data.standardize`: whether, and by which statistics of the training rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Standardize {
    /// To mean 0 and deviation 1, or not at all.
    Switch(bool),
    /// By other statistics.
    By(Statistics),
}

/// Statistics to scale by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistics {
    /// Features by median and quartiles, far values drawn in smoothly; targets by mean and deviation.
    Robust,
}

/// `data.decimal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decimal {
    /// `1.5`
    #[serde(rename = ".")]
    Point,
    /// `1,5`
    #[serde(rename = ",")]
    Comma,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            target: Names::Many(Vec::new()),
            features: None,
            ignore: None,
            columns: BTreeMap::new(),
            separator: None,
            decimal: None,
            encoding: None,
            header: None,
            missing: Missing::Fill,
            missing_values: Vec::new(),
            one_hot: None,
            layout: Layout::default(),
            size: None,
            tokens: None,
            context: None,
            sequences: None,
            augment: Vec::new(),
            validation: Validation::Share(0.2),
            split: None,
            group: None,
            standardize: Standardize::Switch(true),
            weight: None,
        }
    }
}

impl Augmentation {
    /// All names.
    pub const NAMES: [&str; 2] = ["flip", "crop"];
}

impl Data {
    /// Whether `path` is a text.
    pub fn is_text(&self) -> bool {
        self.context.is_some()
    }

    /// What is done to images at random, in training.
    pub fn augments(&self) -> Augment {
        let mut all = Augment::default();
        for one in &self.augment {
            match one {
                Augmentation::Flip => all.flip = true,
                Augmentation::Crop(by) => all.crop = *by,
            }
        }
        all
    }

    /// How a file of a table is read.
    pub fn reading(&self) -> Reading {
        Reading { separator: self.separator, encoding: self.encoding, header: self.header.clone(), likely: None }
    }

    /// What is wanted of a table; whether its target is one of several classes is for the loss to say.
    pub fn wanted(&self, classes: Option<bool>) -> Wanted {
        let names = |names: &Option<Names>| names.as_ref().map(|names| names.names().to_vec());
        let default = Wanted::default();
        Wanted {
            target: self.target.names().to_vec(),
            classes,
            features: names(&self.features),
            ignore: names(&self.ignore).unwrap_or_default(),
            weight: self.weight.clone(),
            group: self.group.clone(),
            kinds: self.columns.clone(),
            missing: self.missing,
            missing_values: self.missing_values.clone(),
            decimal: self.decimal.map(Decimal::sign),
            one_hot: self.one_hot.map_or(default.one_hot, |levels| levels as usize),
            scale: self.standardize.scaling(),
        }
    }
}

impl Standardize {
    /// The scaling of a table's columns.
    pub fn scaling(self) -> Scaling {
        match self {
            Standardize::Switch(false) => Scaling::None,
            Standardize::Switch(true) => Scaling::Standard,
            Standardize::By(Statistics::Robust) => Scaling::Robust,
        }
    }
}

impl Decimal {
    /// The sign.
    pub fn sign(self) -> char {
        match self {
            Decimal::Point => '.',
            Decimal::Comma => ',',
        }
    }
}

impl Names {
    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        match self {
            Names::One(name) => std::slice::from_ref(name),
            Names::Many(names) => names,
        }
    }
}
