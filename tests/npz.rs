//! Arrays that NumPy wrote (`tests/npz/make.py`), read as a table is.

use std::path::{Path, PathBuf};

use accrue::data::{Chunks, Dataset, FeatureNames, Layout, Spec, Targets, Values, read_features_file, read_file};
use accrue::tensor::Element;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/npz").join(name)
}

fn read(name: &str, spec: &Spec) -> Dataset {
    read_file(&file(name), spec).unwrap()
}

fn message(name: &str, spec: &Spec) -> String {
    let message = read_file(&file(name), spec).unwrap_err().to_string();
    let at = message.find("tests/npz/").expect("the place is the file");
    message[at + "tests/npz/".len()..].to_owned()
}

fn given(names: &[&str], spec: Spec) -> Spec {
    Spec { features: FeatureNames::Given(names.iter().map(|&name| name.to_owned()).collect()), ..spec }
}

/// Pixels stay bytes.
fn pixels(count: u8) -> Values {
    Values::U8((0..count).collect())
}

fn counted(count: usize) -> Vec<f32> {
    (0..count).map(|number| number as f32).collect()
}

const LABELS: [u32; 6] = [0, 2, 0, 2, 1, 1];

#[test]
fn columns_labels_and_weights_are_read_from_arrays_compressed_or_not() {
    let spec = Spec { weight: Some("w".into()), ..Spec::classes("y") };
    let data = read("plain.npz", &spec);
    data.check().unwrap();
    assert_eq!(data.features.names, ["x.0", "x.1", "x.2"]);
    assert_eq!(data.features.values, Values::F32(counted(18)));
    let classes = ["2", "9", "10"].map(str::to_owned).to_vec();
    assert_eq!(data.targets, Targets::Classes { name: "y".into(), classes, labels: LABELS.to_vec() });
    assert_eq!(data.weights.as_deref(), Some(&[1.0, 2.0, 0.0, 1.0, 0.5, 1.0][..]));
    assert_eq!(read("packed.npz", &spec), data);
    assert_eq!(read("plain.npz", &spec.like(&data)), data, "by the names of its columns");
    let mut chunks = Chunks::open(&file("packed.npz"), &spec.like(&data)).unwrap();
    let (mut part, mut values) = (chunks.empty(), Vec::new());
    while chunks.fill(&mut part, 4).unwrap() {
        values.extend_from_slice(&part.features.values.to_f32());
    }
    assert_eq!(values[..], *data.features.values.to_f32(), "in parts");
}

#[test]
fn several_arrays_and_single_columns_can_be_named() {
    let data = read("plain.npz", &given(&["w", "x.2", "x.0"], Spec::values(["x.1", "y"])));
    assert_eq!(data.features.names, ["w", "x.2", "x.0"]);
    assert_eq!(data.features.values.to_f32()[..6], [1.0, 2.0, 0.0, 2.0, 5.0, 3.0]);
    let Targets::Values { names, values } = &data.targets else { panic!("numbers") };
    assert_eq!((&names[..], &values[..4]), (&["x.1".to_owned(), "y".into()][..], &[1.0, 2.0, 4.0, 10.0][..]));
    let rest = read("plain.npz", &Spec::values(["x.1"]));
    assert_eq!(rest.features.names, ["x.0", "x.2", "y", "w"], "what is not named otherwise is a feature");
    let features = read_features_file(&file("plain.npz"), &["x.2".to_owned(), "x.0".into()]).unwrap();
    assert_eq!(features.values.to_f32()[..4], [2.0, 0.0, 5.0, 3.0]);
}

#[test]
fn every_type_and_both_byte_orders_are_read() {
    let data = read("types.npz", &Spec::classes("y"));
    assert_eq!(data.features.names.len(), 19);
    for (row, cells) in data.features.values.to_f32().chunks(19).enumerate() {
        let wanted = [0.0, 1.0, 1.0, 0.0, 1.0, 1.0][row];
        assert!(cells.iter().all(|&cell| cell == wanted), "row {row}: {cells:?}");
    }
}

/// A model of grey images of 2 × 2 would read one channel, or a corner, of larger ones, and say nothing.
#[test]
fn images_of_another_size_than_the_models_are_refused_with_both_shapes() {
    let names = |dims: [usize; 3]| -> Vec<String> {
        let [height, width, channels] = dims;
        let all = (0..height).flat_map(|h| (0..width).flat_map(move |w| (0..channels).map(move |c| (h, w, c))));
        all.map(|(h, w, c)| format!("hwc.{h}.{w}.{c}")).collect()
    };
    assert_eq!(read("images.npz", &Spec::features(&names([2, 2, 3]))).rows(), 6);
    for dims in [[2, 2, 1], [2, 1, 3], [1, 2, 3]] {
        let refused = message("images.npz", &Spec::features(&names(dims)));
        assert!(refused.contains("rows of shape [2, 2, 3]") && refused.contains(&format!("{dims:?}")), "{refused}");
    }
    // Single numbers of an image are features like any others.
    assert_eq!(read("images.npz", &Spec::features(&["hwc.1.0.2".to_owned(), "hwc.0.1.1".to_owned()])).rows(), 6);
}

