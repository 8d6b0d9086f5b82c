use std::fs;
use std::path::PathBuf;

use image::{DynamicImage, GrayImage, ImageFormat, LumaA, Rgb, RgbImage, Rgba};

use super::*;
use crate::data::{Chunks, Dataset, Targets, Values, read_features_file, read_file};

/// A folder that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("accrue-images-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Folder(folder)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn save(&self, name: &str, image: impl Into<DynamicImage>) {
        let format = if name.ends_with("png") { ImageFormat::Png } else { ImageFormat::Jpeg };
        let mut bytes = std::io::Cursor::new(Vec::new());
        image.into().write_to(&mut bytes, format).unwrap();
        self.write(name, bytes.into_inner());
    }

    fn read(&self, spec: &Spec) -> Result<Dataset> {
        read_file(&self.0, spec)
    }

    fn message(&self, spec: &Spec) -> String {
        let message = self.read(spec).unwrap_err().to_string();
        assert!(!message.contains(char::is_control), "{message:?}");
        message.replace(&*self.0.to_string_lossy(), "photos")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn grey(width: u32, height: u32, first: u8) -> GrayImage {
    GrayImage::from_fn(width, height, |x, y| [first + (y * width + x) as u8].into())
}

fn sized(size: [usize; 2]) -> Spec {
    Spec { size: Some(size), ..Spec::classes("class") }
}

#[test]
fn folders_are_classes_and_pixels_stay_bytes() {
    let folder = Folder::new("classes");
    folder.save("10/b.png", grey(3, 2, 50));
    folder.save("9/z.png", grey(3, 2, 100));
    folder.save("10/a.png", grey(3, 2, 0));
    folder.write("9/.hidden.png", "nothing");
    folder.write("notes.txt", "nothing");
    folder.write("10/Thumbs.db", "nothing");
    let mut chunks = Chunks::open(&folder.0, &Spec::classes("class")).unwrap();
    let remark = chunks.remarks().concat();
    assert!(remark.ends_with(": 2 files are no image (png, jpg, jpeg) and left out, such as Thumbs.db"), "{remark}");
    assert!(chunks.fill(&mut chunks.empty(), 1).is_err(), "classes are not known before");
    let data = chunks.rest().unwrap();
    data.check().unwrap();
    assert_eq!((&data.features.shape[..], data.rows()), (&[2, 3, 1][..], 3));
    let pixels: Vec<u8> = [0, 50, 100].iter().flat_map(|first| (0..6).map(move |at| first + at)).collect();
    assert_eq!(data.features.values, Values::U8(pixels));
    assert_eq!(data.features.names[4], "image.1.1.0");
    let classes = ["9", "10"].map(str::to_owned).to_vec();
    assert_eq!(data.targets, Targets::Classes { name: "class".into(), classes, labels: vec![1, 1, 0] });
    assert_eq!(folder.read(&Spec::classes("class").like(&data)).unwrap(), data, "as a second folder");
}

#[test]
fn one_colour_makes_all_of_them_colours_and_what_is_seen_through_is_dropped() {
    let folder = Folder::new("colours");
    folder.save("a/1.png", grey(2, 1, 7));
    folder.save("b/1.png", image::RgbaImage::from_pixel(2, 1, Rgba([1, 2, 3, 0])));
    folder.save("b/2.png", image::GrayAlphaImage::from_pixel(2, 1, LumaA([9, 100])));
    let data = folder.read(&Spec::classes("class")).unwrap();
    assert_eq!(data.features.shape, [1, 2, 3]);
    assert_eq!(data.features.values, Values::U8(vec![7, 7, 7, 8, 8, 8, 1, 2, 3, 1, 2, 3, 9, 9, 9, 9, 9, 9]));
    fs::remove_file(folder.0.join("b/1.png")).unwrap();
    let data = folder.read(&sized([1, 2])).unwrap();
    assert_eq!((&data.features.shape[..], data.features.values), (&[1, 2, 1][..], Values::U8(vec![7, 8, 9, 9])));
}

#[test]
fn images_of_other_sizes_are_resized_or_refused_with_the_remedy() {
    let folder = Folder::new("sizes");
    folder.save("a/1.png", grey(4, 2, 0));
    folder.save("b/2.png", GrayImage::from_pixel(8, 4, [77].into()));
    assert_eq!(
        folder.message(&Spec::classes("class")),
        "photos/b/2.png: has 4 × 8 pixels (height × width), but a/1.png has 2 × 4; write the size for all in [data], as in \
         size = [2, 4]"
    );
    let data = folder.read(&sized([2, 4])).unwrap();
    assert_eq!(data.features.values, Values::U8(vec![0, 1, 2, 3, 4, 5, 6, 7, 77, 77, 77, 77, 77, 77, 77, 77]));
    // Every pixel counts when an image shrinks.
    let data = folder.read(&sized([1, 1])).unwrap();
    assert_eq!(data.features.values, Values::U8(vec![4, 77]));
    assert!(folder.message(&sized([16384, 16384])).contains("1048576 are the most; write a smaller one in [data]"));
    let second = folder.read(&Spec::classes("class").like(&data)).unwrap();
    assert_eq!(second, data, "a second folder has the size of the first");
}

#[test]
fn a_jpeg_is_read_whatever_it_is_called() {
    let folder = Folder::new("jpeg");
    let image = RgbImage::from_pixel(8, 8, Rgb([200, 100, 50]));
    folder.save("a/1.JPEG", image.clone());
    folder.save("b/1.jpg", image);
    fs::rename(folder.0.join("b/1.jpg"), folder.0.join("b/1.png")).unwrap();
    let data = folder.read(&Spec::classes("class")).unwrap();
    assert_eq!(data.features.shape, [8, 8, 3]);
    let Values::U8(pixels) = &data.features.values else { panic!("pixels are bytes") };
    assert!(pixels.chunks(3).all(|p| p[0].abs_diff(200) < 4 && p[1].abs_diff(100) < 4 && p[2].abs_diff(50) < 4));
}

#[test]
fn features_alone_are_read_from_images_anywhere_with_their_names() {
    let folder = Folder::new("alone");
    folder.save("cats/2.png", grey(2, 2, 0));
    folder.save("cats/deep/3.png", grey(2, 2, 0));
    folder.save("1.png", image::RgbImage::from_pixel(4, 4, Rgb([10, 10, 10])));
    let spec = Spec::features(&names(IMAGE, [2, 2, 1]));
    let mut chunks = Chunks::open(&folder.0, &spec).unwrap();
    let mut data = chunks.empty();
    assert!(chunks.fill(&mut data, 9).unwrap());
    assert_eq!(chunks.names(), ["1.png", "cats/2.png"]);
    assert_eq!(data.features.values.to_f32()[..], [10.0, 10.0, 10.0, 10.0, 0.0, 1.0, 2.0, 3.0]);
    assert!(!chunks.fill(&mut data, 9).unwrap() && chunks.names().is_empty());
    let message = read_features_file(&folder.0, &["x".to_owned()]).unwrap_err().to_string();
    assert!(message.contains("holds images, but the model was trained on something else"), "{message}");
    let classes = folder.message(&Spec::classes("class"));
    assert_eq!(
        classes,
        "photos/cats/deep: is a folder in the folder of a class; put images right into \"cats\", or name the folder that has \
         the folders of classes"
    );
    fs::remove_dir_all(folder.0.join("cats/deep")).unwrap();
    let classes = folder.message(&Spec::classes("class"));
    assert_eq!(
        classes,
        "photos/1.png: is in the folder of no class; put each in the folder of its class, as in cats/1.png"
    );
}

#[test]
fn what_a_folder_has_not_is_refused() {
    let folder = Folder::new("refused");
    assert!(folder.message(&Spec::classes("class")).starts_with("photos: has no image (png, jpg, jpeg); put each in"));
    folder.save("a/1.png", grey(2, 2, 0));
    assert!(folder.message(&Spec::classes("class")).contains("every row has the class \"a\""));
    assert!(folder.message(&Spec::values(["class"])).contains("loss is for numbers"));
    let weighted = Spec { weight: Some("w".into()), ..Spec::classes("class") };
    assert!(folder.message(&weighted).contains("leave data.weight out"));
    let given = Spec { features: FeatureNames::Given(vec!["x".into()]), ..Spec::classes("class") };
    assert!(folder.message(&given).contains("leave data.features out"));
    folder.save("b/1.png", grey(2, 2, 0));
    let known = Spec { kind: TargetKind::KnownClasses(vec!["a".into(), "c".into()]), ..Spec::classes("class") };
    assert!(folder.message(&known).starts_with("photos/b/1.png: \"b\" is not a class of the model"));
    assert!(matches!(read_file(&folder.0.join("none/"), &known), Err(Error::Io { .. })));
}

/// A PNG that claims a size.
fn claiming(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    grey(2, 2, 0).write_to(&mut bytes, ImageFormat::Png).unwrap();
    let mut bytes = bytes.into_inner();
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    bytes
}

#[test]
fn a_broken_file_is_an_error_with_its_path() {
    let folder = Folder::new("broken");
    folder.save("a/1.png", grey(2, 2, 0));
    let mut png = fs::read(folder.0.join("a/1.png")).unwrap();
    for (bytes, said) in [
        (Vec::new(), "cannot be decoded ("),
        (b"GIF89a\x01\0\x01\0".to_vec(), "is no PNG or JPEG"),
        (png[..20].to_vec(), "cannot be decoded ("),
        (claiming(u32::MAX >> 1, 2), "is larger than 16384 × 16384 pixels"),
        (claiming(16_384, 16_384), "cannot be decoded ("),
        (b"\xff\xd8\xff\xe0".to_vec(), "cannot be decoded ("),
    ] {
        folder.write("b/1.png", &bytes);
        let message = folder.message(&sized([2, 2]));
        assert!(message.starts_with("photos/b/1.png: ") && message.contains(said), "{message}");
    }
    // Cut in the pixels, the head is whole.
    png.truncate(png.len() - 20);
    folder.write("b/1.png", &png);
    assert!(folder.message(&Spec::classes("class")).starts_with("photos/b/1.png: cannot be decoded ("));
    for cut in 0..png.len() {
        folder.write("b/1.png", &png[..cut]);
        let _ = folder.message(&sized([2, 2]));
    }
}

#[test]
fn as_many_images_as_several_blocks_come_in_order() {
    let folder = Folder::new("many");
    for at in 0..200u8 {
        folder.save(&format!("{}/{at:03}.png", at % 2), GrayImage::from_pixel(1, 1, [at].into()));
    }
    let data = folder.read(&Spec::classes("class")).unwrap();
    let wanted: Vec<u8> = (0..200).step_by(2).chain((1..200).step_by(2)).collect();
    assert_eq!(data.features.values, Values::U8(wanted));
}
