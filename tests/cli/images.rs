//! A folder of images and IDX files in the place of a table.

use std::io::Read;

use image::{GrayImage, ImageFormat};

use crate::place::Place;

const CONFIG: &str = r#"
[data]
path = "photos"
size = [6, 6]
[model]
layers = [8, "relu"]
loss = "cross_entropy"
[train]
epochs = 20
batch = 8
[optimizer]
lr = 0.1
"#;

/// A bright band on dark noise, upright or lying.
fn band(upright: bool, number: usize) -> GrayImage {
    GrayImage::from_fn(6, 6, |x, y| {
        let at = if upright { x } else { y } as usize;
        let noise = (number * 31 + x as usize * 7 + y as usize * 13) % 40;
        [if at == 2 + number % 2 { 200 } else { 10 } + noise as u8].into()
    })
}

/// Numbered images of both classes, in the folders of their classes.
fn photos(place: &Place, folder: &str, numbers: std::ops::Range<usize>) {
    for (class, upright) in [("lying", false), ("upright", true)] {
        std::fs::create_dir_all(place.path(&format!("{folder}/{class}"))).unwrap();
        for number in numbers.clone() {
            let path = place.path(&format!("{folder}/{class}/{number:02}.png"));
            band(upright, number).save_with_format(path, ImageFormat::Png).unwrap();
        }
    }
}

fn place(name: &str) -> Place {
    let place = Place::new(name);
    place.write("i.toml", CONFIG);
    photos(&place, "photos", 0..20);
    place
}

/// The line of a file in predictions.
fn line_of<'a>(predictions: &'a str, file: &str) -> Option<&'a str> {
    predictions.lines().find(|line| line.starts_with(&format!("{file},")))
}

#[test]
fn a_folder_of_images_trains_and_predicts_the_class_of_each_file() {
    let place = place("images");
    place.ok("train i.toml --out r --set train.seed=1");
    assert!(place.text("r/config.toml").contains("target = \"class\""));
    photos(&place, "new", 20..30);
    let upright = band(true, 40);
    image::imageops::resize(&upright, 12, 12, image::imageops::FilterType::Nearest)
        .save(place.path("new/large.png"))
        .unwrap();
    place.ok("predict r --data new --out new.csv");
    let text = place.text("new.csv");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("file,class,p_lying,p_upright"));
    let found: Vec<(&str, &str)> = lines
        .map(|line| {
            let mut cells = line.split(',');
            (cells.next().unwrap(), cells.next().unwrap())
        })
        .collect();
    assert_eq!(found.len(), 21);
    assert_eq!((found[0], found[20].0), (("large.png", "upright"), "upright/29.png"), "{found:?}");
    let right = found[1..].iter().filter(|(file, class)| file.starts_with(class)).count();
    assert_eq!(right, 20, "{found:?}");
    place.ok("predict r --data new/large.png --out one.csv");
    assert_eq!(
        place.text("one.csv").lines().nth(1),
        line_of(&text, "large.png"),
        "an image alone is predicted as in its folder"
    );
    place.fails("eval r --data new/large.png", 4, &["new/large.png: is a single image", "a folder for each class"]);
    assert!(place.ok("inspect r").contains("\nfeatures  an image of 6 × 6 pixels and 1 channel\n"));
    place.fails("eval r --data new", 4, &["new/large.png", "is in the folder of no class"]);
    std::fs::remove_file(place.path("new/large.png")).unwrap();
    assert!(place.ok("eval r --data new").contains("accuracy 1"), "{}", place.ok("eval r --data new"));
    place.ok("train i.toml --out second --set data.validation=new --set train.seed=1");
    place.fails("predict r --data held.csv --out no.csv", 4, &["held.csv", "image.0.0.0"]);
}

