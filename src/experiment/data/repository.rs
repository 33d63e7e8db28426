//! The authors' repository as a user cloned it, or its conversion to JSON Lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use hearth_operators::words::{HomeId, Quadruple, Sequence, Shift, Time};
use serde::Deserialize;

use super::material::{Attack, Kind, Material, Numbering};
use super::study::Study;

use crate::import::authors::{DataSet, Numbers, Vocabulary, read_lines, read_sequences, read_text};

/// A data set of the repository.
pub struct Repository {
    data: DataSet,
    name: String,
}

/// Whose fixed-length sequences: the authors keep them in several places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baselines {
    /// Those of anomaly detection, with tests and attacks of their own.
    Detection,
    /// Those of behaviour prediction, with tests of their own.
    Prediction,
    /// SASRec, which is tested as the published system is.
    SasRec,
}

/// The sequences of ten behaviours that the authors ran the paper's baselines on, before any split.
pub struct FixedLength {
    /// Of the context that ends.
    pub train: Vec<Sequence>,
    /// Likewise, to validate on.
    pub held: Vec<Sequence>,
    /// Of the context that begins.
    pub normal: Vec<Sequence>,
    /// Their attacked copies, where there are such.
    pub attacks: Vec<Sequence>,
}

/// A recorded reply of a language model.
struct Reply {
    model: String,
    /// α of the compression that the request was made with, as written.
    threshold: String,
    /// Weekday of the request, and its part where there are several.
    bucket: (u8, Option<u16>),
    /// Older files of the same name but for their beginning are passed over where there are newer ones.
    older: bool,
    /// Where the text is, or the text.
    text: Place,
}

enum Place {
    File(PathBuf),
    Here(String),
}

impl Repository {
    /// Finds a data set.
    ///
    /// # Errors
    /// The folder does not hold it.
    pub fn find(folder: &Path, name: &str) -> Result<Self> {
        Ok(Repository {
            data: DataSet::find(folder, name)?,
            name: name.to_owned(),
        })
    }

