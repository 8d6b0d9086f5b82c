//! A JSON schema of configurations, with which editors complete and check them.
//!
//! What a key takes is found by asking: values of every kind are given to the reader of configurations, so that the schema
//! accepts what a configuration does. The texts are those of the template.

use serde_json::{Map, Value as Json, json};
use toml::{Table, Value};

use super::config::Config;
use super::keys::{self, KEYS, Key};
use super::load::takes;
use super::template;
use crate::{nn, ops};

/// Lists in lists as deep as this are found.
const DEPTH: usize = 3;

/// The JSON schema of a configuration file, in the draft of 2020-12.
pub fn schema() -> Json {
    let (template, defaults) = (template(), defaults());
    let section = |section: &'static str| {
        let keys = KEYS.iter().filter(|key| key.section == section);
        let properties: Map<String, Json> =
            keys.map(|key| (key.name.to_owned(), property(key, &template, &defaults))).collect();
        (section.to_owned(), closed(properties))
    };
    let mut schema = closed(keys::sections().into_iter().map(section).collect());
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("A training of Accrue");
    schema["$defs"] = json!({ "layer": layer(), "layers": layers() });
    schema
}

/// What is done to images at random.
fn augment() -> Json {
    let crop = json!({ "type": "integer", "minimum": 1 });
    let crop = json!({ "type": "object", "properties": { "crop": crop }, "required": ["crop"], "additionalProperties": false });
    json!({ "type": "array", "items": { "anyOf": [{ "enum": ["flip"] }, crop] } })
}

/// Any list of layers.
fn layers() -> Json {
    json!({ "type": "array", "items": { "$ref": "#/$defs/layer" } })
}

/// One layer: a width, a name, or a table of one name. Layers are made of layers.
fn layer() -> Json {
    let list = json!({ "$ref": "#/$defs/layers" });
    let table = |properties: Json, required: Json| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    let nests: [Json; nn::NESTS.len()] = [
        json!({ "anyOf": [list, table(json!({ "body": list, "shortcut": list }), json!(["body"]))] }),
        table(json!({ "times": { "type": "integer", "minimum": 1 }, "layers": list }), json!(["times", "layers"])),
        json!({ "type": "array", "items": list, "minItems": 2 }),
        json!({ "type": "string" }),
    ];
    let nests = nn::NESTS.into_iter().zip(nests).map(|(name, schema)| (name.to_owned(), schema));
    let ops = ops::taking_arguments().into_iter().map(|name| (name.to_owned(), json!({})));
    let mut one = closed(ops.chain(nests).collect());
    (one["minProperties"], one["maxProperties"]) = (json!(1), json!(1));
    let width = json!({ "type": "integer", "minimum": 1, "maximum": nn::WIDEST });
    any_of(vec![width, json!({ "enum": ops::layers() }), one])
}

/// The output layer.
fn output() -> Json {
    let switch = || json!({ "type": "boolean" });
    closed(Map::from_iter([("tied".to_owned(), switch()), ("bias".to_owned(), switch())]))
}

/// An object with these properties and no others.
fn closed(properties: Map<String, Json>) -> Json {
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// What a configuration says without being told.
fn defaults() -> Json {
    serde_json::to_value(Config::default()).unwrap_or_default()
}

/// One key: what it takes, what it means, its default and an example.
fn property(key: &Key, template: &str, defaults: &Json) -> Json {
    let mut schema = match (key.section, key.name) {
        ("model", "layers") => layers(),
        ("data", "augment") => augment(),
        ("model", "output") => output(),
        _ => any_of(Probe { key, wrap: &|value| value, depth: 0 }.alternatives()),
    };
    schema["description"] = json!(format!("{}\n\nTakes {}.", comment(key, template), key.wanted));
    let example = format!("example = {}", key.example).parse::<Table>().ok();
    if let Some(example) = example.and_then(|table| serde_json::to_value(table.get("example")).ok()) {
        schema["examples"] = json!([example]);
    }
    let default = &defaults[key.section][key.name];
    // An empty one stands for a key that has no default.
    if !default.is_null() && *default != json!("") && *default != json!([]) {
        schema["default"] = default.clone();
    }
    schema
}

/// What the template says about a key, in one line.
fn comment(key: &Key, template: &str) -> String {
    let start = format!("{} = ", key.name);
    let mut lines = template.lines().skip_while(|line| !line.trim_start_matches("# ").starts_with(&start));
    let first = lines.next().and_then(|line| line.split_once("  # ")).map_or("", |(_, comment)| comment);
    let rest = lines.map_while(|line| line.strip_prefix("     ")?.trim_start().strip_prefix("# "));
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join(" ")
}

fn any_of(mut alternatives: Vec<Json>) -> Json {
    match alternatives.len() {
        1 => alternatives.remove(0),
        _ => json!({ "anyOf": alternatives }),
    }
}

/// A place in the value of a key: the whole of it, or an element of a list in it.
struct Probe<'a> {
    key: &'a Key,
    /// Puts a value into this place.
    wrap: &'a dyn Fn(Value) -> Value,
    /// In how many lists or tables the place is.
    depth: usize,
}

