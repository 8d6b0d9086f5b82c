//! The names of an image's numbers: `image.2.0.1` is line 2, column 0, channel 1.

/// What the image of a folder or of an IDX file is called.
#[cfg(any(feature = "idx", feature = "images"))]
pub(crate) const IMAGE: &str = "image";

/// Numbers of one image, as many as a row of any other file may have columns.
pub(crate) const MOST: usize = 1 << 20;

/// The names of all numbers of an image, in the order in which a model sees them: channels last.
pub(crate) fn names(name: &str, [height, width, channels]: [usize; 3]) -> Vec<String> {
    let all = (0..height * width * channels).map(|at| (at / channels / width, at / channels % width, at % channels));
    all.map(|(y, x, channel)| format!("{name}.{y}.{x}.{channel}")).collect()
}

/// The name and the dimensions `[height, width, channels]` of the image whose numbers these are, all of them in their order.
pub(crate) fn image_of(names: &[String]) -> Option<(&str, [usize; 3])> {
    let mut parts = names.last()?.rsplitn(4, '.');
    let mut count = || parts.next()?.parse::<usize>().ok()?.checked_add(1);
    let (channels, width, height) = (count()?, count()?, count()?);
    let name = parts.next()?;
    let numbers = height.checked_mul(width)?.checked_mul(channels)?;
    // Few names are compared with what the last one claims.
    let dims = (numbers == names.len() && numbers <= MOST).then_some([height, width, channels])?;
    let mut wanted = self::names(name, dims).into_iter();
    names.iter().all(|name| wanted.next().as_ref() == Some(name)).then_some((name, dims))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_dimensions_of_their_image_if_they_are_all_of_it() {
        let names = names("a.b", [2, 3, 2]);
        assert_eq!((names.len(), &names[0][..], &names[9][..]), (12, "a.b.0.0.0", "a.b.1.1.1"));
        assert_eq!(image_of(&names), Some(("a.b", [2, 3, 2])));
        assert_eq!(image_of(&names[1..]), None);
        let mut other = names.clone();
        other.swap(0, 1);
        assert_eq!(image_of(&other), None);
        for last in ["x", "x.1", "1.1.1", "x.0.0.18446744073709551615", "x.4294967295.4294967295.0"] {
            assert_eq!(image_of(&[last.to_owned()]), None, "{last}");
        }
        assert_eq!(image_of(&["x.0.0.0".to_owned()]), Some(("x", [1, 1, 1])));
    }
}
