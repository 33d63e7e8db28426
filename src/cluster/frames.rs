//! Whether what comes over a link is frames as timely sends them: timely itself believes whatever it is given.

use std::ops::Range;

/// Bytes of a frame's head: six numbers.
const HEAD: usize = 48;

/// No frame is longer: what timely adds to a length must not overflow.
const LONGEST: u64 = 1 << 40;

/// How far the bytes of a link have come in their frames.
#[derive(Clone, Debug)]
pub(super) struct Frames {
    /// The workers that frames may be for.
    workers: Range<u64>,
    /// The head of the next frame, as far as it has come.
    head: [u8; HEAD],
    came: usize,
    /// Bytes of the frame that are still to come.
    left: u64,
    /// The last frame has come: one of no length.
    ended: bool,
}

impl Frames {
    /// Of a link to a process that has these workers.
    pub fn to(workers: Range<usize>) -> Self {
        Frames {
            workers: workers.start as u64..workers.end as u64,
            head: [0; HEAD],
            came: 0,
            left: 0,
            ended: false,
        }
    }

    /// Whether nothing may follow any more.
    pub fn have_ended(&self) -> bool {
        self.ended
    }

    /// Takes what came next.
    ///
    /// # Errors
    /// It is nothing that timely sends: why.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<(), &'static str> {
        while !bytes.is_empty() {
            if self.ended {
                return Err("something follows the last frame");
            }
            let passes = self.left.min(bytes.len() as u64) as usize;
            self.left -= passes as u64;
            bytes = &bytes[passes..];
            let comes = bytes.len().min(HEAD - self.came);
            self.head[self.came..][..comes].copy_from_slice(&bytes[..comes]);
            self.came += comes;
            bytes = &bytes[comes..];
            if self.came == HEAD {
                self.came = 0;
                self.begin()?;
            }
        }
        Ok(())
    }

    /// A frame begins: its head has come.
    fn begin(&mut self) -> Result<(), &'static str> {
        let numbers = self.head.as_chunks().0;
        let [_channel, _source, lower, upper, length, _number] =
            std::array::from_fn(|at| u64::from_be_bytes(numbers[at]));
        if length == 0 {
            self.ended = true;
            return Ok(());
        }
        if length > LONGEST {
            return Err("a frame is longer than any");
        }
        if lower >= upper || lower < self.workers.start || upper > self.workers.end {
            return Err("a frame is for workers that are not here");
        }
        self.left = length;
        Ok(())
    }
}