impl Probe<'_> {
    fn takes(&self, value: impl Into<Value>) -> bool {
        takes(&self.key.path(), (self.wrap)(value.into()))
    }

    /// A schema for each kind of value that is taken here.
    fn alternatives(&self) -> Vec<Json> {
        let switch = self.takes(true).then(|| json!({ "type": "boolean" }));
        [switch, self.number(), self.text(), self.list(), self.table()].into_iter().flatten().collect()
    }

    fn number(&self) -> Option<Json> {
        if self.takes(0.5) {
            return Some(json!({ "type": "number" }));
        }
        let whole = self.takes(1).then(|| json!({ "type": "integer" }));
        whole.map(|schema| if self.takes(-1) { schema } else { json!({ "type": "integer", "minimum": 0 }) })
    }

    fn text(&self) -> Option<Json> {
        let names = names(self.key);
        if self.takes("?") {
            return Some(if names.is_empty() { json!({ "type": "string" }) } else { json!({ "enum": names }) });
        }
        // Only some words are taken; those that the key names are among them.
        let wanted = &self.key.wanted;
        let bare = wanted.split(|letter: char| !letter.is_alphanumeric() && letter != '-' && letter != '_');
        let mut words: Vec<&str> = wanted.split('"').skip(1).step_by(2).chain(bare).collect();
        let mut known = std::collections::HashSet::new();
        words.retain(|word| known.insert(*word) && self.takes(*word));
        (!words.is_empty()).then(|| json!({ "enum": words }))
    }

    /// Lists of any length, or pairs where they have to be pairs.
    fn list(&self) -> Option<Json> {
        let items = self.inside(&|value| Value::Array(vec![value]));
        if let Some(items) = items {
            return Some(json!({ "type": "array", "items": items }));
        }
        let items = self.inside(&|value| Value::Array(vec![value.clone(), value]))?;
        Some(json!({ "type": "array", "items": items, "minItems": 2, "maxItems": 2 }))
    }

    fn table(&self) -> Option<Json> {
        let put = |value| Value::Table(Table::from_iter([("?".to_owned(), value)]));
        // One that takes anything here is checked later.
        if self.takes(put(true.into())) && self.takes(put("?".into())) {
            return Some(json!({ "type": "object" }));
        }
        let values = self.inside(&put)?;
        Some(json!({ "type": "object", "additionalProperties": values }))
    }

    /// What is taken one list or table further in.
    fn inside(&self, put: &dyn Fn(Value) -> Value) -> Option<Json> {
        if self.depth == DEPTH {
            return None;
        }
        let wrap = |value| (self.wrap)(put(value));
        let found = Probe { key: self.key, wrap: &wrap, depth: self.depth + 1 }.alternatives();
        (!found.is_empty()).then(|| any_of(found))
    }
}

