use safetensors::tensor::TensorInfo;

use super::super::{Layer, MOST_LAYERS, initial};
use super::*;

fn saved() -> ModelFile {
    let model = Model::new(3, &[2.into(), "relu".into(), 1.into()], "mse").unwrap();
    let scale = Standardizer { mean: vec![0.1; 3], std: vec![2.0; 3] };
    ModelFile {
        arrays: initial(&model, 0),
        features: ["a", "b", "c"].map(str::to_owned).to_vec(),
        feature_scale: Some(scale),
        preparation: None,
        reading: Reading::default(),
        target: TargetNames::Values { names: vec!["y".into()], scale: None },
        tokenizer: None,
        epoch: None,
        model,
    }
}

/// The bytes of a file as [`ModelFile::write`] makes them.
fn bytes_of(saved: &ModelFile) -> Vec<u8> {
    let path = std::env::temp_dir().join(format!("accrue-{}-{:?}", std::process::id(), std::thread::current().id()));
    saved.write(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    bytes
}

fn read(bytes: &[u8]) -> Result<ModelFile> {
    ModelFile::from_bytes(bytes, Path::new("m"))
}

/// What a file is refused with.
fn refusal(bytes: &[u8]) -> String {
    let error = read(bytes).unwrap_err();
    assert!(matches!(error, Error::ModelFile { .. }), "{error:?}");
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() < 1000 && text.starts_with("m: "), "{text}");
    text
}

/// A file with this header and data.
fn file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// A file whose description is that of [`saved`] with one part of it replaced, and no checksum.
fn described(old: &str, new: &str) -> Vec<u8> {
    let text = saved().description(Path::new("m")).unwrap();
    assert!(text.contains(old), "{text} has {old}");
    let views = saved().arrays.into_iter().map(|(name, array)| {
        let bytes: Vec<u8> = bytemuck::cast_slice(&array.values).to_vec();
        (name, array.shape, bytes)
    });
    let (mut tensors, mut data) = (Vec::new(), Vec::new());
    for (name, shape, bytes) in views {
        let data_offsets = (data.len(), data.len() + bytes.len());
        tensors.push((name, TensorInfo { dtype: safetensors::Dtype::F32, shape, data_offsets }));
        data.extend(bytes);
    }
    let metadata = [(KEY.to_owned(), text.replace(old, new))].into();
    let metadata = safetensors::tensor::Metadata::new(Some(metadata), tensors).unwrap();
    file(&serde_json::to_string(&metadata).unwrap(), &data)
}

#[test]
fn what_was_written_is_read_and_equal_models_give_equal_files() {
    let bytes = bytes_of(&saved());
    assert_eq!(read(&bytes).unwrap(), saved());
    assert_eq!(bytes, bytes_of(&saved()));
    assert!(safetensors::SafeTensors::deserialize(&bytes).is_ok(), "other programs can read it");
    assert_eq!(arrays_from_bytes(&bytes, Path::new("m"), &saved().model).unwrap(), saved().arrays);
}

#[test]
fn a_flipped_bit_is_found_or_changes_nothing() {
    let good = bytes_of(&saved());
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << bit;
            assert!(read(&bytes).is_err_and(|_| refusal(&bytes).len() > 3) || read(&bytes).unwrap() == saved());
            if let Ok(arrays) = arrays_from_bytes(&bytes, Path::new("m"), &saved().model) {
                assert!(arrays == saved().arrays, "bit {bit} of byte {at} changes what training starts from");
            }
        }
    }
}

#[test]
fn a_file_that_ends_anywhere_else_is_refused() {
    let good = bytes_of(&saved());
    for len in 0..good.len() {
        refusal(&good[..len]);
    }
    assert!(refusal(&[&good[..], b"0"].concat()).contains("is it whole?"));
    assert!(refusal(b"PK\x03\x04 a zip of pickles").contains("no safetensors file"));
}

