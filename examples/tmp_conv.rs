use accrue::doctor::Case;
use accrue::doctor::rig::Rig;
use accrue::gpu::{Choice, Gpu};
use accrue::graph::Graph;
use accrue::ops::{self, Conv2d, Linear, Padding};
use accrue::optim::{Clip, Sgd};
use accrue::plan::Kernels;
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let rows: usize = 32;
    println!("{:?}", Kernels::of(&gpu, None));
    for (h, w, c, conv) in [
        (28, 28, 1, Conv2d { padding: Padding::Same, ..Conv2d::new(16, 3) }),
        (14, 14, 16, Conv2d { padding: Padding::Same, ..Conv2d::new(32, 3) }),
        (32, 32, 3, Conv2d { padding: Padding::Same, ..Conv2d::new(16, 3) }),
        (32, 32, 16, Conv2d { padding: Padding::Same, ..Conv2d::new(16, 3) }),
        (32, 32, 16, Conv2d { padding: Padding::Zeros([1, 1]), stride: [2, 2], ..Conv2d::new(32, 3) }),
        (16, 16, 32, Conv2d { padding: Padding::Same, ..Conv2d::new(32, 3) }),
        (8, 8, 64, Conv2d { padding: Padding::Same, ..Conv2d::new(64, 3) }),
    ] {
        let mut graph = Graph::new();
        let x = graph.input_of(&[h, w, c]);
        let x = graph.layer(Arc::new(Linear { outputs: c }), "before", "before", x).unwrap();
        let y = graph.layer(Arc::new(conv), "conv", "conv", x).unwrap();
        let case = Case::ending(graph, y, ops::find("mse").unwrap(), rows, 3).unwrap();
        let kernels = Kernels { mode: Some(accrue::plan::ExecutionMode::Ops), ..Kernels::of(&gpu, None) };
        let rig = Rig::with(&gpu, &case, &Sgd::default(), Clip::default(), kernels).unwrap();
        rig.clock(&[("rows", rows as u32), ("first", 1), ("last", 1)], &[]).unwrap();
        let flops = 2.0
            * (conv.kernel[0] * conv.kernel[1] * c * conv.channels) as f64
            * case.graph.shape(case.output).positions() as f64
            * rows as f64;
        print!("{h}x{w}x{c} -> {} : ", conv.channels);
        use std::io::Write;
        std::io::stdout().flush().unwrap();
        for (step, dispatch) in rig.micro_batch() {
            if !step.label.starts_with("conv") {
                continue;
            }
            let mut best = f64::MAX;
            let one = std::slice::from_ref(dispatch);
            for _ in 0..15 {
                let t = Instant::now();
                rig.run(one).unwrap();
                gpu.device().poll(accrue::wgpu::PollType::wait_indefinitely()).unwrap();
                best = best.min(t.elapsed().as_secs_f64());
            }
            print!("{} {} {:.2} ms {:.1} GF/s | ", step.shader.name, step.entry, best * 1e3, flops / best / 1e9);
        }
        println!();
    }
}
