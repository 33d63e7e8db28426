//! Operations of a layer in one pass each, with their gradients.
//!
//! Made of candle's single operations a layer norm is nine tensors forward and twice as many backward, and a sum over
//! anything but the last dimension divides twice for every value. Models as small as ours spend most of their time there.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Device, Layout, Result, Shape, Tensor, WithDType,
    bail,
};

/// Added to a variance, so that a row of equal values can be divided by its deviation.
const EPSILON: f32 = 1e-5;

/// `e^x` is nothing in 32 bits below this; asking for it there is slow.
const NOTHING: f32 = -104.0;

/// `x` `[n, width]` plus `rows` `[k, width]`, each of which is added to `n / k` consecutive rows.
pub fn add_rows(x: &Tensor, rows: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2(&rows.contiguous()?, AddRows)
}

/// The sums of `group` consecutive rows each: `[n × group, width]` to `[n, width]`.
pub fn sum_rows(x: &Tensor, group: usize) -> Result<Tensor> {
    x.contiguous()?.apply_op1(SumRows(group))
}

/// Each row to mean 0 and variance 1, then scaled and shifted.
pub fn normalise(x: &Tensor, scale: &Tensor, shift: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op3(scale, shift, Normalise)
}

/// Softmax over the last dimension of `x` `[batch, heads, rows, width]`, after `mask` `[batch or 1, rows or 1, width]` was added.
pub fn masked_softmax(x: &Tensor, mask: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op2(&mask.contiguous()?, Softmax)
}

/// `-log softmax(logits)[target]` of each row; `targets` are u32.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    logits
        .contiguous()?
        .apply_op2(&targets.contiguous()?, CrossEntropy)
}

struct AddRows;

impl CustomOp2 for AddRows {
    fn name(&self) -> &'static str {
        "add-rows"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        of_x: &Layout,
        rows: &CpuStorage,
        of_rows: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, rows) = (slice::<f32>(x, of_x)?, slice::<f32>(rows, of_rows)?);
        let (n, width) = of_x.shape().dims2()?;
        let (k, same) = of_rows.shape().dims2()?;
        if k == 0 || width == 0 || width != same || n == 0 || n % k != 0 {
            bail!("{k} rows of {same} cannot be added to {n} of {width}");
        }
        let mut sums = Vec::with_capacity(x.len());
        for (group, row) in x.chunks_exact(n / k * width).zip(rows.chunks_exact(width)) {
            for x in group.chunks_exact(width) {
                sums.extend(x.iter().zip(row).map(|(x, row)| x + row));
            }
        }
        Ok((CpuStorage::F32(sums), of_x.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        rows: &Tensor,
        _sums: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let group = x.dim(0)? / rows.dim(0)?;
        Ok((Some(gradient.clone()), Some(sum_rows(gradient, group)?)))
    }
}

struct SumRows(usize);

impl CustomOp1 for SumRows {
    fn name(&self) -> &'static str {
        "sum-rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, of: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice::<f32>(x, of)?;
        let (n, width) = of.shape().dims2()?;
        let SumRows(group) = *self;
        if group == 0 || width == 0 || n % group != 0 {
            bail!("{n} rows of {width} are not groups of {group}");
        }
        let mut sums = vec![0f32; n / group * width];
        for (sums, group) in sums
            .chunks_exact_mut(width)
            .zip(x.chunks_exact(group * width))
        {
            for row in group.chunks_exact(width) {
                add(sums, row);
            }
        }
        Ok((CpuStorage::F32(sums), (n / group, width).into()))
    }

    fn bwd(&self, x: &Tensor, _sums: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let (n, width) = x.dims2()?;
        let gradient: Vec<f32> = values(gradient)?;
        let mut repeated = Vec::with_capacity(n * width);
        for row in gradient.chunks_exact(width) {
            for _ in 0..self.0 {
                repeated.extend_from_slice(row);
            }
        }
        Tensor::from_vec(repeated, (n, width), &Device::Cpu).map(Some)
    }
}

struct Normalise;