#[test]
fn images_come_with_their_channels_last() {
    let data = read("images.npz", &given(&["hwc"], Spec::classes("y")));
    assert_eq!((&data.features.values, &data.features.names[11][..]), (&pixels(72), "hwc.1.1.2"));
    let chw = Spec { layout: Layout::Chw, ..given(&["chw"], Spec::classes("y")) };
    let first = read("images.npz", &chw);
    assert_eq!((&first.features.values, &first.features.names[1][..]), (&pixels(72), "chw.1.0.0"));
    assert_eq!(read("images.npz", &Spec { layout: Layout::Hwc, ..chw.like(&first) }), first, "the names say the order");
    assert_eq!(read("images.npz", &given(&["grey"], Spec::classes("y"))).features.values, pixels(24));
    for (spec, dims) in [(chw, vec![2, 2, 3]), (given(&["grey"], Spec::classes("y")), vec![2, 2, 1])] {
        let chunks = Chunks::open(&file("images.npz"), &spec).unwrap();
        let field = &chunks.fields()[0];
        assert_eq!((&field.dims, field.element), (&dims, Element::U8));
    }
}

#[test]
fn fortran_order_gives_the_same_numbers() {
    for name in ["fortran.npz", "fortran_packed.npz"] {
        assert_eq!(read(name, &Spec::classes("y")).features.values, Values::F32(counted(72)), "{name}");
    }
}

#[test]
fn labels_may_be_text_flags_or_whole_floats() {
    let classes = |target: &str| match read("labels.npz", &given(&["x"], Spec::classes(target))).targets {
        Targets::Classes { classes, labels, .. } => (classes, labels),
        Targets::Values { .. } | Targets::Next { .. } => panic!("classes"),
    };
    let words = (["maybe", "no", "yes"].map(str::to_owned).to_vec(), vec![1, 2, 1, 0, 1, 2]);
    assert_eq!((classes("s"), classes("u")), (words.clone(), words));
    assert_eq!(classes("b"), (["False", "True"].map(str::to_owned).to_vec(), vec![0, 1, 0, 1, 1, 1]));
    assert_eq!(classes("f"), (["2", "9", "10"].map(str::to_owned).to_vec(), LABELS.to_vec()));
    let text = message("labels.npz", &given(&["s"], Spec::classes("b")));
    assert!(text.starts_with("labels.npz, array \"s\"[0]: \"no\" is text, but a number is wanted"), "{text}");
}

#[test]
fn a_npy_file_is_the_features_and_its_target_lies_beside_it() {
    let data = read("folder/x.npy", &Spec::classes("y"));
    assert_eq!((&data.features.names[2][..], data.features.values), ("x.2", Values::F32(counted(18))));
    assert!(matches!(&data.targets, Targets::Classes { labels, .. } if labels == &LABELS));
    let own = read("folder/x.npy", &Spec::values(["x.1"]));
    assert_eq!(own.features.names, ["x.0", "x.2"], "a column of the file itself can be the target");
    let called = ["train.2", "train.0", "train.1"].map(str::to_owned);
    let features = read_features_file(&file("folder/x.npy"), &called).unwrap();
    assert_eq!(features.values.to_f32()[..3], [2.0, 0.0, 1.0], "whatever it was called when the model was trained");
    let text = message("folder/y.npy", &given(&["x"], Spec::classes("y")));
    assert!(text.starts_with("folder/y.npy: the features are in \"x.npy\", not in this file"), "{text}");
}

#[test]
fn what_is_missing_or_does_not_fit_is_said_with_its_place() {
    let near = message("images.npz", &Spec { layout: Layout::Chw, ..given(&["chv"], Spec::classes("y")) });
    assert_eq!(
        near,
        "images.npz: there is no array \"chv\" (data.features); did you mean \"chw\"? \
         There is \"hwc\", \"chw\", \"grey\", \"y\""
    );
    let column = message("plain.npz", &given(&["x.3"], Spec::classes("y")));
    assert_eq!(column, "plain.npz: there is no \"x.3\" (data.features): \"x\" has shape (6, 3)");
    let hot = message("plain.npz", &Spec::classes("x"));
    assert!(hot.starts_with("plain.npz, array \"x\": has shape (6, 3), but class labels are one number"), "{hot}");
    let twice = message("plain.npz", &given(&["x"], Spec::values(["x.1"])));
    assert!(twice.starts_with("plain.npz, \"x.1\": is a feature and something else"), "{twice}");
    let npz = std::env::temp_dir().join(format!("accrue-not-{}.npz", std::process::id()));
    std::fs::write(&npz, "a,b\n1,2\n").unwrap();
    let text = read_file(&npz, &Spec::classes("y")).unwrap_err().to_string();
    assert!(text.contains("is no .npz or .npy file that is whole") && text.contains("np.savez"), "{text}");
    std::fs::remove_file(&npz).unwrap();
}
