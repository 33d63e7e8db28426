//! An object store: a bucket of S3, or of whoever speaks its language.

use std::env;
use std::fmt;
use std::future::poll_fn;
use std::io::{self, BufWriter, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::buffered;
use object_store::path::Path;
use object_store::{BackoffConfig, ObjectMeta, ObjectStore, ObjectStoreExt, RetryConfig};
use tokio::io::AsyncWrite;
use tokio::runtime::{Builder, Runtime};

use super::{Fill, Opened, Store};
use crate::codec::Source;

/// What the name of such a place begins with.
pub const SCHEME: &str = "s3://";

/// How long is tried to reach it: a server that begins anew is not noticed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is sent and fetched at once: larger than the least that S3 takes for a piece of an object.
const PIECE: usize = 8 << 20;

/// Variables whose values are told to nobody.
const SECRETS: [&str; 3] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
];

/// What lies in a bucket under a prefix. Who may use it, and where it is, the usual `AWS_*` variables say.
pub struct Objects {
    bucket: String,
    prefix: Path,
    /// Behind what is fetched from it, too, which must not outlive it.
    bucket_of: Arc<Bucket>,
}

/// The connection, and the thread on which it lives.
struct Bucket {
    client: Arc<AmazonS3>,
    runtime: Runtime,
}

/// Without the client, in which the key is.
impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path(""))
    }
}

impl Objects {
    /// That of `s3://bucket/prefix`.
    ///
    /// # Errors
    /// It is no such name, or the variables do not say enough.
    pub fn new(url: &str) -> io::Result<Self> {
        let (bucket, prefix) = named(url)?;
        let client = AmazonS3Builder::from_env()
            .with_bucket_name(&bucket)
            .with_retry(RetryConfig {
                retry_timeout: PATIENCE,
                // As many as the time has room for.
                max_retries: 100,
                backoff: BackoffConfig {
                    max_backoff: Duration::from_secs(2),
                    ..BackoffConfig::default()
                },
            })
            .build()
            .map_err(told)?;
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("checkpoints")
            .enable_all()
            .build()?;
        Ok(Objects {
            bucket,
            prefix,
            bucket_of: Arc::new(Bucket {
                client: Arc::new(client),
                runtime,
            }),
        })
    }

    fn object(&self, name: &str) -> Path {
        self.prefix.clone().join(name)
    }
}

/// Bucket and prefix. A name that is none is not repeated: it may hold a key.
fn named(url: &str) -> io::Result<(String, Path)> {
    let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
    let place = url.strip_prefix(SCHEME).unwrap_or(url);
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    let of_name = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    if bucket.is_empty() || !bucket.chars().all(of_name) {
        return Err(refused(
            "it names no bucket: s3://bucket/prefix; keys and servers are said by AWS_* variables",
        ));
    }
    let prefix = Path::parse(prefix.trim_end_matches('/'));
    let prefix = prefix.map_err(|_| refused("what stands behind the bucket is no prefix"))?;
    Ok((bucket.to_owned(), prefix))
}

impl Store for Objects {
    fn list(&self) -> io::Result<Vec<String>> {
        let Bucket { client, runtime } = &*self.bucket_of;
        let listed = client.list(Some(&self.prefix)).try_collect();
        let objects: Vec<ObjectMeta> = runtime.block_on(listed).map_err(told)?;
        let name = |object: ObjectMeta| {
            let mut parts = object.location.prefix_match(&self.prefix)?;
            let name = parts.next()?.as_ref().to_owned();
            parts.next().is_none().then_some(name)
        };
        let mut names: Vec<String> = objects.into_iter().filter_map(name).collect();
        names.sort();
        Ok(names)
    }

    fn open(&self, name: &str) -> io::Result<Opened> {
        let Bucket { client, runtime } = &*self.bucket_of;
        let object = self.object(name);
        let found = runtime.block_on(client.head(&object)).map_err(told)?;
        Ok(Box::new(Object {
            bucket: self.bucket_of.clone(),
            object,
            bytes: found.size,
            piece: Mutex::default(),
        }))
    }

    fn put(&self, name: &str, fill: Fill<'_>) -> io::Result<()> {
        let client = self.bucket_of.client.clone();
        let upload = Upload {
            runtime: &self.bucket_of.runtime,
            out: buffered::BufWriter::with_capacity(client, self.object(name), PIECE)
                .with_max_concurrency(2),
        };
        let mut out = BufWriter::with_capacity(1 << 18, upload);
        let filled = fill(&mut out).and_then(|()| out.flush());
        let (mut upload, _) = out.into_parts();
        match filled {
            Ok(()) => upload.finish(),
            Err(error) => {
                upload.give_up();
                Err(error)
            }
        }
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let Bucket { client, runtime } = &*self.bucket_of;
        match runtime.block_on(client.delete(&self.object(name))) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(told(error)),
        }
    }

    /// A bucket has no folders.
    fn leave(&self) -> io::Result<()> {
        Ok(())
    }

    fn path(&self, name: &str) -> String {
        let object = match name {
            "" => self.prefix.clone(),
            name => self.object(name),
        };
        format!("{SCHEME}{}/{object}", self.bucket)
    }

    fn is_remote(&self) -> bool {
        true
    }
}