impl CustomOp3 for Normalise {
    fn name(&self) -> &'static str {
        "normalise"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        of_x: &Layout,
        scale: &CpuStorage,
        of_scale: &Layout,
        shift: &CpuStorage,
        of_shift: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (scale, shift) = (
            slice::<f32>(scale, of_scale)?,
            slice::<f32>(shift, of_shift)?,
        );
        let x = slice::<f32>(x, of_x)?;
        let width = width_of(of_x)?;
        if scale.len() != width || shift.len() != width {
            bail!("a row of {width} cannot be scaled by {}", scale.len());
        }
        let mut normal = Vec::with_capacity(x.len());
        for row in x.chunks_exact(width) {
            let (mean, inverse) = moments(row);
            let scaled = row.iter().zip(scale).zip(shift);
            normal.extend(scaled.map(|((x, scale), shift)| (x - mean) * inverse * scale + shift));
        }
        Ok((CpuStorage::F32(normal), of_x.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        scale: &Tensor,
        _shift: &Tensor,
        _normal: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let width = scale.elem_count();
        let (from, scale, gradient): (Vec<f32>, Vec<f32>, Vec<f32>) =
            (values(x)?, values(scale)?, values(gradient)?);
        let mut to_x = Vec::with_capacity(from.len());
        let mut to_scale = vec![0f32; width];
        let mut to_shift = vec![0f32; width];
        // Of one row: its normal values, and what reaches them.
        let mut normal = vec![0f32; width];
        let mut reached = vec![0f32; width];
        let rows = from.chunks_exact(width).zip(gradient.chunks_exact(width));
        for (row, gradient) in rows {
            let (mean, inverse) = moments(row);
            for (normal, x) in normal.iter_mut().zip(row) {
                *normal = (x - mean) * inverse;
            }
            add(&mut to_shift, gradient);
            for ((to, g), n) in to_scale.iter_mut().zip(gradient).zip(&normal) {
                *to += g * n;
            }
            for ((to, g), s) in reached.iter_mut().zip(gradient).zip(&scale) {
                *to = g * s;
            }
            let along = dot(&reached, &normal) / width as f32;
            let level = sum(&reached) / width as f32;
            let each = reached.iter().zip(&normal);
            to_x.extend(each.map(|(r, n)| (r - level - n * along) * inverse));
        }
        Ok((
            Some(Tensor::from_vec(to_x, x.shape(), &Device::Cpu)?),
            Some(Tensor::from_vec(to_scale, width, &Device::Cpu)?),
            Some(Tensor::from_vec(to_shift, width, &Device::Cpu)?),
        ))
    }
}

struct Softmax;

impl CustomOp2 for Softmax {
    fn name(&self) -> &'static str {
        "masked-softmax"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        of_x: &Layout,
        mask: &CpuStorage,
        of_mask: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, mask) = (slice::<f32>(x, of_x)?, slice::<f32>(mask, of_mask)?);
        let (batch, heads, rows, width) = of_x.shape().dims4()?;
        let (masks, lines, same) = of_mask.shape().dims3()?;
        if !(masks == 1 || masks == batch) || !(lines == 1 || lines == rows) || same != width {
            bail!("a mask of {masks} × {lines} × {same} does not fit {batch} × {rows} × {width}");
        }
        let mut shares = Vec::with_capacity(x.len());
        let mut masked = vec![0f32; width];
        for (at, x) in x.chunks_exact(width.max(1)).enumerate() {
            let (of, row) = (at / (heads * rows), at % rows);
            let mask = &mask[(of % masks * lines + row % lines) * width..][..width];
            for ((to, x), mask) in masked.iter_mut().zip(x).zip(mask) {
                *to = x + mask;
            }
            let total = powers(&mut masked);
            shares.extend(masked.iter().map(|power| power / total));
        }
        Ok((CpuStorage::F32(shares), of_x.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        _mask: &Tensor,
        shares: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = x.dim(3)?.max(1);
        let (shares, gradient): (Vec<f32>, Vec<f32>) = (values(shares)?, values(gradient)?);
        let mut to_x = Vec::with_capacity(shares.len());
        let rows = shares.chunks_exact(width).zip(gradient.chunks_exact(width));
        for (shares, gradient) in rows {
            let level = dot(shares, gradient);
            let each = shares.iter().zip(gradient);
            to_x.extend(each.map(|(share, g)| share * (g - level)));
        }
        // A mask is no part of a model.
        Ok((Some(Tensor::from_vec(to_x, x.shape(), &Device::Cpu)?), None))
    }
}

struct CrossEntropy;

impl CustomOp2 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(
        &self,
        logits: &CpuStorage,
        of_logits: &Layout,
        targets: &CpuStorage,
        of_targets: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let logits = slice::<f32>(logits, of_logits)?;
        let targets = slice::<u32>(targets, of_targets)?;
        let (rows, width) = of_logits.shape().dims2()?;
        if targets.len() != rows || targets.iter().any(|&target| target as usize >= width) {
            bail!(
                "{} targets do not fit {rows} × {width} logits",
                targets.len()
            );
        }
        let mut losses = Vec::with_capacity(rows);
        let mut shifted = vec![0f32; width];
        for (logits, &target) in logits.chunks_exact(width.max(1)).zip(targets) {
            shifted.copy_from_slice(logits);
            let chosen = logits[target as usize] - greatest(logits);
            losses.push(powers(&mut shifted).ln() - chosen);
        }
        Ok((CpuStorage::F32(losses), rows.into()))
    }

