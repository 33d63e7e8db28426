//! The names that stand behind the ids in records.

use std::borrow::Cow;
use std::sync::Arc;

use hearth_operators::words::{
    ActionId, Catalogs, CohortId, DeviceId, HomeId, Line, Request, Task,
};

use crate::home_names::HomeNames;

/// System and user message of a request.
type Prompt = Arc<dyn Fn(&Request) -> (String, String) + Send + Sync>;

/// The one place where records find names, and the words of a request.
#[derive(Clone)]
pub struct Names {
    homes: HomeNames,
    catalogs: Arc<Catalogs>,
    /// `Device:action`, by action, where all homes have one catalog.
    actions: Vec<String>,
    /// Cohorts, by id but for the first one.
    cohorts: Vec<String>,
    models: [&'static str; 2],
    files: Vec<String>,
    prompt: Prompt,
}

impl Names {
    /// Of a run: its homes and their catalogs, what its detectors and predictors are, and its input files by [`Line::file`].
    pub fn new(
        homes: HomeNames,
        catalogs: Arc<Catalogs>,
        models: [&'static str; 2],
        files: Vec<String>,
    ) -> Self {
        let actions = catalogs.only().map(|catalog| {
            let actions = catalog.action_ids();
            actions.map(|id| catalog.full_name(id)).collect()
        });
        Names {
            homes,
            actions: actions.unwrap_or_default(),
            catalogs,
            cohorts: Vec::new(),
            models,
            files,
            prompt: Arc::new(|_| Default::default()),
        }
    }

    /// The same where requests are made: what says them in words.
    pub fn with_prompt(
        self,
        prompt: impl Fn(&Request) -> (String, String) + Send + Sync + 'static,
    ) -> Self {
        let prompt = Arc::new(prompt);
        Names { prompt, ..self }
    }

    /// The same with the names of cohorts, by id but for the first one.
    pub fn with_cohorts(self, cohorts: Vec<String>) -> Self {
        Names { cohorts, ..self }
    }

    /// The name of a cohort; `None`: that of homes that name none.
    pub fn cohort(&self, cohort: CohortId) -> Option<&str> {
        let place = cohort.0.checked_sub(1)?;
        self.cohorts.get(place as usize).map(String::as_str)
    }

    /// How homes speak.
    pub fn catalogs(&self) -> &Catalogs {
        &self.catalogs
    }

    /// The home's name.
    pub fn home(&self, home: HomeId) -> Arc<str> {
        self.homes.name(home)
    }

    /// `Device:action`. Actions are asked for with their home: an id means what its home's catalog says.
    pub fn action(&self, home: HomeId, action: ActionId) -> Cow<'_, str> {
        match self.actions.get(usize::from(action.0)) {
            Some(name) => name.into(),
            None => self.catalogs.of(home).full_name(action).into(),
        }
    }

    /// The name of the action alone.
    pub fn action_alone(&self, home: HomeId, action: ActionId) -> &str {
        self.catalogs.of(home).action_name(action)
    }

    /// The name of the action's device.
    pub fn device(&self, home: HomeId, action: ActionId) -> &str {
        self.catalogs.of(home).device_name(action)
    }

    /// A device's name.
    pub fn device_named(&self, home: HomeId, device: DeviceId) -> &str {
        let devices = self.catalogs.of(home).devices();
        let device = devices.get(usize::from(device.0));
        device.map_or("?", |device| device.name.as_str())
    }

    /// What models for a task are.
    pub fn model(&self, task: Task) -> &'static str {
        let [detector, predictor] = self.models;
        match task {
            Task::Detector => detector,
            Task::Predictor => predictor,
        }
    }

    /// `file:line` of an input line.
    pub fn source(&self, line: Line) -> String {
        let file = self.files.get(line.file as usize);
        format!("{}:{}", file.map_or("?", String::as_str), line.line)
    }

    /// System and user message of a request.
    pub fn prompt(&self, request: &Request) -> (String, String) {
        (self.prompt)(request)
    }
}