    /// The real sequences of a shift.
    ///
    /// # Errors
    /// A file is missing or damaged; the message names it.
    pub fn material(&self, kind: Kind) -> Result<Material> {
        let vocabulary = self.data.vocabulary()?;
        let source = self.source(&vocabulary, kind)?;
        let tested = self.data.sequences(kind.to(), "split_test")?;
        let file = format!("{}_{}_attack_{}", self.name, kind.to(), kind.attack());
        let attacks = match &self.data {
            DataSet::Repository { folder, name } => {
                read_sequences(&folder.join("attack").join(name).join(file + ".pkl"))?
            }
            DataSet::Converted(folder) => {
                read_sequences(&folder.join("attacks").join(file + ".jsonl"))?
            }
        };
        ensure!(
            attacks.len() == tested.len(),
            "{} test sequences of {} but {} attacked copies of them; the files are of different versions",
            tested.len(),
            kind.to(),
            attacks.len()
        );
        let (mut normal, mut twins, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        for (tested, attack) in tested.into_iter().zip(attacks) {
            let (Ok(tested), Ok(attack)) = (tested, attack) else {
                continue;
            };
            let pair = (
                sequence(&vocabulary, &tested),
                sequence(&vocabulary, &attack),
            );
            if let (Some(plain), Some(attacked)) = pair {
                twins.push(Attack {
                    of: Some(normal.len()),
                    sequence: attacked,
                });
                normal.push(plain);
                numbers.push(tested);
            }
        }
        Ok(Material {
            shift: shift(kind),
            source,
            normal,
            attacks: twins,
            numbering: Some(Numbering {
                normal: numbers,
                actions: vocabulary.actions().collect(),
            }),
            catalog: Arc::new(vocabulary.catalog),
        })
    }

    fn source(&self, vocabulary: &Vocabulary, kind: Kind) -> Result<Vec<Sequence>> {
        let source = self.data.sequences(kind.from(), "split_trn")?;
        let source = source
            .into_iter()
            .filter_map(|numbers| sequence(vocabulary, &numbers.ok()?));
        Ok(source.collect())
    }

    /// Models with recorded replies for a shift, each once.
    pub fn models(&self, kind: Kind) -> Vec<String> {
        let replies = self.replies(kind).unwrap_or_default();
        let mut models: Vec<String> = replies.into_iter().map(|reply| reply.model).collect();
        models.sort();
        models.dedup();
        models
    }

    /// The texts that a model answered with, by weekday and part: of the compression nearest to the published one that has
    /// answers for all weekdays.
    ///
    /// # Errors
    /// There is no such set; the message says what is missing.
    pub fn texts(&self, kind: Kind, model: &str) -> Result<Vec<String>> {
        let published: f64 = self.published(kind)?.parse().unwrap_or(0.0);
        let mut sets = BTreeMap::<(bool, String), Vec<Reply>>::new();
        for reply in self.replies(kind)? {
            if reply.model == model {
                let key = (reply.older, reply.threshold.clone());
                sets.entry(key).or_default().push(reply);
            }
        }
        let far = |threshold: &str| {
            let threshold: f64 = threshold.parse().unwrap_or(f64::INFINITY);
            (threshold - published).abs()
        };
        let whole = |replies: &[Reply]| {
            (0..7u8).all(|weekday| replies.iter().any(|reply| reply.bucket.0 == weekday))
        };
        let nearest = sets
            .into_iter()
            .filter(|(_, replies)| whole(replies))
            .min_by(|((older, a), _), ((olden, b), _)| {
                far(a).total_cmp(&far(b)).then(older.cmp(olden))
            });
        let (_, mut replies) = nearest.with_context(|| {
            format!(
                "no replies of {model} to all seven weekdays are there (files {}_{}_generation_day_<d>_SPPC_th=<α>_{model}.pkl)",
                self.name,
                kind.to()
            )
        })?;
        replies.sort_by_key(|reply| reply.bucket);
        let texts = replies.into_iter().map(|reply| match reply.text {
            Place::File(file) => read_text(&file),
            Place::Here(text) => Ok(text),
        });
        texts.collect()
    }

    /// A recorded set of the authors.
    ///
    /// # Errors
    /// The file is missing or damaged; the message names it.
    pub(super) fn study(&self, kind: Kind, study: &Study) -> Result<Vec<Sequence>> {
        let vocabulary = self.data.vocabulary()?;
        let recorded = read_sequences(&self.study_file(kind, study)?)?;
        let sequences: Vec<Sequence> = recorded
            .into_iter()
            .filter_map(|numbers| sequence(&vocabulary, &numbers.ok()?))
            .collect();
        Ok(sequences)
    }

    fn study_file(&self, kind: Kind, study: &Study) -> Result<PathBuf> {
        let (name, to) = (&self.name, kind.to());
        let stem = |model: &str| -> Result<String> {
            let published = self.published(kind)?;
            Ok(format!(
                "{name}_{to}_generation_SPPC_th={published}_{model}_seq"
            ))
        };
        let gpt = || stem("gpt-4o");
        let folder = match &self.data {
            DataSet::Repository { folder, .. } => folder,
            DataSet::Converted(folder) => {
                ensure!(
                    *study == Study::Filtered,
                    "the converted data does not hold this set by name; give the authors' repository"
                );
                let file = format!("{}_filter_true.jsonl", gpt()?);
                return Ok(folder.join("synth_filtered").join(file));
            }
        };
        let root = root(folder);
        let stages = folder.join("filter_data").join(name).join(to);
        let studies = root.join("parameter_study").join("study_data");
        Ok(match study {
            Study::Filtered => synthetic(root).join(gpt()? + "_filter_true.pkl"),
            Study::Candidates => stages.join(gpt()? + ".pkl"),
            Study::FirstStage => stages.join(gpt()? + "_filter.pkl"),
            Study::SecondStage => stages.join(gpt()? + "_filter_true.pkl"),
            Study::Model(model) => studies
                .join("diffllmEP")
                .join(stem(model)? + "_filter_true.pkl"),
            Study::Split(gap, span) => studies
                .join("splitEP1")
                .join(format!("{}_filter_true_{gap}_{span}.pkl", gpt()?)),
            Study::Ablation(without) => {
                ensure!(
                    name == "sp" && kind == Kind::ST,
                    "the authors recorded their ablation for sp ST alone"
                );
                root.join("ablation_study/study_data/ablation1")
                    .join(format!("generation_th=0.905_Llama_70B_seq_{without}.pkl"))
            }
        })
    }

    /// The test of the authors' ablation without the split: whole sequences and their attacked copies.
    ///
    /// # Errors
    /// A file is missing or damaged, or the copies are not as many; the message says which.
    pub fn unsplit(&self, kind: Kind) -> Result<Material> {
        let DataSet::Repository { folder, .. } = &self.data else {
            return Err(anyhow!(
                "the converted data does not hold the ablation study's test"
            ));
        };
        let vocabulary = self.data.vocabulary()?;
        let study = root(folder).join("ablation_study/study_data/ablation1");
        let read = |file: &str| -> Result<(Vec<Vec<Numbers>>, Vec<Sequence>)> {
            let numbers = read_sequences(&study.join(file))?;
            let known = numbers.into_iter().filter_map(|numbers| {
                let numbers = numbers.ok()?;
                let sequence = sequence(&vocabulary, &numbers)?;
                Some((numbers, sequence))
            });
            Ok(known.unzip())
        };
        let (numbers, normal) = read("test.pkl")?;
        let (_, attacked) = read("sp_spring_attack_heater.pkl")?;
        ensure!(
            normal.len() == attacked.len(),
            "the unsplit test and its attacked copies differ in number"
        );
        let attacks = attacked.into_iter().enumerate();
        Ok(Material {
            shift: shift(kind),
            source: Vec::new(),
            normal,
            attacks: attacks
                .map(|(of, sequence)| Attack {
                    of: Some(of),
                    sequence,
                })
                .collect(),
            numbering: Some(Numbering {
                normal: numbers,
                actions: vocabulary.actions().collect(),
            }),
            catalog: Arc::new(vocabulary.catalog),
        })
    }

    /// What the paper's baselines learnt and were tested on.
    ///
    /// # Errors
    /// A file is missing or damaged; the message names it.
    pub fn fixed_length(&self, kind: Kind, of: Baselines) -> Result<FixedLength> {
        let DataSet::Repository { folder, name } = &self.data else {
            return Err(anyhow!(
                "the converted data does not hold the baselines' sequences of ten; give the authors' repository"
            ));
        };
        let folder = root(folder)
            .join(match of {
                Baselines::Detection => "anomaly_detection_baseline",
                Baselines::Prediction => "behavior_prediciton_baseline",
                Baselines::SasRec => "behavior_prediciton_baseline/SASRec",
            })
            .join("baseline_data")
            .join(name);
        let vocabulary = self.data.vocabulary()?;
        let read = |file: PathBuf| -> Result<Vec<Sequence>> {
            let numbers = read_sequences(&file)?;
            let known = numbers
                .into_iter()
                .filter_map(|numbers| sequence(&vocabulary, &numbers.ok()?));
            Ok(known.collect())
        };
        let part = |part: &str| read(folder.join(kind.from()).join(part));
        let attack = format!("{name}_{}_attack_{}.pkl", kind.to(), kind.attack());
        Ok(FixedLength {
            train: part("trn.pkl")?,
            held: part("vld.pkl")?,
            normal: part("test.pkl")?,
            attacks: match of {
                Baselines::Detection => read(folder.join("attack").join(attack))?,
                Baselines::Prediction | Baselines::SasRec => Vec::new(),
            },
        })
    }

    /// The unsplit sequences of the context that ends: what Table 9 counts against.
    ///
    /// # Errors
    /// The file is missing or damaged.
    pub fn whole_source(&self, kind: Kind) -> Result<usize> {
        Ok(self.data.sequences(kind.from(), "trn")?.len())
    }

    /// α of the published set, as written: out of the name of the file that their detector was trained on.
    fn published(&self, kind: Kind) -> Result<String> {
        let folder = match &self.data {
            DataSet::Repository { folder, .. } => synthetic(root(folder)),
            DataSet::Converted(folder) => folder.join("synth_filtered"),
        };
        let before = format!("{}_{}_generation_SPPC_th=", self.name, kind.to());
        let names = names(&folder)?;
        let found = names.iter().find_map(|name| {
            let (threshold, rest) = name.strip_prefix(&before)?.split_once('_')?;
            rest.starts_with("gpt-4o_seq_filter_true.")
                .then(|| threshold.to_owned())
        });
        found.with_context(|| {
            format!(
                "no `{before}<α>_gpt-4o_seq_filter_true` lies in `{}`, so the published α is unknown",
                folder.display()
            )
        })
    }

    fn replies(&self, kind: Kind) -> Result<Vec<Reply>> {
        match &self.data {
            DataSet::Repository { folder, name } => {
                let folder = folder.join("IoT_data").join(name).join(kind.to());
                let ours = format!("{name}_{}_", kind.to());
                let replies = names(&folder)?.into_iter().filter_map(|name| {
                    let text = Place::File(folder.join(&name));
                    let (older, rest) = match name.strip_prefix(&ours) {
                        Some(rest) => (false, rest),
                        None => (true, name.as_str()),
                    };
                    let (bucket, threshold, model) = parts(rest.strip_suffix(".pkl")?)?;
                    Some(Reply {
                        model,
                        threshold,
                        bucket,
                        older,
                        text,
                    })
                });
                Ok(replies.collect())
            }
            DataSet::Converted(folder) => {
                #[derive(Deserialize)]
                struct Line {
                    context: String,
                    file: String,
                    text: String,
                }
                let file = folder.join("llm").join("responses.jsonl");
                let ours = format!("{}_{}_", self.name, kind.to());
                let mut replies = Vec::new();
                for (i, line) in read_lines(&file)?.lines().enumerate() {
                    let line: Line = serde_json::from_str(line)
                        .with_context(|| format!("{}:{}: no reply", file.display(), i + 1))?;
                    let older = !line.file.starts_with(&ours);
                    let rest = line.file.strip_prefix(&ours).unwrap_or(&line.file);
                    if line.context == kind.to()
                        && let Some((bucket, threshold, model)) = parts(rest)
                    {
                        replies.push(Reply {
                            model,
                            threshold,
                            bucket,
                            older,
                            text: Place::Here(line.text),
                        });
                    }
                }
                Ok(replies)
            }
        }
    }
}

/// The whole repository, from its folder `SmartGen`.
fn root(folder: &Path) -> &Path {
    folder.parent().unwrap_or(folder)
}

/// Where the sets lie that the published detectors were trained on.
fn synthetic(root: &Path) -> PathBuf {
    root.join("anomaly_detection_pipeline")
        .join("synthetic_data")
}

/// `generation_day_<weekday>[_<part>]_SPPC_th=<α>_<model>`; what was parsed from replies (`…_seq`) is none.
fn parts(name: &str) -> Option<((u8, Option<u16>), String, String)> {
    let (bucket, rest) = name
        .strip_prefix("generation_day_")?
        .split_once("_SPPC_th=")?;
    let (threshold, model) = rest.split_once('_')?;
    if model.ends_with("_seq") {
        return None;
    }
    let bucket = match bucket.split_once('_') {
        Some((weekday, part)) => (weekday.parse().ok()?, Some(part.parse().ok()?)),
        None => (bucket.parse().ok()?, None),
    };
    Some((bucket, threshold.to_owned(), model.to_owned()))
}

/// The names of the files of a folder, sorted.
fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder `{}`", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry
            .with_context(|| format!("cannot read the folder `{}`", folder.display()))?
            .file_name();
        names.extend(name.into_string().ok());
    }
    names.sort();
    Ok(names)
}

