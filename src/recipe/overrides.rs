//! `--set train.batch=64`: keys from the command line that replace keys of the file.

use toml::Value;

use super::settings::{Setting, Settings};
use crate::quote::short;
use crate::{Error, Result};

/// Keys that are tables, whose entries can be set one by one: `--set data.columns.zip=category`.
const TABLES: [&str; 3] = ["data.columns", "train.class_weight", "optimizer.lr_factors"];

/// Applies every override to the settings; the last one of a name wins.
///
/// Of `batch`, `micro_batch` and `accumulation_steps` any two give the third, so an override of one replaces the one in the
/// file that would contradict it; `batch`, which the maths sees, is the last to be replaced.
pub fn apply(overrides: &[String], settings: &mut Settings) -> Result<()> {
    for text in overrides {
        let setting = parse(text)?;
        settings.put(entry(&setting, settings).unwrap_or(setting));
    }
    let parts = ["train.accumulation_steps", "train.micro_batch", "train.batch"];
    let lines: Vec<_> = parts.iter().filter_map(|name| Some((name, settings.get(name)?.line))).collect();
    let overridden = lines.iter().any(|(_, line)| line.is_none());
    if overridden
        && lines.len() == parts.len()
        && let Some((in_file, _)) = lines.iter().find(|(_, line)| line.is_some())
    {
        settings.remove(in_file);
    }
    Ok(())
}

/// The table with one more entry, where a name is that of an entry.
fn entry(setting: &Setting, settings: &Settings) -> Option<Setting> {
    let (table, name) =
        TABLES.into_iter().find_map(|table| Some((table, setting.name.strip_prefix(table)?.strip_prefix('.')?)))?;
    let mut entries = match settings.get(table).map(|setting| setting.value.clone()) {
        Some(Value::Table(entries)) => entries,
        _ => toml::Table::new(),
    };
    entries.insert(name.to_owned(), setting.value.clone());
    Some(Setting { name: table.to_owned(), value: Value::Table(entries), line: None })
}

/// Splits `key=value`. The value is TOML; anything else is text, so that strings need no quotes.
fn parse(text: &str) -> Result<Setting> {
    let wrong = |why: &str| {
        Error::config(format!("--set {}", short(text)), format!("{why}; write, for example, --set train.epochs=5"))
    };
    let (name, value) = text.split_once('=').ok_or_else(|| wrong("there is no `=`"))?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() {
        return Err(wrong("there is no key before the `=`"));
    }
    if value.is_empty() {
        return Err(wrong("there is no value after the `=`"));
    }
    let value = match value.parse::<Value>() {
        Ok(value) => value,
        Err(error) if value.starts_with(['[', '{', '"', '\'']) => {
            return Err(wrong(&format!("the value is not TOML ({})", error.message())));
        }
        Err(_) => Value::String(value.to_owned()),
    };
    Ok(Setting { name: name.to_owned(), value, line: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Value {
        parse(text).unwrap().value
    }

    fn left(file: &str, overrides: &[&str]) -> Vec<String> {
        let mut settings = Settings::parse(&format!("[train]\n{file}"), "c").unwrap();
        apply(&overrides.iter().map(|&text| text.to_owned()).collect::<Vec<_>>(), &mut settings).unwrap();
        settings.iter().map(|s| format!("{}={}", s.name.trim_start_matches("train."), s.value)).collect()
    }

    #[test]
    fn a_value_is_toml_or_else_text() {
        assert_eq!(value("train.epochs=5"), Value::Integer(5));
        assert_eq!(value("optimizer.lr = 1e-3"), Value::Float(1e-3));
        assert_eq!(value("train.shuffle=false"), Value::Boolean(false));
        assert_eq!(value("train.tail=drop"), Value::String("drop".into()));
        assert_eq!(value("data.path=a=b.csv"), Value::String("a=b.csv".into()));
        assert_eq!(value(r#"data.path="5""#), Value::String("5".into()));
        assert!(value(r#"model.layers=[8, "relu"]"#).is_array());
        assert_eq!(value("data.path=1\nx = 2"), Value::String("1\nx = 2".into()));
    }

    #[test]
    fn a_malformed_override_is_refused_with_an_example() {
        for text in ["train.epochs", "=5", "train.epochs=", "model.layers=[8, relu]", "data.path=\"x", ""] {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, Error::Config { .. }));
            assert!(error.to_string().ends_with("write, for example, --set train.epochs=5"), "{error}");
        }
    }

    #[test]
    fn an_entry_of_a_table_is_set_alone() {
        let mut settings = Settings::parse("[data.columns]\nzip = \"drop\"\n\"a.b\" = \"text\"\n", "c").unwrap();
        let sets = ["data.columns.zip=category", "data.columns.n b=number", "optimizer.lr_factors.bias=0.1"];
        apply(&sets.map(str::to_owned), &mut settings).unwrap();
        let shown = |name: &str| settings.get(name).unwrap().value.to_string();
        assert_eq!(shown("data.columns"), r#"{ "a.b" = "text", "n b" = "number", zip = "category" }"#);
        assert_eq!(shown("optimizer.lr_factors"), "{ bias = 0.1 }");
        assert!(left("seed = 1", &["train.seed.x=2"]).contains(&"seed.x=2".to_owned()), "no table: an unknown key");
    }

    #[test]
    fn the_last_override_of_a_name_wins() {
        assert_eq!(left("seed = 1", &["train.seed=2", "train.seed=3"]), ["seed=3"]);
    }

    #[test]
    fn an_override_of_the_partition_takes_the_place_of_what_would_contradict_it() {
        assert_eq!(
            left("batch = 8\nmicro_batch = 4", &["train.accumulation_steps=8"]),
            ["batch=8", "accumulation_steps=8"]
        );
        let all = "batch = 8\nmicro_batch = 4\naccumulation_steps = 2";
        assert_eq!(left(all, &["train.micro_batch=2"]), ["batch=8", "micro_batch=2"]);
        assert_eq!(left(all, &["train.batch=16"]), ["micro_batch=4", "batch=16"]);
        assert_eq!(
            left(all, &["train.micro_batch=2", "train.accumulation_steps=5"]),
            ["micro_batch=2", "accumulation_steps=5"]
        );
        assert_eq!(left(all, &["train.seed=1"]).len(), 4);
    }
}