    fn bwd(
        &self,
        logits: &Tensor,
        targets: &Tensor,
        _losses: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = logits.dim(1)?;
        let (targets, gradient): (Vec<u32>, Vec<f32>) = (values(targets)?, values(gradient)?);
        let mut to_logits: Vec<f32> = values(logits)?;
        let rows = to_logits.chunks_exact_mut(width.max(1));
        for ((row, &target), g) in rows.zip(&targets).zip(&gradient) {
            let scale = g / powers(row);
            for share in row.iter_mut() {
                *share *= scale;
            }
            row[target as usize] -= g;
        }
        let to_logits = Tensor::from_vec(to_logits, logits.shape(), &Device::Cpu)?;
        Ok((Some(to_logits), None))
    }
}

/// The values of a tensor, in order.
fn values<T: WithDType>(tensor: &Tensor) -> Result<Vec<T>> {
    tensor.flatten_all()?.to_vec1()
}

/// The values of a contiguous tensor.
fn slice<'a, T: WithDType>(values: &'a CpuStorage, layout: &Layout) -> Result<&'a [T]> {
    let Some((from, to)) = layout.contiguous_offsets() else {
        bail!("the tensor is not contiguous");
    };
    Ok(&values.as_slice::<T>()?[from..to])
}

fn width_of(layout: &Layout) -> Result<usize> {
    match layout.shape().dims().last() {
        Some(&width) if width > 0 => Ok(width),
        _ => bail!("there are no rows"),
    }
}

/// A row's mean, and one over its deviation.
fn moments(row: &[f32]) -> (f32, f32) {
    let width = row.len() as f32;
    let mean = sum(row) / width;
    let squares = lanes(row, |x| (x - mean) * (x - mean));
    (mean, 1.0 / (squares / width + EPSILON).sqrt())
}

/// Turns values into powers of e, the greatest becoming 1, and returns their sum.
fn powers(row: &mut [f32]) -> f32 {
    let top = greatest(row);
    for x in row.iter_mut() {
        let below = *x - top;
        *x = if below < NOTHING { 0.0 } else { below.exp() };
    }
    sum(row)
}

