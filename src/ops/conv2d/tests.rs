use serde_json::json;

use super::*;

fn refusal(arguments: Value) -> String {
    Conv2d::parse(&arguments).unwrap_err()
}

#[test]
fn arguments_are_spelt_as_in_pytorch() {
    let conv = Conv2d::parse(&json!({ "channels": 16, "kernel": 3, "padding": 1 })).unwrap();
    assert_eq!(conv, Conv2d { padding: Padding::Zeros([1, 1]), ..Conv2d::new(16, 3) });
    let all = json!({ "channels": 8, "kernel": [3, 5], "stride": [2, 1], "padding": [0, 2], "dilation": 2, "groups": 4, "bias": false });
    let conv = Conv2d::parse(&all).unwrap();
    assert_eq!((conv.kernel, conv.stride, conv.dilation, conv.groups, conv.bias), ([3, 5], [2, 1], [2, 2], 4, false));
    let same = Conv2d::parse(&json!({ "channels": 8, "kernel": 4, "padding": "same" })).unwrap();
    assert_eq!(same.pad(), [1, 1], "as in PyTorch, one less above and to the left");
}

#[test]
fn what_no_image_satisfies_is_refused_in_one_sentence() {
    for (arguments, said) in [
        (json!(3), "takes a table"),
        (json!({ "kernel": 3 }), "lacks \"channels\""),
        (json!({ "channels": 3 }), "lacks \"kernel\""),
        (json!({ "chanels": 3, "kernel": 3 }), "did you mean \"channels\"?"),
        (json!({ "channels": 3, "kernel": 0, "stride": 1 }), "lacks \"kernel\""),
        (json!({ "channels": 3, "kernel": [3, 0] }), "kernel = [3, 0]; give 1 to 4096"),
        (json!({ "channels": 3, "kernel": 3, "stride": 0 }), "stride = [0, 0]"),
        (json!({ "channels": 3, "kernel": 3, "stride": 2, "padding": "same" }), "is for a stride of 1"),
        (json!({ "channels": 3, "kernel": 3, "groups": 2 }), "do not divide the 3 channels"),
        (json!({ "channels": 3, "kernel": 3, "padding": "full" }), "or \"same\""),
        (json!({ "channels": 3, "kernel": 3, "bias": 1 }), "not true or false"),
    ] {
        let text = refusal(arguments.clone());
        assert!(text.contains(said), "{arguments}: {text}");
    }
    let op: &dyn Op = &Conv2d::new(4, 3);
    let said = |dims: &[usize]| op.shape_of(&Shape::of(dims)).unwrap_err();
    assert!(said(&[9, 2]).contains("an image is wanted"));
    assert!(said(&[2, 9, 1]).contains("smaller than the kernel of 3 pixels"));
    let grouped: &dyn Op = &Conv2d { groups: 2, ..Conv2d::new(4, 3) };
    assert!(grouped.shape_of(&Shape::of(&[9, 9, 3])).unwrap_err().contains("3 channels do not divide into 2 groups"));
}

#[test]
fn an_image_shrinks_as_in_pytorch() {
    let made = |conv: Conv2d, dims: &[usize]| conv.made(&Shape::of(dims)).unwrap();
    let padded = |size| Padding::Zeros([size; 2]);
    assert_eq!(made(Conv2d { padding: padded(1), ..Conv2d::new(4, 3) }, &[41, 47, 3]), [41, 47, 4]);
    assert_eq!(made(Conv2d { stride: [2, 2], padding: padded(1), ..Conv2d::new(4, 3) }, &[41, 47, 3]), [21, 24, 4]);
    assert_eq!(made(Conv2d { dilation: [2, 3], ..Conv2d::new(4, 3) }, &[41, 47, 3]), [37, 41, 4]);
    assert_eq!(made(Conv2d { padding: Padding::Same, ..Conv2d::new(4, 4) }, &[5, 6, 3]), [5, 6, 4]);
}

/// The loop iterations of `made_y` and `made_dx` in `grouped.wgsl`, four times over, each with the one that only finds the end.
fn turns_of_grouped([high, wide]: [usize; 2], channels: usize) -> usize {
    let mut turns = 0;
    for _ in 0..4 {
        turns += 1;
        for _ in 0..high {
            turns += 1;
            for quad in (0..channels).step_by(4) {
                turns += 1;
                for _ in 0..wide {
                    turns += 1 + (channels - quad).min(4) + 1;
                }
                turns += 1;
            }
            turns += 1;
        }
        turns += 1;
    }
    turns + 1
}

#[test]
fn the_loops_of_a_grouped_convolution_are_within_their_bound() {
    let hardware = crate::graph::Hardware { cpu: true, subgroups: true, matmul: None, rows: 1 };
    for (kernel, channels) in [([41, 41], 6), ([9, 9], 150), ([1, 1], 2), ([3, 2], 5)] {
        let conv = Conv2d { kernel, groups: 2, ..Conv2d::new(2 * channels, 1) };
        let grouped = ConvKernel::of(&conv, 2 * channels as u32, 8, &hardware);
        assert_eq!(grouped.name, "grouped", "{channels}");
        let bound = grouped.made_turns(kernel, channels as u32);
        assert!(turns_of_grouped(kernel, channels) as u64 <= bound, "{kernel:?}, {channels}: {bound}");
    }
}