/// A sequence in ids; `None` where a number names nothing, or there is no behaviour.
fn sequence(vocabulary: &Vocabulary, numbers: &[Numbers]) -> Option<Sequence> {
    let behaviors = numbers.iter().map(|numbers| {
        let understood = vocabulary.understand(numbers).ok()?;
        let (weekday, hours) = understood.when;
        Some(Quadruple {
            weekday,
            hours,
            action: understood.action,
        })
    });
    let sequence: Option<Vec<Quadruple>> = behaviors.collect();
    sequence
        .filter(|behaviors| !behaviors.is_empty())
        .map(Sequence)
}

fn shift(kind: Kind) -> Shift {
    Shift {
        home: Some(HomeId(0)),
        time: Time(0),
        offset: 0,
        kind: kind.shift(),
        from: kind.from().to_owned(),
        to: kind.to().to_owned(),
    }
}

/// The source of a shift from the public data, for tests: what lies behind the shift is not read. `None`, and loudly so, where
/// the data is not.
#[cfg(test)]
pub(crate) fn real_source(
    dataset: &str,
    kind: Kind,
) -> Option<(hearth_operators::words::Catalog, Vec<Sequence>)> {
    let data = std::env::var_os("HEARTH_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        Into::into,
    );
    let Ok(repository) = Repository::find(&data.join("smartgen"), dataset) else {
        eprintln!(
            "SKIPPED: no {dataset} in {} (set HEARTH_DATA)",
            data.display()
        );
        return None;
    };
    let vocabulary = repository.data.vocabulary().unwrap();
    let source = repository.source(&vocabulary, kind).unwrap();
    Some((vocabulary.catalog, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_replies_are_taken_apart() {
        let known = |name| parts(name).map(|(bucket, alpha, model)| (bucket, alpha + " " + &model));
        assert_eq!(
            known("generation_day_3_SPPC_th=0.918_gpt-4o"),
            Some(((3, None), "0.918 gpt-4o".to_owned()))
        );
        assert_eq!(
            known("generation_day_0_12_SPPC_th=0.91_Llama_405B"),
            Some(((0, Some(12)), "0.91 Llama_405B".to_owned()))
        );
        for none in [
            "generation_day_3_SPPC_th=0.918_gpt-4o_seq",
            "generation_SPPC_th=0.918_gpt-4o",
            "generation_day_x_SPPC_th=0.918_gpt-4o",
            "trn_day_0",
        ] {
            assert_eq!(known(none), None, "{none}");
        }
    }
}
