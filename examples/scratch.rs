use std::time::Instant;
use accrue::{data::Batch, gpu::{Choice, Gpu}, nn::Model, plan::Passes, train::{Fit, Settings, Trainer}};
fn main() {
    let which: Vec<String> = std::env::args().skip(1).collect();
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let nets: [(&str, usize, &[usize], &str, usize, u32); 4] = [
        ("W1", 1200, &[8, 16, 1], "mse", 40, 3),
        ("W2", 20000, &[8, 128, 128, 1], "mse", 256, 4),
        ("W3", 8192, &[784, 512, 256, 10], "cross_entropy", 64, 8),
        ("D", 1500, &[64, 64, 64, 10], "cross_entropy", 32, 4),
    ];
    for (name, rows, dims, loss, micro, steps) in nets {
        if !which.iter().any(|w| w.starts_with(name)) { continue; }
        let mut layers = Vec::new();
        for (k, &w) in dims[1..].iter().enumerate() {
            layers.push(w.into());
            if k + 2 < dims.len() { layers.push("relu".into()); }
        }
        let model = Model::new(dims[0], &layers, loss).unwrap();
        let mut s = 1u32;
        let mut rnd = || { s = s.wrapping_mul(1664525).wrapping_add(1013904223); (s >> 8) as f32 / 8388608.0 - 1.0 };
        let x: Vec<f32> = (0..rows * dims[0]).map(|_| rnd()).collect();
        let out = *dims.last().unwrap();
        let y: Vec<f32> = (0..rows * out).map(|_| rnd()).collect();
        let c: Vec<u32> = (0..rows).map(|k| (k * 7 % out) as u32).collect();
        let batch = if loss == "mse" { Batch::values(&x, &y) } else { Batch::classes(&x, &c) };
        for kernels in [Passes::Ops, Passes::Fused, Passes::Windows] {
            if which.len() > 1 && !which.contains(&kernels.name().to_string()) { continue; }
            let t = Instant::now();
            let mut tr = Trainer::new(&gpu, &model, Settings { micro_batch: micro, any_cut: true, kernels: Some(kernels), ..Default::default() }).unwrap();
            let made = t.elapsed();
            let f = Fit::new(batch.clone(), (micro as u32) * steps, 1);
            tr.fit(&f, |_| std::ops::ControlFlow::Continue(())).unwrap();
            let first = t.elapsed();
            let p = tr.parameters().unwrap();
            let h = p.values().flat_map(|a| &a.values).fold(0u64, |h, v| h.wrapping_mul(31).wrapping_add(v.to_bits() as u64));
            let mut epochs = 1;
            let mut best = f64::MAX;
            let mut all = Vec::new();
            for _ in 0..5 {
                loop {
                    let t = Instant::now();
                    let f = Fit::new(batch.clone(), (micro as u32) * steps, epochs);
                    tr.fit(&f, |_| std::ops::ControlFlow::Continue(())).unwrap();
                    let e = t.elapsed().as_secs_f64();
                    if e < 0.4 { epochs = (epochs * 2).max((epochs as f64 * 0.6 / e) as u32); continue; }
                    let r = e / (epochs as f64 * rows as f64);
                    all.push(r);
                    best = best.min(r);
                    break;
                }
            }
            all.sort_by(f64::total_cmp);
            println!("{name} {kernels:8} made {made:.2?} first epoch {first:.2?}  {:.1}k samples/s (best {:.1}k) {} dispatches hash {h:x} {}", 1e-3 / all[2], 1e-3 / best, tr.plan().dispatches_per_micro_batch(), p["0.weight"].values[0]);
        }
    }
}