#[test]
fn images_arrays_and_idx_files_of_the_same_pixels_make_the_same_model() {
    let place = place("images-alike");
    std::fs::create_dir(place.path("npy")).unwrap();
    let images: Vec<GrayImage> = [false, true].into_iter().flat_map(|up| (0..20).map(move |at| band(up, at))).collect();
    let pixels: Vec<u8> = images.iter().flat_map(|image| image.as_raw()).copied().collect();
    let labels: Vec<u8> = (0..40).map(|at| at / 20).collect();
    let npy = |shape: &str, data: &[u8]| {
        let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
    };
    place.write("npy/image.npy", npy("(40, 6, 6, 1)", &pixels));
    place.write("npy/class.npy", npy("(40,)", &labels));
    place.write("t-images-idx3-ubyte", [&[0, 0, 8, 3, 0, 0, 0, 40, 0, 0, 0, 6, 0, 0, 0, 6][..], &pixels].concat());
    place.write("t-labels-idx1-ubyte", [&[0, 0, 8, 1, 0, 0, 0, 40][..], &labels].concat());
    place.write("a.toml", CONFIG.replace("size = [6, 6]\n", ""));
    place.ok("train i.toml --out folder");
    place.ok("train a.toml --out npy-run --set data.path=npy/image.npy --set data.target=class");
    place.ok("train a.toml --out idx --set data.path=t-images-idx3-ubyte");
    let losses = |run: &str| {
        let lines = place.metrics(run);
        lines.iter().map(|line| (line["loss"].clone(), line["val_loss"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(losses("npy-run"), losses("folder"));
    assert_eq!(losses("idx"), losses("folder"));
    place.ok("predict idx --data photos --out p.csv");
    assert!(place.text("p.csv").starts_with("file,labels,p_0,p_1\nlying/00.png,0,"));
    place.fails(
        "train i.toml --out s --set data.path=t-images-idx3-ubyte",
        3,
        &["data.size", "folder of images", "IDX"],
    );
}

#[test]
fn a_configuration_is_proposed_for_a_folder() {
    let place = place("images-init");
    place.write("photos/readme.md", "about");
    let said = place.ok("init made.toml --data photos");
    assert!(said.contains("1 file is no image (png, jpg, jpeg) and left out, such as readme.md"), "{said}");
    let text = place.text("made.toml");
    assert!(text.starts_with("# A folder of 40 images in 2 classes"), "{text}");
    assert!(!text.contains("size ="), "all have one size, which is small: {text}");
    place.ok("train made.toml --out r --set train.epochs=1");
    std::fs::remove_file(place.path("photos/readme.md")).unwrap();
    GrayImage::new(300, 200).save(place.path("photos/upright/zz.png")).unwrap();
    let text = place.ok("init - --data photos");
    assert!(text.contains("files have several sizes, in the middle [6, 6]"), "{text}");
    place.fails("init x.toml --data photos --target class", 3, &["--target", "the names of its folders"]);
    place.fails("init x.toml --data photos/upright", 4, &["is in the folder of no class"]);
    place.fails("init x.toml --data nowhere/", 9, &["nowhere/"]);
}

#[test]
fn what_is_wrong_with_a_folder_is_one_line() {
    let place = place("images-wrong");
    let config = CONFIG.replace("size = [6, 6]\n", "");
    place.write("a.toml", &config);
    band(true, 1).save(place.path("photos/upright/z.png")).unwrap();
    GrayImage::new(3, 5).save(place.path("photos/upright/zz.png")).unwrap();
    place.fails(
        "train a.toml --out r",
        4,
        &["photos/upright/zz.png", "has 5 × 3 pixels", "lying/00.png has 6 × 6", "size = [6, 6]"],
    );
    place.write("photos/upright/zz.png", "\u{89}PNG");
    place.fails("train i.toml --out r", 4, &["photos/upright/zz.png", "replace the file or take it out"]);
    std::fs::remove_file(place.path("photos/upright/zz.png")).unwrap();
    place.write("photos/readme.md", "about");
    let ended = place.run("train i.toml --out r --set train.epochs=1");
    assert_eq!(ended.code, 0, "{ended}");
    assert!((ended.out + &ended.err).contains("1 file is no image (png, jpg, jpeg) and left out, such as readme.md"));
    place.fails("train i.toml --out s --set data.path=nowhere/", 9, &["nowhere", "it is named in data.path"]);
    place.fails("train i.toml --out s --set model.loss=mse", 4, &["photos", "the loss is for numbers"]);
}

/// Some digits of each class, with their classes, in the order of the file, which is that of the classes.
fn digits(each: usize) -> Vec<(Vec<u8>, u8)> {
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data");
    let read = |name: &str, header: usize| {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(data.join(name)).unwrap();
        flate2::read::GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        bytes.split_off(header)
    };
    let (pixels, labels) = (read("mnist-images-idx3-ubyte.gz", 16), read("mnist-labels-idx1-ubyte.gz", 8));
    assert_eq!((pixels.len(), labels.len()), (5000 * 784, 5000));
    let all: Vec<(Vec<u8>, u8)> = pixels.chunks(784).map(<[u8]>::to_vec).zip(labels).collect();
    let of = |class: u8| all.iter().filter(move |(_, label)| *label == class).take(each).cloned();
    (0..10).flat_map(of).collect()
}

const NETWORK: &str = r#"
[data]
path = "digits"
augment = ["flip", { crop = 2 }]
[model]
layers = [{ conv2d = { channels = 4, kernel = 3, stride = 2 } }, "relu", { max_pool = 2 }, "flatten", { dropout = 0.1 }]
loss = "cross_entropy"
[train]
epochs = 2
batch = 50
[optimizer]
lr = 0.1
"#;

/// Digits as a folder of images and as IDX files.
fn of_digits(name: &str) -> Place {
    let place = Place::new(name);
    place.write("d.toml", NETWORK);
    let all = digits(30);
    for (at, (pixels, class)) in all.iter().enumerate() {
        std::fs::create_dir_all(place.path(&format!("digits/{class}"))).unwrap();
        let image = GrayImage::from_raw(28, 28, pixels.clone()).unwrap();
        image.save_with_format(place.path(&format!("digits/{class}/{at:04}.png")), ImageFormat::Png).unwrap();
    }
    let pixels: Vec<u8> = all.iter().flat_map(|(pixels, _)| pixels).copied().collect();
    let labels: Vec<u8> = all.iter().map(|(_, class)| *class).collect();
    place.write("t-images-idx3-ubyte", [&[0, 0, 8, 3, 0, 0, 1, 44, 0, 0, 0, 28, 0, 0, 0, 28][..], &pixels].concat());
    place.write("t-labels-idx1-ubyte", [&[0, 0, 8, 1, 0, 0, 1, 44][..], &labels].concat());
    place
}

/// What a run's model says of its first layer.
fn scale(place: &Place, run: &str) -> String {
    let bytes = std::fs::read(place.path(&format!("{run}/model.safetensors"))).unwrap();
    let text = String::from_utf8_lossy(&bytes).replace('\\', "");
    let (_, rest) = text.split_once("{\"normalize\":").unwrap();
    rest.split_once('}').unwrap().0.to_owned()
}

#[test]
fn a_folder_of_digits_trains_as_their_idx_file_does_and_for_every_micro_batch() {
    let place = of_digits("digits-alike");
    place.ok("train d.toml --out folder");
    place.ok("train d.toml --out idx --set data.path=t-images-idx3-ubyte --set train.micro_batch=13");
    let losses = |run: &str| {
        let lines = place.metrics(run);
        lines.iter().map(|line| (line["loss"].clone(), line["val_loss"].clone())).collect::<Vec<_>>()
    };
    assert!(losses("folder").len() > 10);
    assert_eq!(losses("idx"), losses("folder"));
    assert_eq!(scale(&place, "folder"), scale(&place, "idx"));
    place.ok("train d.toml --out plain --set data.augment=[]");
    assert_ne!(losses("plain"), losses("folder"), "something is done to the images");
    // The model says the same of the folder and of the file, and stays what it was where training begins with it.
    place.ok("predict folder --data digits --out a.csv");
    place.ok("predict folder --data t-images-idx3-ubyte --out b.csv");
    let cells = |file: &str, skip: usize| {
        let text = place.text(file);
        let rows = text.lines().skip(1).map(|line| line.split(',').skip(skip).map(str::to_owned).collect::<Vec<_>>());
        rows.collect::<Vec<_>>()
    };
    assert_eq!(cells("a.csv", 1), cells("b.csv", 0));
    for at in 0..30 {
        GrayImage::from_pixel(28, 28, [255].into()).save(place.path(&format!("digits/0/{at:04}.png"))).unwrap();
    }
    place.ok("train d.toml --out more --set model.init=folder");
    assert_eq!(scale(&place, "more"), scale(&place, "folder"));
    place.ok("train d.toml --out other");
    assert_ne!(scale(&place, "other"), scale(&place, "folder"));
}

#[test]
fn what_is_done_to_images_is_for_images_and_belongs_to_the_run() {
    let place = of_digits("digits-augment");
    let columns = "train d.toml --out r --set model.layers=[8]";
    place.fails(columns, 3, &["data.augment", "is for images, but the model sees columns"]);
    let most = "train d.toml --out r --set data.augment=[{crop=28}]";
    place.fails(most, 3, &["data.augment", "crop = 28 may leave nothing of images of 28 × 28 pixels"]);
    place.ok("train d.toml --out r --set train.stop_after=1");
    place.fails("train d.toml --out r --set data.augment=['flip']", 3, &["data.augment", "--fresh"]);
    place.ok("train d.toml --out r --resume-with-changes");
    place.ok("train d.toml --out whole");
    let losses = |run: &str| place.metrics(run).iter().filter_map(|line| line["loss"].as_f64()).collect::<Vec<_>>();
    assert_eq!(losses("r").len(), 10);
    assert_eq!(losses("r"), losses("whole"));
    let page = place.text("r/report.html");
    assert!(page.contains("<h2>Misjudged images</h2>") && page.contains("src=\"data:image/png;base64,iVBOR"));
    assert!(!page.contains("Importance of columns") && page.contains("channel 0 of the image"));
}
