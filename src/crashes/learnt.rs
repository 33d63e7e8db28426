//! First models that were trained once: they follow from their question, and training is most of what a small run takes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hearth_operators::dataflow::Services;
use hearth_operators::outside::Answer;
use hearth_operators::warm_up::WarmedUp;
use hearth_operators::words::Foundation;

type Known = HashMap<Vec<u8>, Arc<Foundation>>;

/// What was trained; clones share it.
#[derive(Clone, Default)]
pub struct Learnt(Arc<Mutex<Known>>);

impl Learnt {
    /// The same services, that train nothing twice.
    pub fn shared(&self, services: Services) -> Services {
        let (learnt, trains) = (self.clone(), services.foundation.clone());
        let ask = move |warm: Arc<WarmedUp>, answer: Answer<Arc<Foundation>>| {
            let key = bincode::serialize(&*warm).unwrap();
            let known = learnt.known().get(&key).cloned();
            if let Some(known) = known {
                answer.send(known);
                return;
            }
            let learnt = learnt.clone();
            let deliver = move |trained: Option<Arc<Foundation>>| {
                let Some(trained) = trained else { return false };
                learnt.known().insert(key, trained.clone());
                answer.send(trained)
            };
            trains.ask(warm, Answer::new(deliver));
        };
        Services {
            foundation: Arc::new(ask),
            ..services
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
