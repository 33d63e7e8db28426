//! The names that stand behind the ids in records.

use std::sync::Arc;

use hearth_operators::words::{ActionId, Catalog, HomeId, Line, Request};

use crate::homes::Homes;

/// System and user message of a request.
type Prompt = Arc<dyn Fn(&Request) -> (String, String) + Send + Sync>;

/// The one place where records find names, and the words of a request.
#[derive(Clone)]
pub struct Names {
    homes: Homes,
    catalog: Arc<Catalog>,
    /// `Device:action`, by action.
    actions: Vec<String>,
    detector: &'static str,
    files: Vec<String>,
    prompt: Prompt,
}

impl Names {
    /// Of a run: its homes and its catalog, what its detectors are, and its input files by [`Line::file`].
    pub fn new(
        homes: Homes,
        catalog: Arc<Catalog>,
        detector: &'static str,
        files: Vec<String>,
    ) -> Self {
        let actions = catalog.action_ids().map(|id| catalog.full_name(id));
        Names {
            homes,
            actions: actions.collect(),
            catalog,
            detector,
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

    /// The home's name.
    pub fn home(&self, home: HomeId) -> Arc<str> {
        self.homes.name(home)
    }

    /// `Device:action`. Actions are asked for with their home: an id means what its home's catalog says.
    pub fn action(&self, _home: HomeId, action: ActionId) -> &str {
        &self.actions[usize::from(action.0)]
    }

    /// The name of the action alone.
    pub fn action_alone(&self, _home: HomeId, action: ActionId) -> &str {
        self.catalog.action_name(action)
    }

    /// The name of the action's device.
    pub fn device(&self, _home: HomeId, action: ActionId) -> &str {
        self.catalog.device_name(action)
    }

    /// What detectors are.
    pub fn detector(&self) -> &'static str {
        self.detector
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
