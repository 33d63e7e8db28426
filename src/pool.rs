//! The threads beside the dataflow: synthesis, filtering, training and scoring run here, never on a worker.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, select_biased, unbounded};
use hearth_operators::outside::{Answer, Outside};
use rustix::time::{ClockId, clock_gettime};

use crate::stop::Stop;

/// How soon a job is wanted: others wait for it, or it is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Short work that whole streams wait for.
    Soon,
    /// Long work of one home.
    Patient,
}

/// Jobs of one kind, counted.
#[derive(Debug, Default)]
pub struct Work {
    /// Jobs taken on.
    pub asked: AtomicU64,
    /// Jobs finished.
    pub done: AtomicU64,
    /// CPU time of the finished ones, in microseconds.
    pub cpu_micros: AtomicU64,
}

impl Work {
    /// Jobs that wait or run; of a run that was stopped, those that were dropped.
    pub fn open(&self) -> u64 {
        let done = self.done.load(Ordering::Relaxed);
        self.asked.load(Ordering::Relaxed).saturating_sub(done)
    }
}

/// How often the end of jobs is looked for.
const LOOK: Duration = Duration::from_millis(5);

type Job = Box<dyn FnOnce() + Send>;

/// A fixed number of threads. Dropping it waits for the jobs, unless the run was stopped: then those that run are abandoned, for
/// a training may take minutes, and nobody waits for their answers.
pub struct Pool {
    soon: Option<Sender<Job>>,
    patient: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    stop: Stop,
}

impl Pool {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn new(threads: usize, stop: Stop) -> std::io::Result<Self> {
        let (soon, soon_jobs) = unbounded::<Job>();
        let (patient, patient_jobs) = unbounded::<Job>();
        let threads = (0..threads.max(1))
            .map(|n| {
                let (soon, patient) = (soon_jobs.clone(), patient_jobs.clone());
                let name = format!("pool-{n}");
                let thread = std::thread::Builder::new().name(name);
                thread.spawn(move || work(&soon, &patient))
            })
            .collect::<Result<_, _>>()?;
        Ok(Pool {
            soon: Some(soon),
            patient: Some(patient),
            threads,
            stop,
        })
    }

    /// Offers `work` as an [`Outside`] whose jobs run on this pool. A job that fails, or panics, fails the run.
    /// Once that is stopped, jobs are dropped unanswered and stay open.
    pub fn offer<Q, A>(
        &self,
        urgency: Urgency,
        counted: Arc<Work>,
        work: impl Fn(Q) -> Result<A, String> + Send + Sync + 'static,
    ) -> Arc<dyn Outside<Q, A>>
    where
        Q: Send + 'static,
        A: Send + 'static,
    {
        let queue = match urgency {
            Urgency::Soon => self.soon.clone(),
            Urgency::Patient => self.patient.clone(),
        };
        Arc::new(Offer {
            queue,
            stop: self.stop.clone(),
            counted,
            work: Arc::new(work),
        })
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.soon = None;
        self.patient = None;
        while !self.stop.is_stopped() && self.threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(LOOK);
        }
        if self.stop.is_stopped() {
            return;
        }
        for thread in self.threads.drain(..) {
            // A job's panic is caught where it runs.
            let _ = thread.join();
        }
    }
}

struct Offer<F> {
    queue: Option<Sender<Job>>,
    stop: Stop,
    counted: Arc<Work>,
    work: Arc<F>,
}

impl<Q, A, F> Outside<Q, A> for Offer<F>
where
    Q: Send + 'static,
    A: Send + 'static,
    F: Fn(Q) -> Result<A, String> + Send + Sync + 'static,
{
    fn ask(&self, question: Q, answer: Answer<A>) {
        let (stop, counted, work) = (self.stop.clone(), self.counted.clone(), self.work.clone());
        counted.asked.fetch_add(1, Ordering::Relaxed);
        let job = move || {
            if !stop.is_stopped() {
                let began = cpu_micros();
                match catch_unwind(AssertUnwindSafe(|| work(question))) {
                    Ok(Ok(done)) => {
                        // Whoever asked may be gone.
                        answer.send(done);
                    }
                    Ok(Err(reason)) => stop.fail(reason),
                    Err(_) => stop.fail("a job beside the dataflow panicked".to_owned()),
                }
                let spent = cpu_micros().saturating_sub(began);
                counted.cpu_micros.fetch_add(spent, Ordering::Relaxed);
                counted.done.fetch_add(1, Ordering::Relaxed);
            }
        };
        if let Some(queue) = &self.queue {
            // Without a pool the job is dropped, and with it the question's answer.
            let _ = queue.send(Box::new(job));
        }
    }
}

/// Runs jobs, urgent ones first, until nobody can send any more.
fn work(soon: &Receiver<Job>, patient: &Receiver<Job>) {
    let (mut soon, mut patient) = (soon.clone(), patient.clone());
    let (mut soon_open, mut patient_open) = (true, true);
    while soon_open || patient_open {
        select_biased! {
            recv(soon) -> job => match job {
                Ok(job) => job(),
                Err(_) => {
                    soon_open = false;
                    soon = crossbeam_channel::never();
                }
            },
            recv(patient) -> job => match job {
                Ok(job) => job(),
                Err(_) => {
                    patient_open = false;
                    patient = crossbeam_channel::never();
                }
            },
        }
    }
}

/// CPU time of this thread so far.
pub(crate) fn cpu_micros() -> u64 {
    micros(ClockId::ThreadCPUTime)
}

/// CPU time of this process so far.
pub(crate) fn cpu_micros_of_process() -> u64 {
    micros(ClockId::ProcessCPUTime)
}

fn micros(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_nsec.unsigned_abs() / 1_000
}
