//! A device that is lost.

use std::ops::ControlFlow;

use accrue::Error;
use accrue::plan::ExecutionMode;
use accrue::train::Run;
use common::runs::{Path, parameters};

use crate::*;

#[test]
fn a_run_whose_device_is_lost_goes_on_on_another_device_with_the_same_bits() {
    let task = task(ExecutionMode::Fused);
    let wanted = task.run(common::gpu(), &Path::FitConfig(20));
    let fit = task.fit();
    let go_on = |_| ControlFlow::Continue(());
    let mut lost = 0;
    for submissions in 1..6 {
        let gpu = own();
        let mut trainer = task.trainer(&gpu, 20, true);
        let mut run = Run::new(&mut trainer, &fit).unwrap();
        for _ in 0..submissions {
            run.advance(&mut trainer, &fit, go_on).unwrap();
        }
        run.settle(&mut trainer, &fit, go_on).unwrap();
        let (state, position) = (trainer.state().unwrap(), run.position());
        gpu.device().destroy();
        let error = (0..9).find_map(|_| run.advance(&mut trainer, &fit, go_on).err());
        assert!(position.updates == 4 || matches!(error, Some(Error::DeviceLost(_))), "{error:?}");
        lost += u32::from(error.is_some());

        let mut trainer = task.trainer(&own(), 17, true);
        let early = Run::at(&mut trainer, &fit, &position).map(drop);
        assert!(position.updates == 0 || matches!(early, Err(Error::Shape { .. })), "without the state: {early:?}");
        trainer.set_state(&state).unwrap();
        let mut run = Run::at(&mut trainer, &fit, &position).unwrap();
        while run.advance(&mut trainer, &fit, go_on).unwrap().is_none() {}
        assert_eq!(parameters(&mut trainer), wanted.parameters, "left after {submissions} submissions");
    }
    assert!(lost > 0, "no run was left before its end");
}