/// An object that is written: it is there once it is finished, and never in part.
struct Upload<'a> {
    runtime: &'a Runtime,
    out: buffered::BufWriter,
}

impl Upload<'_> {
    fn finish(&mut self) -> io::Result<()> {
        let end = poll_fn(|context| Pin::new(&mut self.out).poll_shutdown(context));
        self.runtime.block_on(end).map_err(|error| hidden(&error))
    }

    /// What was sent of it is of no use to anybody; where that cannot be said to the server, its rules for uploads that were not
    /// finished apply.
    fn give_up(&mut self) {
        let _ = self.runtime.block_on(self.out.abort());
    }
}

impl Write for Upload<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let put = self.out.put(Bytes::copy_from_slice(bytes));
        self.runtime.block_on(put).map_err(told)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An object that is read: what lies together is fetched together, for parts are read from their beginning to their end.
struct Object {
    bucket: Arc<Bucket>,
    object: Path,
    bytes: u64,
    /// The last piece that was fetched, and where it begins.
    piece: Mutex<(u64, Bytes)>,
}

impl Object {
    fn fetch(&self, from: u64, length: usize) -> io::Result<Bytes> {
        let Bucket { client, runtime } = &*self.bucket;
        let until = from.saturating_add(length as u64).min(self.bytes);
        let got = async {
            // Of all that there is some servers answer as if no range had been asked for, as they may.
            match until - from == self.bytes {
                true => client.get(&self.object).await?.bytes().await,
                false => client.get_range(&self.object, from..until).await,
            }
        };
        let bytes = runtime.block_on(got).map_err(told)?;
        match bytes.len() as u64 == until - from {
            true => Ok(bytes),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Source for Object {
    fn length(&self) -> io::Result<u64> {
        Ok(self.bytes)
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let end = at.checked_add(into.len() as u64);
        if end.is_none_or(|end| end > self.bytes) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut piece = self.piece.lock().unwrap_or_else(PoisonError::into_inner);
        let there = |(from, bytes): &(u64, Bytes)| {
            let skipped = usize::try_from(at.checked_sub(*from)?).ok()?;
            bytes.get(skipped..)?.get(..into.len()).map(|_| skipped)
        };
        if there(&piece).is_none() && !into.is_empty() {
            *piece = (at, self.fetch(at, PIECE.max(into.len()))?);
        }
        let skipped = there(&piece).unwrap_or(0);
        let bytes = piece.1.get(skipped..).and_then(|it| it.get(..into.len()));
        into.copy_from_slice(bytes.unwrap_or_default());
        Ok(())
    }
}

/// An error as a person may read it: what a server answers may name the key.
fn told(error: object_store::Error) -> io::Error {
    let kind = match &error {
        object_store::Error::NotFound { .. } => io::ErrorKind::NotFound,
        _ => io::ErrorKind::Other,
    };
    hidden(&io::Error::new(kind, error))
}

fn hidden(error: &io::Error) -> io::Error {
    let secrets = SECRETS.iter().filter_map(|name| env::var(name).ok());
    let text = without(error.to_string(), secrets);
    // Answers are documents of several lines.
    let words: Vec<&str> = text.split_whitespace().collect();
    io::Error::new(error.kind(), words.join(" "))
}

fn without(text: String, secrets: impl Iterator<Item = String>) -> String {
    let secrets = secrets.filter(|secret| !secret.is_empty());
    secrets.fold(text, |text, secret| text.replace(&secret, "…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_needs_a_bucket_and_tells_no_key() {
        for url in ["s3://", "s3:///prefix", "s3://key:s3cr3t@bucket/prefix"] {
            let refused = Objects::new(url).unwrap_err().to_string();
            assert!(refused.contains("bucket"), "{refused}");
            assert!(!refused.contains("s3cr3t"), "{refused}");
        }
        let (bucket, prefix) = named("s3://homes/some/run/").unwrap();
        assert_eq!((&*bucket, prefix.as_ref()), ("homes", "some/run"));
    }

    #[test]
    fn no_secret_is_told() {
        let secrets = ["AKIA123", "", "s3cr3t"].map(str::to_owned).into_iter();
        let text = "no such key: AKIA123, signed by s3cr3t".to_owned();
        assert_eq!(without(text, secrets), "no such key: …, signed by …");
    }
}
