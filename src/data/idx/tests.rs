use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::data::{Dataset, Targets, Values, read_file};

fn idx(code: u8, shape: &[u32], data: &[u8]) -> Vec<u8> {
    let shape_bytes = shape.iter().flat_map(|dim| dim.to_be_bytes());
    [0, 0, code, shape.len() as u8].into_iter().chain(shape_bytes).chain(data.iter().copied()).collect()
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// Three images of 2 × 2.
fn images() -> Vec<u8> {
    idx(8, &[3, 2, 2], &(244..=255).collect::<Vec<u8>>())
}

fn read(bytes: Vec<u8>, labels: Vec<u8>, spec: &Spec) -> Result<Dataset> {
    chunks(bytes, Some(labels), "x.idx", spec)?.rest()
}

fn message(bytes: Vec<u8>) -> String {
    let spec = Spec { kind: TargetKind::Unread, target: vec![], ..Spec::values(["labels"]) };
    chunks(bytes, None, "x.idx", &spec).and_then(Chunks::rest).unwrap_err().to_string()
}

#[test]
fn images_and_labels_are_read_packed_or_not() {
    let (images, labels) = (images(), idx(8, &[3], &[7, 0, 7]));
    let data = read(images.clone(), labels.clone(), &Spec::classes("labels")).unwrap();
    data.check().unwrap();
    assert_eq!((&data.features.shape[..], &data.features.names[3][..]), (&[2, 2, 1][..], "image.1.1.0"));
    assert_eq!(data.features.values, Values::U8((244..=255).collect()));
    let classes = ["0", "7"].map(str::to_owned).to_vec();
    assert_eq!(data.targets, Targets::Classes { name: "labels".into(), classes, labels: vec![1, 0, 1] });
    assert_eq!(read(packed(&images), packed(&labels), &Spec::classes("labels")).unwrap(), data);
    assert_eq!(read(images.clone(), labels, &Spec::classes("labels").like(&data)).unwrap(), data);
    let other = Spec::features(&["x".to_owned()]);
    let text = chunks(images, None, "x.idx", &other).err().unwrap().to_string();
    assert!(text.contains("rows of shape [2, 2], which are not those that the model was trained on"), "{text}");
}

#[test]
fn numbers_of_every_type_are_read() {
    let (short, long) = ([0x80, 0x01, 0x00, 0x02], [0xff, 0xff, 0xff, 0xfe, 0x00, 0x00, 0x01, 0x00]);
    let (float, double) = ([1.5f32.to_be_bytes(), (-2f32).to_be_bytes()].concat(), [0.1f64, 3.0].map(f64::to_be_bytes));
    for (code, bytes, wanted) in [
        (9, &[0xff, 1][..], [-1.0, 1.0]),
        (0x0b, &short, [-32767.0, 2.0]),
        (0x0c, &long, [-2.0, 256.0]),
        (0x0d, &float, [1.5, -2.0]),
        (0x0e, &double.concat(), [0.1, 3.0]),
    ] {
        let spec = Spec::values(["y"]);
        let data = read(idx(code, &[2], bytes), idx(code, &[2], bytes), &spec).unwrap();
        assert_eq!(
            (&data.features.values, &data.features.names[..]),
            (&Values::F32(wanted.to_vec()), &["x".into()][..])
        );
        assert_eq!(data.targets, Targets::Values { names: vec!["y".into()], values: wanted.to_vec() });
    }
    let nan = idx(0x0d, &[1, 2], &[[0; 4], f32::NAN.to_be_bytes()].concat());
    assert_eq!(message(nan), "x.idx, row 0: number 1 is NaN, which is no finite f32; correct it");
}

#[test]
fn what_is_no_whole_idx_file_is_refused_in_one_line() {
    let good = images();
    for (bytes, said) in [
        (vec![], "ends within its first bytes"),
        (good[..7].to_vec(), "ends within its shape"),
        (good[..good.len() - 1].to_vec(), "has 27 bytes, but its shape [3, 2, 2] takes 28"),
        ([&good[..], &[0]].concat(), "has 29 bytes, but its shape"),
        (idx(7, &[1], &[0]), "has elements of type 0x07"),
        (idx(8, &[], &[]), "begins with the bytes [00, 00, 08, 00]"),
        (idx(8, &[1; 5], &[0]), "begins with the bytes [00, 00, 08, 05]"),
        (b"PK\x03\x04".to_vec(), "begins with the bytes [50, 4b, 03, 04]"),
        (idx(8, &[0, 2], &[]), "one row at least"),
        (idx(8, &[2, 0], &[]), "one row at least"),
        (idx(0x0e, &[u32::MAX; 4], &[0; 9]), "1 to 1048576 numbers in each"),
        (idx(8, &[u32::MAX, 1024, 1024], &[0; 9]), "has 25 bytes, but its shape"),
        (packed(&idx(8, &[u32::MAX, 1024, 1024], &[0; 9])), "ends within row 0 of 4294967295"),
        (packed(&[&good[..], &[0]].concat()), "goes on after its 3 rows"),
        (packed(&good)[..30].to_vec(), "ends within"),
    ] {
        let text = message(bytes);
        assert!(text.starts_with("x.idx: ") && text.contains(said), "{text}");
    }
    let mut other = packed(&good);
    let checksum = other.len() - 6;
    other[checksum] ^= 1;
    assert!(message(other).contains("its end cannot be read ("));
}

#[test]
fn labels_that_do_not_belong_are_refused() {
    let of = |labels| read(images(), labels, &Spec::classes("labels")).unwrap_err().to_string();
    assert!(of(idx(8, &[2], &[0, 1])).starts_with("x.idx, labels: has 2 labels, but x.idx has 3 rows"));
    assert!(of(idx(8, &[3, 2], &[0; 6])).contains("a label is one number"));
    assert!(of(idx(0x0d, &[3], &[0; 12])).contains("class labels are whole numbers"));
    let weighted = Spec { weight: Some("w".into()), ..Spec::classes("labels") };
    assert!(read(images(), images(), &weighted).unwrap_err().to_string().contains("leave data.weight out"));
}

#[test]
fn the_labels_are_the_file_beside_that_is_called_so() {
    let folder: PathBuf = std::env::temp_dir().join(format!("accrue-idx-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("train-images-idx3-ubyte.gz");
    fs::write(&path, packed(&images())).unwrap();
    let missing = read_file(&path, &Spec::classes("labels")).unwrap_err().to_string();
    assert!(
        missing.contains("there is no file train-labels-idx1-ubyte.gz beside train-images-idx3-ubyte.gz"),
        "{missing}"
    );
    let labels = idx(8, &[3], &[1, 2, 2]);
    fs::write(folder.join("train-labels-idx1-ubyte"), &labels).unwrap();
    let data = read_file(&path, &Spec::classes("labels")).unwrap();
    assert_eq!(data.targets.outputs(), 2);
    fs::write(folder.join("mine"), labels).unwrap();
    assert_eq!(read_file(&path, &Spec::classes("mine")).unwrap().features, data.features);
    assert!(read_file(&path, &Spec::classes("yours")).unwrap_err().to_string().contains("there is no file yours"));
    fs::remove_dir_all(&folder).unwrap();
}