/// The names that a key takes although the reader takes any text: the network is checked later.
fn names(key: &Key) -> Vec<&'static str> {
    match (key.section, key.name) {
        ("model", "loss") => ops::losses(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the schema says of a key, without texts.
    fn of(path: &str) -> Json {
        let (section, name) = path.split_once('.').unwrap();
        let mut found = schema()["properties"][section]["properties"][name].clone();
        found
            .as_object_mut()
            .unwrap()
            .retain(|name, _| !["description", "examples", "default"].contains(&name.as_str()));
        found
    }

    #[test]
    fn every_key_takes_what_a_configuration_does() {
        let (text, whole) = (json!({ "type": "string" }), json!({ "type": "integer", "minimum": 0 }));
        let pair = |items: Json| json!({ "type": "array", "items": items, "minItems": 2, "maxItems": 2 });
        let list = |items: &Json| json!({ "type": "array", "items": items });
        assert_eq!(of("data.path"), text);
        assert_eq!(of("data.target"), json!({ "anyOf": [text, list(&text)] }));
        assert_eq!(of("data.validation"), json!({ "anyOf": [{ "type": "number" }, text] }));
        assert_eq!(of("data.standardize"), json!({ "anyOf": [{ "type": "boolean" }, { "enum": ["robust"] }] }));
        assert_eq!(of("train.batch"), json!({ "anyOf": [whole, list(&pair(whole.clone()))] }));
        assert_eq!(of("train.micro_batch"), json!({ "anyOf": [whole, { "enum": ["auto", "fastest"] }] }));
        assert_eq!(of("train.checkpoint"), json!({ "anyOf": [whole, text] }));
        assert_eq!(of("optimizer.betas"), pair(json!({ "type": "number" })));
        assert_eq!(of("optimizer.schedule")["enum"][0], "constant");
        let kinds = json!({ "enum": ["number", "category", "boolean", "date", "text", "drop"] });
        assert_eq!(of("data.columns"), json!({ "type": "object", "additionalProperties": kinds }));
        assert_eq!(of("data.header"), json!({ "anyOf": [{ "type": "boolean" }, list(&text)] }));
        assert_eq!(of("data.decimal"), json!({ "enum": [".", ","] }));
        assert_eq!(of("data.encoding"), json!({ "enum": ["utf-8", "utf-16", "latin-1"] }));
        assert_eq!(of("model.loss"), json!({ "enum": ops::losses() }));
        assert_eq!(of("model.layers"), list(&json!({ "$ref": "#/$defs/layer" })));
        let factors = json!({ "anyOf": [{ "type": "number" }, { "enum": ["fan_in"] }] });
        assert_eq!(of("optimizer.lr_factors"), json!({ "type": "object", "additionalProperties": factors }));
        let weights = json!({ "type": "object", "additionalProperties": { "type": "number" } });
        assert_eq!(of("train.class_weight"), json!({ "anyOf": [{ "enum": ["balanced"] }, weights] }));
    }

    #[test]
    fn layers_are_made_of_layers() {
        let schema = schema();
        let layer = &schema["$defs"]["layer"]["anyOf"];
        assert_eq!((&layer[0]["minimum"], &layer[1]["enum"]), (&json!(1), &json!(ops::layers())));
        let tables = &layer[2]["properties"];
        assert_eq!(tables["embedding"], json!({}));
        let list = json!({ "$ref": "#/$defs/layers" });
        assert_eq!(schema["$defs"]["layers"]["items"], json!({ "$ref": "#/$defs/layer" }));
        assert_eq!(tables["residual"]["anyOf"][0], list);
        assert_eq!(tables["residual"]["anyOf"][1]["properties"]["shortcut"], list);
        assert_eq!((&tables["repeat"]["properties"]["layers"], &tables["concat"]["items"]), (&list, &list));
    }

    #[test]
    fn every_key_is_there_with_its_text_and_takes_something() {
        let schema = schema();
        for key in &*KEYS {
            let found = &schema["properties"][key.section]["properties"][key.name];
            let text = found["description"].as_str().unwrap();
            assert!(!text.starts_with('\n') && text.contains(&key.wanted), "{}: {text}", key.path());
            assert_eq!(found["examples"].as_array().unwrap().len(), 1, "{}", key.path());
            let some = ["type", "enum", "anyOf"].iter().any(|kind| !found[kind].is_null());
            assert!(some && found["anyOf"] != json!([]), "{}: {found}", key.path());
        }
        let layers = schema["properties"]["model"]["properties"]["layers"]["description"].as_str().unwrap();
        assert!(layers.contains("There is: linear") || layers.contains("relu, "), "{layers}");
        assert_eq!(schema["properties"]["train"]["properties"]["epochs"]["default"], 10);
        assert!(schema["properties"]["data"]["properties"]["path"]["default"].is_null());
    }
}