#[test]
fn a_file_without_a_checksum_is_read_with_all_other_checks() {
    assert_eq!(read(&described("mse", "mse")).unwrap(), saved());
    assert!(refusal(&described("\"inputs\":3", "\"inputs\":4")).contains("names 3 features, but the model takes 4"));
    assert!(refusal(&described("\"layers\":[2,", "\"layers\":[9,")).contains("0.bias is [2], but the model takes [9]"));
    assert!(refusal(&described("\"relu\",", "")).contains("holds \"2.bias\", which the model does not have"));
    assert!(refusal(&described("\"relu\"", "\"re\\nlu\"")).contains(r#""re\nlu" is not a known layer"#));
    assert!(refusal(&described("2.0,2.0,2.0", "2.0,0.0,2.0")).contains("the scale of number 1 of its features"));
    assert!(refusal(&described("2.0,2.0,2.0", "2.0,2.0")).contains("scales 3 and 2 features of 3"));
    assert!(refusal(&described("2.0,2.0,2.0", "2.0,1e999,2.0")).contains("description is damaged"));
    assert!(refusal(&described("mse", "cross_entropy")).contains("does not fit its target"));
}

#[test]
fn sizes_beyond_reason_are_refused_before_anything_is_made_for_them() {
    let huge = "1000000000000000000";
    assert!(refusal(&described("\"inputs\":3", &format!("\"inputs\":{huge}"))).contains(&format!("{huge} features")));
    assert!(refusal(&described("[2,", &format!("[{huge},"))).contains("a layer of width 1000000000000000000"));
    let layers = format!("[{}2,", "2,".repeat(1_000_000));
    assert!(refusal(&described("[2,", &layers)).contains("model.layers: 1000003 layers; give 1 to 1024"));
    for header in [
        format!(r#"{{"w":{{"dtype":"F32","shape":[{huge},{huge}],"data_offsets":[0,4]}}}}"#),
        format!(r#"{{"w":{{"dtype":"F32","shape":[{huge}],"data_offsets":[0,4]}}}}"#),
        format!(r#"{{"w":{{"dtype":"F32","shape":[1],"data_offsets":[{huge},{huge}]}}}}"#),
        format!(r#"{{"w":{{"dtype":"F32","shape":[1],"data_offsets":[0,{}]}}}}"#, u64::MAX),
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"v":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.into(),
        r#"{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#.into(),
        "[".repeat(100_000),
        "{}".into(),
    ] {
        refusal(&file(&header, &[0; 4]));
    }
    let mut large = file("", &[]);
    large[..8].copy_from_slice(&(MOST_HEADER + 1).to_le_bytes());
    assert!(refusal(&large).contains("are the most"));
    // Said to be long, but read from something that is short: what is missing is not made up.
    let good = bytes_of(&saved());
    assert!(Container::read(&good[..200], 1 << 40, Path::new("m"), KEY).is_err());
}

#[test]
fn an_image_that_is_seen_as_such_has_a_scale_for_each_channel_and_no_list_of_names() {
    let model = Model::of_shape(&[2, 1, 3], &["flatten".into(), Layer::Linear(4)], "mse").unwrap();
    let features = pixels::names("image", [2, 1, 3]);
    let scale = Standardizer { mean: vec![0.5; 3], std: vec![2.0; 3] };
    let outputs = (0..model.outputs()).map(|at| at.to_string()).collect();
    let target = TargetNames::Values { names: outputs, scale: None };
    let image =
        ModelFile { arrays: initial(&model, 0), features, feature_scale: Some(scale), target, model, ..saved() };
    let text = image.description(Path::new("m")).unwrap();
    assert!(text.contains(r#""features":{"image":"image","dims":[2,1,3]}"#), "{text}");
    assert_eq!(read(&bytes_of(&image)).unwrap(), image);
    let mut other = image.clone();
    other.features.swap(0, 1);
    assert_eq!(read(&bytes_of(&other)).unwrap(), other, "other names are listed");
    let scale = Standardizer { mean: vec![0.5; 2], std: vec![2.0; 2] };
    let two = ModelFile { feature_scale: Some(scale), ..image };
    assert!(refusal(&bytes_of(&two)).contains("scales 2 and 2 features of 6"));
    let huge = FeatureNames::Image { image: "x".into(), dims: [usize::MAX, 2, 3] };
    assert!(huge.list().unwrap_err().contains("1048576 are the most"));
}

#[test]
fn names_that_have_no_room_in_a_file_are_refused_before_training() {
    let count = 200_000;
    let model = Model::new(count, &[Layer::Linear(1)], "mse").unwrap();
    let scale = Standardizer { mean: vec![0.1; count], std: vec![1.0 / 3.0; count] };
    let features = (0..count).map(|at| format!("feature {at}")).collect();
    let many = ModelFile { model, features, feature_scale: Some(scale), arrays: Arrays::new(), ..saved() };
    let text = many.check_size(Path::new("m")).unwrap_err().to_string();
    assert!(text.contains("200000 features") && text.contains("give fewer columns"), "{text}");
    saved().check_size(Path::new("m")).unwrap();
}

#[test]
fn weights_of_another_model_are_refused_by_name_and_shape() {
    let bytes = bytes_of(&saved());
    let other = Model::new(3, &[4.into(), "relu".into(), 1.into()], "mse").unwrap();
    let error = arrays_from_bytes(&bytes, Path::new("m"), &other).unwrap_err();
    assert!(matches!(error, Error::Config { .. }));
    assert!(
        error.to_string().starts_with("model.init: m 0.bias is [2], but the model takes [4]; take a file"),
        "{error}"
    );
    let layers = vec![Layer::Linear(1); MOST_LAYERS + 1];
    assert!(Model::new(3, &layers, "mse").is_err());
    let mut nan = saved();
    nan.arrays.get_mut("2.weight").unwrap().values[1] = f32::NAN;
    assert!(refusal(&bytes_of(&nan)).contains("\"2.weight\" has NaN at element 1; weights must be finite"));
}

#[test]
fn a_nested_model_is_read_as_it_was_written_and_one_whose_shapes_do_not_fit_is_not() {
    let layers = r#"[4, {"residual": [2, "relu", 4]}, {"concat": [[], ["scale"]]}, 1]"#;
    let layers: Vec<Layer> = serde_json::from_str(layers).unwrap();
    let model = Model::new(3, &layers, "mse").unwrap();
    let arrays = crate::nn::initial(&model, 3);
    let nested = ModelFile { arrays, ..ModelFile::unnamed(&model) };
    let path = std::env::temp_dir().join(format!("accrue-nested-{}", std::process::id()));
    nested.write(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(read(&bytes).unwrap(), nested);
    let odd: Vec<Layer> = serde_json::from_str(r#"[4, {"residual": [2]}, 3]"#).unwrap();
    let odd = ModelFile { arrays: Arrays::new(), ..ModelFile::unnamed(&Model::new(3, &odd, "mse").unwrap()) };
    assert!(odd.check().unwrap_err().starts_with("model.layers[1].residual: its body makes (rows, 2)"));
}