fn greatest(row: &[f32]) -> f32 {
    row.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

fn add(to: &mut [f32], row: &[f32]) {
    for (to, x) in to.iter_mut().zip(row) {
        *to += x;
    }
}

fn sum(row: &[f32]) -> f32 {
    lanes(row, |x| x)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0f32; LANES];
    let (a, rest_a) = a.as_chunks::<LANES>();
    let (b, rest_b) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = rest_a.iter().zip(rest_b).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// A sum in eight lanes, which the compiler adds at a time.
fn lanes(row: &[f32], of: impl Fn(f32) -> f32) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0f32; LANES];
    let (whole, rest) = row.as_chunks::<LANES>();
    for chunk in whole {
        for (sum, &x) in sums.iter_mut().zip(chunk) {
            *sum += of(x);
        }
    }
    let rest: f32 = rest.iter().map(|&x| of(x)).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use candle_core::{D, Var};
    use proptest::prelude::*;

    use super::*;

    fn tensor(values: &[f32], shape: impl Into<Shape>) -> Var {
        let shape = shape.into();
        let values = values[..shape.elem_count()].to_vec();
        Var::from_tensor(&Tensor::from_vec(values, shape, &Device::Cpu).unwrap()).unwrap()
    }

    fn close(a: &Tensor, b: &Tensor) -> bool {
        let (a, b): (Vec<f32>, Vec<f32>) = (values(a).unwrap(), values(b).unwrap());
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * (1.0 + b.abs());
        a.len() == b.len() && a.iter().zip(&b).all(near)
    }

    /// Both give the same, and the same gradients of a sum of it in which every value weighs differently.
    fn agree(ours: &Tensor, plain: &Tensor, variables: &[&Var]) -> bool {
        let weighed = |x: &Tensor| {
            let weights = (0..x.elem_count()).map(|i| (i % 7) as f32 - 2.5);
            let weights: Vec<f32> = weights.collect();
            let weights = Tensor::from_vec(weights, x.shape(), &Device::Cpu).unwrap();
            (x * weights)
                .unwrap()
                .sum_all()
                .unwrap()
                .backward()
                .unwrap()
        };
        let (a, b) = (weighed(ours), weighed(plain));
        let same = |var: &&Var| close(a.get(var.as_tensor()).unwrap(), b.get(var).unwrap());
        close(ours, plain) && variables.iter().all(same)
    }

    fn plain_softmax(x: &Tensor) -> Tensor {
        let powers = x.exp().unwrap();
        let sums = powers.sum_keepdim(D::Minus1).unwrap();
        powers.broadcast_div(&sums).unwrap()
    }

    proptest! {
        /// What one pass gives is what candle's single operations give, gradients too.
        #[test]
        fn one_pass_gives_what_single_operations_give(
            numbers in prop::collection::vec(-3.0f32..3.0, 2 * 3 * 5 * 19),
            (n, k, width) in (1usize..6, 1usize..4, 1usize..20),
            targets in prop::collection::vec(0u32..20, 5),
            one_mask: bool,
        ) {
            let x = tensor(&numbers, (n * k, width));
            let rows = tensor(&numbers[7..], (k, width));
            let ours = add_rows(&x, &rows).unwrap();
            let groups = x.reshape((k, n, width)).unwrap();
            let plain = groups.broadcast_add(&rows.unsqueeze(1).unwrap()).unwrap();
            let plain = plain.reshape((n * k, width)).unwrap();
            prop_assert!(agree(&ours, &plain, &[&x, &rows]));

            let plain = groups.sum(1).unwrap();
            prop_assert!(agree(&sum_rows(&x, n).unwrap(), &plain, &[&x]));

            // A row of like values has hardly a deviation: its gradient is rounding, many times enlarged.
            let apart: Vec<f32> = (0..n * k * width).map(|i| numbers[i] + if i.is_multiple_of(width) { 8.0 } else { 0.0 }).collect();
            let x = tensor(&apart, (n * k, width));
            let (scale, shift) = (tensor(&numbers[3..], width), tensor(&numbers[31..], width));
            let ours = normalise(&x, &scale, &shift).unwrap();
            let centred = x.broadcast_sub(&x.mean_keepdim(1).unwrap()).unwrap();
            let variance = centred.sqr().unwrap().mean_keepdim(1).unwrap();
            let deviation = (variance + f64::from(EPSILON)).unwrap().sqrt().unwrap();
            let plain = centred.broadcast_div(&deviation).unwrap();
            let plain = plain.broadcast_mul(&scale).unwrap().broadcast_add(&shift).unwrap();
            // A row of one value has no deviation at all.
            let variables: &[&Var] = if width > 1 { &[&x, &scale, &shift] } else { &[&scale, &shift] };
            prop_assert!(agree(&ours, &plain, variables));

            let x = tensor(&numbers, (2, k, n, width));
            let (masks, lines) = if one_mask { (1, n) } else { (2, 1) };
            let hidden = |i: usize| if !i.is_multiple_of(width) && i.is_multiple_of(3) { -1e9 } else { 0.0 };
            let mask: Vec<f32> = (0..masks * lines * width).map(hidden).collect();
            let mask = Tensor::from_vec(mask, (masks, lines, width), &Device::Cpu).unwrap();
            let ours = masked_softmax(&x, &mask).unwrap();
            let plain = x.broadcast_add(&mask.unsqueeze(1).unwrap()).unwrap();
            prop_assert!(agree(&ours, &plain_softmax(&plain), &[&x]));

            let x = tensor(&numbers, (n, width));
            let targets: Vec<u32> = targets[..n].iter().map(|t| t % width as u32).collect();
            let targets = Tensor::from_vec(targets, n, &Device::Cpu).unwrap();
            let ours = cross_entropy(&x, &targets).unwrap();
            let shares = plain_softmax(&x).gather(&targets.unsqueeze(1).unwrap(), 1).unwrap();
            let plain = shares.squeeze(1).unwrap().log().unwrap().neg().unwrap();
            prop_assert!(agree(&ours, &plain, &[&x]));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let x = tensor(&[0.0; 12], (4, 3));
        assert!(add_rows(&x, &tensor(&[0.0; 9], (3, 3))).is_err());
        assert!(sum_rows(&x, 3).is_err());
        let beyond = Tensor::from_vec(vec![0u32, 1, 2, 3], 4, &Device::Cpu).unwrap();
        assert!(cross_entropy(&x, &beyond).is_err());
    }
}
