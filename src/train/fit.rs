//! Whole epochs: windows of the data, in order or shuffled, with progress as events.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::predictor::forward;
use super::settings::Update;
use super::trainer::Trainer;
use crate::data::Batch;
use crate::optim::Scaling;
use crate::plan::CLOCKS;
use crate::train::metrics::{Evaluation, evaluate};
use crate::window::{Batches, Order, Tail, Window, Windows};
use crate::{Error, Result};

/// What [`Trainer::fit`] trains on and for how long.
#[derive(Clone, Debug)]
pub struct Fit<'a> {
    /// What is trained on.
    pub train: Batch<'a>,
    /// What is evaluated after each epoch.
    pub validation: Option<Batch<'a>>,
    /// For numbers, the size of each output's unit in the target's own.
    pub unit: Option<&'a [f64]>,
    /// Times that each sample is seen.
    pub epochs: u32,
    /// Samples of one update.
    pub batch: Batches,
    /// How the learning rate follows a batch that changes.
    pub lr_scaling: Scaling,
    /// What becomes of a short last window.
    pub tail: Tail,
    /// Shuffles each epoch by this seed; without it samples come in their own order.
    pub shuffle: Option<u64>,
}

impl<'a> Fit<'a> {
    /// Epochs of `train` in its own order, one update for each `batch` samples, without validation. The rest is set by
    /// `Fit { shuffle: Some(0), ..Fit::new(train, 64, 10) }`.
    pub fn new(train: Batch<'a>, batch: u32, epochs: u32) -> Fit<'a> {
        Fit {
            train,
            validation: None,
            unit: None,
            epochs,
            batch: batch.into(),
            lr_scaling: Scaling::None,
            tail: Tail::default(),
            shuffle: None,
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// An update was made in an epoch, counted from 1.
    Update {
        /// The update.
        update: Update,
        /// Its epoch.
        epoch: u32,
    },
    /// The last update of an epoch was made.
    Epoch {
        /// The epoch, counted from 1.
        epoch: u32,
        /// Its last update.
        update: u64,
        /// The weighted mean of the losses of its updates' samples, each before its update.
        train_loss: f64,
        /// On the validation data, with the parameters after the epoch's last update.
        validation: Option<Evaluation>,
    },
}

/// How [`Trainer::fit`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done.
    Done,
    /// An event was answered with [`ControlFlow::Break`].
    Stopped,
}

/// How long one submission should take: long enough to be worth its overhead, short enough for any watchdog.
const SLICE: Duration = Duration::from_millis(100);

impl Trainer {
    /// Trains for whole epochs. Every event goes to `on_event`, which may end the training: updates that are on their way by
    /// then are still made and told, so that the last update told is the one that the parameters are of.
    ///
    /// # Errors
    /// [`Error::Diverged`] at the first window whose loss or gradient is not finite: its update was not made.
    /// [`Error::Config`] when no update would ever be made. Else what [`Trainer::schedule`] and its fellows give.
    pub fn fit(&mut self, fit: &Fit, on_event: impl FnMut(Event) -> ControlFlow<()>) -> Result<Outcome> {
        self.alive()?;
        if self.open_rows() > 0 {
            let message = "a window is open; end it with update() first".to_owned();
            return Err(Error::Shape { op: "fit", message });
        }
        // Updates that were asked for before are no events of this training; they stay for `finished`.
        let earlier = self.finish()?;
        let outcome = self.fit_alone(fit, on_event);
        self.hold = false;
        self.lr_factor = 1.0;
        // A training that ended early may have left a part of a window behind.
        self.abandon();
        self.finished.splice(..0, earlier);
        outcome
    }

    fn fit_alone(&mut self, fit: &Fit, on_event: impl FnMut(Event) -> ControlFlow<()>) -> Result<Outcome> {
        let samples = self.format.check(&fit.train)?;
        self.check_validation(fit)?;
        let windows = Windows::new(samples, fit.epochs, fit.batch.clone(), fit.tail)?;
        let mut order = Order::new(samples as u32, fit.shuffle);
        let mut run =
            Run { fit, on_event, expected: VecDeque::new(), ended: None, sum: 0.0, weight: 0.0, stopped: false };
        let mut pace = Pace::default();
        let resident = self.keep(&fit.train)?;
        for window in windows {
            // Windows that are on their way when one turns out not to be finite change nothing any more.
            self.hold = window.update > 1;
            if self.run_window(&window, resident, &mut order, &mut pace, &mut run)?.is_break() {
                return self.stop(&mut run);
            }
            if let (true, Some(validation)) = (window.ends_epoch, &fit.validation) {
                let updates = self.finish()?;
                if run.report(updates)?.is_break() || run.validate(self, validation)?.is_break() {
                    return self.stop(&mut run);
                }
            }
        }
        let updates = self.finish()?;
        match run.report(updates)? {
            ControlFlow::Continue(()) => Ok(Outcome::Done),
            ControlFlow::Break(()) => Ok(Outcome::Stopped),
        }
    }

    /// Finds out now what would be found after the first epoch.
    fn check_validation(&self, fit: &Fit) -> Result<()> {
        let Some(validation) = &fit.validation else { return Ok(()) };
        self.format.check(validation)?;
        match fit.unit {
            Some(unit) if unit.len() != self.model.outputs() => {
                let message = format!("{} units for {} outputs", unit.len(), self.model.outputs());
                Err(Error::Shape { op: "fit", message })
            }
            _ => Ok(()),
        }
    }

    /// Puts the data on the GPU, unless it is to be streamed or does not fit.
    pub(super) fn keep(&mut self, data: &Batch) -> Result<bool> {
        if self.stream {
            return Ok(false);
        }
        match self.attach(data) {
            Ok(()) => Ok(true),
            Err(Error::Memory(message)) => {
                log::warn!("{message}; the data is streamed from the host's memory instead");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn run_window<F: FnMut(Event) -> ControlFlow<()>>(
        &mut self,
        window: &Window,
        resident: bool,
        order: &mut Order,
        pace: &mut Pace,
        run: &mut Run<F>,
    ) -> Result<ControlFlow<()>> {
        let end = window.start + u64::from(window.rows);
        let mut at = window.start;
        let mut samples = Vec::with_capacity(self.plan().micro_batch);
        while at < end {
            let stop = end.min(at + self.plan().micro_batch as u64);
            samples.clear();
            order.extend(at..stop, &mut samples);
            let full = !self.has_room(samples.len()) || self.profile_is_full();
            if !resident || full || pace.enough(self.pending.len()) {
                self.submit()?;
                pace.learn();
                let updates = self.finished()?;
                if run.report(updates)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            if resident {
                self.schedule(&samples, stop == end)?;
            } else {
                let rows = samples.iter().map(|&sample| sample as usize);
                self.step_from_host(&run.fit.train, rows, stop == end)?;
            }
            at = stop;
        }
        self.lr_factor = run.fit.lr_scaling.factor(window.batch);
        self.schedule_update()?;
        run.expected.push_back((window.epoch, window.ends_epoch));
        Ok(ControlFlow::Continue(()))
    }

    fn stop<F: FnMut(Event) -> ControlFlow<()>>(&mut self, run: &mut Run<F>) -> Result<Outcome> {
        let updates = self.finish()?;
        let _ = run.report(updates)?;
        Ok(Outcome::Stopped)
    }

    /// Outputs (rows, outputs) of the model as it is now, for features (rows, features). The open window is not touched.
    pub fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>> {
        self.caught_up()?;
        let begin = Instant::now();
        let outputs = forward(&self.program, features, self.model.inputs, self.model.outputs());
        let outputs = self.noticed(outputs)?;
        if let Some(profiler) = &mut self.profiler {
            profiler.predicted(begin);
        }
        Ok(outputs)
    }

    /// Loss and metrics of the model as it is now. The open window is not touched.
    pub fn evaluate(&mut self, batch: &Batch, unit: Option<&[f64]>) -> Result<Evaluation> {
        let outputs = self.predict(batch.features)?;
        evaluate(&self.model, &outputs, batch, unit)
    }
}

/// How many micro-batches and updates one submission takes: doubled while submissions are short, halved when one is long.
struct Pace {
    items: usize,
    last: Instant,
}

impl Default for Pace {
    fn default() -> Pace {
        // How long a micro-batch takes is not known yet, and a driver may end work that takes long.
        Pace { items: 1, last: Instant::now() }
    }
}

impl Pace {
    fn enough(&self, items: usize) -> bool {
        items >= self.items
    }

    /// Two submissions are on their way at once, so the time between two is what one takes.
    fn learn(&mut self) {
        let took = self.last.elapsed();
        self.last = Instant::now();
        if took > SLICE {
            self.items = (self.items / 2).max(1);
        } else if took < SLICE / 2 {
            self.items = (self.items * 2).min(CLOCKS);
        }
    }
}

/// The events of one [`Trainer::fit`].
struct Run<'a, F> {
    fit: &'a Fit<'a>,
    on_event: F,
    /// For each update on its way its epoch, and whether it is the epoch's last.
    expected: VecDeque<(u32, bool)>,
    /// An epoch whose last update was made.
    ended: Option<(u32, u64)>,
    sum: f64,
    weight: f64,
    /// An event was answered with [`ControlFlow::Break`].
    stopped: bool,
}

impl<F: FnMut(Event) -> ControlFlow<()>> Run<'_, F> {
    fn report(&mut self, updates: Vec<Update>) -> Result<ControlFlow<()>> {
        for update in updates {
            update.check()?;
            let Some((epoch, ends)) = self.expected.pop_front() else { break };
            if update.made {
                self.sum += update.loss * update.weight;
                self.weight += update.weight;
            }
            self.tell(Event::Update { update, epoch });
            if ends {
                self.ended = Some((epoch, update.update));
            }
            if self.fit.validation.is_none() {
                self.end_epoch(None);
            }
        }
        Ok(self.flow())
    }

    fn tell(&mut self, event: Event) {
        self.stopped |= (self.on_event)(event).is_break();
    }

    fn flow(&self) -> ControlFlow<()> {
        if self.stopped { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn end_epoch(&mut self, validation: Option<Evaluation>) {
        let Some((epoch, update)) = self.ended.take() else { return };
        let train_loss = std::mem::take(&mut self.sum) / std::mem::take(&mut self.weight);
        self.tell(Event::Epoch { epoch, update, train_loss, validation });
    }

    fn validate(&mut self, trainer: &mut Trainer, validation: &Batch) -> Result<ControlFlow<()>> {
        let evaluation = trainer.evaluate(validation, self.fit.unit)?;
        self.end_epoch(Some(evaluation));
        Ok(self.flow())
    }
}
